"""The machine misbehaves: kills, no memory, no descriptors, a full disk, a clock that is wrong."""

import calendar
import errno
import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import threading
import time
from _multiprocessing import SemLock, sem_unlink
from pathlib import Path

import pytest

from daemon import is_in_memory, mounts_at, wait_until_mounted
from programs import errno_of, write_file, write_until_stored
from services import Stripe
from waiting import wait_until

PUT = "operation=fastly.put_secret"
HERE = os.path.dirname(os.path.abspath(__file__))


def faketime_library():
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing: see contrib/install-dependencies.sh"
    return found[0]


def write_in_background(mount, name, value=b"val"):
    """(thread, results)"""
    results = []
    writer = threading.Thread(target=lambda: results.append(errno_of(write_file, mount / f"prod/{name}", value)))
    writer.start()
    return writer, results


# --- ends ---------------------------------------------------------------------------------------------------------------------------------------------


def test_a_daemon_that_was_killed_is_replaced(direct_mount, sandbox, table):
    """Its writers hear of it, and the next start needs no umount first."""
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.fault(f"{PUT},hold=before")
    writer, results = write_in_background(direct_mount, "NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    table.begin()
    direct_mount.signal(signal.SIGKILL)
    writer.join()
    table.line("the daemon is killed during an upload", results, "old or new")
    assert results[0] not in (0, errno.EACCES)
    direct_mount.wait()
    assert errno_of(os.listdir, direct_mount.path) == errno.ENOTCONN
    sandbox.clear_faults()
    subprocess.run(direct_mount.arguments(), check=True, timeout=60, stdin=subprocess.DEVNULL, cwd=direct_mount.work)
    write_file(direct_mount / "prod/NAME", b"new")
    assert sandbox.value("prod", "NAME") == b"new"
    assert mounts_at(direct_mount.path) == ["fuse.sstorefs"]
    subprocess.run(["umount", direct_mount.path], check=True)


def test_uploads_in_flight_are_finished_before_the_end(direct_mount, sandbox, table):
    sandbox.fault(f"{PUT},hold=before")
    writers = [write_in_background(direct_mount, f"NAME{number}", b"value %d" % number) for number in range(20)]
    sandbox.wait_for_calls(20, operation="fastly.put_secret", state="held", timeout=60)
    table.begin()
    direct_mount.signal(signal.SIGTERM)
    # From now on nothing new is begun.
    wait_until(lambda: errno_of(write_file, direct_mount / "prod/LATE", b"val") == errno.ESHUTDOWN)
    sandbox.release()
    for writer, _ in writers:
        writer.join()
    assert [results for _, results in writers] == [[0]] * 20
    assert direct_mount.wait() == 0
    table.line("SIGTERM during 20 uploads", [error for _, results in writers for error in results], "all 20")
    assert sorted(sandbox.uploads()) == sorted(b"value %d" % number for number in range(20))


@pytest.mark.mount_options("timeout=2")
def test_the_end_does_not_wait_for_ever(direct_mount, sandbox, table):
    """What could not be finished is counted as lost: the status says so, and the log names it."""
    sandbox.fault(f"{PUT},hang=forever")
    writer, results = write_in_background(direct_mount, "NAME")
    sandbox.wait_for_call("fastly.put_secret")
    table.begin()
    began = time.monotonic()
    direct_mount.signal(signal.SIGTERM)
    assert direct_mount.wait() == 32
    writer.join()
    table.line("SIGTERM during an upload without answer", results, "nothing")
    assert time.monotonic() - began < 20
    assert results[0] in (errno.ETIMEDOUT, errno.ECONNABORTED, errno.ENOTCONN)
    assert 'name="NAME"' in direct_mount.log() or "not finished in time" in direct_mount.log()


HELD_BY_A_CHILD = """
import os, sys
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(descriptor, b"val")
if os.fork():
    os.close(descriptor)
else:
    print("child", flush=True)
    sys.stdin.read()
"""


@pytest.mark.mount_options("timeout=2,commit=fsync")
def test_what_the_end_itself_sends_has_all_of_its_time(direct_mount, sandbox):
    """And when that time is up the log says so: no request was interrupted."""
    sandbox.fault(f"{PUT},hang=forever")
    writer = subprocess.Popen(["/usr/bin/python3", "-c", HELD_BY_A_CHILD, direct_mount / "prod/NAME"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "child\n" and writer.wait(60) == 0
    direct_mount.signal(signal.SIGTERM)
    assert direct_mount.wait() == 32
    line, = [line for line in direct_mount.log().splitlines() if "publish " in line and 'store="prod" name="NAME"' in line]
    assert "ETIMEDOUT" in line and "interrupted" not in line
    writer.stdin.close()
    writer.stdout.close()


def test_a_connection_that_is_aborted(direct_mount, sandbox, table):
    """umount -f while an fsync waits for its upload: the upload is finished all the same."""
    sandbox.fault(f"{PUT},hold=before")
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"val")
    results = []
    waiter = threading.Thread(target=lambda: results.append(errno_of(os.fsync, descriptor)))
    waiter.start()
    sandbox.wait_for_call("fastly.put_secret", state="held")
    table.begin()
    subprocess.run(["umount", "-f", "-l", direct_mount.path], check=True)
    waiter.join()
    table.line("umount -f during an upload", results, "val, in the end")
    assert results[0] in (errno.ECONNABORTED, errno.ENOTCONN)
    errno_of(os.close, descriptor)
    sandbox.release()
    assert direct_mount.wait() == 0
    assert sandbox.uploads() == [b"val"]


# What may be said when something is scarce: for want of memory a name is not invalid, and no secret absent. Certificates may be: OpenSSL says that it can't
# read them, and not why.
SCARCE = {0, errno.ENOMEM, errno.ENOBUFS, errno.EIO, errno.EHOSTUNREACH, errno.EAGAIN, errno.ETIMEDOUT, errno.EKEYREJECTED}


# --- memory -------------------------------------------------------------------------------------------------------------------------------------------


class Memory:
    """Allocations that fail when the test wants it."""

    def __init__(self, work):
        library, path = work / "failing_malloc.so", work / "order"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, f"{HERE}/failing_malloc.c", "-ldl"], check=True)
        path.write_bytes(bytes(4096))
        self.variables = {"LD_PRELOAD": library, "FAILING_MALLOC": path}
        self.file = open(path, "r+b")
        self.order = mmap.mmap(self.file.fileno(), 4096)

    def one_of(self, number):
        self.order[:16] = str(number).encode().ljust(16, b"\0")


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path)


@pytest.mark.parametrize("one_of", [2, 20, 1000, 5000])
def test_memory_that_is_refused(one_of, memory, make_mount, tls, sandbox, table):
    """The daemon stays up; who asks is refused or served, and what it says was stored is stored."""
    sandbox.seed("prod", 250)
    mount = make_mount(tls, options="timeout=2,ttl=0", **{name: str(value) for name, value in memory.variables.items()})
    write_file(mount / "prod/NAME", b"old")
    memory.one_of(one_of)
    stored, writers, refused = {}, set(), set()
    deadline = time.monotonic() + 3
    number = 0
    while time.monotonic() < deadline:
        number += 1
        name, value = f"NAME{number}", b"value %d" % number
        error = errno_of(write_file, mount / f"prod/{name}", value)
        writers.add(error)
        if not error:
            stored[name] = value
        refused.add(errno_of(os.listdir, mount / "prod"))
        refused.add(errno_of(os.getxattr, mount / "prod/SECRET_0000001", "user.digest"))
        refused.add(errno_of(os.stat, mount / f"prod/NONE{number}"))
        refused.add(errno_of(lambda: (mount / ".sstorefs/status").read_text()))
    memory.one_of(0)
    table.line(f"one of {one_of} allocations fails", writers, f"the {len(stored)} of {number} that succeeded")
    assert mount.process.poll() is None, mount.log()
    assert all(sandbox.value("prod", name) == value for name, value in stored.items())
    assert writers <= SCARCE
    assert one_of > 1000 or (writers | refused) - {0, errno.ENOENT}, "nothing was refused: nothing was tried"
    # And when there is memory again all is well.
    write_until_stored(mount / "prod/NAME", b"again", timeout=70)  # a client key is fetched once a minute after failures
    mount.refresh()
    assert len(os.listdir(mount / "prod")) >= 251
    # Where libfuse had no memory for a FLUSH or a RELEASE, values are left whose close never arrived: their outcome is decided now, one way or the other.
    assert mount.unmount() in (0, 32)


@pytest.mark.mount_options("timeout=2")
def test_an_address_space_that_is_full(direct_mount, sandbox, table):
    """RLIMIT_AS at what is used now."""
    sandbox.seed("prod", 5000)
    write_file(direct_mount / "prod/NAME", b"old")
    with open(f"/proc/{direct_mount.pid}/statm") as statm:
        used = int(statm.read().split()[0]) * mmap.PAGESIZE
    resource.prlimit(direct_mount.pid, resource.RLIMIT_AS, (used + (64 << 10), resource.RLIM_INFINITY))
    table.begin()
    results = {errno_of(write_file, direct_mount / f"prod/NAME{number}", b"v" * 60000) for number in range(6)}
    table.line("RLIMIT_AS is reached", results, "what succeeded")
    results.add(errno_of(os.listdir, direct_mount / "prod"))
    assert direct_mount.process.poll() is None
    assert results <= SCARCE
    resource.prlimit(direct_mount.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    write_until_stored(direct_mount / "prod/NAME", b"again")
    direct_mount.refresh()
    assert len(os.listdir(direct_mount / "prod")) >= 5001


# --- descriptors --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.mount_options("timeout=2")
def test_no_descriptors_left(direct_mount, sandbox, table):
    """RLIMIT_NOFILE at what is open now: the connection that there is serves all writers, or they wait
    for the time-out, one after the other (a CREATE holds its directory), and are refused; and later
    all is well."""
    write_file(direct_mount / "prod/NAME", b"old")
    highest = max(int(name) for name in os.listdir(f"/proc/{direct_mount.pid}/fd"))
    resource.prlimit(direct_mount.pid, resource.RLIMIT_NOFILE, (highest + 1, 1024))
    table.begin()
    writers = [write_in_background(direct_mount, f"NAME{number}") for number in range(12)]
    for writer, _ in writers:
        writer.join()
    assert direct_mount.process.poll() is None
    table.line("RLIMIT_NOFILE is reached, 12 writers", [error for _, (error,) in writers], "what succeeded")
    for number, (_, (error,)) in enumerate(writers):
        assert (error == 0) == (sandbox.value("prod", f"NAME{number}") == b"val"), os.strerror(error)
    resource.prlimit(direct_mount.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    write_until_stored(direct_mount / "prod/NAME", b"again")


# --- the log ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["/dev/full", "pipe"])
def lost_log(request):
    """A disk that is full, and a reader that went away."""
    if request.param == "/dev/full":
        with open("/dev/full", "wb") as full:
            yield full
    else:
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as broken:
            yield (broken, reading)


def test_a_log_that_cannot_be_written(make_mount, direct, sandbox, lost_log, table):
    log, reading = lost_log if isinstance(lost_log, tuple) else (lost_log, None)
    mount = make_mount(direct, start=False, options="timeout=2")
    mount.path.mkdir()
    mount.process = subprocess.Popen(mount.arguments("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=mount.work)
    mount.pid = mount.process.pid
    if reading is not None:
        os.close(reading)
    wait_until_mounted(mount.path, mount.process)
    sandbox.fault(f"{PUT},status=403,times=50")
    assert {errno_of(write_file, mount / "prod/NAME", b"val") for _ in range(50)} == {errno.EACCES}
    sandbox.clear()
    table.begin()
    write_file(mount / "prod/NAME", b"val")
    table.line(f"no log: {'no reader' if reading is not None else 'the disk is full'}", 0, "val")
    assert sandbox.value("prod", "NAME") == b"val"
    assert "EACCES" in mount.control("errors")


# --- the clock ----------------------------------------------------------------------------------------------------------------------------------------


class Clock:
    """The daemon's wall clock, so many seconds off; the machine's own is left alone."""

    def __init__(self, work):
        self.file = work / "clock"
        self.shared = f"/sstorefs-tests-{os.getpid()}-clock"
        # What is waited for goes by other clocks, which are left alone as well.
        self.variables = {"LD_PRELOAD": str(faketime_library()), "FAKETIME_TIMESTAMP_FILE": str(self.file),
                          "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                          "FAKETIME_SHARED": f"{self.shared} {self.shared}"}
        self.set(0)

    def __enter__(self):
        """
        Makes what libfaketime shares: a semaphore, and times of which none is set. If the daemon's
        library made them it would delete them at its end, and the filter of system calls would end
        the daemon for that.
        """
        SemLock(1, 1, 1, self.shared, False)
        Path("/dev/shm", self.shared[1:]).write_bytes(struct.pack("10q", *[0] * 2, *[0, -1] * 4))
        return self

    def __exit__(self, *_):
        sem_unlink(self.shared)
        os.unlink(f"/dev/shm{self.shared}")

    def set(self, seconds):
        replacement = self.file.with_suffix(".new")  # libfaketime may read it at any moment, and ends the daemon where it is empty
        replacement.write_text(f"{seconds:+d}\n")
        replacement.rename(self.file)


@pytest.fixture
def clock(tmp_path):
    with Clock(tmp_path) as clock:
        yield clock


@pytest.mark.parametrize("off", [3600, -3600])
def test_a_clock_that_is_an_hour_off(off, clock, make_mount, tls, sandbox, table):
    """Neither is a dead client key used nor are keys fetched without end; what the service says about time is its own."""
    clock.set(off)
    mount = make_mount(tls, **clock.variables)
    table.begin()
    for number in range(10):
        write_file(mount / f"prod/NAME{number}", b"val")
    table.line(f"a clock that is off by {off} s, 10 writes", 0, "all")
    assert len(sandbox.calls(operation="fastly.create_client_key")) == 1
    created = os.getxattr(mount / "prod/NAME1", "user.created_at").decode()
    assert created.startswith(time.strftime("%Y-%m-%dT%H", time.gmtime()))


def test_a_clock_that_jumps(clock, make_mount, tls, sandbox, table):
    """To and fro between two writes, and while one waits."""
    mount = make_mount(tls, options="timeout=30", **clock.variables)
    sandbox.fault(f"{PUT},latency=0.2")
    for number in range(12):
        clock.set(random.choice([0, 3600, -3600, 86400, -86400]))
        write_file(mount / f"prod/NAME{number}", b"val")
        assert f"NAME{number}" in os.listdir(mount / "prod")
    assert len(sandbox.calls(operation="fastly.create_client_key")) == 1
    table.line("a clock that jumps by hours, 12 writes", 0, "all")
    # A pause that a 429 asks for is neither skipped nor drawn out.
    sandbox.fault(f"{PUT},status=429,retry_after=1,times=1")
    writer, results = write_in_background(mount, "NAME")
    began = time.monotonic()
    sandbox.wait_for_call("fastly.put_secret", name="NAME")
    clock.set(7200)
    writer.join()
    assert results == [0] and 0.9 < time.monotonic() - began < 20
    json_status = mount.control("status")
    assert '"reachable": true' in json_status or '"reachable":true' in json_status


def test_expiries_go_by_the_clock_of_the_service(clock, make_mount, direct, sandbox):
    """`expires=` on a machine that is an hour behind: the secret lives as long as was asked for."""
    clock.set(-3600)
    stripe = Stripe("direct", sandbox, sandbox.url)
    mount = make_mount(stripe, source="stripe:", options="expires=30m", **clock.variables)
    write_file(mount / "account/NAME", b"val")
    expires = os.getxattr(mount / "account/NAME", "user.expires_at").decode()
    seconds = calendar.timegm(time.strptime(expires, "%Y-%m-%dT%H:%M:%SZ")) - time.time()
    assert 1700 < seconds <= 1802


@pytest.mark.parametrize("off", [7200, -7200])
def test_an_expiry_that_is_set_goes_by_the_clock_of_the_service(off, clock, make_mount, direct, sandbox):
    clock.set(off)
    stripe = Stripe("direct", sandbox, sandbox.url)
    mount = make_mount(stripe, source="stripe:", **clock.variables)
    with open(mount / "account/NAME", "wb") as file:
        past, future = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600)).encode() for hours in (-1, 1))
        assert errno_of(os.setxattr, mount / "account/NAME", "user.expires_at", past) == errno.EINVAL
        os.setxattr(mount / "account/NAME", "user.expires_at", future)
        file.write(b"val")
    assert os.getxattr(mount / "account/NAME", "user.expires_at") == future


def refused_write(mount, nginx, **changes):
    """What is said of a write over a new connection."""
    nginx.start(**changes)
    mount.refresh()
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EKEYREJECTED
    return mount.control("errors")


@pytest.mark.parametrize("years,arguments", [(10, "it has expired"), (-10, "it is not yet valid")])
def test_a_clock_that_is_years_off_is_named_where_a_certificate_is_refused_for_it(years, arguments, clock, make_mount, tls, nginx, sandbox):
    """The service's clock is known from before."""
    mount = make_mount(tls, **clock.variables)
    clock.set(years * 365 * 86400)
    output = refused_write(mount, nginx)
    assert f"{arguments}, but this machine's clock says {time.gmtime().tm_year + years}-" in output and "and the service's says 20" in output
    assert "check the clock" in output


def test_a_clock_that_is_right_is_not_blamed_for_a_certificate(make_mount, tls, nginx, certificates, sandbox):
    mount = make_mount(tls)
    output = refused_write(mount, nginx, certificate=certificates.expired)
    assert "the certificate of 10.99.0.1 was refused: it has expired: the service must renew it" in output
    assert "check the clock" not in output


def test_a_temporary_file_that_is_never_renamed_is_wiped_with_a_message(clock, make_mount, direct, sandbox, table):
    """After a quarter of an hour: in `errors` and in the log, for its writer has had a success. A directory for such files is removed silently."""
    spared = [name for name in clock.variables if "MONOTONIC" in name]
    mount = make_mount(direct, options="ttl=indefinite", **{name: value for name, value in clock.variables.items() if name not in spared})
    os.listdir(mount / "prod")
    value = b"a value that is staged and forgotten"
    write_file(mount / "prod/NAME.tmp", value, os.O_CREAT | os.O_EXCL)
    os.mkdir(mount / "prod/.~tmp~")
    clock.set(14 * 60)
    assert "NAME.tmp" in os.listdir(mount / "prod")
    clock.set(16 * 60)
    wait_until(lambda: os.listdir(mount / "prod") == [])
    assert "prod/NAME.tmp\tETIMEDOUT" in mount.control("errors")
    assert "not renamed within 15 minutes" in mount.log()
    assert not is_in_memory(mount.pid, value) and sandbox.uploads() == []
    table.line("a temporary file that is never renamed", 0, "nothing, and `errors` says so")


def test_a_temporary_file_that_is_being_stored_is_no_more_wiped_for_its_age(clock, make_mount, direct, sandbox):
    mount = make_mount(direct, options="ttl=indefinite", **{name: value for name, value in clock.variables.items() if "MONOTONIC" not in name})
    write_file(mount / "prod/NAME.tmp", b"val", os.O_CREAT | os.O_EXCL)
    clock.set(15 * 60 - 5)
    sandbox.fault(f"{PUT},hold=before")
    renaming = threading.Thread(target=os.rename, args=(mount / "prod/NAME.tmp", mount / "prod/NAME"))
    renaming.start()
    sandbox.wait_for_call("fastly.put_secret", state="held")
    clock.set(15 * 60 + 5)
    os.stat(mount.path)
    sandbox.release()
    renaming.join()
    assert mount.control("errors") == "" and sandbox.value("prod", "NAME") == b"val"
