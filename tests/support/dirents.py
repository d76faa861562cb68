"""Reads attributes, and directories with the calls as they are: libc's stream, and one answer of the kernel at a time."""

import ctypes
import os
import time

libc = ctypes.CDLL(None, use_errno=True)


class Dirent(ctypes.Structure):
    _fields_ = [("inode", ctypes.c_uint64), ("offset", ctypes.c_int64), ("length", ctypes.c_ushort),
                ("kind", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


libc.opendir.restype = ctypes.c_void_p
libc.fdopendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.telldir.restype = ctypes.c_long
for function in ("readdir", "telldir", "rewinddir", "closedir"):
    getattr(libc, function).argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.getdents64.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
libc.getdents64.restype = ctypes.c_ssize_t


def attributes(path):
    """All that are listed."""
    return {name: os.getxattr(path, name).decode() for name in os.listxattr(path) if name.startswith("user.")}


def _failed():
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


class Stream:
    """with Stream(path) as stream: a DIR as C programs use it."""

    def __init__(self, path):
        self.stream = libc.opendir(os.fsencode(path))
        if not self.stream:
            _failed()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        libc.closedir(self.stream)

    def next(self):
        """The next name, or None."""
        ctypes.set_errno(0)
        entry = libc.readdir(self.stream)
        if not entry and ctypes.get_errno():
            _failed()
        return os.fsdecode(entry.contents.name) if entry else None

    def rest(self):
        """All names from here on, but for the dots."""
        return [name for name in iter(self.next, None) if name not in (".", "..")]

    def tell(self):
        return libc.telldir(self.stream)

    def seek(self, position):
        libc.seekdir(self.stream, position)

    def rewind(self):
        libc.rewinddir(self.stream)


class Raw:
    """One getdents64 a step, with a small buffer: every few entries are asked for anew."""

    def __init__(self, path, size=512):
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.buffer = ctypes.create_string_buffer(size)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        os.close(self.descriptor)

    def step(self):
        """[(name, offset behind it, inode)] of one answer; empty at the end."""
        length = libc.getdents64(self.descriptor, self.buffer, len(self.buffer))
        if length < 0:
            _failed()
        found, at = [], 0
        while at < length:
            raw = self.buffer.raw[at:length]
            inode, offset = (int.from_bytes(raw[i:i + 8], "little", signed=True) for i in (0, 8))
            found.append((os.fsdecode(raw[19:].partition(b"\0")[0]), offset, inode))
            at += int.from_bytes(raw[16:18], "little")
        return found

    def entries(self):
        return [entry for step in iter(self.step, []) for entry in step]

    def seek(self, offset):
        os.lseek(self.descriptor, offset, os.SEEK_SET)


def times_of(path):
    """When each entry came, on the clock of the sandbox's call log: [(name, seconds)]."""
    with Raw(path, 32768) as directory:
        return [(name, time.monotonic()) for step in iter(directory.step, []) for name, *_ in step
                if name not in (".", "..")]
