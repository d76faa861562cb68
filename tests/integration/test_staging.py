"""Temporary names live here until they are renamed to what they are (DESIGN 3, rule 14)."""

import errno
import os
import tempfile
import time

import pytest

from writers import close, errno_of, write_file

STAGED_MAX = 64


def make_temporary(directory, value=b"val", name=None):
    """As mkstemp: its path."""
    if name is None:
        descriptor, path = tempfile.mkstemp(dir=directory)
    else:
        path = os.path.join(directory, name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value)
    close(descriptor)
    return path


def state(path):
    return os.getxattr(path, "user.sstorefs.state").decode()


@pytest.mark.parametrize("name", [None, ".NAME.Xy12Zw", "NAME.tmp", "NAME.swp", "NAME~", "NAME.aB3dE6", "sedAbC123", "NAME123456789",
                                  "NAME.part", "tmp.DU8pqw97rl", "tmp.aBcDeFgH"])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_it_is_published_once_under_its_real_name(direct_mount, sandbox, name, existing):
    if existing:
        sandbox.put("prod", "NAME", b"old")
    path = make_temporary(direct_mount / "prod", name=name)
    assert state(path) == "staged"
    assert os.path.basename(path) in os.listdir(direct_mount / "prod")
    assert sandbox.calls(operation="fastly.put_secret") == []
    os.replace(path, direct_mount / "prod/NAME")
    assert sandbox.uploads() == [b"val"] and sandbox.value("prod", "NAME") == b"val"
    assert os.listdir(direct_mount / "prod") == ["NAME"]
    assert sandbox.calls(operation="fastly.delete_secret") == []


@pytest.mark.parametrize("name,flags", [(".env", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), ("NAME.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL),
                                        (".env", os.O_RDWR | os.O_CREAT | os.O_TRUNC), ("secret", os.O_RDWR | os.O_CREAT | os.O_EXCL),
                                        ("NAME.secret", os.O_RDWR | os.O_CREAT | os.O_EXCL)])
def test_other_names_and_other_ways_to_create_are_ordinary(direct_mount, sandbox, name, flags):
    descriptor = os.open(direct_mount / "prod" / name, flags, 0o600)
    os.write(descriptor, b"val")
    close(descriptor)
    assert sandbox.value("prod", name) == b"val"


def test_what_is_removed_was_never_sent(direct_mount, sandbox):
    path = make_temporary(direct_mount / "prod")
    os.unlink(path)
    assert not os.path.exists(path)
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == [] and sandbox.calls(operation="fastly.delete_secret") == []


def test_from_one_temporary_name_to_another_it_stays_staged(direct_mount, sandbox):
    path = make_temporary(direct_mount / "prod", name="NAME.swx")
    os.rename(path, direct_mount / "prod/NAME.swp")
    assert state(direct_mount / "prod/NAME.swp") == "staged"
    assert sandbox.calls(operation="fastly.put_secret") == []
    os.unlink(direct_mount / "prod/NAME.swp")


def test_a_rename_that_is_refused_changes_nothing(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    path = make_temporary(direct_mount / "prod")
    sandbox.fault(operation="fastly.put_secret", status=403, times=1)
    assert errno_of(os.replace, path, direct_mount / "prod/NAME") == errno.EACCES
    assert state(path) == "staged" and sandbox.value("prod", "NAME") == b"old"
    os.replace(path, direct_mount / "prod/NAME")
    assert sandbox.value("prod", "NAME") == b"val"


def test_a_store_that_has_one_is_not_empty(direct_mount, sandbox):
    os.mkdir(direct_mount / "new")
    path = make_temporary(direct_mount / "new")
    assert errno_of(os.rmdir, direct_mount / "new") == errno.ENOTEMPTY
    os.rename(path, direct_mount / "new/NAME")
    assert sandbox.value("new", "NAME") == b"val"
    os.unlink(direct_mount / "new/NAME")
    os.rmdir(direct_mount / "new")


def test_its_real_name_must_be_one_that_the_service_takes(direct_mount, sandbox):
    """The temporary one need not."""
    path = make_temporary(direct_mount / "prod", name=".what ever.Xy12Zw")
    assert errno_of(os.rename, path, direct_mount / "prod/what ever") == errno.EINVAL
    os.rename(path, direct_mount / "prod/NAME")
    assert sandbox.uploads() == [b"val"]


@pytest.mark.mount_options("timeout=60")
def test_there_are_not_more_than_a_few(direct_mount):
    """Nobody waits for room: who waits in a CREATE keeps all others from renaming and removing in that directory."""
    paths = [make_temporary(direct_mount / "prod", b"v") for _ in range(STAGED_MAX)]
    begun = time.monotonic()
    assert errno_of(make_temporary, direct_mount / "prod", name="NAME.tmp") == errno.ENOBUFS
    assert time.monotonic() - begun < 30
    assert "prod/NAME.tmp\tENOBUFS" in direct_mount.control("errors")
    os.unlink(paths.pop())
    paths.append(make_temporary(direct_mount / "prod"))
    for path in paths:
        os.unlink(path)


def test_it_never_outlives_the_mount(make_mount, direct, sandbox):
    """What nobody renamed is named in the log, and the exit status tells of it."""
    mount = make_mount(direct)
    path = make_temporary(mount / "prod")
    assert mount.unmount() == 32
    assert f"prod/{os.path.basename(path)}: it was never renamed" in mount.log()
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_a_killed_writers_is_gone(direct_mount, sandbox):
    """Nobody should rename half a value."""
    path = direct_mount / "prod/.NAME.Xy12Zw"
    child = os.fork()
    if child == 0:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, b"half")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert not path.exists()
    write_file(direct_mount / "prod/NAME", b"val")
    assert sandbox.uploads() == [b"val"]
