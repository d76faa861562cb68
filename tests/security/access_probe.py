"""
Tries every operation in a mount, as the user that runs it, and prints each result: {"operation": "errno's name, or done"}.

    access_probe.py MOUNTPOINT STORE TAG      TAG makes the names its own

The secrets TAG_1, TAG_2 and TAG_3 are there.
"""

import errno
import json
import os
import sys

root, store, tag = sys.argv[1:]


def at(name=""):
    return os.path.join(root, store, name)


def write(path, flags=0):
    descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
    try:
        os.write(descriptor, b"val")
    finally:
        os.close(descriptor)


def read(path):
    with open(path, "rb", 0) as file:
        return file.read()


def changing_nothing(change, path, *arguments):
    """What is shown afterwards is what was shown before."""
    before = os.stat(path)
    change(path, *arguments)
    after = os.stat(path)
    for field in ("st_mode", "st_uid", "st_gid"):
        if getattr(before, field) != getattr(after, field):
            sys.exit(f"{change.__name__} has changed {field}")


OPERATIONS = {
    "look": [lambda: os.stat(root)],
    "list": [lambda: os.listdir(root), lambda: os.listdir(at()), lambda: os.stat(at(f"{tag}_1"))],
    "attributes": [lambda: os.getxattr(at(f"{tag}_1"), "user.digest")],
    "read": [lambda: read(at(f"{tag}_1"))],
    "write": [lambda: write(at(f"{tag}_1")), lambda: write(at(f"{tag}_1"), os.O_TRUNC), lambda: os.truncate(at(f"{tag}_1"), 0)],
    "create": [lambda: write(at(f"{tag}_new"), os.O_CREAT), lambda: write(at(f"{tag}_own"), os.O_CREAT | os.O_EXCL)],
    "remove": [lambda: os.unlink(at(f"{tag}_2"))],
    "rename": [lambda: os.rename(at(f"{tag}_own"), at(f"{tag}_renamed"))],
    "store": [lambda: os.mkdir(os.path.join(root, f"{tag}_store")), lambda: os.rmdir(os.path.join(root, f"{tag}_store"))],
    "link": [lambda: os.symlink("x", at(f"{tag}_link"))],
    "chmod": [lambda: changing_nothing(os.chmod, at(f"{tag}_3"), 0o666)],
    "chown": [lambda: changing_nothing(os.chown, at(f"{tag}_3"), 54321, -1)],
    "setxattr": [lambda: os.setxattr(at(f"{tag}_3"), "user.comment", b"x")],
    "control": [lambda: os.stat(os.path.join(root, ".sstorefs/status"))],
    "status": [lambda: read(os.path.join(root, ".sstorefs/status"))],
    "errors": [lambda: read(os.path.join(root, ".sstorefs/errors"))],
    "metrics": [lambda: read(os.path.join(root, ".sstorefs/metrics"))],
    "refresh": [lambda: write(os.path.join(root, ".sstorefs/refresh"))],
}


def outcome(steps):
    """The first failure's name, or `done`."""
    for step in steps:
        try:
            step()
        except OSError as why:
            return errno.errorcode[why.errno]
    return "done"


json.dump({name: outcome(steps) for name, steps in OPERATIONS.items()}, sys.stdout)
