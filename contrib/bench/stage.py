"""The environment of all measurements: programs built for it, mounts of our own, a sandbox of the service, and nginx before it."""

import ctypes
import os
import select
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "contrib/sandbox"), str(TOP / "tests/support")]

from client import Sandbox  # noqa: E402
from services import SERVICES  # noqa: E402
from tls import Nginx  # noqa: E402

CLONE_NEWNS = 0x00020000
STORE = "store"
# What is measured goes first on its processor, whatever else runs on the machine.
FIRST = ["nice", "-n", "-20"]


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, **more)


def output_of(*words):
    return run(*words, stdout=subprocess.PIPE, text=True).stdout


def enter_own_mounts():
    """Enters a mount namespace: its mounts are not seen elsewhere, and end with this process."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        sys.exit("bench.py: mounting needs root")
    run("mount", "--make-rprivate", "/")


def build(work, given):
    """Returns the directory with the program: `given`, or a new release build; and builds the loads and the ceiling."""
    directory = given or work / "build"
    if not given:
        run("meson", "setup", directory, TOP, "--buildtype=release", "-Db_lto=true", "-Dtests=false", "-Dman=disabled", stdout=subprocess.DEVNULL)
        run("ninja", "-C", directory, stdout=subprocess.DEVNULL)
    flags = output_of("pkg-config", "--cflags", "--libs", "fuse3", "libcurl").split()
    for name in ("nothing", "load", "write", "request"):
        run("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", work / name, HERE / f"{name}.c", *flags)
    return directory


class Mounted:
    """A file system that stays in the foreground until it is unmounted: with Mounted(words, path): …"""

    def __init__(self, words, path):
        self.words = [str(word) for word in words]
        self.path = Path(path)
        self.log = tempfile.TemporaryFile()

    def __truediv__(self, name):
        return self.path / name

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.path.mkdir(exist_ok=True)
        with open("/proc/self/mounts") as mounts:
            changes = select.poll()
            changes.register(mounts, select.POLLPRI)
            self.process = subprocess.Popen(self.words, stderr=self.log)
            while not os.path.ismount(self.path):
                if self.process.poll() is not None:
                    self.log.seek(0)
                    sys.exit(f"bench.py: {shlex.join(self.words)} ended with status {self.process.returncode}:\n{self.log.read().decode()}")
                changes.poll(100)
        return self

    def __exit__(self, *failure):
        run("umount", self.path)
        self.process.wait(60)
        self.log.close()

    def refresh(self):
        (self.path / ".sstorefs/refresh").write_text("x")


class Stage:
    """A sandbox, and mounts of it."""

    def __init__(self, work, directory, processor):
        self.work = work
        self.program = directory / "sstorefs"
        self.processor = processor
        self.sandbox = Sandbox()
        self.front = None
        self.mounts = 0

    def __enter__(self):
        self.sandbox.start()
        run("renice", "-n", "-20", "-p", self.sandbox.process.pid, stdout=subprocess.DEVNULL)
        others = os.sched_getaffinity(0) - {self.processor}
        if others:
            os.sched_setaffinity(self.sandbox.process.pid, others)
        self.front = Nginx(self.work / "front", self.sandbox.port).start()
        token = self.work / "token"
        token.write_text(self.sandbox.token)
        token.chmod(0o600)
        return self

    def __exit__(self, *failure):
        self.front.stop()
        self.sandbox.stop()

    def pinned(self, *words):
        """Returns the command on the processor of all that is compared: else the wake-ups of idle processors would be measured."""
        return [str(word) for word in (*FIRST, "taskset", "-c", self.processor, *words)]

    def settings(self, *options, service="fastly"):
        target = SERVICES[service]("direct", self.sandbox)
        return ",".join([f"token_file={self.work}/token", "timeout=600", target.options, *options])

    def path(self):
        self.mounts += 1
        return self.work / f"mount{self.mounts}"

    def mount(self, *options, source="fastly:", before=None):
        """Mounts the sandbox; `before` is the command that the daemon runs under, in place of the one processor."""
        path = self.path()
        words = [self.program, source, path, "-f", "-o", self.settings(*options, service=source.partition(":")[0])]
        return Mounted(self.pinned(*words) if before is None else [*before, *words], path)

    def through_front(self):
        """Returns the options of a mount that has nginx before the sandbox: TLS 1.3 and HTTP/2, as the real services have."""
        return f"endpoint={self.front.url}", f"cacert={self.front.cacert}"

    def ceiling(self, secrets, timeout=0):
        path = self.path()
        return Mounted(self.pinned(self.work / "nothing", path, secrets, timeout), path)

    def empty(self, store=STORE, secrets=0, latency=0):
        """Resets the service: one store with so many secrets, and so many seconds for each response."""
        self.sandbox.clear_faults()
        self.sandbox.reset()
        self.sandbox.seed(store, secrets)
        self.sandbox.clear()
        self.be_slow(latency)

    def be_slow(self, latency):
        self.sandbox.clear_faults()
        if latency:
            self.sandbox.fault(latency=latency)


def private_memory(pid):
    """Returns the bytes of memory that no other process shares."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        figures = dict(line.split(None, 1) for line in rollup if line.startswith(("Private_Clean:", "Private_Dirty:")))
    return sum(int(figure.split()[0]) * 1024 for figure in figures.values())


def resident_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def processor_time(pid):
    """Returns the processor seconds of a process with one thread."""
    with open(f"/proc/{pid}/schedstat") as schedule:
        return int(schedule.read().split()[0]) / 1e9
