"""The paths that a value can take: accepted, refused, failed, too large, cut, staged, renamed, removed, killed, interrupted, timed out, reset."""

import errno
import json
import os
import subprocess

from memory_scan import Marked, found_in_memory, retained_by, wait_until_gone
from programs import PYTHON, errno_of, write_file
from waiting import wait_until

NEW = os.O_CREAT | os.O_TRUNC


class Writing:
    """Where a value is written: a mount, a service, and the directory of its store."""

    def __init__(self, mount, service):
        self.mount = mount
        self.service = service
        self.store = mount / service.store

    def fault(self, **arguments):
        self.service.fault(self.service.creates, **arguments)

    def stored(self, name):
        return self.service.value(self.service.store, name)

    def has_called(self, state="begun"):
        """Waits until a value has reached the service; the call log is emptied before each."""
        return self.service.sandbox.wait_for_call(f"{self.service.name}.{self.service.creates}", timeout=60, state=state)

    def take(self, path, size, like=None):
        """
        Sends a value of its own along the path, and sees that it is gone while the daemon has nothing else to do, which could write over it.
        Afterwards the service is well, and known to be.
        """
        value = Marked(size, like)
        self.service.sandbox.clear()
        path(self, value)
        wait_until_gone(self.mount.pid, self.mount.path, value, retained=retained_by(self.service) if path in STORING else 0)
        self.service.sandbox.clear_faults()
        self.wait_until_well()
        return value

    def wait_until_well(self):
        """What the service answers well ends that it is known to be down: then the next value is tried, too."""
        self.mount.refresh()
        os.listdir(self.store)
        wait_until(lambda: not json.loads(self.mount.control("status"))["down"])


def by_acceptance(writing, value):
    write_file(writing.store / value.name, value.bytes)
    assert writing.stored(value.name) == value.bytes


def by_refusal(writing, value):
    """And the service quotes what it refuses."""
    writing.fault(status=400, detail=f"no: {value.text[:300]}")
    assert errno_of(write_file, writing.store / value.name, value.bytes) == errno.EINVAL
    writing.has_called()


def by_failure(writing, value):
    """Of the service, which quotes it too, attempt after attempt."""
    writing.fault(status=503, detail=f"broken: {value.text[:300]}")
    assert errno_of(write_file, writing.store / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT)
    writing.has_called()


def by_spending(writing, value):
    """A WRITE beyond what the service takes."""
    descriptor = os.open(writing.store / value.name, os.O_WRONLY | NEW, 0o600)
    try:
        os.write(descriptor, value.bytes)
        assert errno_of(os.pwrite, descriptor, value.bytes, 100000) == errno.EFBIG
        assert found_in_memory(writing.mount.pid, value) is None
    finally:
        closed = errno_of(os.close, descriptor)
    assert closed == errno.EFBIG


def by_truncation(writing, value):
    descriptor = os.open(writing.store / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, b"1234567" + value.bytes)
    os.ftruncate(descriptor, 7)
    assert found_in_memory(writing.mount.pid, value) is None
    os.close(descriptor)


def by_staging(writing, value):
    """A temporary file that is removed."""
    descriptor = os.open(writing.store / f".{value.name}.a8Xk2q", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value.bytes)
    os.close(descriptor)
    assert found_in_memory(writing.mount.pid, value), "it waits for its real name"
    os.unlink(writing.store / f".{value.name}.a8Xk2q")


def by_staging_and_renaming(writing, value):
    descriptor = os.open(writing.store / f".{value.name}.a8Xk2q", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value.bytes)
    os.close(descriptor)
    os.rename(writing.store / f".{value.name}.a8Xk2q", writing.store / value.name)
    assert writing.stored(value.name) == value.bytes


def by_renaming(writing, value):
    """While it is open, and then, where the service can, when it is stored."""
    descriptor = os.open(writing.store / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, value.bytes)
    os.rename(writing.store / value.name, writing.store / f"{value.name}_2")
    os.close(descriptor)
    assert writing.stored(f"{value.name}_2") == value.bytes
    os.rename(writing.store / f"{value.name}_2", writing.store / f"{value.name}_3")
    assert writing.stored(f"{value.name}_3") == value.bytes


def by_removal(writing, value):
    descriptor = os.open(writing.store / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, value.bytes)
    os.unlink(writing.store / value.name)
    os.close(descriptor)
    assert writing.stored(value.name) is None


def by_killing(writing, value):
    program = "import os, sys; fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); " \
              "os.write(fd, sys.stdin.buffer.read()); os.kill(os.getpid(), 9)"
    subprocess.run([PYTHON, "-c", program, writing.store / value.name], input=value.bytes, timeout=30)
    assert writing.stored(value.name) is None


def by_interruption(writing, value):
    writing.fault(hold="before")
    program = "import sys; open(sys.argv[1], 'wb', 0).write(sys.stdin.buffer.read())"
    writer = subprocess.Popen([PYTHON, "-c", program, writing.store / value.name], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    writer.stdin.write(value.bytes)
    writer.stdin.close()
    writing.has_called("held")
    writer.kill()
    assert writer.wait(30) == -9


def by_time_out(writing, value):
    writing.fault(hang="forever")
    assert errno_of(write_file, writing.store / value.name, value.bytes) == errno.ETIMEDOUT
    writing.has_called()


def by_reset(writing, value):
    writing.fault(reset="middle")
    assert errno_of(write_file, writing.store / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT, 0)
    writing.has_called()


# After these there may be a secret under a new name, which may be renamed.
STORING = [by_acceptance, by_reset]
# Paths that take as long as the mount's `timeout`, and the others.
SLOW = [by_failure, by_time_out, by_reset]
PATHS = SLOW + [by_acceptance, by_refusal, by_spending, by_truncation, by_staging, by_staging_and_renaming, by_renaming, by_removal,
                by_killing, by_interruption]
