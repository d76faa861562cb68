"""A value is nowhere once its upload is over, whatever became of it (SECURITY.md, "In memory")."""

import errno
import os
import subprocess

import pytest
from searching import Marked, core_of, found_in_memory, said, wait_until_gone
from writers import PYTHON, errno_of, write_file

NEW = os.O_CREAT | os.O_TRUNC
SIZES = (48, 4800)


@pytest.fixture
def place(each_mount, each_service):
    return each_mount / each_service.store


def by_acceptance(mount, service, place, value):
    write_file(place / value.name, value.bytes)
    assert service.value(service.store, value.name) == value.bytes


def by_refusal(mount, service, place, value):
    """And the service quotes what it refuses."""
    service.fault(service.writing, status=400, detail=f"no: {value.text[:300]}")
    assert errno_of(write_file, place / value.name, value.bytes) == errno.EINVAL


def by_failure(mount, service, place, value):
    """Of the service, which quotes it too, attempt after attempt."""
    service.fault(service.writing, status=503, detail=f"broken: {value.text[:300]}")
    assert errno_of(write_file, place / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT)


def by_spending(mount, service, place, value):
    """A WRITE that leaves a hole."""
    descriptor = os.open(place / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, value.bytes)
    assert errno_of(os.pwrite, descriptor, value.bytes, 100000) == errno.EINVAL
    assert found_in_memory(mount.pid, value) is None
    assert errno_of(os.close, descriptor) == errno.EINVAL


def by_truncation(mount, service, place, value):
    descriptor = os.open(place / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, b"1234567" + value.bytes)
    os.ftruncate(descriptor, 7)
    assert found_in_memory(mount.pid, value) is None
    os.close(descriptor)


def by_staging(mount, service, place, value):
    """A temporary file that is removed."""
    descriptor = os.open(place / f".{value.name}.a8Xk2q", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value.bytes)
    os.close(descriptor)
    assert found_in_memory(mount.pid, value), "it waits for its real name"
    os.unlink(place / f".{value.name}.a8Xk2q")


def by_staging_and_renaming(mount, service, place, value):
    descriptor = os.open(place / f".{value.name}.a8Xk2q", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, value.bytes)
    os.close(descriptor)
    os.rename(place / f".{value.name}.a8Xk2q", place / value.name)
    assert service.value(service.store, value.name) == value.bytes


def by_renaming(mount, service, place, value):
    """While it is open, and then, where the service can, when it is stored."""
    descriptor = os.open(place / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, value.bytes)
    os.rename(place / value.name, place / f"{value.name}_2")
    os.close(descriptor)
    assert service.value(service.store, f"{value.name}_2") == value.bytes
    assert errno_of(os.rename, place / f"{value.name}_2", place / f"{value.name}_3") == (errno.EOPNOTSUPP if service.name == "stripe" else 0)


def by_removal(mount, service, place, value):
    descriptor = os.open(place / value.name, os.O_WRONLY | NEW, 0o600)
    os.write(descriptor, value.bytes)
    os.unlink(place / value.name)
    os.close(descriptor)
    assert service.value(service.store, value.name) is None


def by_killing(mount, service, place, value):
    program = "import os, sys; fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); " \
              "os.write(fd, sys.stdin.buffer.read()); os.kill(os.getpid(), 9)"
    subprocess.run([PYTHON, "-c", program, place / value.name], input=value.bytes, timeout=30)
    assert service.value(service.store, value.name) is None


def by_interruption(mount, service, place, value):
    service.fault(service.writing, hold="before")
    program = "import sys; open(sys.argv[1], 'wb', 0).write(sys.stdin.buffer.read())"
    writer = subprocess.Popen([PYTHON, "-c", program, place / value.name], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    writer.stdin.write(value.bytes)
    writer.stdin.close()
    service.sandbox.wait_for_call(f"{service.name}.{service.writing}", state="held")
    writer.kill()
    assert writer.wait(30) == -9


def by_time_out(mount, service, place, value):
    service.fault(service.writing, hang="forever")
    assert errno_of(write_file, place / value.name, value.bytes) == errno.ETIMEDOUT


def by_reset(mount, service, place, value):
    service.fault(service.writing, reset="middle")
    assert errno_of(write_file, place / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT, 0)


PATHS = [by_acceptance, by_refusal, by_failure, by_spending, by_truncation, by_staging, by_staging_and_renaming, by_renaming,
         by_removal, by_killing, by_interruption, by_time_out, by_reset]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_a_value_leaves_nothing_behind(each_mount, each_service, place, path):
    """Neither in the daemon's memory, nor in what it says."""
    values = [Marked(size) for size in SIZES]
    for value in values:
        path(each_mount, each_service, place, value)
        each_service.sandbox.clear_faults()
    wait_until_gone(each_mount.pid, *values)
    words = said(each_mount)
    assert not [found for found in (value.found_in(words) for value in values) if found]
