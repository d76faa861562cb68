"""When a value is published, by whom, and what comes of it."""

import errno

from known import Known
from objects import MANY, TEMPORARY, is_text, stored_form


class Publisher(Known):
    def refusal(self, value):
        """Returns the error that is known without a call; 0: none."""
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
        return handle.dirty and not handle.failed and not handle.file.unlinked and handle.file.staged is None

    def remember(self, file, error):
        file.failure, file.reported, file.unknown = error, False, False
        if not error:
            file.created = False

    def publish(self, handle, outcome):
        """Rule 8: the whole buffer, each time. Rule 5: it was tried, whatever comes of it."""
        file = handle.file
        handle.dirty = False
        if not handle.value:
            return 0
        value = stored_form(handle.value)
        before, length = self.version(file), len(handle.value)
        if not (error := self.refusal(value)):
            may_be_renamed = self.exchange.is_new(file.name) or file.name in TEMPORARY or file.name in self.exchange.retained
            self.exchange.retained.pop(file.name, None)
            error = self.exchange.put(file.name, value, file.inode, handle.exclusive and file.created, outcome.calls)
            # What will be found there is this file: another client's secret, or perhaps what this mount has sent.
            if error in (errno.EEXIST, errno.EINTR, errno.ENOENT) and self.exchange.known[file.name] is None:
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
        if handle.failed:
            return handle.failed
        if not handle.dirty or handle.file.unlinked or process not in (handle.opener, handle.writer):
            return 0
        silent = handle.file.staged is not None or self.commit == "fsync"
        opens = handle.opener is process
        if opens and silent and not dying:
            return 0
        if not (opens and dying) and self.still_writes(handle, process):
            return 0
        if dying:
            handle.failed, handle.dirty = errno.EINTR, False
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
        """Returns whether a process has still to close it, when a descriptor ends in `process`, if in any. A process that has written takes the opener's place here."""
        taken = handle.writer not in (None, MANY, handle.opener)
        climbed = False
        while taken and not handle.writer.ended:
            parent = handle.writer.parent
            if parent is None or parent is handle.opener or not parent.holds(handle):
                break
            handle.writer, handle.writers_parent, climbed = parent, None, True
        # Of several handles that it has opened (and children may still hold) it is not known which one a remaining descriptor belongs to.
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
        """The last descriptor of all is gone: no program sees the result any more."""
        handle.file.handles.remove(handle)
        if self.publishable(handle):
            outcome.released = True
            self.publish(handle, outcome)
        self.drop_if_unused(handle.file)
