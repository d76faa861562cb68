"""What is refused without a call is explained as well: one line in .sstorefs/errors, with what to do (semantics.md, promise 5)."""

import ctypes
import errno
import os
import stat

import pytest

from programs import errno_of, shell, write_file


LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def exchange(one, other):
    """renameat2(2), which Python does not have."""
    if LIBC.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


NAMES = {errno.EOPNOTSUPP: "EOPNOTSUPP"}  # Linux has two for it

# What is tried, what comes of it, which operation and path the line names, and some of its remedy. `{store}` is the store.
REFUSED = {
    "a secret where stores are": (lambda place: write_file(place.mount / "NAME", b"val"), errno.EPERM, "open", "NAME", "write into STORE/NAME"),
    "a directory in a store": (lambda place: os.mkdir(place / "directory"), errno.EPERM, "mkdir", "{store}/directory", "a store holds secrets"),
    "appending": (lambda place: os.open(place / "OLD", os.O_WRONLY | os.O_APPEND), errno.EOPNOTSUPP, "open", "{store}/OLD", "write all of it"),
    "growing": (lambda place: os.truncate(place / "OLD", 9), errno.EINVAL, "truncate", "{store}/OLD", "write all of it"),
    "a store that is renamed": (lambda place: os.rename(place.mount / place.store, place.mount / "new"), errno.EOPNOTSUPP, "rename", "{store}",
                                "make another with mkdir"),
    "a symbolic link": (lambda place: os.symlink("OLD", place / "LINK"), errno.EPERM, "symlink", "{store}/LINK", "no symbolic links"),
    "a pipe": (lambda place: os.mkfifo(place / "PIPE"), errno.EPERM, "mknod", "{store}/PIPE", "can't be made here"),
    "a device": (lambda place: os.mknod(place / "DEVICE", stat.S_IFCHR, 0), errno.EPERM, "mknod", "{store}/DEVICE", "can't be made here"),
    "an attribute that there is not": (lambda place: os.setxattr(place / "OLD", "user.foo", b"x"), errno.EOPNOTSUPP, "setxattr", "{store}/OLD",
                                       "FILES AND ATTRIBUTES"),
    "an attribute that can't be set": (lambda place: os.setxattr(place / "OLD", "user.digest", b"x"), errno.EOPNOTSUPP, "setxattr",
                                       "{store}/OLD", "FILES AND ATTRIBUTES"),
    "an attribute of a store": (lambda place: os.setxattr(place / ".", "user.id", b"x"), errno.EOPNOTSUPP, "setxattr", "{store}", "FILES AND ATTRIBUTES"),
    "a file in the control directory": (lambda place: write_file(place.mount / ".sstorefs/new", b"x"), errno.EPERM, "open", "new", ".sstorefs"),
    "the control directory": (lambda place: os.rename(place.mount / ".sstorefs", place.mount / "new"), errno.EPERM, "rename", ".sstorefs", ".sstorefs"),
    "a control file that is removed": (lambda place: os.unlink(place.mount / ".sstorefs/errors"), errno.EPERM, "unlink", "errors", ".sstorefs"),
    "two names that are exchanged": (lambda place: exchange(place / "OLD", place / "OTHER"), errno.EINVAL, "rename", "{store}/OLD", "one after the other"),
}


def assert_recorded_once(place, error, operation, path, remedy):
    (line,) = place.errors()
    assert line[1:4] == [operation, path.format(store=place.store), NAMES.get(error, errno.errorcode[error])]
    assert line[4:6] == ["-", "-"] and remedy in line[6]


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_one_line_with_its_remedy(place, what):
    action, error, operation, path, remedy = REFUSED[what]
    for name in "OLD", "OTHER":
        place.put(name, b"old")
    assert sorted(os.listdir(place / ".")) == ["OLD", "OTHER"]
    assert errno_of(action, place) == error
    assert_recorded_once(place, error, operation, path, remedy)
    assert place.uploads() == [] and place.value("OLD") == b"old"


SHELLS = {
    'echo val > "$ROOT/NAME"': ("EPERM", "NAME", "write into STORE/NAME"),
    'echo val >> "$DIR/OLD"': ("EOPNOTSUPP", "{store}/OLD", "write all of it"),
    'mkdir "$DIR/directory"': ("EPERM", "{store}/directory", "a store holds secrets"),
    'mv "$DIR" "$ROOT/new"': ("EOPNOTSUPP", "{store}", "make another with mkdir"),
    'cp -r /etc/alternatives "$DIR"': ("EPERM", "{store}/alternatives", "a store holds secrets"),
    'ln -s OLD "$DIR/NEW"': ("EPERM", "{store}/NEW", "no symbolic links"),
    'setfattr -n user.foo -v x "$DIR/OLD"': ("EOPNOTSUPP", "{store}/OLD", "FILES AND ATTRIBUTES"),
    'truncate -s 9 "$DIR/OLD"': ("EINVAL", "{store}/OLD", "write all of it"),
}


@pytest.mark.parametrize("command", SHELLS)
def test_what_a_user_types_is_explained_once(place, command):
    error, path, remedy = SHELLS[command]
    place.put("OLD", b"old")
    done = shell(command, ROOT=place.mount.path, DIR=place.mount / place.store)
    assert done.returncode != 0
    (line,) = place.errors()
    assert line[2:4] == [path.format(store=place.store), error] and remedy in line[6]


def test_names_are_explained(place):
    bad = {"fastly": ("a b", "a b"), "cloudflare": ("a.b", "a.b"), "stripe": ("a\nb\t\x1b[31mc", "a b [31mc"),
           "github": ("A B", "A B")}[place.name]
    assert errno_of(write_file, place / bad[0], b"val") == errno.EINVAL
    (line,) = place.errors()
    assert line[1] == "open" and line[3] == "EINVAL" and ("keeps names in capitals" if place.name == "github" else "letters, digits") in line[6]
    assert line[2].split() == f"{place.store}/{bad[1]}".split() or "\x1b" not in line[2]
    assert errno_of(os.mkdir, place.mount / "a\tb") == errno.EINVAL
    assert place.errors()[0][1] == "mkdir" and place.errors()[0][3] == "EINVAL" and len(place.errors()) == 2


def test_links_are_explained(place):
    place.put("OLD", b"old")
    os.stat(place / "OLD")
    error = errno_of(os.link, place / "OLD", place / "NEW")
    if place.name == "cloudflare":
        assert error == 0 and place.errors() == [], "it can"
        assert errno_of(os.link, place / "OLD", place / "a.b") == errno.EINVAL
        assert_recorded_once(place, errno.EINVAL, "link", "{store}/a.b", "use letters, digits")
        return
    assert error == errno.EOPNOTSUPP
    assert_recorded_once(place, error, "link", "{store}/NEW", "no secret a second name")


def test_a_secret_that_would_leave_its_store_is_explained(place):
    other = "usr_other" if place.name == "stripe" else "other"
    if place.name == "stripe":
        os.mkdir(place.mount / other)
    else:
        place.service.sandbox.seed(other, 0, service=place.name)
        place.mount.refresh()
    place.put("OLD", b"old")
    assert errno_of(os.rename, place / "OLD", place.mount / other / "OLD") == errno.EOPNOTSUPP
    assert_recorded_once(place, errno.EOPNOTSUPP, "rename", "{store}/OLD", "can't leave its store")


def test_a_store_that_something_is_written_into_is_explained(place):
    if place.name == "stripe":
        os.mkdir(place.mount / "usr_other")
        place.store = "usr_other"
    descriptor = os.open(place / "NAME", os.O_WRONLY | os.O_CREAT)
    assert errno_of(os.rmdir, place.mount / place.store) == errno.ENOTEMPTY
    os.close(descriptor)
    assert_recorded_once(place, errno.ENOTEMPTY, "rmdir", "{store}", "are being written")


def test_a_store_with_secrets_is_explained(place):
    place.put("OLD", b"old")
    assert errno_of(os.rmdir, place.mount / place.store) == (errno.EPERM if place.name == "stripe" else errno.ENOTEMPTY)
    (line,) = place.errors()
    assert line[1:3] == ["rmdir", place.store]


def test_what_is_no_refusal_is_no_line(place):
    """Programs do all that by the hundred, and know what to make of it."""
    place.put("OLD", b"old")
    write_file(place / "NAME", b"val")
    for action, error in (
            (lambda: os.stat(place / "NONE"), errno.ENOENT), (lambda: os.unlink(place / "NONE"), errno.ENOENT),
            (lambda: os.open(place / "OLD", os.O_RDONLY), errno.EACCES), (lambda: os.open(place / "OLD", os.O_RDWR | os.O_CREAT | os.O_EXCL), errno.EEXIST),
            (lambda: os.getxattr(place / "OLD", "user.none"), errno.ENODATA), (lambda: os.removexattr(place / "OLD", "user.none"), errno.ENODATA),
            (lambda: os.setxattr(place / "OLD", "security.none", b"x"), errno.EOPNOTSUPP), (lambda: os.chmod(place / "OLD", 0o777), 0),
            (lambda: os.mkdir(place.mount / place.store), errno.EEXIST), (lambda: os.listdir(place.mount / "none"), errno.ENOENT)):
        assert errno_of(action) == error
    shell('ls -lR "$ROOT"; getfattr -d "$ROOT"/*/*; find "$ROOT"; cp -a "$ROOT" copy', cwd=place.mount.work, ROOT=place.mount.path)
    assert place.errors() == []


# With `ro` and with `nocreate`: what is refused, and the operation and name that the line has.
CHANGES = {
    "open": (lambda place: write_file(place / "NEW", b"val"), "{store}/NEW"),
    "open of a temporary name": (lambda place: os.open(place / ".NEW.x7Qp2k", os.O_RDWR | os.O_CREAT | os.O_EXCL), "{store}/.NEW.x7Qp2k"),
    "unlink": (lambda place: os.unlink(place / "OLD"), "{store}/OLD"),
    "rename": (lambda place: os.rename(place / "OLD", place / "NEW"), "{store}/OLD"),
    "link": (lambda place: os.link(place / "OLD", place / "NEW"), "{store}/NEW"),
    "symlink": (lambda place: os.symlink("OLD", place / "NEW"), "{store}/NEW"),
    "mknod": (lambda place: os.mkfifo(place / "NEW"), "{store}/NEW"),
    "open by mknod": (lambda place: os.mknod(place / "NEW", stat.S_IFREG), "{store}/NEW"),
    "mkdir": (lambda place: os.mkdir(place.mount / "new"), "new"),
    "rmdir": (lambda place: os.rmdir(place.mount / place.store), "{store}"),
    "setxattr": (lambda place: os.setxattr(place / "OLD", "user.comment", b"x"), "{store}/OLD"),
}
READ_ONLY = {
    "open of an existing one": (lambda place: write_file(place / "OLD", b"val"), "{store}/OLD"),
    "setattr": (lambda place: os.chmod(place / "OLD", 0o600), "{store}/OLD"),
    "setattr of times": (lambda place: os.utime(place / "OLD"), "{store}/OLD"),
    "setattr of the size": (lambda place: os.truncate(place / "OLD", 0), "{store}/OLD"),
    "removexattr": (lambda place: os.removexattr(place / "OLD", "user.digest"), "{store}/OLD"),
}


def refused(place, what, action, path, error, remedy):
    place.put("OLD", b"old")
    os.stat(place / "OLD")
    place.service.sandbox.clear()
    assert errno_of(action, place) == error
    assert_recorded_once(place, error, what.partition(" ")[0], path, remedy)
    assert place.value("OLD") == b"old" and place.uploads() == []


@pytest.mark.mount_options("ro")
@pytest.mark.parametrize("what", CHANGES | READ_ONLY)
def test_everything_that_is_refused_under_ro(place, what):
    refused(place, what, *(CHANGES | READ_ONLY)[what], errno.EROFS, "without the option ro")


@pytest.mark.mount_options("nocreate")
@pytest.mark.parametrize("what", CHANGES)
def test_everything_that_is_refused_under_nocreate(place, what):
    refused(place, what, *CHANGES[what], errno.EPERM, "without the option nocreate")


@pytest.mark.mount_options("ro")
def test_under_ro_the_control_directory_can_be_used(place):
    place.put("OLD", b"old")
    assert os.listdir(place / ".") == ["OLD"]
    place.put("NEW", b"new")
    (place.mount / ".sstorefs/refresh").write_text("x")
    assert sorted(os.listdir(place / ".")) == ["NEW", "OLD"]
    assert os.access(place / "OLD", os.F_OK) and not os.access(place / "OLD", os.W_OK)
    assert place.errors() == []


def test_the_root_of_one_store_has_its_own_words(make_mount, direct, sandbox):
    mount = make_mount(direct, source="fastly:prod")
    assert errno_of(os.mkdir, mount / "directory") == errno.EPERM
    (line,) = mount.control("errors").splitlines()
    assert "at the root of a mount of all stores" in line
