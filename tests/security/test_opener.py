"""The mount helper, asked by those for whom it is not: all that it gives is a mount, and who has that takes the values that others write."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from daemon import BUILD, mounts_at
from waiting import TIMEOUT
from private_mount import NOBODY, OTHER, as_user

OPENER = BUILD / "src/mount-proxy/sstorefs-mount-proxy"


class Helper:
    def __init__(self, *who):
        self.work = Path(tempfile.mkdtemp(prefix="sstorefs-mount-proxy-"))
        self.work.chmod(0o755)
        self.program = shutil.copy(OPENER, self.work)
        os.chmod(self.program, 0o711)  # as it is installed
        self.mountpoint, self.socket = self.work / "mnt", self.work / "socket"
        self.log_path = self.work / "log"
        self.requesters = []
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.program, self.mountpoint, *who, "-o", "allow_other", "--listen", self.socket], stderr=log,
                                            stdin=subprocess.DEVNULL)

    def ask(self, user, *command):
        return subprocess.run([self.program, "--request", self.socket, "--", *command], capture_output=True, text=True, timeout=60, cwd="/",
                              **as_user(user))

    def hold(self, user):
        """A process that has asked, has the mount, and lives."""
        requester = subprocess.Popen([self.program, "--request", self.socket, "--", "sh", "-c", "echo has it; exec sleep 1d"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, cwd="/", **as_user(user))
        self.requesters.append(requester)
        assert requester.stdout.readline() == "has it\n"
        return requester

    def log(self):
        return self.log_path.read_text()

    def end(self):
        self.process.terminate()
        assert self.process.wait(TIMEOUT) == 0

    def finish(self):
        for requester in self.requesters:
            requester.kill()
            requester.communicate()
        if self.process.poll() is None:
            self.end()
        while mounts_at(self.mountpoint):
            subprocess.run(["umount", "-l", self.mountpoint], check=True)
        subprocess.run(["chattr", "-i", self.mountpoint], stderr=subprocess.DEVNULL)  # it was closed to root
        shutil.rmtree(self.work)


@pytest.fixture
def helper(request, devices):
    helper = Helper(*getattr(request, "param", ["-u", str(NOBODY)]))
    yield helper
    helper.finish()


def test_a_second_process_of_the_user_gets_nothing_while_the_first_lives(helper):
    first = helper.hold(NOBODY)
    refused = helper.ask(NOBODY, "echo", "stolen")
    assert refused.returncode == 32 and "still runs" in refused.stderr and "stolen" not in refused.stdout
    assert mounts_at(helper.mountpoint) == ["fuse.sstorefs"]
    first.kill()
    first.wait()
    assert helper.ask(NOBODY, "echo", "mine now").stdout == "mine now\n"


def test_a_process_in_thousands_of_groups_gets_its_mount(helper):
    """They are in /proc/PID/status before its process numbers."""
    asked = subprocess.run([helper.program, "--request", helper.socket, "--", "true"], capture_output=True, text=True, timeout=60, cwd="/",
                           **{**as_user(NOBODY), "extra_groups": range(1000000000, 1000002000)})
    assert (asked.returncode, asked.stderr) == (0, "")


def test_a_core_of_the_process_that_has_the_mount_holds_no_memory(helper):
    """Its program can't be read by its user, so that it can't see to that itself."""
    pid = helper.hold(NOBODY).pid
    assert int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0
    assert "coredump_filter" not in helper.log()


def test_a_path_that_no_socket_can_have_is_refused_as_such():
    asked = subprocess.run([OPENER, "--request", "/" + "p" * 200, "--", "true"], capture_output=True, text=True, timeout=60)
    assert asked.returncode == 32 and "File name too long" in asked.stderr


@pytest.mark.parametrize("helper", [["--unit", "sstorefs@prod.service"]], indirect=True)
@pytest.mark.parametrize("user", [0, NOBODY])
def test_a_process_of_no_unit_gets_nothing(helper, user):
    refused = helper.ask(user, "echo", "stolen")
    assert refused.returncode == 32 and "another unit" in refused.stderr and "stolen" not in refused.stdout
    assert mounts_at(helper.mountpoint) == []


def test_refusals_are_logged_once_a_minute_with_their_number(helper):
    for _ in range(200):
        assert helper.ask(OTHER, "true").returncode == 32
    (line,) = helper.log().splitlines()
    assert f"uid={OTHER} gid={OTHER} pid=" in line
    helper.end()
    first, last = helper.log().splitlines()
    assert first == line and "199 more were refused within a minute" in last


@pytest.mark.parametrize("user", ["65534x", "65534:", "4294967296", "-1", "0:4294967295", "no such user"])
def test_a_user_that_there_cannot_be_is_refused(tmp_path, user):
    """4294967296 would be root in 32 bits."""
    done = subprocess.run([OPENER, tmp_path / "mnt", "-u", user, "--listen", tmp_path / "socket"], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 32 and f"there is no user '{user}'" in done.stderr
    assert not (tmp_path / "mnt").exists()
