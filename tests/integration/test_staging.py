"""Temporary names are here until they are renamed to what they are."""

import errno
import os
import tempfile
import time

import pytest

from programs import close, errno_of, write_file

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


# Names that no secret is called by: however they are created, if nothing of that name may be there.
TEMPORARY = ("NAME.tmp", "NAME.tmp-1700000000abcdef", "NAME.temp", ".NAME.swp", "NAME~", "NAME.part", "NAME.partial", "tmp.DU8pqw97rl",
             "tmp.aBcDeFgH", "tmpk3v9x0ab", ".tmpAbCdEf", ".tmp-NAME123456789", ".#NAME0123456789abcdef", "#NAME#", ".in.NAME.", ".unison.NAME.0123.unison.tmp",
             ".goutputstream-AB12CD", ".ansible_tmpab12cd34NAME", "NAME.dpkg-new", ".tempAb12C")
# Names that a secret might have: only where mkstemp and its like make them.
AS_MKSTEMP = (".NAME.Xy12Zw", ".NAME.abcdef", "NAME.swp", "NAME.aB3dE6", "NAME.abcdef", "sedAbC123", "NAME123456789", "NAME.1234567890", "NAME.lock", "NAME.ab_d12e9",
              "NAME.AbCdEfGhIj", "NAME20261121-1234-x7qk2", "tmp-1234-AbCdEfGhIjKl")


@pytest.mark.parametrize("name", [None, *TEMPORARY, *AS_MKSTEMP])
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


@pytest.mark.parametrize("name", TEMPORARY)
def test_names_that_no_secret_has_may_be_opened_for_writing_alone(direct_mount, sandbox, name):
    write_file(direct_mount / "prod" / name, b"val", os.O_CREAT | os.O_EXCL)
    assert state(direct_mount / "prod" / name) == "staged"
    os.rename(direct_mount / "prod" / name, direct_mount / "prod/NAME")
    assert sandbox.uploads() == [b"val"] and os.listdir(direct_mount / "prod") == ["NAME"]


# As cp creates: what a user may have meant as a secret is one.
AS_CP = os.O_WRONLY | os.O_CREAT | os.O_EXCL
AS_A_SHELL = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.mark.parametrize("name,flags", [(".env", AS_A_SHELL), (".env", AS_CP), (".env", os.O_RDWR | os.O_CREAT | os.O_TRUNC), (".env", os.O_RDWR | os.O_CREAT | os.O_EXCL),
                                        ("secret", os.O_RDWR | os.O_CREAT | os.O_EXCL), ("NAME.secret", AS_CP), ("Cargo.lock", AS_CP), ("key.20260511", AS_CP),
                                        ("NAME.new", AS_CP), ("NAME.new", AS_A_SHELL), ("NAME.tmp", AS_A_SHELL),
                                        ("account123456789", AS_CP), ("NAME.passwords", AS_CP), (".NAME.secret", AS_CP)])
def test_other_names_and_other_ways_to_create_are_ordinary(direct_mount, sandbox, name, flags):
    """Exit 0 means stored."""
    descriptor = os.open(direct_mount / "prod" / name, flags, 0o600)
    os.write(descriptor, b"val")
    close(descriptor)
    assert sandbox.value("prod", name) == b"val"


@pytest.mark.parametrize("name", ["NAME.tmp", "NAME.new", "NAME.part", ".NAME.tmp", "NAME.1234567890", "NAME.tmp.1234"])
def test_what_no_secret_can_be_called_is_staged_however_it_is_created(cloudflare_mount, cloudflare, name):
    """A dot is in no secret's name there, so nothing that could be stored is held back."""
    path = cloudflare_mount / "prod" / name
    cloudflare.put("prod", "NAME", b"old")
    write_file(path, b"first, and longer")
    assert state(path) == "staged"
    write_file(path, b"val")
    os.rename(path, cloudflare_mount / "prod/NAME")
    assert cloudflare.value("prod", "NAME") == b"val" and os.listdir(cloudflare_mount / "prod") == ["NAME"]
    assert len([name for name in cloudflare.names() if name in ("create_secrets", "patch_secret")]) == 1


@pytest.mark.parametrize("flags", [AS_CP, AS_A_SHELL])
@pytest.mark.parametrize("name", ["my.secret", ".env", "a.b", "key.20260511", "v1.2", "what ever", "Cargo.lock"])
def test_a_mistaken_name_is_refused_and_not_staged(cloudflare_mount, cloudflare, name, flags):
    """A program that writes it means to store it, and gets the error at once."""
    assert errno_of(os.open, cloudflare_mount / "prod" / name, flags, 0o600) == errno.EINVAL
    assert os.listdir(cloudflare_mount / "prod") == []


def test_from_one_name_to_another_that_no_secret_can_have_it_stays_staged(cloudflare_mount, cloudflare):
    write_file(cloudflare_mount / "prod/NAME.tmp", b"val")
    os.rename(cloudflare_mount / "prod/NAME.tmp", cloudflare_mount / "prod/NAME.new")
    assert state(cloudflare_mount / "prod/NAME.new") == "staged"
    assert errno_of(os.rename, cloudflare_mount / "prod/NAME.new", cloudflare_mount / "prod/my.secret") == errno.EINVAL
    os.rename(cloudflare_mount / "prod/NAME.new", cloudflare_mount / "prod/NAME")
    assert cloudflare.value("prod", "NAME") == b"val"


def test_what_is_removed_was_never_sent(direct_mount, sandbox):
    path = make_temporary(direct_mount / "prod")
    os.unlink(path)
    assert not os.path.exists(path)
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == [] and sandbox.calls(operation="fastly.delete_secret") == []


def test_from_one_temporary_name_to_another_it_stays_staged(direct_mount, sandbox):
    path = make_temporary(direct_mount / "prod", name=".NAME.swx")
    os.rename(path, direct_mount / "prod/.NAME.swp")
    assert state(direct_mount / "prod/.NAME.swp") == "staged"
    assert sandbox.calls(operation="fastly.put_secret") == []
    os.unlink(direct_mount / "prod/.NAME.swp")


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
    """No CREATE waits for room: it would keep all others from renaming and removing in that directory."""
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
    """A file that was never renamed is named in the log, and the exit status tells of it."""
    mount = make_mount(direct)
    path = make_temporary(mount / "prod")
    assert mount.unmount() == 32
    assert f'name="{os.path.basename(path)}" words="this temporary file was not renamed' in mount.log()
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_a_killed_writers_is_gone(direct_mount, sandbox):
    """Half a value cannot be renamed."""
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


def test_a_directory_of_a_sync_tool_is_staged_as_its_files_are(direct_mount, sandbox):
    """As rsync --delay-updates does: first all go into .~tmp~, and in the end each gets its name."""
    store = direct_mount / "prod"
    sandbox.put("prod", "NAME", b"old")
    os.mkdir(store / ".~tmp~")
    assert errno_of(os.mkdir, store / ".~tmp~") == errno.EEXIST
    os.rename(make_temporary(store, name=".NAME.Xy12Zw"), store / ".~tmp~/NAME")
    write_file(store / ".~tmp~/OTHER", b"val")
    assert sorted(os.listdir(store / ".~tmp~")) == ["NAME", "OTHER"] and sorted(os.listdir(store)) == [".~tmp~", "NAME"]
    assert state(store / ".~tmp~/OTHER") == "staged" and sandbox.uploads() == []
    assert errno_of(os.rmdir, store / ".~tmp~") == errno.ENOTEMPTY
    assert errno_of(os.unlink, store / ".~tmp~") == errno.EISDIR
    assert errno_of(os.stat, store / ".~tmp~/NOTHING") == errno.ENOENT
    assert errno_of(os.unlink, store / ".~tmp~/NOTHING") == errno.ENOENT
    assert errno_of(os.rename, store / ".~tmp~/NOTHING", store / "NEW") == errno.ENOENT
    assert errno_of(os.rename, store / "NAME", store / ".~tmp~/STORED") == errno.EOPNOTSUPP
    assert errno_of(os.rename, store / ".~tmp~", store / ".rsync-partial") == errno.EOPNOTSUPP
    assert errno_of(os.open, store / ".~tmp~/NAME", os.O_RDONLY) == errno.EACCES
    assert errno_of(os.mkdir, store / ".~tmp~/below") == errno.EPERM
    os.rename(store / ".~tmp~/NAME", store / "NAME")
    assert sandbox.value("prod", "NAME") == b"val" and sandbox.uploads() == [b"val"]
    os.unlink(store / ".~tmp~/OTHER")
    os.rmdir(store / ".~tmp~")
    assert os.listdir(store) == ["NAME"]


def test_no_other_directory_can_be_made_in_a_store(direct_mount):
    """What is in it could not be stored."""
    for name in ("directory", ".directory", "tmp.AbCdEfGhIj"):
        assert errno_of(os.mkdir, direct_mount / "prod" / name) == errno.EPERM


def test_a_store_with_a_staged_directory_is_not_empty(direct_mount):
    os.mkdir(direct_mount / "new")
    os.mkdir(direct_mount / "new/.~tmp~")
    assert errno_of(os.rmdir, direct_mount / "new") == errno.ENOTEMPTY
    os.rmdir(direct_mount / "new/.~tmp~")
    os.rmdir(direct_mount / "new")


def test_a_staged_directory_goes_with_the_mount(make_mount, direct, sandbox):
    """It holds nothing, so nothing is lost."""
    mount = make_mount(direct)
    os.mkdir(mount / "prod/.~tmp~")
    assert mount.unmount() == 0


def test_a_lock_of_emacs_is_a_link_that_is_here_alone(direct_mount, make_mount, direct, sandbox):
    """Were it a file, Emacs would have to read it before it removes it."""
    lock = direct_mount / "prod/.#NAME"
    os.symlink("root@host.1:2", lock)
    assert os.readlink(lock) == "root@host.1:2" and lock.is_symlink() and os.lstat(lock).st_size == 13
    assert os.listdir(direct_mount / "prod") == [".#NAME"] and [entry.is_symlink() for entry in os.scandir(direct_mount / "prod")] == [True]
    assert errno_of(os.symlink, "other", lock) == errno.EEXIST
    assert errno_of(os.rename, lock, direct_mount / "prod/NAME") == errno.EOPNOTSUPP
    os.unlink(lock)
    assert os.listdir(direct_mount / "prod") == [] and sandbox.calls(operation="fastly.*_secret", method="P*") == []
    assert errno_of(os.symlink, "anything", direct_mount / "prod/NAME") == errno.EPERM
    other = make_mount(direct)
    os.symlink("root@host.1:2", other / "prod/.#NAME")
    assert other.unmount() == 0


def test_a_path_may_not_be_longer_than_a_name(direct_mount):
    os.mkdir(direct_mount / "prod/.~tmp~")
    assert errno_of(write_file, direct_mount / "prod/.~tmp~" / ("N" * 250), b"val") == errno.ENAMETOOLONG
    assert errno_of(os.stat, direct_mount / "prod/.~tmp~" / ("N" * 250)) == errno.ENAMETOOLONG
    os.rmdir(direct_mount / "prod/.~tmp~")
