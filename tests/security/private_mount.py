"""Mounts in a place that every user can reach, by any user, and processes that visit them."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from daemon import PROGRAM, environment, mounts_at
from waiting import TIMEOUT, wait_until

HERE = Path(__file__).parent
PYTHON = "/usr/bin/python3"
NOBODY = 65534
OTHER = 12345
USERS = {"root": 0, "nobody": NOBODY, "other": OTHER}


def as_user(uid):
    """For subprocess: nothing of root is left. Root himself comes with groups, as from a login."""
    return {"user": uid, "group": uid, "extra_groups": []} if uid else {"extra_groups": [0, 4, 27]}


def state_of(process):
    """/proc/PID/status as a dictionary."""
    with open(f"/proc/{process}/status") as lines:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def daemons_of(program, *arguments):
    """The processes that run `program` with `words` on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.path.samefile(entry / "exe", program):
                line = (entry / "cmdline").read_bytes().split(b"\0")
                found += [int(entry.name)] if all(os.fsencode(word) in line for word in arguments) else []
        except OSError:
            continue  # it has ended
    return found


class PrivateMount:
    """One directory with a program, a token and a mountpoint."""

    def __init__(self, service):
        self.service = service
        self.work = Path(tempfile.mkdtemp(prefix="sstorefs-world-"))
        self.work.chmod(0o755)
        self.program = shutil.copy(PROGRAM, self.work)
        for name in ("mount_proxy.py", "access_probe.py"):
            shutil.copy(HERE / name, self.work)
        self.logs = self.work / "logs"  # of all processes, sanitizers' too
        self.logs.mkdir()
        self.logs.chmod(0o777)
        self.mountpoint = self.work / "mnt"
        self.mountpoint.mkdir()
        self.process = None
        # What a service manager would listen to: the daemon tells it that it is ready, whichever user it has become.
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(self.work / "manager"))
        (self.work / "manager").chmod(0o666)

    def token(self, owner=0, mode=0o600, group=None):
        path = self.work / "token"
        path.write_text(self.service.token)
        os.chown(path, owner, owner if group is None else group)
        path.chmod(mode)
        return path

    def options(self, more=""):
        return ",".join(filter(None, (f"token_file={self.work / 'token'}", self.service.options, more)))

    def start(self, arguments, user=0, source="fastly:", meanwhile=lambda: None):
        """The words of a command line; the daemon stays in the foreground. Waits for the mount, and for the message that it is mounted, after `meanwhile`."""
        with open(self.logs / "daemon.log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(self.logs, NOTIFY_SOCKET=str(self.work / "manager")), cwd="/",
                                            **as_user(user))
        meanwhile()
        self._wait_until_ready()
        return self

    def _wait_until_ready(self):
        end = os.pidfd_open(self.process.pid)
        try:
            while True:
                ready, *_ = select.select([self.manager, end], [], [], TIMEOUT)
                assert self.manager in ready, self.log()
                if b"READY=1" in self.manager.recv(4096):
                    return
        finally:
            os.close(end)

    def mount(self, options="", user=0, source="fastly:"):
        self.token(owner=user)
        if user:
            os.chown(self.mountpoint, user, user)
        return self.start([self.program, source, self.mountpoint, "-f", "-o", self.options(options)], user=user)

    def mount_descriptor(self, kernel="", options="", user=0, source="fastly:"):
        self.token(owner=user)
        return self.start([sys.executable, self.work / "mount_proxy.py", self.mountpoint, kernel, user, self.program, source, "{fd}", "-f",
                           "-o", self.options(options)])

    def visit(self, user, store="prod", tag="T"):
        done = subprocess.run([PYTHON, self.work / "access_probe.py", self.mountpoint, store, tag], capture_output=True, text=True,
                              timeout=60, cwd="/", **as_user(user))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self):
        return (self.logs / "daemon.log").read_text()

    def wait_for_log(self, text):
        """Fails at once when the daemon ends without having logged `text`."""
        wait_until(lambda: text in self.log() or self.process.poll() is not None, lambda: self.log(), pause=0.01)
        assert text in self.log(), f"no {text!r} in the log:\n{self.log()}"

    def unmount(self):
        subprocess.run(["umount", self.mountpoint], check=True)
        return self.wait()

    def wait(self):
        status = self.process.wait(TIMEOUT)
        self.process = None
        return status

    def finish(self, keep):
        """Ends everything; the logs are kept in `keep`."""
        while mounts_at(self.mountpoint):
            subprocess.run(["umount", "-l", self.mountpoint], check=True)
        if self.process:
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
        self.manager.close()
        reports = [report.read_text() for report in self.logs.glob("sanitizer*")]
        shutil.copytree(self.logs, keep / "world")
        shutil.rmtree(self.work)
        assert not reports, "\n".join(reports)
