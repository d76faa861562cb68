"""A network of our own, in which packets can be lost without anybody else noticing: only the loopback device, and an address on it that is none of 127/8."""

import ctypes
import os
import subprocess
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
# Daemons use proxies for it, and http:// is refused: as with any address that is not the machine's own.
ADDRESS = "10.99.0.1"


def _run(*words):
    subprocess.run(words, check=True, capture_output=True, text=True)


def enter_own_network():
    """For this process and all that it starts; it goes with the last of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}: these tests need a network of their own, and root")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")


class Drop:
    """Packets to and from a port vanish: nothing is refused, nothing is answered."""

    def __init__(self, port):
        self.rules = [["INPUT", "-p", "tcp", way, str(port), "-j", "DROP"] for way in ("--dport", "--sport")]

    def begin(self):
        for rule in self.rules:
            _run("iptables", "-w", "-I", *rule)

    def end(self):
        for rule in self.rules:
            _run("iptables", "-w", "-D", *rule)


@contextmanager
def dropping(port):
    drop = Drop(port)
    drop.begin()
    try:
        yield
    finally:
        drop.end()


@contextmanager
def instead_of(path, text, work):
    """Other content under `path`, in our own mount namespace."""
    other = work / os.path.basename(path)
    other.write_text(text)
    _run("mount", "--bind", str(other), path)
    try:
        yield
    finally:
        _run("umount", path)
