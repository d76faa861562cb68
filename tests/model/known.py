"""What the mount knows and shows: which files there are, what is stored of them, their sizes, times and states."""

import errno

from service_model import Exchange
from objects import Outcome, Written, failed


class Known:
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

    # --- which files there are, and what of them is stored ----------------------------------------------------------

    def look_up(self, name):
        """What a program's lookup finds. If there is none, nothing is unknown of it any more."""
        found = self.exchange.look(name) is not None
        file = self.files.get(name)
        if file and file.unknown and not found:
            file.unknown = False
            self.drop_if_unused(file)
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
        """Rule 10: a create that failed without an error at its close."""
        return bool(self.commit == "fsync" and file.created and file.failure and not file.reported)

    def visible(self, name):
        return self.file_is_there(name) or self.look_up(name)

    def is_stored(self, file):
        found = self.exchange.known[file.name] is not None
        return found and (not file.created or self.exchange.inodes.get(file.name) == file.inode)

    def drop_if_unused(self, file):
        """Forgets a file that no process has open, unless a failure is kept for it."""
        if file.handles or file.staged is not None or self.files.get(file.name) is not file:
            return
        there = self.is_stored(file) or file.failure in (errno.EEXIST, errno.ENOENT)
        if not (file.failure and (there or file.unknown)) and not self.shows_failure(file):
            del self.files[file.name]

    def state(self, name):
        """user.sstorefs.state; None: there is no such file."""
        if not self.visible(name):
            return None
        file = self.files.get(name)
        if file and file.staged is not None:
            return "staged"
        if file and any(handle.dirty for handle in file.handles):
            return "pending"
        if file and file.failure and not (file.unknown and self.version(file) != file.before):
            return "unknown" if file.unknown and name in self.exchange.invalid else "failed"
        stored = self.is_stored(file) if self.file_is_there(name) else self.exchange.known[name]
        return "stored" if stored else "pending"

    # --- sizes and times --------------------------------------------------------------------------------------------

    def held_as(self, name):
        """What the mount knows to be stored, as far as the service tells one version from another."""
        known = self.exchange.known[name]
        return known and (known.version, known.identity)

    def written_of(self, name):
        """What this mount has written and the service still has; None: nothing, or the name is invalid."""
        written = self.written.get(self.exchange.inodes.get(name))
        return written if written and name not in self.exchange.invalid and written.held == self.held_as(name) else None

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
            if handle.dirty:
                return len(handle.value)
        if not self.file_is_there(name) or self.is_stored(file):
            return None
        return len(file.handles[0].value) if file.handles and not file.handles[0].failed else 0

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
