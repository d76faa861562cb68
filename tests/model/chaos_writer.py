"""
One writer of the chaos run: writes its own names, and some that all of them write, again and again, and tells at its end what became of it. What is at the
service is the run's to compare.

    chaos_writer.py DIRECTORY NUMBER SEED WRITES
"""

import errno
import json
import os
import random
import sys
import time
from pathlib import Path

from programs import close, errno_of, write_file

NAMES = 5  # and those that all write: GitHub has room for 100
SHARED = tuple(f"SHARED_{index}" for index in range(16))
UNKNOWN = (errno.EIO, errno.ETIMEDOUT, errno.EINTR)  # the rest says: nothing was changed


class Writer:
    def __init__(self, directory, number, seed):
        self.directory = Path(directory)
        self.random = random.Random(f"{seed} {number}")
        self.names = [f"NAME_{number}_{index}" for index in range(NAMES)]
        self.may_hold = {name: {None} for name in self.names}
        self.written = 0
        self.failures = []
        self.acknowledged = []
        self.shared = []  # (name, value, when its close began, when it ended, errno)

    def change(self, name, value, act):
        """Does it, and notes what the service may hold from now on. Returns the errno."""
        error = errno_of(act)
        if error == 0 or (value is None and error == errno.ENOENT):
            self.may_hold[name] = {value}
        elif error in UNKNOWN:
            self.may_hold[name] |= {value}
        return error

    def value(self):
        size = self.random.choice([8, 100, 1000, 4800])
        return "".join(self.random.choices("abcdefgh +&=%\"\\\n\té", k=size)) + "."

    def write_shared(self):
        name, value = self.random.choice(SHARED), self.value()
        begun = time.monotonic_ns()

        def act():
            nonlocal begun
            descriptor = os.open(self.directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, value.encode())
            begun = time.monotonic_ns()
            close(descriptor)

        error = errno_of(act)
        self.shared.append((name, value, begun, time.monotonic_ns(), error))
        self.count(name, value, error)

    def write(self):
        if self.random.random() < 0.2:
            self.write_shared()
            return
        name, value = self.random.choice(self.names), self.value()
        exclusive = False
        if self.random.random() < 0.25:
            exclusive = self.change(name, None, lambda: os.unlink(self.directory / name)) in (0, errno.ENOENT)
        flags = os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
        self.count(name, value, self.change(name, value, lambda: write_file(self.directory / name, value.encode(), flags)))

    def count(self, name, value, error):
        self.written += 1
        if error == 0:
            self.acknowledged.append((name, value))
        else:
            self.failures.append(f"{name}: {errno.errorcode[error]}")

    def tell(self):
        json.dump({"written": self.written, "failures": self.failures, "acknowledged": self.acknowledged, "shared": self.shared,
                   "may_hold": {name: list(values) for name, values in self.may_hold.items()}}, sys.stdout)


def main():
    directory, number, seed, writes = sys.argv[1:]
    writer = Writer(directory, number, seed)
    for _ in range(int(writes)):
        writer.write()
    writer.tell()


if __name__ == "__main__":
    main()
