"""Values that grow by zeros, and operations that are refused after bytes were written (semantics.md, rule 2)."""

import ctypes
import errno
import os
import subprocess

import pytest

from programs import close, errno_of, python, shell, write_file

KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE = 1, 2, 8, 16  # linux/falloc.h

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def fallocate(descriptor, mode, offset, length):
    """fallocate(2), which Python has without its modes."""
    if LIBC.fallocate(descriptor, mode, offset, length):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def begin(place, how):
    """A handle that began empty."""
    if how == "created":
        return os.open(place / "NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    place.put("NAME", b"the old value")
    if how == "truncated":
        return os.open(place / "NAME", os.O_WRONLY | os.O_TRUNC)
    descriptor = os.open(place / "NAME", os.O_WRONLY)
    os.write(descriptor, b"something else")
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


BEGINNINGS = ("created", "truncated", "cut to nothing")


@pytest.mark.parametrize("how", BEGINNINGS)
def test_what_began_empty_grows_by_zeros(place, how):
    descriptor = begin(place, how)
    os.write(descriptor, b"val")
    os.ftruncate(descriptor, 5)
    os.pwrite(descriptor, b"x", 7)
    fallocate(descriptor, 0, 0, 10)
    close(descriptor)
    assert place.uploads() == [b"val\0\0\0\0x\0\0"]


@pytest.mark.parametrize("how", BEGINNINGS)
@pytest.mark.parametrize("grow", [lambda descriptor: os.ftruncate(descriptor, 4), lambda descriptor: fallocate(descriptor, 0, 2, 2)],
                         ids=["ftruncate", "fallocate"])
def test_growth_alone_is_a_value(place, how, grow):
    descriptor = begin(place, how)
    grow(descriptor)
    close(descriptor)
    assert place.uploads() == [bytes(4)]


def test_fallocate_within_the_value_and_for_later_changes_nothing(place):
    descriptor = begin(place, "created")
    os.write(descriptor, b"hello")
    fallocate(descriptor, 0, 1, 3)
    fallocate(descriptor, KEEP_SIZE, 0, 4000)
    assert errno_of(fallocate, descriptor, KEEP_SIZE, 0, 1 << 30) == errno.EFBIG
    close(descriptor)
    assert place.uploads() == [b"hello"]


def test_ranges_are_zeroed(place):
    descriptor = begin(place, "created")
    os.write(descriptor, b"hello world")
    fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, 1, 2)
    fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, 10, 100)
    fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, 1000, 100)
    fallocate(descriptor, ZERO_RANGE | KEEP_SIZE, 5, 1)
    fallocate(descriptor, ZERO_RANGE, 9, 4)
    close(descriptor)
    assert place.uploads() == [b"h\0\0lo\0wor\0\0\0\0"]


def test_modes_that_no_value_has_change_nothing(place):
    """The kernel refuses them before we are asked."""
    descriptor = begin(place, "created")
    os.write(descriptor, b"hello")
    assert errno_of(fallocate, descriptor, COLLAPSE_RANGE, 0, 1) == errno.EOPNOTSUPP
    close(descriptor)
    assert place.uploads() == [b"hello"]


def test_what_is_cut_after_it_was_stored_is_stored_anew(place):
    descriptor = begin(place, "created")
    os.write(descriptor, b"hello world")
    os.fsync(descriptor)
    os.ftruncate(descriptor, 5)
    close(descriptor)
    assert place.uploads() == [b"hello world", b"hello"]


GROWING = {
    "ftruncate": lambda descriptor: os.ftruncate(descriptor, 60),
    "fallocate": lambda descriptor: fallocate(descriptor, 0, 0, 60),
    "a write behind the end": lambda descriptor: os.pwrite(descriptor, b"x", 60),
    "a hole that is punched": lambda descriptor: fallocate(descriptor, PUNCH_HOLE | KEEP_SIZE, 0, 60),
}


@pytest.mark.parametrize("grow", GROWING)
@pytest.mark.parametrize("written", [b"", b"half"], ids=["nothing written", "half written"])
def test_over_unknown_bytes_nothing_grows_and_the_handle_has_failed(place, grow, written):
    place.put("NAME", b"the old value")
    descriptor = os.open(place / "NAME", os.O_WRONLY)
    os.write(descriptor, written)
    assert errno_of(GROWING[grow], descriptor) == errno.EINVAL
    assert errno_of(os.write, descriptor, b"more") == errno.EINVAL
    assert errno_of(os.ftruncate, descriptor, 0) == errno.EINVAL
    assert errno_of(os.fsync, descriptor) == errno.EINVAL
    assert errno_of(close, descriptor) == errno.EINVAL
    assert place.uploads() == [] and place.value("NAME") == b"the old value"
    assert [(line[2].rpartition("/")[2], line[3]) for line in place.errors()] == [("NAME", "EINVAL")], "once"
    assert "write all of it" in place.errors()[0][6]


@pytest.mark.parametrize("grow", [lambda descriptor: os.ftruncate(descriptor, 1 << 20), lambda descriptor: fallocate(descriptor, 0, 0, 1 << 20),
                                  lambda descriptor: os.pwrite(descriptor, b"x", 1 << 40)], ids=["ftruncate", "fallocate", "write"])
def test_nothing_grows_over_the_limit(place, grow):
    descriptor = begin(place, "created")
    os.write(descriptor, b"half")
    assert errno_of(grow, descriptor) == errno.EFBIG
    assert errno_of(os.write, descriptor, b"more") == errno.EFBIG
    assert errno_of(close, descriptor) == errno.EFBIG
    assert place.uploads() == [] and not (place / "NAME").exists()


def test_another_handle_does_not_know_what_the_first_has_written(place):
    first = begin(place, "created")
    os.write(first, b"first")
    second = os.open(place / "NAME", os.O_WRONLY)
    assert errno_of(os.ftruncate, second, 9) == errno.EINVAL
    errno_of(close, second)
    close(first)
    assert place.uploads() == [b"first"]


def test_zeros_in_half_a_character_are_no_text(place):
    descriptor = begin(place, "created")
    os.write(descriptor, b"\xc3")
    expected = 0 if place.takes_any_bytes else errno.EILSEQ
    assert errno_of(os.ftruncate, descriptor, 4) == expected
    assert errno_of(close, descriptor) == expected
    assert place.uploads() == ([b"\xc3\0\0\0"] if place.takes_any_bytes else [])


@pytest.mark.parametrize("size, error", [(0, 0), (5, errno.EINVAL), (100, errno.EINVAL)])
def test_truncation_by_name_loses_nothing(place, size, error):
    place.put("NAME", b"the old value")
    assert errno_of(os.truncate, place / "NAME", size) == error
    assert shell('truncate -s "$SIZE" "$NAME"', NAME=place / "NAME", SIZE=size).returncode == (1 if error else 0)
    assert place.uploads() == [] and place.value("NAME") == b"the old value"


def staged(place):
    return os.open(place / ".NAME.x7Qp2k", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)


def test_what_is_staged_is_known_to_all_openers(place):
    descriptor = staged(place)
    os.write(descriptor, b"hello world")
    other = os.open(place / ".NAME.x7Qp2k", os.O_WRONLY)
    os.ftruncate(other, 13)
    close(other)
    close(descriptor)
    os.truncate(place / ".NAME.x7Qp2k", 5)
    os.truncate(place / ".NAME.x7Qp2k", 6)
    os.rename(place / ".NAME.x7Qp2k", place / "NAME")
    assert place.uploads() == [b"hello\0"]


def test_half_of_what_was_to_be_staged_gets_no_real_name(place):
    descriptor = staged(place)
    os.write(descriptor, b"half")
    assert errno_of(os.ftruncate, descriptor, 1 << 20) == errno.EFBIG
    errno_of(close, descriptor)
    assert errno_of(os.rename, place / ".NAME.x7Qp2k", place / "NAME") == errno.EINVAL
    assert place.uploads() == []
    # Written anew, it is whole again.
    write_file(place / ".NAME.x7Qp2k", b"whole", flags=os.O_TRUNC)
    os.rename(place / ".NAME.x7Qp2k", place / "NAME")
    assert place.uploads() == [b"whole"]


# Programs


@pytest.fixture
def sparse(tmp_path):
    """4000 bytes, of which the first are data and the last half is a hole."""
    tmp_path = tmp_path / "from"
    tmp_path.mkdir()
    with open(tmp_path / "sparse", "wb") as file:
        file.write(b"data" * 16)
        file.truncate(4000)
    subprocess.run(["tar", "-S", "-C", tmp_path, "-cf", tmp_path / "sparse.tar", "sparse"], check=True)
    return tmp_path / "sparse"


SPARSE = [
    'cp "$FROM" "$NAME"',
    'cp --sparse=always "$FROM" "$NAME"',
    'cp --sparse=never "$FROM" "$NAME"',
    'cp -a "$FROM" "$NAME"',
    'cp --reflink=auto --sparse=always -p "$FROM" "$NAME"',
    'rsync -a "$FROM" "$NAME"',
    'rsync -aS "$FROM" "$NAME"',
    'rsync -a --preallocate "$FROM" "$NAME"',
    'tar -xf "$FROM.tar" -C "$(dirname "$NAME")" --transform="s,.*,NAME,"',
    'tar -xSf "$FROM.tar" -C "$(dirname "$NAME")" --transform="s,.*,NAME,"',
    'dd if="$FROM" of="$NAME" conv=sparse status=none bs=512',
    '/usr/bin/python3 -c "import shutil, sys; shutil.copy2(*sys.argv[1:])" "$FROM" "$NAME"',
]


@pytest.mark.parametrize("command", SPARSE)
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_sparse_files_are_copied_whole(place, sparse, command, existing):
    if existing:
        place.put("NAME", b"the old value")
    done = shell(command, NAME=place / "NAME", FROM=sparse)
    assert (done.returncode, done.stderr) == (0, "")
    assert place.uploads() == [sparse.read_bytes()]


@pytest.mark.parametrize("command, stored", [
    ('truncate -s 100 "$NAME"', bytes(100)),
    ('fallocate -l 100 "$NAME"', bytes(100)),
    ('dd if=/dev/null of="$NAME" bs=1 seek=100 status=none', bytes(100)),
    ('printf val | dd of="$NAME" bs=1 seek=5 status=none', bytes(5) + b"val"),
])
def test_programs_that_make_holes(place, command, stored):
    done = shell(command, NAME=place / "NAME")
    assert (done.returncode, done.stderr) == (0, "")
    assert place.uploads()[-1] == stored


@pytest.mark.parametrize("command", ['fallocate -l 100 "$NAME"', 'truncate -s 100 "$NAME"', 'dd if=/dev/null of="$NAME" bs=1 seek=100 status=none',
                                     'printf val | dd of="$NAME" bs=1 seek=5 status=none', 'printf val | dd of="$NAME" bs=1 seek=50 conv=notrunc status=none'])
def test_on_an_existing_secret_they_fail(place, command):
    place.put("NAME", b"the old value")
    done = shell(command, NAME=place / "NAME")
    assert done.returncode == 1 and "Invalid argument" in done.stderr
    assert place.uploads() == [] and place.value("NAME") == b"the old value"


def test_a_writer_that_dies_after_it_has_grown_the_file_publishes_nothing(place):
    done = python("""
        import os, signal, sys
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        os.ftruncate(descriptor, 100)
        os.kill(os.getpid(), signal.SIGKILL)
    """, place / "NAME")
    assert done.returncode == -9
    place.mount.unmount()
    assert place.uploads() == []
