"""A network of our own, in which packets can be lost without anybody else noticing: only the loopback device, and an address on it that is none of 127/8."""

import ctypes
import os
import subprocess
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
# Daemons use proxies for it, and http:// is refused: as with any address that is not the machine's own.
ADDRESS = "10.99.0.1"
OTHER_ADDRESS = "10.99.0.2"


def _run(*arguments):
    subprocess.run(arguments, check=True, capture_output=True, text=True)


def enter_own_network():
    """For this process and all that it starts; it goes with the last of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}: these tests need a network of their own, and root")
    _run("ip", "link", "set", "lo", "up")
    for address in (ADDRESS, OTHER_ADDRESS):
        _run("ip", "address", "add", f"{address}/32", "dev", "lo")


class Drop:
    """Packets to and from a port vanish: nothing is refused, nothing is answered. At one address, if one is given."""

    def __init__(self, port, address=None):
        self.rules = [["INPUT", "-p", "tcp", way, str(port), *([end, address] if address else []), "-j", "DROP"]
                      for way, end in (("--dport", "-d"), ("--sport", "-s"))]

    def begin(self):
        for rule in self.rules:
            _run("iptables", "-w", "-I", *rule)

    def end(self):
        for rule in self.rules:
            _run("iptables", "-w", "-D", *rule)


@contextmanager
def without(address):
    """The address is nowhere: there is no route to it."""
    _run("ip", "address", "del", f"{address}/32", "dev", "lo")
    try:
        yield
    finally:
        _run("ip", "address", "add", f"{address}/32", "dev", "lo")


@contextmanager
def dropping(port, address=None):
    drop = Drop(port, address)
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
