"""The kernel keeps nothing of a value either, and gives nothing back (SECURITY.md, "In the kernel")."""

import ctypes
import errno
import mmap
import os
import signal
import stat
import subprocess

import pytest
from private_mount import NOBODY, as_user
from programs import errno_of

PAGE = mmap.PAGESIZE
VALUE = b"a value of more than a page " * 400
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def map_file(descriptor, flags, rights=mmap.PROT_READ, size=4 * PAGE):
    """mmap(2) as it is: Python's own looks at the size first."""
    where = libc.mmap(None, size, rights, flags, descriptor, 0)
    if where == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return where


def cached_pages(descriptor, pages=4):
    """How many pages of the file the kernel has, by mincore(2): what fincore(1) would say, could it open the file."""
    where = map_file(descriptor, mmap.MAP_PRIVATE, size=pages * PAGE)
    seen = (ctypes.c_ubyte * pages)()
    assert libc.mincore(ctypes.c_void_p(where), ctypes.c_size_t(pages * PAGE), seen) == 0
    libc.munmap(ctypes.c_void_p(where), ctypes.c_size_t(pages * PAGE))
    return sum(page & 1 for page in seen)


@pytest.fixture
def opened(direct_mount):
    """Open for reading and writing, as far as the kernel knows, and written."""
    descriptor = os.open(direct_mount / "prod/NAME", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, VALUE)
    yield descriptor
    errno_of(os.close, descriptor)


def test_the_page_cache_holds_nothing(opened, direct_mount, sandbox):
    assert cached_pages(opened) == 0
    reader, writer = os.pipe()
    os.write(writer, VALUE[:PAGE])
    os.splice(reader, opened, PAGE)
    os.fsync(opened)
    assert cached_pages(opened) == 0
    assert sandbox.uploads() == [VALUE + VALUE[:PAGE]]
    os.close(reader), os.close(writer)


def test_this_search_finds_pages_that_are_cached(tmp_path):
    """Or the test above could not fail."""
    with open(tmp_path / "file", "wb+") as file:
        file.write(VALUE)
        file.flush()
        assert cached_pages(file.fileno()) > 0


@pytest.mark.mount_options("sizes=hidden")
def test_nothing_waits_in_the_kernel_to_be_written(opened, direct_mount):
    """A write is the daemon's before it returns, and the size is what the daemon says, which no cache of writes would allow."""
    assert os.fstat(opened).st_size == 1
    assert errno_of(os.write, opened, b"x" * 65536) == errno.EFBIG
    assert errno_of(os.fsync, opened) in (0, errno.EFBIG)


def test_nothing_passes_through_pipes_of_the_daemon(opened, direct_mount):
    """Which is how splice(2) would bring it: into memory of the kernel that is not wiped."""
    kinds = [stat.S_IFMT(os.stat(f"/proc/{direct_mount.pid}/fd/{name}").st_mode) for name in os.listdir(f"/proc/{direct_mount.pid}/fd")]
    assert kinds and stat.S_IFIFO not in kinds


READERS = {
    "open": lambda path, descriptor: path.read_bytes(),
    "read": lambda path, descriptor: os.pread(descriptor, 10, 0),
    "sendfile": lambda path, descriptor: os.sendfile(os.open("/dev/null", os.O_WRONLY), descriptor, 0, 10),
    "splice": lambda path, descriptor: os.splice(descriptor, os.pipe()[1], 10, offset_src=0),
    "copy_file_range": lambda path, descriptor: os.copy_file_range(descriptor, os.memfd_create("copy"), 10, offset_src=0),
}


@pytest.mark.parametrize("way", READERS)
def test_no_process_reads_not_even_root_not_even_its_own_bytes(opened, direct_mount, way):
    assert os.geteuid() == 0
    assert errno_of(READERS[way], direct_mount / "prod/NAME", opened) in (errno.EACCES, errno.EINVAL, errno.EXDEV)


def test_a_stored_secret_reads_as_little(direct_mount, sandbox):
    sandbox.put("prod", "OLD", b"old value")
    for flags in (os.O_RDONLY, os.O_RDONLY | os.O_DIRECT):
        assert errno_of(os.open, direct_mount / "prod/OLD", flags) == errno.EACCES
    descriptor = os.open(direct_mount / "prod/OLD", os.O_RDWR)
    assert errno_of(os.read, descriptor, 10) == errno.EACCES
    os.close(descriptor)


def test_memory_that_is_mapped_shows_nothing(opened, direct_mount):
    """A shared mapping is refused, a private one kills its reader."""
    assert errno_of(map_file, opened, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) == errno.ENODEV
    child = os.fork()
    if not child:
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        ctypes.string_at(map_file(opened, mmap.MAP_PRIVATE), 10)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGBUS


def test_only_root_may_look_into_the_daemon(private_mount):
    """Not even another process of the user it runs as. Nor does a crash write a core."""
    private_mount.mount_descriptor(user=NOBODY)
    with open(f"/proc/{private_mount.process.pid}/limits") as limits:
        (core,) = [line.split() for line in limits if line.startswith("Max core")]
    assert core[4:6] == ["0", "0"]
    for file in ("mem", "maps", "environ", "fd", "map_files"):
        lookup_done = subprocess.run(["ls" if file in ("fd", "map_files") else "cat", f"/proc/{private_mount.process.pid}/{file}"],
                                capture_output=True, text=True, **as_user(NOBODY))
        assert lookup_done.returncode != 0 and "Permission denied" in lookup_done.stderr, file
