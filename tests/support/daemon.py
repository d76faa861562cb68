"""Starts the real daemon, waits for what can be waited for, and ends it."""

import ctypes
import os
import select
import signal
import subprocess
import time
from pathlib import Path

from waiting import PROGRAM_TIMEOUT, TIMEOUT

BUILD = Path(os.environ.get("SSTOREFS_BUILD", Path(__file__).resolve().parents[2] / "build")).resolve()
PROGRAM = BUILD / "sstorefs"
# -d for every mount of the run, so that the search for leaked secrets covers all messages.
FOREGROUND = "-d" if os.environ.get("SSTOREFS_DEBUG") else "-f"
CLONE_NEWNS = 0x00020000
TOKEN_VARIABLES = ("FASTLY_API_TOKEN", "FASTLY_API_KEY", "FASTLY_API_ENDPOINT", "FASTLY_API_URL",
                   "FASTLY_USE_API_SIGNING_KEY", "CREDENTIALS_DIRECTORY", "GH_HOST", "GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN",
                   "GITHUB_ENTERPRISE_TOKEN")


def enter_own_mounts():
    """
    A mount namespace of our own: whatever we mount goes with us. In it mount(8), which does not keep PATH, finds the program of this build
    in a place where it looks first.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}: these tests mount, and need root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "sstorefs-tests", "/usr/local/sbin"], check=True)
    os.symlink(PROGRAM, "/usr/local/sbin/sstorefs")
    helper = Path("/sbin/mount.fuse.sstorefs")
    if helper.exists():  # where sstorefs is installed, that is what mount(8) finds
        subprocess.run(["mount", "--bind", PROGRAM, helper.resolve()], check=True)


class DaemonFailed(AssertionError):
    pass


# The sanitizers' variables for a program of another user: the tests' directories are root's, and so are the rights that the search for leaks needs.
OF_ANOTHER_USER = {"ASAN_OPTIONS": "detect_leaks=0:exitcode=66", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "LSAN_OPTIONS": ""}


def environment(work, **more):
    """Ours without anybody's tokens, with the sanitizers' reports in `work`."""
    clean = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES}
    return {**clean, "LC_ALL": "C",
            "ASAN_OPTIONS": f"log_path={work}/sanitizer:detect_leaks=1:exitcode=66",
            "UBSAN_OPTIONS": f"log_path={work}/sanitizer:print_stacktrace=1:halt_on_error=1",
            "LSAN_OPTIONS": f"log_path={work}/sanitizer", **more}


def mounts_at(path):
    """The types of what is mounted at exactly `path`, topmost last."""
    with open("/proc/self/mounts") as mounts:
        lines = [line.split() for line in mounts]
    return [fields[2] for fields in lines if fields[1].encode().decode("unicode_escape") == str(path)]


def wait_until_mounted(path, process, timeout=TIMEOUT):
    """The kernel tells of every change of the mounts through poll(2)."""
    with open("/proc/self/mounts") as mounts:
        watch = select.poll()
        watch.register(mounts, select.POLLPRI | select.POLLERR)
        end = os.pidfd_open(process.pid)
        try:
            watch.register(end, select.POLLIN)
            deadline = time.monotonic() + timeout
            while not mounts_at(path):
                if process.poll() is not None:
                    raise DaemonFailed(f"the daemon ended with status {process.returncode} and mounted nothing")
                if time.monotonic() > deadline:
                    raise DaemonFailed(f"nothing was mounted within {timeout} s")
                watch.poll(1000 * (deadline - time.monotonic()) + 1)
        finally:
            os.close(end)


class Mount:
    """A mount of the sandbox. `mount / "prod/NAME"` is a path in it. `before` precedes the daemon's own arguments."""

    def __init__(self, work, service, source=None, options="", program=PROGRAM, before=(), **variables):
        self.work = Path(work)
        self.service = service
        self.source = source or service.source
        self.path = self.work / "mnt"
        self.log_path = self.work / "daemon.log"
        self.variables = variables
        self.program = program
        self.before = before
        self.process = None
        self.pid = None
        self.token_file = self.work / "token"
        self.write_token(service.token)
        self.options = ",".join(filter(None, (f"token_file={self.token_file}", service.options, options)))

    def write_token(self, token):
        self.token_file.write_text(f"{token}\n")
        self.token_file.chmod(0o600)

    def __truediv__(self, name):
        return self.path / name

    def arguments(self, *more):
        return [str(word) for word in (*self.before, self.program, self.source, self.path, "-o", self.options, *more)]

    def start(self):
        """In the foreground, as our child, so that its end can be waited for."""
        self.path.mkdir(exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments(FOREGROUND), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(self.work, **self.variables), cwd=self.work)
        self.pid = self.process.pid
        wait_until_mounted(self.path, self.process)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def control(self, name):
        return (self.path / ".sstorefs" / name).read_text()

    def refresh(self):
        (self.path / ".sstorefs/refresh").write_text("x")

    def signal(self, number):
        os.kill(self.pid, number)

    def unmount(self):
        """Asks for it and returns the daemon's exit status."""
        subprocess.run(["umount", self.path], check=True)
        return self.wait()

    def wait(self, timeout=PROGRAM_TIMEOUT):
        status = self.process.wait(timeout)
        self.process = None
        return status

    def finish(self):
        """The end of a test: nothing may be lost, left behind, or reported by a sanitizer."""
        problems = []
        if self.process:
            try:
                if mounts_at(self.path):
                    subprocess.run(["umount", self.path], check=True, timeout=TIMEOUT)
                if (status := self.wait()) != 0:
                    problems.append(f"the daemon ended with status {status}")
            except (subprocess.SubprocessError, OSError) as why:
                problems.append(f"the daemon did not end well: {why}")
        self.kill()
        problems += [f"{report.name}:\n{report.read_text(errors='replace')}" for report in self.sanitizer_reports()]
        assert not problems, "\n".join(problems)

    def sanitizer_reports(self):
        return sorted(self.work.glob("sanitizer.*"))

    def kill(self):
        """Whatever happened, leaves nothing behind."""
        while mounts_at(self.path):
            subprocess.run(["umount", "-l", self.path], check=True)
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


# The sanitizers' shadow: terabytes with hardly a page behind them, and never a program's bytes.
SHADOW = 1 << 34


def memory_of(process):
    """The private memory of a process, piece by piece, for looking for what must not be there."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in maps:
            bounds, rights, *_ = line.split()
            begin, end = (int(bound, 16) for bound in bounds.split("-"))
            if not rights.startswith("rw") or end - begin >= SHADOW:
                continue
            yield read_whole(memory, begin, end)


def read_whole(memory, begin, end):
    """A mapping, which one read(2) may bring in part only; empty where it is mapped with nothing behind it."""
    content = bytearray()
    memory.seek(begin)
    try:
        while begin + len(content) < end and (piece := memory.read(end - begin - len(content))):
            content += piece
    except OSError:
        pass
    return content


def is_in_memory(process, marker):
    return any(marker in piece for piece in memory_of(process))


def run_program(arguments, work, timeout=PROGRAM_TIMEOUT, **variables):
    """The program on a line of its own, to its end: for what does not mount, and for what stays in the background."""
    done = subprocess.run([str(word) for word in arguments], env=environment(work, **variables), cwd=work, timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    with open(Path(work) / "program.log", "a") as log:
        log.write(done.stdout + done.stderr)
    return done


def daemon_at(path):
    """The process that serves `path` in the background."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if arguments[0].endswith(b"sstorefs") and os.fsencode(path) in arguments:
                return int(entry.name)
    return None


def wait_for_end(pid, timeout=PROGRAM_TIMEOUT):
    """Of a process that is not our child. Whether it has ended."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    watch = select.poll()
    watch.register(end, select.POLLIN)
    try:
        return bool(watch.poll(timeout * 1000))
    finally:
        os.close(end)


def terminate(pid):
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
