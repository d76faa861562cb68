"""
The reference: what the mount must do, said as simply as it can be. No calls, no locks, no waiting: a few dictionaries.

Every method is one thing that a program, the service or another client does. It returns what must come of it: an Outcome, with the errno that the program sees
and the calls that the service gets, in order. Nothing here knows how sstorefs is written; it follows the rules that README.md numbers.
"""

import errno
import hashlib
import itertools
from dataclasses import dataclass, field

LIMIT = 65536


def digest(value):
    return hashlib.sha256(value).hexdigest()


@dataclass
class Outcome:
    """`errors` are the errnos that may come (0: none); `calls` what the service sees: (operation, name, what, status)."""

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

    def __init__(self, name):
        self.name = name
        self.unlinked = False
        self.created = False
        self.staged = None
        self.handles = []
        self.failure = 0
        self.reported = False
        self.unknown = False  # whether its last publication took effect
        self.before = None    # the version that was known before it
        self.adopted = False  # what others may have made under the name counts as this file


class Handle:
    """An open file: what open(2) makes, and dup and fork share."""

    def __init__(self, file, opener, append, exclusive):
        self.file = file
        self.opener = opener
        self.append = append
        self.exclusive = exclusive
        self.value = file.staged if file.staged is not None else bytearray()
        self.position = 0
        self.due = False
        self.spent = 0
        self.users = 0  # descriptors, in all processes


class Process:
    def __init__(self, name):
        self.name = name
        self.descriptors = {}  # number: (handle, closed when it executes another program)

    def holds(self, file):
        return any(handle.file is file for handle, _ in self.descriptors.values())

    def __repr__(self):
        return self.name


def stored_form(buffer):
    """newline=auto: one line of printable text loses its newline. What the sequences write is ASCII."""
    value = bytes(buffer)
    if value.endswith(b"\n") and all(0x20 <= byte < 0x7f for byte in value[:-1]):
        return value[:-1]
    return value


def refusal(value):
    """What can be told to be wrong with it without asking the service; 0: nothing."""
    if not value:
        return errno.EINVAL
    return errno.EFBIG if len(value) > LIMIT else 0


class World:
    def __init__(self, names):
        self.names = names
        self.versions = itertools.count(1)
        self.held = {}     # name: (value, version), at the service
        self.known = {}    # name: version that the mount believes in, or None for "there is none"
        self.doubted = set()  # names that it would ask about again
        self.boxes = {}    # name: version whose sealed box the mount has
        self.files = {}    # name: File
        self.faults = {}   # ("put" or "delete", name): what the next such call meets
        self.processes = {}

    # --- what the mount knows ---------------------------------------------------------------------------------------

    def look(self, name):
        """What a lookup finds; asks the service if nothing is known."""
        if name in self.doubted:
            self.doubted.remove(name)
            self.known[name] = self.held[name][1] if name in self.held else None
        return self.known[name] is not None

    def look_up(self, name):
        """The same, on behalf of a program: if there is none, nothing is unknown of it any more."""
        found = self.look(name)
        file = self.files.get(name)
        if file and file.unknown and not found:
            file.unknown = False
            self.settle(file)
        return found

    def doubt(self, name):
        self.doubted.add(name)

    def learn_all(self):
        """A walk: everything is known."""
        self.doubted.clear()
        self.known = {name: self.held[name][1] if name in self.held else None for name in self.names}

    def file_is_there(self, name):
        file = self.files.get(name)
        return file is not None and (file.created or file.staged is not None) and (bool(file.handles) or file.staged is not None)

    def visible(self, name):
        return self.file_is_there(name) or self.look_up(name)

    def is_stored(self, file):
        return (file.adopted or not file.created) and self.known.get(file.name) is not None

    def settle(self, file):
        """Forgets a file that nobody has open, unless a failure is to be remembered of it."""
        if file.handles or file.staged is not None or self.files.get(file.name) is not file:
            return
        there = self.is_stored(file) or file.failure == errno.EEXIST
        if not (file.failure and (there or file.unknown)):
            del self.files[file.name]

    # --- the service ------------------------------------------------------------------------------------------------

    def hold(self, name, value):
        self.held[name] = (value, next(self.versions))

    def own_change(self, name):
        self.doubted.discard(name)
        self.known[name] = self.held[name][1]
        self.boxes[name] = self.held[name][1]

    def send(self, name, value, create, outcome):
        """One publication's calls. Returns its errno."""
        calls, sent = outcome.calls, digest(value)
        # What is in doubt is read again before anything else of it is sent.
        if name in self.doubted and self.look(name) and create:
            self.doubt(name)
            return errno.EEXIST
        fault = self.faults.pop(("put", name), None)
        if fault == "refused":
            calls.append(("put", name, None, 403))
            return errno.EACCES
        if fault == "later":
            calls.append(("put", name, None, 429))
        elif fault == "stumbles":
            calls.append(("put", name, None, 503))
        elif fault == "unheard":
            calls.append(("put", name, None, "dropped"))
        elif fault == "lost":
            if not create:
                self.hold(name, value)
                calls.append(("put", name, sent, "dropped"))
            elif name not in self.held:
                # The create took effect: the look finds it, made after it was sent.
                self.hold(name, value)
                calls.append(("put", name, sent, "dropped"))
                self.own_change(name)
                return 0
            else:
                calls.append(("put", name, sent, "dropped"))
                self.doubt(name)
                return errno.EEXIST
        if create and fault in ("stumbles", "unheard") and name in self.held:
            self.doubted.discard(name)
            self.known[name] = self.held[name][1]
            return errno.EEXIST  # that is what the look says
        if create and name in self.held:
            calls.append(("put", name, sent, 400))
            self.doubt(name)
            return errno.EEXIST
        self.hold(name, value)
        calls.append(("put", name, sent, 200))
        self.own_change(name)
        return 0

    def delete(self, name, outcome):
        if self.faults.pop(("delete", name), None):
            outcome.calls.append(("delete", name, None, 403))
            return errno.EACCES
        there = self.held.pop(name, None)
        outcome.calls.append(("delete", name, None, 204 if there else 404))
        self.boxes.pop(name, None)
        self.doubted.discard(name)
        self.known[name] = None
        return 0 if there else errno.ENOENT

    # --- publication --------------------------------------------------------------------------------------------------

    def interrupted(self, file):
        """Its upload was given up on the way: whether it was stored is seen when the name is read again."""
        self.remember(file, errno.EINTR)
        file.unknown, file.before = True, self.known.get(file.name)
        file.adopted = file.adopted or file.before is None
        self.doubt(file.name)

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
        if not (error := refusal(value)):
            error = self.send(file.name, value, handle.exclusive and file.created, outcome)
            file.adopted = file.adopted or (error == errno.EEXIST and self.known.get(file.name) is None)
        self.remember(file, error)
        return error

    def flush(self, process, handle, outcome, dying=False):
        """One descriptor of `process` was closed. Returns what close(2) says."""
        if handle.spent:
            return handle.spent
        if not handle.due or handle.file.unlinked or handle.opener is not process:
            return 0
        if dying:
            handle.spent, handle.due = errno.EINTR, False
            if handle.file.staged is not None:
                self.unlink_file(handle.file)
            return 0
        if handle.file.staged is not None:
            return 0
        # Of several handles that it has opened (and children may still hold) it can't be told which one a descriptor that is left belongs to.
        others = any(other is not handle and other.opener is process for other in handle.file.handles)
        if not others and process.holds(handle.file):
            return 0
        return self.publish(handle, outcome)

    def release(self, handle, outcome):
        """The last descriptor of all is gone: nobody is told any more."""
        handle.users -= 1
        if handle.users:
            return
        handle.file.handles.remove(handle)
        if self.publishable(handle):
            outcome.released = True
            self.publish(handle, outcome)
        self.settle(handle.file)

    def release_all(self, handles, outcome):
        """The kernel lets go of files only when it has closed all of them; of the last one first."""
        for handle in reversed(handles):
            self.release(handle, outcome)

    # --- what programs do ---------------------------------------------------------------------------------------------

    def open(self, process, name, write, create=False, exclusive=False, truncate=False, append=False, temporary=False):
        """Returns an Outcome; on success with the handle, which `opened` gives its descriptor."""
        visible = self.visible(name)
        file = self.files.get(name)
        if visible and create and exclusive:
            return failed(errno.EEXIST)
        if not visible and not create:
            return failed(errno.ENOENT)
        if not write:
            return failed(errno.EACCES)
        if append and (self.is_stored(file) if self.file_is_there(name) else self.known.get(name) is not None):
            return failed(errno.EOPNOTSUPP)
        if file is None:
            file = self.files[name] = File(name)
            if temporary and exclusive and not visible:
                file.staged = bytearray()
        if create and not visible:
            file.created = True
        if truncate and file.staged is not None:
            file.staged.clear()
        outcome = Outcome()
        outcome.handle = Handle(file, process, append, exclusive and file.created)
        file.handles.insert(0, outcome.handle)
        return outcome

    def opened(self, process, number, handle, closed_by_exec):
        assert number not in process.descriptors
        process.descriptors[number] = (handle, closed_by_exec)
        handle.users += 1

    def write(self, process, number, data, position=None):
        handle, _ = process.descriptors[number]
        if handle.spent:
            return failed(handle.spent)
        at = len(handle.value) if handle.append else handle.position if position is None else position
        if at > len(handle.value) or at + len(data) > LIMIT + 1:
            handle.spent = errno.EINVAL if at > len(handle.value) else errno.EFBIG
            handle.due = False
            return failed(handle.spent)
        handle.value[at:at + len(data)] = data
        if position is None:
            handle.position = at + len(data) if not handle.append else handle.position + len(data)
        handle.due = True
        return Outcome()

    def cut(self, process, number, size):
        handle, _ = process.descriptors[number]
        if handle.spent:
            return failed(handle.spent)
        if size > len(handle.value):
            return failed(errno.EINVAL)
        del handle.value[size:]
        return Outcome()

    def close(self, process, number):
        outcome = Outcome()
        handle, _ = process.descriptors.pop(number)
        outcome.errors = {self.flush(process, handle, outcome)}
        self.release(handle, outcome)
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
        self.release(old, outcome)
        return outcome

    def fork(self, process, name):
        child = self.processes[name] = Process(name)
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

    def still_writes(self, handle):
        return handle.opener.name in self.processes and handle.opener.holds(handle.file)

    def unlink_file(self, file):
        if self.files.get(file.name) is file:
            del self.files[file.name]
        file.unlinked, file.staged = True, None

    def unlink(self, name):
        if not self.visible(name):
            return failed(errno.ENOENT)
        file = self.files.get(name)
        if file and (file.staged is not None or (file.created and not file.unknown and self.known.get(name) is None)):
            self.unlink_file(file)
            return Outcome()
        outcome = Outcome()
        error = self.delete(name, outcome)
        self.boxes.pop(name, None)  # whatever came of it
        if file and error in (0, errno.ENOENT):
            self.unlink_file(file)
        outcome.errors = {error}
        return outcome

    def rename_file(self, file, to):
        replaced = self.files.get(to)
        if replaced and replaced is not file:
            self.unlink_file(replaced)
        if file:
            del self.files[file.name]
            file.name, file.adopted = to, False
            self.files[to] = file
            for handle in file.handles:
                handle.exclusive = False
            self.settle(file)

    def rename(self, name, to):
        if not self.visible(name):
            return failed(errno.ENOENT)
        self.visible(to)
        file, outcome = self.files.get(name), Outcome()
        if file and file.staged is not None:
            outcome.errors = {self.publish_staged(file, to, outcome)}
        elif file and file.created and not self.is_stored(file):
            self.rename_file(file, to)
        else:
            outcome.errors = {self.move(name, to, outcome)}
            if outcome.error == 0:
                self.rename_file(file, to)
        return outcome

    def publish_staged(self, file, to, outcome):
        """Rule 14: under the real name, replacing what is there. Then it is published: nobody's close does it again."""
        value = stored_form(file.staged)
        for handle in file.handles:
            handle.due = False
        if error := refusal(value):
            return error
        error = self.send(to, value, False, outcome)
        self.remember(file, error)
        if error == 0:
            self.rename_file(file, to)
            file.staged = None
            self.settle(file)
        return error

    def move(self, name, to, outcome):
        """Rule 15: from the sealed box of the last write, if that is what the service holds."""
        version = self.held[name][1] if name in self.held else None
        self.doubted.discard(name)
        self.known[name] = version
        if version is None:
            return errno.ENOENT
        if self.boxes.get(name) != version:
            return errno.EOPNOTSUPP
        if error := self.send(to, self.held[name][0], False, outcome):
            return error
        if error := self.delete(name, outcome):
            # Both names are there; the box stays the old one's.
            self.boxes.pop(to, None)
            self.doubt(name)
        return error

    # --- what others do -----------------------------------------------------------------------------------------------

    def put_elsewhere(self, name, value):
        self.hold(name, value)

    def delete_elsewhere(self, name):
        self.held.pop(name, None)

    def state(self, name):
        """user.sstorefs.state; None: there is no such file."""
        if not self.visible(name):
            return None
        file = self.files.get(name)
        if file and file.staged is not None:
            return "staged"
        if file and any(handle.due for handle in file.handles):
            return "pending"
        if file and file.failure and not (file.unknown and self.known.get(name) != file.before):
            return "unknown" if file.unknown and name in self.doubted else "failed"
        stored = self.is_stored(file) if self.file_is_there(name) else self.known.get(name) is not None
        return "stored" if stored else "pending"
