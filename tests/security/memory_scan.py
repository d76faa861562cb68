"""Values that are recognised wherever a piece of them is left, in any spelling, and the places where they could be."""

import base64
import errno
import os
import secrets
import string
import subprocess
import time
from pathlib import Path

from daemon import SHADOW

ALPHABET = string.ascii_letters + string.digits
# What every encoding spells in its own way, between pieces that all leave alone.
SPECIAL = '"\\ /é+%'
RUN = 8
DEADLINE = 2  # seconds
RETAINED = 10  # seconds, where a service can't rename


def retained_by(service):
    return 0 if service.seals else RETAINED


class Marked:
    """
    A value of about `size` bytes: random pieces of 16 characters, each followed by SPECIAL, the same ones again and again. 15 bytes of it are
    enough to be found, raw or escaped, and 24 characters in base64.
    """

    def __init__(self, size=48, like=None):
        """`like` another one: of the same pieces, so that one search finds both."""
        self.pieces = pieces = like.pieces if like else ["".join(secrets.choice(ALPHABET) for _ in range(16)) for _ in range(2)]
        self.name = f"NAME_{secrets.token_hex(4).upper()}"  # of its own, that has nothing of the value
        self.unit = "".join(piece + SPECIAL for piece in pieces).encode()
        self.bytes = (self.unit * (size // len(self.unit) + 1))[:size] if size > len(self.unit) else self.unit
        self.bytes = self.bytes.decode(errors="ignore").encode()  # no character is cut in two
        self.needles = self._runs(pieces) | self._base64()

    @property
    def text(self):
        return self.bytes.decode()

    @staticmethod
    def _runs(pieces):
        """Letters and digits look the same raw, percent-encoded and in JSON."""
        return {piece[at:at + RUN].encode(): "raw or escaped" for piece in pieces for at in range(0, len(piece) - RUN + 1, RUN // 2)}

    def _base64(self):
        found = {}
        twice = self.unit * 4
        for drop in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                text = encode(twice[drop:drop + 3 * len(self.unit)])
                for at in range(0, len(text) - 2 * RUN, RUN):
                    found[text[at:at + 12]] = f"base64, {drop} bytes on"
        return found

    def found_in(self, haystack):
        """The first needle that is there, and how it is spelled; None if there is none."""
        for needle, spelling in self.needles.items():
            at = haystack.find(needle)
            if at >= 0:
                return f"{spelling}: …{haystack[max(0, at - 24):at + 48]!r}…"
        return None


def areas_of(process):
    """What a process can write to, which is where a value can be: a name for each area, and its bytes."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in maps:
            bounds, rights, _, _, _, *name = line.split()
            begin, end = (int(bound, 16) for bound in bounds.split("-"))
            if not rights.startswith("rw") or end - begin >= SHADOW:
                continue
            memory.seek(begin)
            try:
                yield f"{''.join(name) or 'anonymous'} {bounds}", memory.read(end - begin)
            except OSError:
                pass  # mapped, but with nothing behind it


def found_in_memory(process, *values):
    """Where the first of the values is, in words; None if none is. Each area is read once."""
    for area, content in areas_of(process):
        for value in values:
            found = value.found_in(content)
            if found:
                return f"{area}: {found}"
    return None


def wait_until_gone(process, path, *values, retained=0):
    """
    Looks again and again until nothing is left. What still is after two seconds is left behind, if the daemon, which serves `path`, had a turn
    since: on a machine that is busy with others it may have had none. What was stored under a new name may be `retained` for so many seconds more.
    """
    deadline = time.monotonic() + DEADLINE + retained
    while True:
        late = time.monotonic() > deadline
        if late:
            (path / ".sstorefs/status").read_text()
        found = found_in_memory(process, *values)
        if not found:
            return
        assert not late, found


def messages(mount):
    """All that the mount shows to any reader: its log, the control files that can be read, and the attributes of every name."""
    texts = [mount.log().encode()]
    for file in sorted((mount.path / ".sstorefs").iterdir()):
        if os.stat(file).st_mode & 0o444:
            texts.append(file.read_bytes())
    for folder, folders, files in os.walk(mount.path):
        texts += [attribute for name in folders + files for attribute in _attributes(os.path.join(folder, name))]
    return b"\n".join(texts)


def _attributes(path):
    names = {*os.listxattr(path), "user.sstorefs.state", "user.sstorefs.error", "user.sstorefs.request_id"}
    for name in names:
        try:
            yield os.getxattr(path, name)
        except OSError as why:
            if why.errno != errno.ENODATA:
                raise


def core_of(process, work, *options):
    """A core of the running process, as an administrator would take one."""
    done = subprocess.run(["gcore", *options, "-o", Path(work) / "core", str(process)], capture_output=True, text=True, timeout=60)
    core = Path(work) / f"core.{process}"
    assert core.exists(), done.stderr
    content = core.read_bytes()
    core.unlink()
    return content


def flags_of(process):
    """The kernel's flags of each area: `lo` is locked, `dd` is left out of dumps."""
    found = {}
    with open(f"/proc/{process}/smaps") as areas:
        for line in areas:
            fields = line.split()
            if fields[0] == "VmFlags:":
                found[bounds] = set(fields[1:])
            elif not fields[0].endswith(":"):
                bounds = fields[0]
    return found


def unlocked_areas_of(process):
    flags = flags_of(process)
    return [(area, content) for area, content in areas_of(process) if not {"lo", "dd"} <= flags.get(area.split()[-1], set())]
