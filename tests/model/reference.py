"""
The reference: what the mount must do, said as simply as it can be. No calls, no locks, no waiting: a few dictionaries.

Every method is one thing that a program, the service or another client does. It returns what must come of it: an Outcome, with the errno that the program sees
and the calls that the service gets, in order. Nothing here knows how sstorefs is written; it follows the rules of its manual. What the service holds, and how
the three differ, is exchange.py's.
"""

import codecs
import errno
import unicodedata
from dataclasses import dataclass, field

from exchange import Exchange


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
    """What a name stands for while somebody has it open, or while there is something to remember of it."""

    def __init__(self, name, inode):
        self.name = name
        self.inode = inode
        self.unlinked = False
        self.created = False
        self.staged = None
        self.handles = []
        self.failure = 0
        self.reported = False
        self.spoiled = False  # a write to what is staged was refused: it takes no real name
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
        self.due = False
        self.spent = 0
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
        """It can't be told which one a descriptor belongs to, only which inode."""
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


class World:
    def __init__(self, service, names, option):
        self.service = service
        self.names = names
        self.commit = option.partition("commit=")[2]
        self.nocreate = option == "nocreate"
        self.exchange = Exchange(service, names, self.nocreate)
        self.files = {}    # name: File
        self.processes = {}
        self.written_to = set()  # numbers of what was written within ten minutes, which no run takes
        self.written = {}  # inode: Written, of what this mount has stored

    # --- what the mount knows ---------------------------------------------------------------------------------------

    def look_up(self, name):
        """What a program's lookup finds. If there is none, nothing is unknown of it any more."""
        found = self.exchange.look(name) is not None
        file = self.files.get(name)
        if file and file.unknown and not found:
            file.unknown = False
            self.settle(file)
        return found

    def version(self, file):
        """What is known to be stored of it."""
        return self.exchange.known[file.name].version if self.is_stored(file) else None

    def file_is_there(self, name):
        file = self.files.get(name)
        if file is None or file.staged is not None:
            return file is not None
        return file.created and (bool(file.handles) or self.shows_failure(file))

    def shows_failure(self, file):
        """Rule 10: a create that failed, and nobody was told at its close."""
        return bool(self.commit == "fsync" and file.created and file.failure and not file.reported)

    def visible(self, name):
        return self.file_is_there(name) or self.look_up(name)

    def is_stored(self, file):
        found = self.exchange.known[file.name] is not None
        return found and (not file.created or self.exchange.inodes.get(file.name) == file.inode)

    def settle(self, file):
        """Forgets a file that nobody has open, unless a failure is to be remembered of it."""
        if file.handles or file.staged is not None or self.files.get(file.name) is not file:
            return
        there = self.is_stored(file) or file.failure == errno.EEXIST
        if not (file.failure and (there or file.unknown)) and not self.shows_failure(file):
            del self.files[file.name]

    # --- publication --------------------------------------------------------------------------------------------------

    def refusal(self, value):
        """What can be told to be wrong with it without asking the service; 0: nothing."""
        if not value:
            return errno.EINVAL
        if len(value) > self.service.bytes_max and not self.service.counts_characters:
            return errno.EFBIG
        if not self.service.text:
            return 0
        if not is_text(value):
            return errno.EILSEQ
        return errno.EFBIG if self.count(value) > self.service.limit else 0

    def count(self, value):
        """As the service counts: bytes, or characters."""
        return sum(byte & 0xc0 != 0x80 for byte in value) if self.service.counts_characters else len(value)

    def publishable(self, handle):
        return handle.due and not handle.spent and not handle.file.unlinked and handle.file.staged is None

    def remember(self, file, error):
        file.failure, file.reported, file.unknown = error, False, False
        if not error:
            file.created = False

    def publish(self, handle, outcome):
        """Rule 8: the whole buffer, each time. Rule 5: it was tried, whatever comes of it."""
        file = handle.file
        handle.due = False
        if not handle.value:
            return 0
        value = stored_form(handle.value)
        before, length = self.version(file), len(handle.value)
        if not (error := self.refusal(value)):
            may_be_renamed = self.exchange.is_new(file.name) or file.name in TEMPORARY or file.name in self.exchange.retained
            self.exchange.retained.pop(file.name, None)
            error = self.exchange.put(file.name, value, file.inode, handle.exclusive and file.created, outcome.calls)
            # What will be found there is this file: somebody else's, or perhaps what we have sent.
            if error in (errno.EEXIST, errno.EINTR) and self.exchange.known[file.name] is None:
                self.exchange.inodes[file.name] = file.inode
            if not error and may_be_renamed:
                self.exchange.retain(file.name, value)
        self.remember(file, error)
        self.keep_length(file, file.name, length, error)
        if error == errno.EINTR:
            # Given up on the way: whether it was stored is seen when the name is read again.
            file.unknown, file.before = True, before
        return error

    def flush(self, process, handle, outcome, dying=False):
        """One descriptor of `process` was closed. Returns what close(2) says."""
        if handle.spent:
            return handle.spent
        if not handle.due or handle.file.unlinked or process not in (handle.opener, handle.writer):
            return 0
        silent = handle.file.staged is not None or self.commit == "fsync"
        opens = handle.opener is process
        if opens and silent and not dying:
            return 0
        if not (opens and dying) and self.still_writes(handle, process):
            return 0
        if dying:
            handle.spent, handle.due = errno.EINTR, False
            if handle.file.staged is not None:
                self.unlink_file(handle.file)
            return 0
        return 0 if silent else self.publish(handle, outcome)

    def note_writer(self, handle, process):
        """Who wrote answers for it once its opener holds it no more: itself, or the parent of all who wrote."""
        writer, parent = handle.writer, process.parent
        if process is handle.opener:
            handle.writer = handle.opener if writer is None else writer if writer is handle.opener else MANY
        elif writer is None:
            handle.writer, handle.writers_parent = process, parent
        elif writer is MANY or writer is handle.opener or writer in (process, parent) and not writer.ended:
            pass
        elif writer.ended or handle.writers_parent is None or handle.writers_parent not in (process, parent):
            handle.writer = MANY
        else:
            handle.writer, handle.writers_parent = handle.writers_parent, None

    def still_writes(self, handle, process=None):
        """Whether somebody is still to close it, at a descriptor's end in `process`, if in any. Who has written takes the opener's place here."""
        taken = handle.writer not in (None, MANY, handle.opener)
        climbed = False
        while taken and not handle.writer.ended:
            parent = handle.writer.parent
            if parent is None or parent is handle.opener or not parent.holds(handle):
                break
            handle.writer, handle.writers_parent, climbed = parent, None, True
        # Of several handles that it has opened (and children may still hold) it can't be told which one a descriptor that is left belongs to.
        others = any(other is not handle and other.opener is process for other in handle.file.handles)
        if not (handle.opener is process and others) and not handle.opener.ended and handle.opener.holds(handle):
            return True
        if not taken:
            return False
        holds = not handle.writer.ended and handle.writer.holds(handle)
        if holds or (handle.writer is process and not climbed):
            handle.opener = handle.writer
        return holds

    def release_all(self, handles, outcome):
        """A descriptor of each is gone. The kernel lets go of what has none left when it has closed all of them; of the last one first."""
        ended = []
        for handle in handles:
            handle.users -= 1
            if not handle.users:
                ended.append(handle)
        for handle in reversed(ended):
            self.release(handle, outcome)

    def release(self, handle, outcome):
        """The last descriptor of all is gone: nobody is told any more."""
        handle.file.handles.remove(handle)
        if self.publishable(handle):
            outcome.released = True
            self.publish(handle, outcome)
        self.settle(handle.file)

    # --- what programs do ---------------------------------------------------------------------------------------------

    def is_valid(self, name):
        return self.service.dots or "." not in name

    def stages(self, name, exclusive, reads):
        """Rule 14."""
        if name not in TEMPORARY:
            return False
        way = AS_MKSTEMP if exclusive and reads else EXCLUSIVELY if exclusive else ANYHOW
        return way >= TEMPORARY[name][not self.is_valid(name)]

    def open(self, process, name, write, create=False, exclusive=False, truncate=False, append=False, reads=False):
        """Returns an Outcome; on success with the handle, which `opened` gives its descriptor."""
        visible = self.visible(name)
        file = self.files.get(name)
        if visible and create and exclusive:
            return failed(errno.EEXIST)
        if not visible and not create:
            return failed(errno.ENOENT)
        if not write:
            return self.open_to_sync(process, name, create)
        if not visible and self.nocreate:
            return failed(errno.EPERM)
        stages = create and not visible and self.stages(name, exclusive, reads)
        if not visible and not stages and not self.is_valid(name):
            return failed(errno.EINVAL)
        if append and (self.is_stored(file) if self.file_is_there(name) else self.exchange.known[name]):
            return failed(errno.EOPNOTSUPP)
        if file is None:
            file = self.files[name] = File(name, self.exchange.inode_of(name))
            if stages:
                file.staged = bytearray()
        there = self.file_is_there(name)
        if visible and not there:
            file.created = False
        elif create and not visible:
            file.created = True
        created = create and not visible and not file.handles
        if truncate and file.staged is not None:
            file.staged.clear()
            file.spoiled = False
        outcome = Outcome()
        inode = file.inode if there or not visible else self.exchange.inode_of(name)
        outcome.handle = Handle(file, inode, process, append, exclusive and file.created)
        outcome.handle.began_empty |= created or truncate
        file.handles.insert(0, outcome.handle)
        return outcome

    def open_to_sync(self, process, name, create):
        """Rule 9: what was written lately, or could not be, may be opened for fsync's sake."""
        file, there = self.files.get(name), self.file_is_there(name)
        if create or (file and file.staged is not None) or (file.inode if file else self.exchange.inode_of(name)) not in self.written_to:
            return failed(errno.EACCES)
        if file is None:
            file = self.files[name] = File(name, self.exchange.inode_of(name))
        if not there:
            file.created = False
        outcome = Outcome()
        outcome.handle = Handle(file, file.inode if there else self.exchange.inode_of(name), process, False, False)
        outcome.handle.only_syncs = True
        file.handles.insert(0, outcome.handle)
        return outcome

    def opened(self, process, number, handle, closed_by_exec):
        assert number not in process.descriptors
        process.descriptors[number] = (handle, closed_by_exec)
        handle.users += 1

    def write(self, process, number, data, position=None):
        handle, _ = process.descriptors[number]
        if handle.only_syncs:
            return failed(errno.EBADF)
        if handle.spent:
            return failed(handle.spent)
        at = len(handle.value) if handle.append else handle.position if position is None else position
        self.written_to.add(handle.file.inode)
        self.note_writer(handle, process)
        handle.spent = self.refusal_of_write(handle, data, at)
        if handle.spent:
            return self.spend(handle)
        handle.value.extend(bytes(max(0, at - len(handle.value))))
        handle.value[at:at + len(data)] = data
        self.changed(handle)
        outcome = Outcome()
        if self.commit == "write" and self.publishable(handle):
            outcome.errors = {self.publish(handle, outcome)}
        if position is None and outcome.error == 0:
            handle.position = at + len(data) if not handle.append else handle.position + len(data)
        return outcome

    def changed(self, handle):
        """It is due, and has the time of this change."""
        handle.due, handle.file.times = True, None

    def spend(self, handle):
        """Rule 2: nothing of it is ever published, and a half of what is staged takes no real name."""
        handle.due = False
        if handle.file.staged is not None:
            handle.file.spoiled = True
        return failed(handle.spent)

    def refusal_of_write(self, handle, data, at):
        if at > len(handle.value) and not handle.began_empty:
            return errno.EINVAL
        if at + len(data) > self.service.bytes_max + 1:
            return errno.EFBIG
        if not self.service.text or handle.file.staged is not None:  # that is judged when it gets its real name
            return 0
        whole = handle.value[:at] + bytes(max(0, at - len(handle.value))) + data + handle.value[at + len(data):]
        if not is_text(whole, whole=False):
            return errno.EILSEQ
        return errno.EFBIG if self.count(whole) > self.service.limit + 1 else 0

    def grow(self, handle, size):
        """By zeros, if every byte is known."""
        length = len(handle.value)
        zeros = bytes(size - length)
        handle.spent = self.refusal_of_write(handle, zeros, length) if handle.began_empty else errno.EINVAL
        if handle.spent:
            return self.spend(handle)
        handle.value.extend(zeros)
        self.changed(handle)
        return Outcome()

    def cut(self, process, number, size):
        handle, _ = process.descriptors[number]
        if handle.only_syncs:
            return failed(errno.EINVAL)
        if handle.spent:
            return failed(handle.spent)
        if size > len(handle.value):
            return self.grow(handle, size)
        if size == 0:
            handle.began_empty, handle.file.spoiled = True, False
        elif size < len(handle.value):
            self.changed(handle)
        del handle.value[size:]
        return Outcome()

    def allocate(self, process, number, size):
        """fallocate(2) from the beginning."""
        handle, _ = process.descriptors[number]
        if handle.only_syncs:
            return failed(errno.EBADF)
        if handle.spent:
            return failed(handle.spent)
        return self.grow(handle, size) if size > len(handle.value) else Outcome()

    def close(self, process, number):
        outcome = Outcome()
        handle, _ = process.descriptors.pop(number)
        outcome.errors = {self.flush(process, handle, outcome)}
        self.release_all([handle], outcome)
        return outcome

    def dup(self, process, number, new, closed_by_exec=False):
        self.opened(process, new, process.descriptors[number][0], closed_by_exec)
        return Outcome()

    def dup2(self, process, number, onto):
        """What was there is closed, and nobody hears what close(2) would have said."""
        outcome = Outcome()
        handle, _ = process.descriptors[number]
        old, _ = process.descriptors[onto]
        process.descriptors[onto] = (handle, False)
        handle.users += 1
        self.flush(process, old, outcome)
        self.release_all([old], outcome)
        return outcome

    def fork(self, process, name):
        child = self.processes[name] = Process(name, process)
        for number, (handle, closed_by_exec) in process.descriptors.items():
            self.opened(child, number, handle, closed_by_exec)
        return Outcome()

    def execute(self, process):
        outcome = Outcome()
        closed = sorted(number for number, (_, closes) in process.descriptors.items() if closes)
        handles = []
        for number in closed:
            handles.append(process.descriptors.pop(number)[0])
            self.flush(process, handles[-1], outcome)
        self.release_all(handles, outcome)
        return outcome

    def end(self, process, dying):
        """All of its descriptors are closed, from the lowest up; none of them is seen any more meanwhile."""
        outcome = Outcome()
        left = sorted(process.descriptors.items())
        process.descriptors = {}
        for _, (handle, _) in left:
            self.flush(process, handle, outcome, dying)
        self.release_all([handle for _, (handle, _) in left], outcome)
        del self.processes[process.name]
        process.ended = True
        for child in self.processes.values():
            if child.parent is process:
                child.parent = None
        return outcome

    def fsync(self, process, number):
        """Rule 9: its own, then what others' openers have closed; then the last failure of the name that nobody was told."""
        handle, _ = process.descriptors[number]
        file, outcome = handle.file, Outcome()
        if self.publishable(handle):
            self.publish(handle, outcome)
        for other in list(file.handles):
            if other is not handle and self.publishable(other) and not self.still_writes(other):
                self.publish(other, outcome)
        if handle.spent:
            return Outcome({handle.spent}, outcome.calls)
        error = 0 if file.reported else file.failure
        file.reported = file.reported or bool(error)
        return Outcome({error}, outcome.calls)

    def stat(self, name):
        return Outcome() if self.visible(name) else failed(errno.ENOENT)

    # --- what is known of sizes and times ---------------------------------------------------------------------------

    def held_as(self, name):
        """What the mount knows to be stored, as far as the service tells one version from another."""
        known = self.exchange.known[name]
        return known and (known.version, known.identity)

    def written_of(self, name):
        """What this mount has written and the service still has; None: nothing, or it is in doubt."""
        written = self.written.get(self.exchange.inodes.get(name))
        return written if written and name not in self.exchange.doubted and written.held == self.held_as(name) else None

    def keep_length(self, file, name, length, error):
        """A publication has ended."""
        if error == 0:
            self.written[self.exchange.inodes[name]] = Written(self.held_as(name), length, file.times)
        elif error == errno.EINTR and self.exchange.known[name]:
            self.written.pop(self.exchange.inodes.get(name), None)

    def follow(self, written, name):
        """The value is there under another name, or one more."""
        if written and self.exchange.known[name]:
            self.written[self.exchange.inodes[name]] = Written(self.held_as(name), written.length, written.times)

    def awaited(self, name):
        """How many bytes were written of a value that is not stored yet; None: there is no such value."""
        file = self.files.get(name)
        if file is None:
            return None
        if file.staged is not None:
            return len(file.staged)
        for handle in file.handles:
            if handle.due:
                return len(handle.value)
        if not self.file_is_there(name) or self.is_stored(file):
            return None
        return len(file.handles[0].value) if file.handles and not file.handles[0].spent else 0

    def seen(self, name):
        """st_size, and the times where they were set: (accessed, modified). None: there is no such file."""
        if not self.visible(name):
            return None
        awaited, written = self.awaited(name), self.written_of(name)
        if awaited is not None:
            return max(awaited, 1), self.files[name].times
        return (written.length, written.times) if written else (1, None)

    def set_times(self, name, times):
        if not self.visible(name):
            return failed(errno.ENOENT)
        if self.awaited(name) is not None:
            self.files[name].times = times
        elif written := self.written_of(name):
            written.times = times
        return Outcome()

    # --- other names --------------------------------------------------------------------------------------------------

    def unlink_file(self, file):
        if self.files.get(file.name) is file:
            del self.files[file.name]
        self.exchange.disown(file.name, file.inode)
        file.unlinked = True
        file.end_staging()

    def unlink(self, name):
        if not self.visible(name):
            return failed(errno.ENOENT)
        if self.nocreate:
            return failed(errno.EPERM)
        file = self.files.get(name)
        if file and (file.staged is not None or self.is_only_here(file)):
            self.unlink_file(file)
            return Outcome()
        outcome = Outcome()
        self.exchange.retained.pop(name, None)
        error = self.exchange.delete(name, outcome.calls)
        self.exchange.boxes.pop(name, None)  # whatever came of it
        if error == errno.ENOENT and self.file_is_there(name):
            error = 0  # what was to be seen here is gone
        if file and error in (0, errno.ENOENT):
            self.unlink_file(file)
        outcome.errors = {error}
        return outcome

    def is_only_here(self, file):
        exchange = self.exchange
        return file.created and not file.unknown and file.name not in exchange.doubted and exchange.known[file.name] is None

    def rename_file(self, file, to):
        replaced = self.files.get(to)
        if replaced and replaced is not file:
            self.unlink_file(replaced)
        if file:
            del self.files[file.name]
            file.name = to
            self.files[to] = file
            for handle in file.handles:
                handle.exclusive = False
            self.settle(file)

    def rename(self, name, to):
        if not self.visible(name):
            return failed(errno.ENOENT)
        self.visible(to)
        if self.nocreate:
            return failed(errno.EPERM)
        file, outcome = self.files.get(name), Outcome()
        if file and file.staged is not None and file.spoiled:
            return failed(errno.EINVAL)
        if file and file.staged is not None:
            outcome.errors = {self.publish_staged(file, to, outcome)}
        elif file and file.created and not self.is_stored(file):
            self.exchange.disown(name, file.inode)
            self.rename_file(file, to)
        else:
            written = self.written_of(name)
            outcome.errors = {self.exchange.move(name, to, outcome.calls)}
            if outcome.error == 0:
                self.follow(written, to)
            elif outcome.error not in (errno.EOPNOTSUPP, errno.EEXIST) and self.exchange.known[to]:
                self.written.pop(self.exchange.inodes.get(to), None)  # it may have been replaced
            if outcome.error == 0:
                self.rename_file(file, to)
        return outcome

    def link(self, name, to):
        """Rule 15: only the service's own duplicate makes one."""
        if not self.visible(name):
            return failed(errno.ENOENT)
        if self.visible(to):
            return failed(errno.EEXIST)
        if self.nocreate:
            return failed(errno.EPERM)
        if self.service.renames != "duplicate" or (self.file_is_there(name) and not self.is_stored(self.files[name])):
            return failed(errno.EOPNOTSUPP)
        outcome, written = Outcome(), self.written_of(name)
        outcome.errors = {self.exchange.duplicate(name, to, errno.EEXIST, outcome.calls)}
        if outcome.error == 0:
            self.follow(written, to)
        return outcome

    def publish_staged(self, file, to, outcome):
        """Rule 14: under the real name, replacing what is there. Then it is published: nobody's close does it again."""
        value, length = stored_form(file.staged), len(file.staged)
        for handle in file.handles:
            handle.due = False
        if error := self.refusal(value):
            return error
        self.exchange.retained.pop(to, None)
        error = self.exchange.put(to, value, file.inode, False, outcome.calls)
        self.remember(file, error)
        self.keep_length(file, to, length, error)
        if error == 0:
            self.rename_file(file, to)
            file.end_staging()
            self.settle(file)
        return error

    def state(self, name):
        """user.sstorefs.state; None: there is no such file."""
        if not self.visible(name):
            return None
        file = self.files.get(name)
        if file and file.staged is not None:
            return "staged"
        if file and any(handle.due for handle in file.handles):
            return "pending"
        if file and file.failure and not (file.unknown and self.version(file) != file.before):
            return "unknown" if file.unknown and name in self.exchange.doubted else "failed"
        stored = self.is_stored(file) if self.file_is_there(name) else self.exchange.known[name]
        return "stored" if stored else "pending"
