"""How a mount ends (doc/semantics.md, rule 20)."""

import os
import signal

import pytest

from daemon import daemon_at, mounts_at, run_program, wait_for_end
from programs import errno_of, start, write_file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_unmounts(direct_mount, number):
    write_file(direct_mount / "prod/NAME", b"val")
    direct_mount.signal(number)
    assert direct_mount.wait() == 0
    assert mounts_at(direct_mount.path) == []


def test_a_signal_does_not_cut_an_upload_off(mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", hold="before")
    writer = start("cp", "/etc/hostname", mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    mount.signal(signal.SIGTERM)
    sandbox.release()
    assert writer.wait(30) == 0
    assert mount.wait() == 0
    assert len(sandbox.uploads()) == 1


def test_unmount_leaves_nothing(direct_mount):
    write_file(direct_mount / "prod/NAME", b"val")
    assert direct_mount.unmount() == 0
    assert mounts_at(direct_mount.path) == []
    assert os.listdir(direct_mount.path) == []


def test_fuse_unmount_by_fusermount(direct_mount):
    assert start("fusermount3", "-u", direct_mount.path).wait(30) == 0
    assert direct_mount.wait() == 0


@pytest.mark.parametrize("options", ["", "attr_timeout=60,entry_timeout=60"], ids=["", "long time-outs"])
def test_a_mount_whose_daemon_was_killed_a_moment_ago_is_replaced(make_mount, direct, sandbox, options):
    """Though the kernel still knows, from its cache, that all was well there."""
    mount = make_mount(direct, options=options)
    os.stat(mount.path)
    mount.signal(signal.SIGKILL)
    mount.wait()
    again = run_program(mount.arguments(), mount.work)  # which stays in the background
    assert again.returncode == 0, again.stderr
    assert mounts_at(mount.path) == ["fuse.sstorefs"]
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    daemon = daemon_at(mount.path)
    assert start("umount", mount.path).wait(30) == 0
    assert wait_for_end(daemon)


def test_what_was_not_whole_is_named_and_not_stored(direct_mount, sandbox):
    """The exit status tells of it, too."""
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"half")
    direct_mount.signal(signal.SIGTERM)
    assert direct_mount.wait() == 32
    assert 'store="prod" name="NAME" words="its writer had not closed it: nothing was stored"' in direct_mount.log()
    errno_of(os.close, descriptor)
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.mount_options("commit=fsync")
def test_what_is_due_is_stored_at_the_end(direct_mount, sandbox):
    """Its writer has closed it; a forgotten child of the writer still holds it."""
    writer = start("sh", "-c", '{ echo val; sleep 1000 & } > "$NAME"; echo $!', NAME=direct_mount / "prod/NAME")
    child = int(writer.stdout.readline())
    assert writer.wait(60) == 0
    assert sandbox.uploads() == []
    direct_mount.signal(signal.SIGTERM)
    assert direct_mount.wait() == 0
    os.kill(child, signal.SIGKILL)
    writer.communicate()
    assert sandbox.uploads() == [b"val"]


def test_what_was_written_when_the_mount_was_torn_away_is_stored(direct_mount, sandbox):
    """umount -f, though a writer has it open: no close can arrive any more, so it counts as closed."""
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"val")
    assert start("umount", "-f", "-l", direct_mount.path).wait(60) == 0
    assert direct_mount.wait() == 0
    assert sandbox.uploads() == [b"val"]
    errno_of(os.close, descriptor)
