"""A value is nowhere once its upload is over, whatever became of it (SECURITY.md, "In memory")."""

import errno
import os
import subprocess
from contextlib import contextmanager

import pytest
from mounting import PROGRAM, is_in_memory, run_program, wait_for_end
from searching import Marked, core_of, found_in_memory, said, unlocked_areas_of, wait_until_gone
from world import daemons_of
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


@contextmanager
def held(service, path, value):
    """A value on its way: the service has got it and does not answer yet."""
    service.fault(service.writing, hold="before")
    writer = subprocess.Popen([PYTHON, "-c", "import sys; open(sys.argv[1], 'wb', 0).write(sys.stdin.buffer.read())", path],
                              stdin=subprocess.PIPE)
    writer.stdin.write(value.bytes)
    writer.stdin.close()
    service.sandbox.wait_for_call(f"{service.name}.{service.writing}", state="held")
    try:
        yield
    finally:
        service.sandbox.clear_faults()
        assert writer.wait(30) == 0


def test_a_value_on_its_way_is_found(each_mount, each_service, place):
    """Or none of these tests could fail. Where it is found the memory is locked and left out of dumps; but for what TLS takes over unsealed."""
    value = Marked()
    with held(each_service, place / value.name, value):
        assert found_in_memory(each_mount.pid, value)
        if each_service.name == "fastly":
            for area, content in unlocked_areas_of(each_mount.pid):
                assert not value.found_in(content), area
    wait_until_gone(each_mount.pid, value)


def test_a_core_holds_neither_values_nor_the_token(each_mount, each_service, place, tmp_path):
    """Not even one that root takes while a value is on its way."""
    token = each_service.token.encode()
    value = Marked()
    with held(each_service, place / value.name, value):
        core = core_of(each_mount.pid, tmp_path)
        assert value.found_in(core) is None and token not in core
        everything = core_of(each_mount.pid, tmp_path, "-a")
        assert value.found_in(everything) and token in everything, "or this search finds nothing"
    wait_until_gone(each_mount.pid, value)
    assert value.found_in(core_of(each_mount.pid, tmp_path, "-a")) is None


def test_the_system_log_has_no_value(tmp_path, each_service, devices):
    """Of a daemon in the background, whose log it is."""
    (tmp_path / "token").write_text(each_service.token)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "mnt").mkdir()
    mounted = run_program([PROGRAM, each_service.source, tmp_path / "mnt", "-o",
                           f"token_file={tmp_path}/token,{each_service.options},timeout=2"], tmp_path)
    assert mounted.returncode == 0, mounted.stderr
    (daemon,) = daemons_of(PROGRAM, tmp_path / "mnt")
    place = tmp_path / "mnt" / each_service.store
    values = [Marked(size) for size in SIZES]
    try:
        for value in values:
            write_file(place / value.name, value.bytes)
            each_service.fault(each_service.writing.replace("create_secrets", "*"), status=400, detail=f"no: {value.text[:300]}")
            assert errno_of(write_file, place / value.name, value.bytes) == errno.EINVAL
            each_service.sandbox.clear_faults()
    finally:
        subprocess.run(["umount", tmp_path / "mnt"], check=True)
        assert wait_for_end(daemon)
    for value in values:
        devices.wait_for(f"{value.name}: EINVAL")
        assert value.found_in(devices.log().encode()) is None
    assert each_service.token not in devices.log()


def test_a_token_lies_in_locked_memory_and_nowhere_else(each_mount, each_service, place):
    """Between calls. libnghttp2 alone keeps Fastly's, in the table of its compressed headers, as long as a connection lives."""
    token = each_service.token.encode()
    write_file(place / "NAME", b"val")
    os.listdir(place)
    assert is_in_memory(each_mount.pid, token)
    copies = [(area, content.count(token)) for area, content in unlocked_areas_of(each_mount.pid) if token in content]
    assert sum(count for _, count in copies) <= (1 if each_service.name == "fastly" else 0), copies


def test_a_service_that_is_down_is_not_quoted_with_the_value(each_mount, each_service, place):
    """By `status`, or when the next open is refused."""
    value = Marked()
    each_service.fault(each_service.writing, status=503, detail=f"broken: {value.text}")
    assert errno_of(write_file, place / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT)
    assert value.found_in(each_mount.control("status").encode()) is None
    each_service.sandbox.clear_faults()
    errno_of(write_file, place / value.name, b"val")
    assert value.found_in(said(each_mount)) is None


def test_not_even_a_request_id_quotes_a_value(each_mount, each_service, place):
    value = Marked()
    header = {"fastly": "X-Request-Id", "cloudflare": "CF-Ray", "stripe": "Request-Id"}[each_service.name]
    for status in (400, 200):
        each_service.fault(each_service.writing, status=status, header=f"{header}:{value.text[:16]}-1")
        errno_of(write_file, place / value.name, value.bytes)
        each_service.sandbox.clear_faults()
    assert value.found_in(said(each_mount)) is None
