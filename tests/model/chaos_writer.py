"""
One writer of the chaos run: writes its names again and again, and tells at its end what became of it. What is at the service is the run's to compare.

    chaos_writer.py DIRECTORY NUMBER SEED WRITES
"""

import errno
import json
import os
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))

from writers import errno_of, write_file  # noqa: E402

NAMES = 4
UNKNOWN = (errno.EIO, errno.ETIMEDOUT, errno.EINTR)  # the rest says: nothing was changed


class Writer:
    def __init__(self, directory, number, seed):
        self.directory = Path(directory)
        self.random = random.Random(f"{seed} {number}")
        self.names = [f"NAME_{number}_{index}" for index in range(NAMES)]
        self.may_hold = {name: {None} for name in self.names}
        self.written = 0
        self.failures = []

    def change(self, name, value, act):
        """Does it, and notes what the service may hold from now on. Returns the errno."""
        error = errno_of(act)
        if error == 0 or (value is None and error == errno.ENOENT):
            self.may_hold[name] = {value}
        elif error in UNKNOWN:
            self.may_hold[name] |= {value}
        return error

    def write(self):
        name = self.random.choice(self.names)
        size = self.random.choice([8, 100, 1000, 4800])
        value = "".join(self.random.choices("abcdefgh +&=%\"\\\n\té", k=size)) + "."
        exclusive = False
        if self.random.random() < 0.25:
            exclusive = self.change(name, None, lambda: os.unlink(self.directory / name)) in (0, errno.ENOENT)
        flags = os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
        error = self.change(name, value, lambda: write_file(self.directory / name, value.encode(), flags))
        self.written += 1
        if error:
            self.failures.append(f"{name}: {errno.errorcode[error]}")

    def tell(self):
        json.dump({"written": self.written, "failures": self.failures,
                   "may_hold": {name: list(values) for name, values in self.may_hold.items()}}, sys.stdout)


def main():
    directory, number, seed, writes = sys.argv[1:]
    writer = Writer(directory, number, seed)
    for _ in range(int(writes)):
        writer.write()
    writer.tell()


main()
