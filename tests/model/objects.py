"""What the reference speaks of: outcomes, files and their handles, processes; and how a value is stored."""

import codecs
import unicodedata
from dataclasses import dataclass, field


# Names that look temporary: in which way they must be created to be staged, where the service takes the name for a secret's, and where it does not.
ANYHOW, EXCLUSIVELY, AS_MKSTEMP = range(3)
TEMPORARY = {".ALPHA.x7Qp2k": (AS_MKSTEMP, AS_MKSTEMP), "tmpk3v8q1zw": (EXCLUSIVELY, ANYHOW), "GAMMA.tmp": (EXCLUSIVELY, ANYHOW)}


@dataclass
class Outcome:
    """`errors` are the errnos that may come (0: none); `calls` what the service sees: (verb, name, what, status)."""

    errors: set = field(default_factory=lambda: {0})
    calls: list = field(default_factory=list)
    released: bool = False  # some of it happens after the program was answered

    @property
    def error(self):
        (only,) = self.errors
        return only


def failed(number):
    return Outcome({number})


class File:
    """The file of a name while a process has it open, or while a failure is kept for it."""

    def __init__(self, name, inode):
        self.name = name
        self.inode = inode
        self.unlinked = False
        self.created = False
        self.staged = None
        self.handles = []
        self.failure = 0
        self.reported = False
        self.corrupted = False  # a write to what is staged was refused: it takes no real name
        self.unknown = False  # whether its last publication took effect
        self.before = None    # the version that was known before it
        self.times = None     # accessed and modified, as utimensat(2) has set them since the last write

    def end_staging(self):
        """What was one value for all who had it open is one for each of them."""
        self.staged = None
        for handle in self.handles:
            handle.value = bytearray(handle.value)


MANY = object()


class Handle:
    """An open file: what open(2) makes, and dup and fork share."""

    def __init__(self, file, inode, opener, append, exclusive):
        self.file = file
        self.inode = inode  # the number that its descriptors show: that of the name when it was opened
        self.opener = opener
        self.only_syncs = False  # opened to read: for fsync's sake
        self.writer = None  # the one process beside its opener that has written to it, with its children; MANY; or the opener
        self.append = append
        self.exclusive = exclusive
        self.began_empty = file.staged is not None  # every byte of it is known
        self.value = file.staged if file.staged is not None else bytearray()
        self.position = 0
        self.dirty = False
        self.failed = 0
        self.users = 0  # descriptors, in all processes


@dataclass
class Written:
    """A value that the mount has stored itself: which version that is, how much was written, and its times (None: those of the write)."""

    held: tuple
    length: int
    times: tuple


class Process:
    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent  # None: a process that holds nothing
        self.ended = False
        self.descriptors = {}  # number: (handle, closed when it executes another program)

    def holds(self, handle):
        """Which one a descriptor belongs to is not known, only which inode."""
        return any(other.inode == handle.inode for other, _ in self.descriptors.values())

    def __repr__(self):
        return self.name


def is_text(value, whole=True):
    """UTF-8, of which the last character may lack some bytes if it need not be whole."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(bytes(value), whole)
    except UnicodeDecodeError:
        return False
    return True


def stored_form(buffer):
    """newline=auto: one line of printable text loses its newline."""
    value = bytes(buffer)
    line = value[:-1]
    if value[-1:] != b"\n" or not is_text(line) or any(unicodedata.category(character) == "Cc" for character in line.decode()):
        return value
    return line
