"""commit=fsync and commit=write: values that are published otherwise than at close (doc/semantics.md, rule 10)."""

import errno
import os
import signal

import pytest

from programs import errno_of, shell, start, write_file
from waiting import wait_until

PUT = "fastly.put_secret"


@pytest.mark.mount_options("commit=fsync")
def test_many_are_written_at_the_speed_of_memory_and_settled_by_one_sync(direct_mount, sandbox):
    """No close waits for the service, and in the end each was sent once."""
    sandbox.fault(operation=PUT, hold="before")
    names = [direct_mount / f"prod/NAME{number}" for number in range(30)]
    for number, name in enumerate(names):
        write_file(name, b"value %d" % number)
    assert sandbox.uploads() == []
    sandbox.clear_faults()
    assert shell("sync " + " ".join(map(str, names))).returncode == 0
    assert sorted(sandbox.uploads()) == sorted(b"value %d" % number for number in range(30))


@pytest.mark.mount_options("commit=fsync")
def test_what_is_held_open_is_not_sent_before_its_fsync(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"one")
    os.close(os.dup(descriptor))
    assert sandbox.calls(operation=PUT) == []
    os.fsync(descriptor)
    assert sandbox.uploads() == [b"one"]
    os.close(descriptor)
    assert direct_mount.unmount() == 0
    assert sandbox.uploads() == [b"one"]


@pytest.mark.mount_options("commit=fsync")
def test_what_its_writer_has_closed_is_settled_though_a_child_holds_it(direct_mount, sandbox):
    """Nothing tells the daemon that it was closed: fsync looks for itself."""
    writer = start("sh", "-c", '{ echo val; sleep 1000 & } > "$NAME"; echo $!', NAME=direct_mount / "prod/NAME")
    child = int(writer.stdout.readline())
    assert writer.wait(60) == 0
    assert sandbox.uploads() == []
    assert shell('sync "$NAME"', NAME=direct_mount / "prod/NAME").returncode == 0
    assert sandbox.uploads() == [b"val"]
    os.kill(child, signal.SIGKILL)
    writer.communicate()
    assert direct_mount.unmount() == 0
    assert sandbox.uploads() == [b"val"]


@pytest.mark.mount_options("commit=fsync")
def test_a_create_that_failed_is_there_until_it_was_reported(direct_mount, sandbox):
    sandbox.fault(operation=PUT, status=403)
    name = direct_mount / "prod/NAME"
    write_file(name, b"val")
    wait_until(lambda: os.getxattr(name, "user.sstorefs.state") != b"pending")
    assert os.getxattr(name, "user.sstorefs.state") == b"failed"
    synced = shell('sync "$NAME"', NAME=name)
    assert synced.returncode == 1 and "Permission denied" in synced.stderr
    assert not name.exists()
    assert len(sandbox.calls(operation=PUT)) == 1


@pytest.mark.mount_options("commit=write")
def test_every_write_is_published(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"one ")
    assert sandbox.uploads() == [b"one "]
    os.write(descriptor, b"two")
    assert sandbox.uploads() == [b"one ", b"one two"]
    os.close(descriptor)
    assert len(sandbox.uploads()) == 2


@pytest.mark.parametrize("which", ["bash", "dash"])
@pytest.mark.mount_options("commit=write")
def test_with_commit_write_builtins_tell_what_became_of_it(direct_mount, sandbox, which):
    """They report what write(2) says."""
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation=PUT, status=403)
    done = shell('echo val > "$NAME"', which, NAME=direct_mount / "prod/NAME")
    assert done.returncode == 1 and done.stderr
    assert sandbox.value("prod", "NAME") == b"old"


@pytest.mark.mount_options("commit=close")
def test_close_is_the_default_and_can_be_given(direct_mount, sandbox):
    sandbox.fault(operation=PUT, status=403)
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES


@pytest.mark.mount_options("commit=fsync")
@pytest.mark.parametrize("end", ["kill -KILL $$", "exit 3"])
def test_half_a_value_is_never_published(direct_mount, sandbox, end):
    """Nor when its writer was killed, or failed, and no fsync came after."""
    sandbox.put("prod", "NAME", b"old")
    shell(f'exec 3> "$NAME"; echo half >&3; {end}', NAME=direct_mount / "prod/NAME")
    assert direct_mount.unmount() == 0
    assert sandbox.uploads() == []
    assert sandbox.value("prod", "NAME") == b"old"
