"""
A process beside an attacker of the same user, as in a pod that shares process numbers: its own mount namespace has a token that the attacker's has not.
"""

import ctypes
import os
import signal
import subprocess

from daemon import CLONE_NEWNS, environment
from private_mount import NOBODY, PYTHON, as_user

MS_PRIVATE, MS_REC = 1 << 18, 1 << 14
PTRACE_TRACEME, PTRACE_DETACH = 0, 17
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Neighbour:
    """`words` run as `user`; with `stopped` the process waits at its first instruction until it is released."""

    def __init__(self, work, arguments, token, user=NOBODY, stopped=False, **variables):
        self.vault = work / "vault"
        self.vault.mkdir(exist_ok=True)
        self.secret = token
        self.log_path = work / "logs/neighbour.log"

        def prepare():
            _checked(libc.unshare(CLONE_NEWNS))
            _checked(libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_PRIVATE | MS_REC), None))
            _checked(libc.mount(b"vault", str(self.vault).encode(), b"tmpfs", ctypes.c_ulong(0), b"mode=755"))
            descriptor = os.open(self.vault / "token", os.O_WRONLY | os.O_CREAT, 0o400)
            os.write(descriptor, token.encode())
            os.fchown(descriptor, user, user)
            os.close(descriptor)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            if stopped:
                _checked(libc.ptrace(PTRACE_TRACEME, 0, None, None))

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                            preexec_fn=prepare, env=environment(work / "logs", **variables), start_new_session=True)
        if stopped:
            _, status = os.waitpid(self.process.pid, 0)
            assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP

    def release(self):
        _checked(libc.ptrace(PTRACE_DETACH, self.process.pid, None, None))

    def steal(self, pid=None):
        """What another program of that user gets: a dictionary of all that it could read."""
        program = ("import json, os, sys\n"
                   "taken = {}\n"
                   "for way in ('root' + sys.argv[2], 'environ', 'mem', 'maps'):\n"
                   "    try:\n"
                   "        with open(f'/proc/{sys.argv[1]}/{way}', 'rb', 0) as file:\n"
                   "            taken[way.split('/')[0]] = file.read(64).decode(errors='replace') if way != 'mem' else ''\n"
                   "    except OSError as why:\n"
                   "        assert isinstance(why, PermissionError), why\n"
                   "json.dump(taken, sys.stdout)\n")
        done = subprocess.run([PYTHON, "-c", program, str(pid or self.process.pid), str(self.vault / "token")], capture_output=True,
                              text=True, cwd="/", **as_user(NOBODY))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def finish(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
