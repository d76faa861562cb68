"""A small suite through a real mount: what users do, and what comes of it, step by step."""

import errno
import os
import shutil
import subprocess
import tempfile
import time

WAIT = 60  # seconds, for the mount and for its end


def outcome(action, *words):
    """The name of the errno, or "ok"; what an action returns that is no number is shown."""
    try:
        found = action(*words)
    except OSError as why:
        return errno.errorcode.get(why.errno, str(why.errno))
    return found if isinstance(found, (str, list, dict)) else "ok"


def write(path, value, flags=os.O_CREAT | os.O_TRUNC):
    descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
    try:
        os.write(descriptor, value)
    finally:
        os.close(descriptor)


class Mount:
    """The daemon, in the foreground, over an empty directory."""

    def __init__(self, program, source, options):
        self.work = tempfile.mkdtemp(prefix="sstorefs-live-")
        self.path = os.path.join(self.work, "mnt")
        os.mkdir(self.path)
        self.log = os.path.join(self.work, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, source, self.path, "-f", "-o", options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def _wait(self):
        device, deadline = os.stat(self.work).st_dev, time.monotonic() + WAIT
        while os.stat(self.path).st_dev == device:
            if self.process.poll() is not None:
                with open(self.log) as log:
                    raise RuntimeError(f"the mount failed with status {self.process.returncode}: {log.read().strip()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing was mounted within {WAIT} s")
            time.sleep(0.02)

    def end(self):
        """Returns the daemon's status."""
        self.process.terminate()
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        subprocess.run(["umount", "-l", self.path], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.work, ignore_errors=True)
        return status


def attributes(path):
    return sorted(os.listxattr(path))


def reading(mount, store):
    """Changes nothing; the mount is read-only."""
    stores = []
    found = {"list the mount": outcome(lambda: stores.extend(sorted(os.listdir(mount.path))))}
    if not (store or stores):
        return found
    directory = os.path.join(mount.path, store or stores[0])
    names = []
    found["list a store"] = outcome(lambda: names.extend(sorted(os.listdir(directory))))
    found["stat what is not there"] = outcome(os.stat, os.path.join(directory, "SSTOREFS_LIVE_ABSENT"))
    found["write"] = outcome(write, os.path.join(directory, "SSTOREFS_LIVE_ABSENT"), b"never sent")
    if names:
        path = os.path.join(directory, names[0])
        found["read"] = outcome(lambda: open(path).read())
        found["stat"] = outcome(os.stat, path)
        found["attributes"] = outcome(attributes, path)
    return found


def writing(mount, store, name, largest):
    """Makes, changes and removes secrets named `name`…; `largest` is the most bytes of a value."""
    at = lambda more="": os.path.join(mount.path, store, name + more)
    found = {"create": outcome(write, at(), b"one"),
             "size": outcome(lambda: str(os.stat(at()).st_size)),
             "attributes": outcome(attributes, at()),
             "read": outcome(lambda: open(at()).read()),
             "replace": outcome(write, at(), b"another"),
             "create what exists": outcome(os.open, at(), os.O_WRONLY | os.O_CREAT | os.O_EXCL),
             "write bytes": outcome(write, at(), b"\xff\xfe"),
             "write the largest value": outcome(write, at(), b"x" * largest),
             "write too large a value": outcome(write, at(), b"x" * (largest + 2)),
             "write nothing but a newline": outcome(write, at(), b"\n"),
             "create a bad name": outcome(write, at("/bad"), b"val"),
             "append": outcome(lambda: os.close(os.open(at(), os.O_WRONLY | os.O_APPEND))),
             "write a temporary file and rename it": outcome(lambda: (write(at(".tmp"), b"third", os.O_CREAT | os.O_EXCL), os.rename(at(".tmp"), at("_2")))),
             "rename": outcome(os.rename, at("_2"), at("_3"))}
    found["names"] = sorted(one.replace(name, "NAME") for one in os.listdir(os.path.join(mount.path, store)) if one.startswith(name))
    for more in ("", "_2", "_3"):
        found[f"remove NAME{more}"] = outcome(os.unlink, at(more))
    found["stat what was removed"] = outcome(os.stat, at())
    return found
