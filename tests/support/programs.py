"""Programs that write: shells, and Python with the system calls as they are."""

import ctypes
import os
import subprocess
import textwrap
import threading
from pathlib import Path

from waiting import PROGRAM_TIMEOUT, TIMEOUT, wait_until

PYTHON = "/usr/bin/python3"
# npm's libraries: see install_npm_packages in contrib/install-dependencies.sh.
NODE_MODULES = Path(os.environ.get("SSTOREFS_NPM", Path.home() / ".cache/sstorefs-tests/npm")) / "node_modules"


def shell(command, which="bash", timeout=PROGRAM_TIMEOUT, cwd=None, **variables):
    """`command` with `variables` in its environment. Messages are in English."""
    return subprocess.run([which, "-c", command], timeout=timeout, cwd=cwd, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C", **{name: str(value) for name, value in variables.items()}})


def start(*arguments, **variables):
    """A program that goes on while the test looks elsewhere."""
    return subprocess.Popen([str(word) for word in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "LC_ALL": "C", **{name: str(value) for name, value in variables.items()}})


def python(program, *arguments, timeout=PROGRAM_TIMEOUT):
    """A Python program of its own, so that its end is a process's end."""
    return subprocess.run([PYTHON, "-c", textwrap.dedent(program), *map(str, arguments)], timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def write_file(path, value, flags=os.O_CREAT | os.O_TRUNC):
    """open, write, close; raises what the first of them that fails does."""
    descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
    try:
        written = os.write(descriptor, value)
        assert written == len(value)
    except OSError:
        os.close(descriptor)
        raise
    close(descriptor)


def close(descriptor):
    """close(2) with its error, which os.close hides when it is EINTR."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.close(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def errno_of(action, *arguments, **more):
    """The errno that `action` raises, or 0."""
    try:
        action(*arguments, **more)
    except OSError as why:
        return why.errno
    return 0


def errno_or(action, *arguments):
    """What `action` returns, or its errno, negative."""
    try:
        return action(*arguments)
    except OSError as why:
        return -why.errno


def write_until_stored(path, value, timeout=TIMEOUT):
    """Writes again and again until a write succeeds: for daemons that have to find out first that the service is well again."""
    wait_until(lambda: errno_of(write_file, path, value) == 0, f"{path} could not be written for {timeout} s", timeout, pause=0.1)


class Together:
    """Does things at the same time; what they return, or raise, is in `results` once they have ended."""

    def __init__(self, *actions):
        self.results = [None] * len(actions)
        self.threads = [threading.Thread(target=self._run, args=(number, action)) for number, action in enumerate(actions)]
        for thread in self.threads:
            thread.start()

    def _run(self, number, action):
        try:
            self.results[number] = action()
        except OSError as why:
            self.results[number] = why

    def wait(self, timeout=TIMEOUT):
        for thread in self.threads:
            thread.join(timeout)
            assert not thread.is_alive()
        return self.results


def together(*actions):
    return Together(*actions).wait()
