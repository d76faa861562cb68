"""Programs that copy permissions, owners, times and extended attributes along with the bytes (semantics.md, rule 16 and chapter 7)."""

import errno
import os
import stat
import subprocess

import pytest

from dirents import attributes
from programs import NODE_MODULES, errno_of, python, shell, write_file

CHANGEABLE = {"user.scopes"}  # on Cloudflare: that is a call
TEXT = b"line 1\nline 2\n"
OTHER_USER, OTHER_GROUP = 4321, 6543


@pytest.fixture
def source(tmp_path):
    """As umask 002 makes them, in a directory, and packed in every way."""
    directory = tmp_path / "from"
    directory.mkdir()
    (directory / "NAME").write_bytes(TEXT)
    (directory / "NAME").chmod(0o664)
    os.setxattr(directory / "NAME", "user.digest", b"of the source")
    subprocess.run("tar --xattrs -cf ../plain.tar NAME && cpio --quiet -o < ../list > ../plain.cpio && 7z a -bd ../plain.7z NAME > /dev/null && "
                   "tar -cf ../bare.tar NAME", shell=True, cwd=directory, check=True, input="NAME\n", text=True,
                   env={**os.environ, "LC_ALL": "C"}) if (tmp_path / "list").write_text("NAME\n") else None
    os.removexattr(directory / "NAME", "user.digest")
    return directory


COPIES = [
    'cp -p "$FROM" "$NAME"',
    'cp -a "$FROM" "$NAME"',
    'rsync -a "$FROM" "$NAME"',
    'rsync -a --inplace "$FROM" "$NAME"',
    'rsync -aX "$FROM" "$NAME"',
    'rsync -aX --inplace "$FROM" "$NAME"',
    'rsync -a --chmod=F4755 "$FROM" "$NAME"',
    'install -m 664 "$FROM" "$NAME"',
    'install -m 4755 "$FROM" "$NAME"',
    'install -o 4321 -g 5432 -m 0664 "$FROM" "$NAME"',
    'tar -xpf "$WORK/bare.tar" -C "$(dirname "$NAME")"',
    'tar --same-owner -xpf "$WORK/bare.tar" -C "$(dirname "$NAME")"',
    'cd "$(dirname "$NAME")" && cpio --quiet -i -u -m < "$WORK/plain.cpio"',
    '7z x -bd -y -o"$(dirname "$NAME")" "$WORK/plain.7z" > "$WORK/out"',
    "/usr/bin/python3 -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' \"$FROM\" \"$NAME\"",
    "/usr/bin/python3 -c 'import shutil, sys; shutil.copy2(*sys.argv[1:])' \"$FROM\" \"$NAME\"",
    "node -e 'fs.copyFileSync(process.argv[1], process.argv[2])' \"$FROM\" \"$NAME\"",
    "node -e 'fs.copyFile(process.argv[1], process.argv[2], error => { if (error) throw error })' \"$FROM\" \"$NAME\"",
    "node -e 'fs.promises.cp(process.argv[1], process.argv[2], {preserveTimestamps: true})' \"$FROM\" \"$NAME\"",
    "node -e 'fs.cpSync(process.argv[1], process.argv[2])' \"$FROM\" \"$NAME\"",
    f"node -e 'require(\"{NODE_MODULES}/fs-extra\").copy(process.argv[1], process.argv[2], {{preserveTimestamps: true}})' \"$FROM\" \"$NAME\"",
    f"node -e 'require(\"{NODE_MODULES}/fs-extra\").copySync(process.argv[1], process.argv[2])' \"$FROM\" \"$NAME\"",
    # Rust's fs::copy
    '/usr/lib/cargo/bin/coreutils/install -m 664 "$FROM" "$NAME"',
    '/usr/lib/cargo/bin/coreutils/cp -p "$FROM" "$NAME"',
    'LC_ALL=C.UTF-8 HOME=$WORK ansible -i localhost, -c local -e ansible_python_interpreter=/usr/bin/python3 -m copy -a "src=$FROM dest=$NAME mode=preserve" localhost > "$WORK/out"',
    "perl -MFile::Copy=cp -e 'cp(@ARGV) or die $!; chmod 0664, $ARGV[1] or die $!' \"$FROM\" \"$NAME\"",
]


@pytest.mark.parametrize("command", COPIES)
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_source_of_mode_0664_is_stored(place, source, command, existing):
    if existing:
        place.put("NAME", b"the old value")
    done = shell(command, NAME=place / "NAME", FROM=source / "NAME", WORK=source.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert place.uploads() == [TEXT] and place.value("NAME") == TEXT
    assert stat.filemode(os.stat(place / "NAME").st_mode) == "--w-------"
    assert place.errors() == []


def test_every_permission_and_owner_that_root_could_set_is_taken(place):
    place.put("NAME", b"val")
    for name, mode in (place / "NAME", "--w-------"), (place / ".", "drwx------"), (place.mount.path, "drwx------"):
        for bits in (0o000, 0o400, 0o664, 0o777, 0o4755, 0o2775, 0o1777, 0o7777):
            os.chmod(name, bits)
        os.chown(name, OTHER_USER, OTHER_GROUP)
        shown = os.stat(name)
        assert (stat.filemode(shown.st_mode), shown.st_uid, shown.st_gid) == (mode, os.getuid(), os.getgid())
    descriptor = os.open(place / "NAME", os.O_WRONLY)
    os.fchmod(descriptor, 0o666)
    os.fchown(descriptor, OTHER_USER, -1)
    os.close(descriptor)
    assert place.errors() == [] and place.uploads() == []


def test_attributes_that_are_shown_and_cannot_be_changed_may_be_set_to_what_they_are(place):
    write_file(place / "NAME", b"val")
    shown = attributes(place / "NAME")
    for name in shown.keys() - CHANGEABLE:
        os.setxattr(place / "NAME", name, shown[name].encode())
        assert errno_of(os.setxattr, place / "NAME", name, shown[name].encode(), os.XATTR_CREATE) == errno.EEXIST
    for name in shown:
        os.removexattr(place / "NAME", name)
    assert attributes(place / "NAME") == shown
    assert errno_of(os.setxattr, place / "NAME", "user.digest", b"another") == errno.EOPNOTSUPP
    assert errno_of(os.removexattr, place / "NAME", "user.other") == errno.ENODATA
    assert errno_of(os.removexattr, place / "NAME", "security.other") == errno.ENODATA
    assert errno_of(os.setxattr, place / ".", "user.created_at", b"another") == errno.EOPNOTSUPP
    if place.name != "stripe":
        os.setxattr(place / ".", "user.id", os.getxattr(place / ".", "user.id"))
    assert len(place.uploads()) == 1


@pytest.mark.mount_options("nocreate")
def test_under_nocreate_as_well(place):
    place.put("NAME", b"val")
    for name, text in attributes(place / "NAME").items():
        os.setxattr(place / "NAME", name, text.encode())
    assert errno_of(os.setxattr, place / "NAME", "user.digest", b"another") == errno.EPERM


def test_tar_with_extended_attributes_tells_of_those_alone_that_cannot_be_set(place, source):
    done = shell('tar --xattrs -xpf "$WORK/plain.tar" -C "$(dirname "$NAME")"', NAME=place / "NAME", WORK=source.parent)
    assert done.returncode == 0 and "Operation not supported" in done.stderr
    assert place.uploads() == [TEXT]


def test_what_is_made_by_mknod_is_created_by_its_open(place):
    os.mknod(place / "NAME", stat.S_IFREG | 0o664)
    assert errno_of(os.mknod, place / "NAME", stat.S_IFREG | 0o664) == errno.EEXIST
    assert "NAME" in os.listdir(place / ".") and os.getxattr(place / "NAME", "user.sstorefs.state") == b"pending"
    descriptor = os.open(place / "NAME", os.O_WRONLY)
    os.ftruncate(descriptor, 4)
    os.pwrite(descriptor, b"val", 0)
    os.close(descriptor)
    assert place.uploads() == [b"val\0"]


def test_what_mknod_made_and_another_client_as_well_is_not_replaced(place):
    os.mknod(place / "NAME", stat.S_IFREG)
    place.put("NAME", b"another client's")
    assert errno_of(write_file, place / "NAME", b"val", flags=0) == errno.EEXIST
    assert place.value("NAME") == b"another client's"


def test_what_mknod_made_and_was_never_written_is_no_secret(place):
    os.mknod(place / "REMOVED", stat.S_IFREG)
    os.unlink(place / "REMOVED")
    os.mknod(place / "OPENED", stat.S_IFREG)
    os.close(os.open(place / "OPENED", os.O_WRONLY))
    assert os.listdir(place / ".") == []
    os.mknod(place / "RENAMED", stat.S_IFREG)
    os.rename(place / "RENAMED", place / "NAME")
    write_file(place / "NAME", b"val", flags=0)
    assert place.uploads() == [b"val"] and os.listdir(place / ".") == ["NAME"]


@pytest.mark.mount_options("timeout=1")
def test_what_mknod_made_is_forgotten_in_time(place):
    os.mknod(place / "NAME", stat.S_IFREG)
    done = python("""
        import os, sys, time
        while os.path.exists(sys.argv[1]):
            time.sleep(0.05)
    """, place / "NAME")
    assert done.returncode == 0 and os.listdir(place / ".") == []
