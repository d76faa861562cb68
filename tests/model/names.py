"""What becomes of names: unlink, rename, link."""

import errno

from objects import Outcome, failed, stored_form
from publisher import Publisher


class Names(Publisher):
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
        self.exchange.sealed.pop(name, None)  # whatever came of it
        if error == errno.ENOENT and self.file_is_there(name):
            error = 0  # what was to be seen here is gone
        if file and error in (0, errno.ENOENT):
            self.unlink_file(file)
        outcome.errors = {error}
        return outcome

    def is_only_here(self, file):
        exchange = self.exchange
        return file.created and not file.unknown and file.name not in exchange.invalid and exchange.known[file.name] is None

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
            self.drop_if_unused(file)

    def rename(self, name, to):
        if not self.visible(name):
            return failed(errno.ENOENT)
        self.visible(to)
        if self.nocreate:
            return failed(errno.EPERM)
        file, outcome = self.files.get(name), Outcome()
        if file and file.staged is not None and file.corrupted:
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
        """Rule 14: under the real name, replacing what is there. Then it is published: no close publishes it again."""
        value, length = stored_form(file.staged), len(file.staged)
        for handle in file.handles:
            handle.dirty = False
        if error := self.refusal(value):
            return error
        self.exchange.retained.pop(to, None)
        error = self.exchange.put(to, value, file.inode, False, outcome.calls)
        self.remember(file, error)
        self.keep_length(file, to, length, error)
        if error == 0:
            self.rename_file(file, to)
            file.end_staging()
            self.drop_if_unused(file)
        return error
