"""
The reference: what the mount must do, said as simply as it can be. No calls, no locks, no waiting: a few dictionaries.

Every method is one thing that a program, the service or another client does. It returns what must come of it: an Outcome, with the errno that the program sees
and the calls that the service gets, in order. Nothing here knows how sstorefs is written; it follows the rules of its manual. Model has what programs do with
descriptors; names.py has what becomes of names, publisher.py when something is published, known.py what the mount knows and shows, objects.py what all of them
speak of. What the service holds, and how the services differ, is service_model.py's.
"""

import errno

from names import Names
from objects import ANYHOW, AS_MKSTEMP, EXCLUSIVELY, TEMPORARY, File, Handle, Outcome, Process, failed, is_text


class Model(Names):
    def is_valid(self, name):
        return (self.service.dots or "." not in name) and not (self.service.capitals and name != name.upper())

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
            file.corrupted = False
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
        if handle.failed:
            return failed(handle.failed)
        at = len(handle.value) if handle.append else handle.position if position is None else position
        self.written_to.add(handle.file.inode)
        self.note_writer(handle, process)
        handle.failed = self.refusal_of_write(handle, data, at)
        if handle.failed:
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
        """It is dirty, and has the time of this change."""
        handle.dirty, handle.file.times = True, None

    def spend(self, handle):
        """Rule 2: nothing of it is ever published, and a half of what is staged takes no real name."""
        handle.dirty = False
        if handle.file.staged is not None:
            handle.file.corrupted = True
        return failed(handle.failed)

    def refusal_of_write(self, handle, data, at):
        if at > len(handle.value) and not handle.began_empty:
            return errno.EINVAL
        if at + len(data) > self.service.bytes_max + 1:
            return errno.EFBIG
        if not self.service.text or handle.file.staged is not None:  # that is checked when it gets its real name
            return 0
        whole = handle.value[:at] + bytes(max(0, at - len(handle.value))) + data + handle.value[at + len(data):]
        if not is_text(whole, whole=False):
            return errno.EILSEQ
        return errno.EFBIG if self.count(whole) > self.service.limit + 1 else 0

    def grow(self, handle, size):
        """By zeros, if every byte is known."""
        length = len(handle.value)
        zeros = bytes(size - length)
        handle.failed = self.refusal_of_write(handle, zeros, length) if handle.began_empty else errno.EINVAL
        if handle.failed:
            return self.spend(handle)
        handle.value.extend(zeros)
        self.changed(handle)
        return Outcome()

    def cut(self, process, number, size):
        handle, _ = process.descriptors[number]
        if handle.only_syncs:
            return failed(errno.EINVAL)
        if handle.failed:
            return failed(handle.failed)
        if size > len(handle.value):
            return self.grow(handle, size)
        if size == 0:
            handle.began_empty, handle.file.corrupted = True, False
        elif size < len(handle.value):
            self.changed(handle)
        del handle.value[size:]
        return Outcome()

    def allocate(self, process, number, size):
        """fallocate(2) from the beginning."""
        handle, _ = process.descriptors[number]
        if handle.only_syncs:
            return failed(errno.EBADF)
        if handle.failed:
            return failed(handle.failed)
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
        """Closes the descriptor that was there; the error that close(2) would have returned is lost."""
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

    def exec(self, process):
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
        """Rule 9: its own, then what others' openers have closed; then the last failure of the name that was not reported."""
        handle, _ = process.descriptors[number]
        file, outcome = handle.file, Outcome()
        if self.publishable(handle):
            self.publish(handle, outcome)
        for other in list(file.handles):
            if other is not handle and self.publishable(other) and not self.still_writes(other):
                self.publish(other, outcome)
        if handle.failed:
            return Outcome({handle.failed}, outcome.calls)
        error = 0 if file.reported else file.failure
        file.reported = file.reported or bool(error)
        return Outcome({error}, outcome.calls)

    def stat(self, name):
        return Outcome() if self.visible(name) else failed(errno.ENOENT)
