"""Nothing in clear text below a mount: what root can write while nothing is mounted there, who closes it, and who says so."""

import json
import os
import subprocess

import pytest

from daemon import BUILD, PROGRAM, run_program

PROXY = BUILD / "src/mount-proxy/sstorefs-mount-proxy"
SAYS = "root can write into {} while nothing is mounted there"
NOBODY = 65534


@pytest.fixture
def directory(tmp_path):
    """Where a mountpoint can be made, on a file system of the test's own."""
    path = tmp_path / "system"
    path.mkdir()
    mounted = []

    def make(kind):
        subprocess.run(["mount", "-t", kind, "none", path], check=True)
        mounted.append(path)
        return path

    yield make
    for path in mounted:
        subprocess.run(["umount", "-R", "-l", path], check=True)


def prepare(path, *more):
    return subprocess.run([PROXY, "--prepare", path, *more], capture_output=True, text=True)


def can_write(path):
    try:
        (path / "NAME").write_text("val")
    except OSError:
        return False
    return True


# --- closing it -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, above", [("tmpfs", 0), ("ramfs", 1)])
def test_a_prepared_mountpoint_is_closed_to_root(directory, kind, above):
    """By its flag or, on a file system that has none, by a read-only tmpfs; a second time nothing is left to do."""
    path = directory(kind) / "mnt"
    for _ in range(2):
        assert (prepare(path).returncode, prepare(path).stderr) == (0, "")
        assert not can_write(path) and list(path.iterdir()) == []
        with open("/proc/self/mounts") as mounts:
            assert sum(line.split()[1] == str(path) for line in mounts) == above
    subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    assert can_write(path), "it can be mounted on"


def test_files_that_lie_there_are_covered(directory):
    """Where the directory alone was immutable, they could be written."""
    path = directory("tmpfs") / "mnt"
    path.mkdir()
    assert can_write(path)
    assert prepare(path).returncode == 0
    assert not can_write(path) and list(path.iterdir()) == []


def test_what_cannot_be_closed_is_reported_and_no_reason_to_stop(directory):
    path = directory("ramfs") / "mnt"
    output = prepare(path, "-o", "nocover")
    assert output.returncode == 32 and output.stderr.count("\n") == 1 and SAYS.format(path) in output.stderr
    went_on = prepare(path, "-o", "nocover", "--", "echo", "went on")
    assert (went_on.returncode, went_on.stdout) == (0, "went on\n")


def test_a_mount_proxy_closes_its_mountpoint_and_takes_its_tmpfs_away(directory, tmp_path):
    path = directory("ramfs") / "mnt"
    proxy = subprocess.Popen([PROXY, path, "-u", "nobody", "--listen", tmp_path / "socket"], stderr=subprocess.PIPE, text=True)
    asked = subprocess.run([PROXY, "--request", tmp_path / "socket", "--", "true"], capture_output=True, text=True)
    assert asked.returncode == 32 and "another user" in asked.stderr, "it listens"
    assert not can_write(path)
    proxy.terminate()
    proxy.communicate()
    assert proxy.returncode == 0 and not os.path.ismount(path)


# --- saying so ------------------------------------------------------------------------------------------------------------------


def said_by_check(path, work):
    """In lines, as JSON, and the exit status."""
    lines = run_program([PROGRAM, "--check", path], work)
    found = run_program([PROGRAM, "--check", path, "--json"], work)
    assert lines.returncode == found.returncode
    return SAYS.format(path) in lines.stdout, json.loads(found.stdout)["root_can_write_below"], lines.returncode


@pytest.mark.parametrize("closed", [False, True], ids=["open", "prepared"])
def test_a_mount_and_check_say_it(make_mount, direct, directory, closed):
    mount = make_mount(direct, start=False)
    mount.path = directory("tmpfs") / "mnt"
    mount.path.mkdir()
    if closed:
        assert prepare(mount.path).returncode == 0
    assert said_by_check(mount.path, mount.work) == (not closed, not closed, 9)
    mount.start()
    assert said_by_check(mount.path, mount.work) == (not closed, not closed, 0)
    mount.unmount()
    assert mount.log().count(SAYS.format(mount.path)) == (not closed)


def test_a_read_only_file_system_is_no_reason_to_say_it(make_mount, direct, directory):
    mount = make_mount(direct, start=False)
    mount.path = directory("ramfs") / "mnt"
    mount.path.mkdir()
    subprocess.run(["mount", "-o", "remount,bind,ro", mount.path.parent], check=True)
    mount.start()
    assert said_by_check(mount.path, mount.work) == (False, False, 0)
    mount.unmount()


def test_the_mount_of_a_user_says_nothing(tmp_path):
    """A directory that fusermount3 mounts on must be the user's to write to."""
    path = tmp_path / "mnt"
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o077 == 0:
            parent.chmod(0o711)
    tmp_path.chmod(0o711)
    program = tmp_path / "sstorefs"
    program.write_bytes(PROGRAM.read_bytes())
    program.chmod(0o755)
    done = subprocess.run([program, "--check", path], capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[])
    assert done.returncode == 9 and "root can" not in done.stdout
