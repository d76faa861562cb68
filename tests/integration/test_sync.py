"""
`sync NAME`, and every other program that opens a file for reading to call fsync: it learns what became of the last write, also in an outage. That, and
nothing else, can be done with what was written lately (rule 9).
"""

import errno
import mmap
import os
import re
import subprocess

import pytest

from programs import errno_of, shell, write_file
from waiting import wait_until

SYNCS = {"GNU": ["sync"], "busybox": ["busybox", "sync"]}


def sync(program, *names):
    return subprocess.run([*SYNCS[program], *names], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, timeout=60)


@pytest.mark.parametrize("program", SYNCS)
def test_it_succeeds_after_a_success(direct_mount, sandbox, program):
    assert shell('echo val > "$NAME"', NAME=direct_mount / "prod/NAME").returncode == 0
    done = sync(program, direct_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [b"val"]


@pytest.mark.parametrize("program", SYNCS)
def test_it_tells_why_the_last_write_failed_once(direct_mount, sandbox, program):
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.put_secret", status=403)
    assert shell('echo val > "$NAME"', NAME=direct_mount / "prod/NAME").returncode == 0
    first, second = (sync(program, direct_mount / "prod/NAME") for _ in range(2))
    assert first.returncode == 1 and "Permission denied" in first.stderr
    assert second.returncode == 0


@pytest.mark.mount_options("timeout=2")
@pytest.mark.parametrize("program", SYNCS)
def test_it_tells_the_true_errno_in_an_outage(direct_mount, sandbox, program):
    """When the service is known to be down it can't be opened for writing; for fsync it can."""
    sandbox.put("prod", "NAME", b"old")
    name = direct_mount / "prod/NAME"
    sandbox.fault(operation="fastly.*", status=500)


    def is_known_to_be_down():
        """Known for three seconds after a write has failed."""
        shell('echo val > "$NAME"', NAME=name)
        return errno_of(lambda: os.close(os.open(name, os.O_WRONLY))) == errno.EIO

    wait_until(is_known_to_be_down)
    done = sync(program, name)
    assert done.returncode == 1 and "Input/output error" in done.stderr
    assert "sync NAME" not in done.stderr
    sandbox.clear_faults()


@pytest.mark.parametrize("flags", [0, os.O_NONBLOCK, os.O_CLOEXEC | os.O_NOFOLLOW])
def test_nothing_is_read(direct_mount, sandbox, flags):
    write_file(direct_mount / "prod/NAME", b"value")
    descriptor = os.open(direct_mount / "prod/NAME", os.O_RDONLY | flags)
    assert errno_of(os.read, descriptor, 10) == errno.EACCES
    assert errno_of(os.pread, descriptor, 1, 2) == errno.EACCES
    assert errno_of(os.write, descriptor, b"x") != 0
    assert errno_of(mmap.mmap, descriptor, 5, mmap.MAP_SHARED, mmap.PROT_READ) != 0
    os.fsync(descriptor)
    os.close(descriptor)
    assert sandbox.uploads() == [b"value"]


def test_every_other_name_is_refused_at_open(direct_mount, sandbox):
    sandbox.put("prod", "OTHER", b"old")
    write_file(direct_mount / "prod/NAME", b"value")
    assert errno_of(os.open, direct_mount / "prod/OTHER", os.O_RDONLY) == errno.EACCES
    os.close(os.open(direct_mount / "prod/OTHER", os.O_WRONLY))
    assert errno_of(os.open, direct_mount / "prod/OTHER", os.O_RDONLY) == errno.EACCES, "nothing was written"


@pytest.mark.mount_options("nocreate")
def test_it_tells_of_a_replacement_that_found_nothing_when_others_have_made_it_anew(place):
    name = place / "NAME"
    place.put("NAME", b"old")
    os.stat(name)
    place.service.delete(place.store, "NAME")
    assert shell('echo val > "$NAME"', NAME=name).returncode == 0
    place.put("NAME", b"another's")
    place.mount.refresh()
    first, second = (sync("GNU", name) for _ in range(2))
    assert first.returncode == 1 and "No such file or directory" in first.stderr
    assert second.returncode == 0
    assert place.value("NAME") == b"another's"


def test_what_others_made_anew_is_another(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"value")
    os.unlink(direct_mount / "prod/NAME")
    sandbox.put("prod", "NAME", b"another's")
    direct_mount.refresh()
    assert errno_of(os.open, direct_mount / "prod/NAME", os.O_RDONLY) == errno.EACCES


def test_while_it_is_written_fsync_leaves_the_half(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    writer = subprocess.Popen(["sh", "-c", 'exec 3> "$0"; /bin/echo half >&3; echo >&2; read go; echo and half >&3', name],
                              stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stderr.readline() == "\n"
    assert sync("GNU", name).returncode == 0
    assert sandbox.uploads() == []
    writer.communicate("\n")
    assert writer.returncode == 0
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"half\nand half\n"]


def test_a_descriptor_for_both_publishes_at_the_writers_close(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    write_file(name, b"first")
    writer, reader = os.open(name, os.O_WRONLY | os.O_TRUNC), os.open(name, os.O_RDONLY)
    os.write(writer, b"second")
    os.close(writer)
    assert sandbox.uploads() == [b"first", b"second"]
    os.close(reader)


@pytest.mark.mount_options("allow_other,umask=027,gid=65534")
def test_a_user_that_may_not_write_may_not_sync(direct_mount, sandbox, tmp_path):
    write_file(direct_mount / "prod/NAME", b"value")
    done = subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "sync", direct_mount / "prod/NAME"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "ermission denied" in done.stderr


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return errno_of(os.fsync, descriptor)
    finally:
        os.close(descriptor)


def test_the_failures_of_a_thousand_names_are_kept_and_the_oldest_goes_first(direct_mount, sandbox):
    names = [f"NAME_{number:07}" for number in range(1001)]
    sandbox.seed("prod", 1001, prefix="NAME_")
    sandbox.fault(operation="fastly.put_secret", status=403)
    for name in names:
        assert errno_of(write_file, direct_mount / "prod" / name, b"val") == errno.EACCES
    assert re.search(r"^sstorefs_unsettled_failures(\{.*\})? 1000$", direct_mount.control("metrics"), re.MULTILINE)
    assert [fsync(direct_mount / "prod" / name) for name in (names[0], names[1], names[-1])] == [0, errno.EACCES, errno.EACCES]
