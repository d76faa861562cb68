"""What a value may be: limits, newlines, cuts (doc/semantics.md, rules 2 and 3)."""

import errno
import fcntl
import os

import pytest

from programs import close, errno_of, shell, write_file

LIMIT = 65536


def created(mount, name="NAME"):
    return os.open(mount / f"prod/{name}", os.O_WRONLY | os.O_CREAT, 0o600)


def test_65536_bytes_are_stored(mount, sandbox):
    value = os.urandom(LIMIT)
    write_file(mount / "prod/NAME", value)
    assert sandbox.uploads() == [value]


@pytest.mark.parametrize("copy", ['cp "$FILE" "$NAME"', 'cat "$FILE" > "$NAME"', 'dd if="$FILE" of="$NAME" bs=4096',
                                  'tee "$NAME" < "$FILE"', 'dd if="$FILE" of="$NAME" bs=65537'])
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, 3 * LIMIT])
def test_65537_bytes_are_efbig_with_nothing_stored_and_no_file(mount, sandbox, tmp_path, copy, size):
    (tmp_path / "large").write_bytes(b"x" * size)
    done = shell(copy, NAME=mount / "prod/NAME", FILE=tmp_path / "large")
    assert done.returncode != 0
    assert "File too large" in done.stderr
    assert not (mount / "prod/NAME").exists()
    assert os.listdir(mount / "prod") == []
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_a_value_that_is_too_large_leaves_the_old_one(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"x" * (LIMIT + 1)) == errno.EFBIG
    assert sandbox.value("prod", "NAME") == b"old"
    assert (direct_mount / "prod/NAME").exists()


def test_a_line_of_65536_bytes_and_its_newline_is_stored(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"x" * LIMIT + b"\n")
    assert sandbox.uploads() == [b"x" * LIMIT]


@pytest.mark.mount_options("newline=keep")
def test_but_not_with_newline_keep(direct_mount, sandbox):
    assert errno_of(write_file, direct_mount / "prod/NAME", b"x" * LIMIT + b"\n") == errno.EFBIG
    assert sandbox.uploads() == []


def test_after_efbig_the_handle_has_failed(direct_mount, sandbox):
    descriptor = created(direct_mount)
    os.write(descriptor, b"x" * LIMIT)
    assert errno_of(os.write, descriptor, b"yz") == errno.EFBIG
    assert errno_of(os.write, descriptor, b"\n") == errno.EFBIG
    assert errno_of(os.pwrite, descriptor, b"z", 0) == errno.EFBIG
    errno_of(close, descriptor)
    direct_mount.unmount()
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.parametrize("written,stored", [
    (b"val\n", b"val"),
    (b"val", b"val"),
    ("größe ✓\n".encode(), "größe ✓".encode()),
    (b"two words\n", b"two words"),
    (b"val\n\n", b"val\n\n"),
    (b"a\nb\n", b"a\nb\n"),
    (b"\nval\n", b"\nval\n"),
    (b"val\r\n", b"val\r\n"),
    (b"tab\there\n", b"tab\there\n"),
    (b"nul\0\n", b"nul\0\n"),
    (b"\xff\n", b"\xff\n"),
    (b"\x1b[31m\n", b"\x1b[31m\n"),
])
def test_newline_auto(direct_mount, sandbox, written, stored):
    write_file(direct_mount / "prod/NAME", written)
    assert sandbox.uploads() == [stored]


@pytest.mark.mount_options("newline=keep")
@pytest.mark.parametrize("written", [b"val\n", b"\n", b"a\nb\n", b"val"])
def test_newline_keep(direct_mount, sandbox, written):
    write_file(direct_mount / "prod/NAME", written)
    assert sandbox.uploads() == [written]


def test_a_value_that_is_nothing_but_a_newline_is_refused(direct_mount, sandbox):
    assert errno_of(write_file, direct_mount / "prod/NAME", b"\n") == errno.EINVAL
    assert not (direct_mount / "prod/NAME").exists()
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.parametrize("command", [': > "$NAME"', 'touch "$NAME"', 'cp /dev/null "$NAME"', 'truncate -s 0 "$NAME"',
                                     'printf "" > "$NAME"', 'cat /dev/null | tee "$NAME"', 'dd if=/dev/null of="$NAME"'])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_no_bytes_are_no_value(direct_mount, sandbox, command, existing):
    """Truncation publishes and deletes nothing."""
    if existing:
        sandbox.put("prod", "NAME", b"old")
    assert shell(command, NAME=direct_mount / "prod/NAME").returncode == 0
    direct_mount.unmount()
    assert sandbox.calls(operation="fastly.put_secret") == []
    assert sandbox.calls(operation="fastly.delete_secret") == []
    assert sandbox.value("prod", "NAME") == (b"old" if existing else None)


def test_what_is_there_can_be_written_over(direct_mount, sandbox):
    descriptor = created(direct_mount)
    os.write(descriptor, b"hello world")
    os.pwrite(descriptor, b"HE", 0)
    os.pwrite(descriptor, b"LD!", 9)
    close(descriptor)
    assert sandbox.uploads() == [b"HEllo worLD!"]


def test_seek_end_finds_the_end(direct_mount, sandbox):
    """SEEK_END."""
    descriptor = created(direct_mount)
    os.write(descriptor, b"abc")
    assert os.lseek(descriptor, 0, os.SEEK_END) == 3
    os.write(descriptor, b"def")
    assert os.fstat(descriptor).st_size == os.stat(direct_mount / "prod/NAME").st_size == 6
    close(descriptor)
    assert sandbox.uploads() == [b"abcdef"]


def test_ftruncate_cuts_and_keeps(direct_mount, sandbox):
    """How it grows is test_growth.py's."""
    descriptor = created(direct_mount)
    os.write(descriptor, b"hello world")
    os.ftruncate(descriptor, 11)
    os.ftruncate(descriptor, 5)
    close(descriptor)
    assert sandbox.uploads() == [b"hello"]


def test_append_on_a_new_name_writes_it_and_on_an_existing_one_is_refused(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    assert shell('echo a >> "$NAME"', NAME=name).returncode == 0
    refused = shell('echo b >> "$NAME"', NAME=name)
    assert refused.returncode != 0 and "not supported" in refused.stderr
    assert sandbox.uploads() == [b"a"]


def test_two_appending_writes_follow_each_other(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, b"one ")
    os.write(descriptor, b"two")
    os.fstat(descriptor)
    os.write(descriptor, b" three")
    close(descriptor)
    assert sandbox.uploads() == [b"one two three"]


def test_whether_it_appends_can_change_while_it_is_open(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for flags, value in (os.O_APPEND, b"one"), (os.O_APPEND, b"two"), (0, b"t"), (os.O_APPEND, b" three"):
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, value)
    close(descriptor)
    assert sandbox.uploads() == [b"tnetwo three"]
