"""Little locked memory: the limit of an ordinary user on many systems."""

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from daemon import Mount, wait_until_mounted

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
WRITE = 'import os,sys; d = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC); os.write(d, b"v" * int(sys.argv[2])); os.close(d)'


@pytest.fixture
def work_for_all_users():
    """A directory and a /dev/fuse that ordinary users may use, in our mount namespace alone."""
    work = Path("/mnt")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "sstorefs-tests", work], check=True)
    os.mknod(work / "fuse", stat.S_IFCHR | 0o666, os.stat("/dev/fuse").st_rdev)
    os.chmod(work / "fuse", 0o666)
    subprocess.run(["mount", "--bind", work / "fuse", "/dev/fuse"], check=True)
    yield work
    subprocess.run(["umount", "/dev/fuse"], check=True)
    subprocess.run(["umount", "-l", work], check=True)


class Poor:
    """A mount of an ordinary user who may lock 64 KiB, as on many systems."""

    def __init__(self, work, service):
        self.mount = Mount(work, service, options="timeout=3")
        self.mount.path.mkdir()
        for path in (self.mount.path, self.mount.token_file):
            os.chown(path, NOBODY, NOBODY)

    def start(self):
        arguments = ["prlimit", "--memlock=65536:65536", *AS_NOBODY, *self.mount.arguments("-f")]
        with open(self.mount.log_path, "ab") as log:
            self.mount.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.mount.work)
        self.mount.pid = self.mount.process.pid
        wait_until_mounted(self.mount.path, self.mount.process)

    def write(self, name, size):
        arguments = [*AS_NOBODY, "/usr/bin/python3", "-c", WRITE, str(self.mount / f"prod/{name}"), str(size)]
        return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def poor(request, work_for_all_users, direct):
    poor = Poor(work_for_all_users, direct)
    request.node.mounts = [poor.mount]
    yield poor
    poor.mount.finish()


def output(writer):
    return writer.communicate(timeout=30)[1]


def test_sixty_four_kibibytes_of_locked_memory(poor, sandbox, table):
    """Secrets of every usual size are stored, many at once too; what can't be locked is refused, never held in memory that isn't."""
    poor.start()
    assert output(poor.write("SMALL", 100)) == ""
    assert output(poor.write("KEY", 8000)) == ""
    writers = [poor.write(f"NAME{number}", 3000) for number in range(30)]
    assert [output(writer) for writer in writers] == [""] * 30
    assert len(sandbox.uploads()) == 32
    sandbox.clear()
    table.begin()
    assert "No buffer space" in output(poor.write("LARGE", 60000))
    table.line("RLIMIT_MEMLOCK of 64 KiB, a value of 60 KB", errno.ENOBUFS, "nothing")
    assert sandbox.value("prod", "LARGE") is None
    with open(f"/proc/{poor.mount.pid}/status") as status:
        locked = next(int(line.split()[1]) for line in status if line.startswith("VmLck"))
    assert 0 < locked <= 64
    # And nothing of that stays behind.
    assert output(poor.write("AGAIN", 100)) == ""
