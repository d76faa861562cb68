"""/dev as our mount namespace has it: a /dev/fuse that every user may open, as udev makes it, and a /dev/log that keeps every line."""

import os
import select
import socket
import stat
import subprocess
import tempfile
import time


class Devices:
    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="sstorefs-dev-")
        os.chmod(self.work, 0o755)  # whatever user a daemon runs as, it needs its devices
        self.old = os.path.join(self.work, "dev")
        os.mkdir(self.old)
        subprocess.run(["mount", "--rbind", "/dev", self.old], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755,dev", "sstorefs-tests", "/dev"], check=True)
        for name in os.listdir(self.old):
            if name not in ("log", "fuse"):
                os.symlink(os.path.join(self.old, name), os.path.join("/dev", name))
        os.mknod("/dev/fuse", stat.S_IFCHR | 0o666, os.stat(os.path.join(self.old, "fuse")).st_rdev)
        os.chmod("/dev/fuse", 0o666)
        self.lines = []
        self.start_log()

    def start_log(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)

    def stop_log(self):
        """As when syslog is started again: messages that it has not read are lost."""
        self.log()
        self.socket.close()
        os.unlink("/dev/log")

    def log(self):
        """All that was said so far."""
        while select.select([self.socket], [], [], 0)[0]:
            self.lines.append(self.socket.recv(65536).decode(errors="replace"))
        return "\n".join(self.lines)

    def wait_for(self, text, timeout=10):
        deadline = time.monotonic() + timeout
        while text not in self.log():
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} in the system's log:\n{self.log()}"
            select.select([self.socket], [], [], left)

    def close(self):
        self.socket.close()
        subprocess.run(["umount", "-l", "/dev"], check=True)
        subprocess.run(["umount", "-l", self.old], check=True)
        os.rmdir(self.old)
        os.rmdir(self.work)
