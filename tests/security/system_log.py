"""The system's log as our mount namespace has it: a /dev/log of our own that keeps every line."""

import os
import select
import socket
import subprocess
import tempfile
import time


class SystemLog:
    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="sstorefs-dev-")
        os.chmod(self.work, 0o755)  # whatever user a daemon runs as, it needs its devices
        devices = os.path.join(self.work, "dev")
        os.mkdir(devices)
        subprocess.run(["mount", "--rbind", "/dev", devices], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "sstorefs-tests", "/dev"], check=True)
        for name in os.listdir(devices):
            if name != "log":
                os.symlink(os.path.join(devices, name), os.path.join("/dev", name))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        self.lines = []

    def read(self):
        """All that was said so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.lines.append(self.socket.recv(65536).decode(errors="replace"))
        return "\n".join(self.lines)

    def wait_for(self, text, timeout=10):
        deadline = time.monotonic() + timeout
        while text not in self.read():
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in the system's log:\n{self.read()}"
            select.select([self.socket], [], [], left)

    def close(self):
        self.socket.close()
        subprocess.run(["umount", "-l", "/dev"], check=True)
        subprocess.run(["umount", "-l", os.path.join(self.work, "dev")], check=True)
        os.rmdir(os.path.join(self.work, "dev"))
        os.rmdir(self.work)
