"""What programs do: each step tells the reference and the actor's process, and returns what should come of it and what came."""

import os
import signal

from service_model import RETAINED
from objects import TEMPORARY, Outcome, Process, stored_form

NAMES = ("ALPHA", "BETA", "GAMMA")
PROCESSES_MAX = 5
DESCRIPTORS_MAX = 6
NO_REPLY = ("reply_lost", "request_dropped", "server_error")  # no readable answer comes
PIECES = (b"a", b"bc", b"\n", b"line\n", b"\x01binary\n", b"0123456789" * 20, "é".encode())
NO_TEXT = (b"\xff", b"\xc3", b"\xa9", b"\xf0\x9f", b"\x94\x91\n")  # alone; some of them together are

# open flags: how often, the flags, and what they mean to the reference
WAYS = (
    (8, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, {"write": True, "create": True, "truncate": True}),
    (3, os.O_WRONLY, {"write": True}),
    (2, os.O_WRONLY | os.O_CREAT | os.O_EXCL, {"write": True, "create": True, "exclusive": True}),
    (1, os.O_WRONLY | os.O_CREAT | os.O_APPEND, {"write": True, "create": True, "append": True}),
    (1, os.O_RDWR, {"write": True}),
    (1, os.O_RDONLY, {"write": False}),
)
TEMPORARY_WAYS = (
    (6, os.O_RDWR | os.O_CREAT | os.O_EXCL, {"write": True, "create": True, "exclusive": True, "reads": True}),
    (2, os.O_WRONLY | os.O_CREAT | os.O_EXCL, {"write": True, "create": True, "exclusive": True}),
    (2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, {"write": True, "create": True, "truncate": True}),
    (2, os.O_WRONLY, {"write": True}),
    (1, os.O_WRONLY | os.O_TRUNC, {"write": True, "truncate": True}),
)


class Programs:
    """Of RandomRun: who does something, to which descriptor or name, and the steps."""

    def process(self):
        """One of them; a new one now and then, while there are few."""
        processes = self.model.processes
        if not processes or (len(processes) < 2 and self.random.random() < 0.2):
            self.born += 1
            name = f"P{self.born}"
            self.harness.start_actor(name)
            processes[name] = Process(name)
            return processes[name]
        return self.random.choice(list(processes.values()))

    def descriptor(self):
        """A process and one of its descriptors, or None."""
        process = self.process()
        if not process.descriptors:
            return None
        return process, self.random.choice(sorted(process.descriptors))

    def name(self):
        return self.random.choice(NAMES)

    def any_name(self):
        return self.random.choice(NAMES + tuple(TEMPORARY))

    def value(self):
        return bytes(self.random.choice(b"abcdefgh") for _ in range(self.random.randint(1, 12)))

    # --- the steps ------------------------------------------------------------------------------------------------------

    def open_one(self):
        process = self.process()
        if len(process.descriptors) >= DESCRIPTORS_MAX:
            return None
        temporary = self.random.random() < 0.2
        name = self.random.choice(list(TEMPORARY)) if temporary else self.name()
        ways = TEMPORARY_WAYS if temporary else WAYS
        _, flags, meaning = self.random.choices(ways, [way[0] for way in ways])[0]
        closed_by_exec = self.random.random() < 0.3
        self.look_first(name)
        if "exclusive" in meaning and not temporary and self.random.random() < 0.4:
            self.will_meet("put", name, name, NO_REPLY)
        self.note(process, "open", name, oct(flags), sorted(meaning), "O_CLOEXEC" if closed_by_exec else "")
        expected = self.model.open(process, name, **meaning)
        error, number = self.harness.tell(process.name, "open", flags | (os.O_CLOEXEC if closed_by_exec else 0), 0,
                                        self.harness.path(name), threaded=self.threaded())
        if not error and 0 in expected.errors:
            self.model.opened(process, number, expected.handle, closed_by_exec)
            self.trace[-1] += f" = {number}"
        return expected, error

    def look_first(self, *names):
        """
        An invalid name is looked up by a step of its own. The program's lookup would do it, too; but it may do so by a walk, which tells of other names as well,
        and what comes of the step would hang on that.
        """
        for name in names:
            if name in self.exchange.invalid and not self.model.file_is_there(name):
                self.note("stat", name)
                error = errno_of(os.stat, self.harness.path(name))
                self.compare(self.model.stat(name), error)

    def threaded(self):
        return self.random.random() < 0.2

    def write_some(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        data = self.random.choice(NO_TEXT if self.random.random() < 0.04 else PIECES)
        if self.random.random() < 0.005:
            data = b"x" * (self.model.service.limit + self.random.choice((0, 1, 2)))
        self.note(process, "write", number, data[:12], len(data))
        expected = self.model.write(process, number, data)
        return expected, self.harness.tell(process.name, "write", number, data=data, threaded=self.threaded())[0]

    def write_somewhere(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        data, position = self.value(), self.random.randint(0, 6)
        self.note(process, "pwrite", number, data, position)
        expected = self.model.write(process, number, data, position)
        return expected, self.harness.tell(process.name, "pwrite", number, position, data=data)[0]

    def truncate(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        size = self.size()
        self.note(process, "ftruncate", number, size)
        expected = self.model.cut(process, number, size)
        return expected, self.harness.tell(process.name, "cut", number, size)[0]

    def allocate(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        size = self.size() or 1
        self.note(process, "fallocate", number, size)
        expected = self.model.allocate(process, number, size)
        return expected, self.harness.tell(process.name, "allocate", number, size)[0]

    def size(self):
        """Mostly near that of what is written; now and then too large."""
        return self.random.randint(0, 12) if self.random.random() < 0.97 else self.model.service.bytes_max + self.random.choice((0, 1, 2))

    def close_one(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        self.note(process, "close", number)
        expected = self.model.close(process, number)
        return expected, self.harness.tell(process.name, "close", number, threaded=self.threaded())[0]

    def duplicate(self):
        if not (chosen := self.descriptor()) or len(chosen[0].descriptors) >= DESCRIPTORS_MAX:
            return None
        process, number = chosen
        closed_by_exec = self.random.random() < 0.3
        error, new = self.harness.tell(process.name, "dup", number, int(closed_by_exec))
        self.note(process, "dup", number, "=", new, "O_CLOEXEC" if closed_by_exec else "")
        return self.model.dup(process, number, new, closed_by_exec), error

    def duplicate_onto(self):
        if not (chosen := self.descriptor()) or len(chosen[0].descriptors) < 2:
            return None
        process, number = chosen
        onto = self.random.choice([other for other in sorted(process.descriptors) if other != number])
        self.note(process, "dup2", number, onto)
        expected = self.model.dup2(process, number, onto)
        return expected, self.harness.tell(process.name, "dup2", number, onto)[0]

    def synchronise(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        self.note(process, "fsync", number)
        expected = self.model.fsync(process, number)
        return expected, self.harness.tell(process.name, "fsync", number, threaded=self.threaded())[0]

    def fork(self):
        process = self.process()
        if len(self.model.processes) >= PROCESSES_MAX or not process.descriptors:
            return None
        self.born += 1
        name = f"P{self.born}"
        self.note(process, "fork", name)
        expected = self.model.fork(process, name)
        error, _ = self.harness.tell(process.name, "fork", 0, 0, name)
        self.harness.welcome()
        return expected, error

    def exec(self):
        process = self.process()
        if not process.descriptors:
            return None
        self.note(process, "exec")
        expected = self.model.exec(process)
        return expected, self.harness.tell(process.name, "exec", threaded=self.threaded())[0]

    def exit(self):
        process = self.process()
        status = self.random.choice((0, 0, 3))
        self.note(process, "exit", status)
        expected = self.model.end(process, dying=status != 0)
        self.harness.actors[process.name].order("exit", status, threaded=self.threaded())
        self.harness.gone(process.name)
        return expected, 0

    def kill(self):
        process = self.process()
        number = self.random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV))
        self.note(process, "is killed by", number.name)
        expected = self.model.end(process, dying=True)
        os.kill(self.harness.actors[process.name].process, number)
        self.harness.gone(process.name)
        return expected, 0

    def kill_during_an_upload(self):
        """The close hangs at the service; the writer is killed. Nothing is stored, and the outcome is looked up when it is needed."""
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        handle, _ = process.descriptors[number]
        file = handle.file
        if not self.would_publish(process, number) or ("put", file.name) in self.exchange.faults:
            return None
        self.note(process, "close", number, "hangs, and it is killed")
        fault = self.harness.fault(file.name, "put", "hangs")
        self.exchange.faults["put", file.name] = "hangs"
        actor = self.harness.actors[process.name]
        actor.order("close", number)
        expected = self.model.close(process, number)
        if self.exchange.faults.pop(("put", file.name), None):  # it was reported without a call
            self.harness.sandbox.clear_faults(fault)
            return expected, actor.answer()[0]
        self.harness.wait_until_it_hangs(file.name)
        os.kill(actor.process, signal.SIGKILL)
        rest = self.model.end(process, dying=True)
        self.harness.gone(process.name)
        self.harness.sandbox.clear_faults(fault)
        return Outcome(calls=expected.calls + rest.calls, released=True), 0

    def would_publish(self, process, number):
        handle, _ = process.descriptors[number]
        left = [other for other, (at, _) in process.descriptors.items() if other != number and at.file is handle.file]
        return (self.model.commit not in ("fsync", "write") and self.model.publishable(handle) and handle.opener is process and not left
                and not self.model.refusal(stored_form(handle.value)))

    def unlink(self):
        name = self.any_name()
        self.look_first(name)
        self.note("unlink", name)
        expected = self.model.unlink(name)
        return expected, errno_of(os.unlink, self.harness.path(name))

    def set_times(self):
        name = self.any_name()
        self.look_first(name)
        times = tuple(self.random.randint(0, 2**32) * 10**9 + self.random.randrange(10**9) for _ in range(2))
        self.note("utimensat", name, *times)
        expected = self.model.set_times(name, times)
        return expected, errno_of(lambda: os.utime(self.harness.path(name), ns=times))

    def rename(self):
        return self.rename_or_link(os.rename, self.model.rename)

    def link(self):
        return self.rename_or_link(os.link, self.model.link)

    def rename_or_link(self, act, expect):
        name, to = self.any_name(), self.name()
        if name == to or RETAINED / 2 < self.exchange.age(name) < RETAINED * 2:
            return None  # or it may be wiped in this very moment
        self.look_first(name, to)
        if self.exchange.service.renames == "duplicate" and self.random.random() < 0.2:
            self.will_meet("duplicate", name, to)
        self.note(act.__name__, name, to)
        expected = expect(name, to)
        return expected, errno_of(act, self.harness.path(name), self.harness.path(to))


def errno_of(action, *arguments):
    try:
        action(*arguments)
    except OSError as why:
        return why.errno
    return 0
