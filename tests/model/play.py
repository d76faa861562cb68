#!/usr/bin/python3
"""
Random sequences, played in the reference and on the mount at once, and compared after every step.

    tests/model/play.py [--service NAME] [--option OPTION] [--steps N] [--seed SEED]

The seed of a sequence is printed; with it the same steps come again. Ends with status 1 at the first difference, with the steps that led to it.
"""

import argparse
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parents[1] / "contrib/sandbox")]

from mounting import enter_own_mounts  # noqa: E402
from exchange import FASTLY, RETAINED, SERVICES  # noqa: E402
from reference import TEMPORARY, Outcome, Process, World, stored_form  # noqa: E402
from stage import STEP_BY_STEP, Diverged, Stage  # noqa: E402

NAMES = ("ALPHA", "BETA", "GAMMA")
OPTIONS = ("commit=close", "commit=fsync", "commit=write", "nocreate")
PROCESSES_MAX = 5
DESCRIPTORS_MAX = 6
SHOWN = 400
FAULTS = {"put": ("refused", "refused", "lost", "unheard", "stumbles", "later"),
          "duplicate": ("refused", "lost", "unheard", "stumbles", "later"),
          "delete": ("undeletable", "deleted unheard")}
UNHEARD = ("lost", "unheard", "stumbles")  # no readable answer comes
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


class Play:
    def __init__(self, stage, seed, option):
        self.stage = stage
        self.seed = seed
        self.random = random.Random(seed)
        self.world = World(stage.service, NAMES + tuple(TEMPORARY), option)
        self.exchange = self.world.exchange
        self.trace = deque(maxlen=SHOWN)
        self.count = 0
        self.born = 0
        self.counts = {}

    # --- a step -------------------------------------------------------------------------------------------------------

    STEPS = ()  # filled in below: how often, which

    def step(self):
        # Where only others can create, they do it more often.
        weights = [weight * (8 if self.world.nocreate and action == Play.edit_elsewhere else 1) for weight, action in self.STEPS]
        while True:
            action = self.random.choices(self.STEPS, weights)[0][1]
            if (done := action(self)) is not None:
                break
        expected, got = done
        self.count += 1
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        self.compare(expected, got)

    def note(self, *words):
        self.trace.append(f"{self.count + 1:7} " + " ".join(map(str, words)))

    def compare(self, expected, got):
        """The errno, and what the service saw."""
        self.trace[-1] += f" -> {errno.errorcode.get(got, got) if got else 'ok'}" + "".join(f"; {call[0]} {call[1]} {call[3]}" for call in expected.calls)
        if got not in expected.errors:
            raise Diverged(f"the program got {_names({got})}, and should have got {_names(expected.errors)}")
        calls, walked = self.stage.calls(len(expected.calls))  # walked: it learned of everything
        wanted = expected.calls
        if expected.released:  # of several names, each in its own time
            calls, wanted = (sorted(some, key=lambda call: call[1]) for some in (calls, wanted))
        if calls != wanted:
            raise Diverged(f"the service saw\n    {_lines(calls)}\nand should have seen\n    {_lines(wanted)}")
        if walked:
            self.exchange.learn_all()
        if expected.released:
            self.stage.wait_until_idle()
        self.compare_sizes()

    def compare_sizes(self):
        """And times that were set. What is in doubt is left so: to look would settle it."""
        for name in self.world.names:
            if name in self.exchange.doubted:
                continue
            expected = self.world.seen(name)
            try:
                found = os.stat(self.stage.path(name))
            except FileNotFoundError:
                found = None
            shown = found and (found.st_size, (found.st_atime_ns, found.st_mtime_ns) if expected and expected[1] else None)
            if shown != expected:
                raise Diverged(f"{name} has the size and times {shown}, and should have {expected}")

    def compare_everything(self):
        for name in self.world.names:
            held = self.exchange.held.get(name)
            if self.stage.value(name) != (held and held.value):
                raise Diverged(f"the service holds something else as {name}")

    # --- choices ------------------------------------------------------------------------------------------------------

    def process(self):
        """One of them; a new one now and then, while there are few."""
        processes = self.world.processes
        if not processes or (len(processes) < 2 and self.random.random() < 0.2):
            self.born += 1
            name = f"P{self.born}"
            self.stage.start_actor(name)
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

    # --- what programs do -----------------------------------------------------------------------------------------------

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
            self.will_meet("put", name, name, UNHEARD)
        self.note(process, "open", name, oct(flags), sorted(meaning), "O_CLOEXEC" if closed_by_exec else "")
        expected = self.world.open(process, name, **meaning)
        error, number = self.stage.tell(process.name, "open", flags | (os.O_CLOEXEC if closed_by_exec else 0), 0,
                                        self.stage.path(name), threaded=self.threaded())
        if not error and 0 in expected.errors:
            self.world.opened(process, number, expected.handle, closed_by_exec)
            self.trace[-1] += f" = {number}"
        return expected, error

    def look_first(self, *names):
        """
        What is in doubt is looked up by a step of its own. The program's lookup would do it, too; but it may do so by a walk, which tells of other names as well,
        and what comes of the step would hang on that.
        """
        for name in names:
            if name in self.exchange.doubted and not self.world.file_is_there(name):
                self.note("stat", name)
                error = _errno(os.stat, self.stage.path(name))
                self.compare(self.world.stat(name), error)

    def threaded(self):
        return self.random.random() < 0.2

    def write_some(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        data = self.random.choice(NO_TEXT if self.random.random() < 0.04 else PIECES)
        if self.random.random() < 0.005:
            data = b"x" * (self.world.service.limit + self.random.choice((0, 1, 2)))
        self.note(process, "write", number, data[:12], len(data))
        expected = self.world.write(process, number, data)
        return expected, self.stage.tell(process.name, "write", number, data=data, threaded=self.threaded())[0]

    def write_somewhere(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        data, position = self.value(), self.random.randint(0, 6)
        self.note(process, "pwrite", number, data, position)
        expected = self.world.write(process, number, data, position)
        return expected, self.stage.tell(process.name, "pwrite", number, position, data=data)[0]

    def cut_off(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        size = self.size()
        self.note(process, "ftruncate", number, size)
        expected = self.world.cut(process, number, size)
        return expected, self.stage.tell(process.name, "cut", number, size)[0]

    def allocate(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        size = self.size() or 1
        self.note(process, "fallocate", number, size)
        expected = self.world.allocate(process, number, size)
        return expected, self.stage.tell(process.name, "allocate", number, size)[0]

    def size(self):
        """Mostly near that of what is written; now and then too large."""
        return self.random.randint(0, 12) if self.random.random() < 0.97 else self.world.service.bytes_max + self.random.choice((0, 1, 2))

    def close_one(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        self.note(process, "close", number)
        expected = self.world.close(process, number)
        return expected, self.stage.tell(process.name, "close", number, threaded=self.threaded())[0]

    def duplicate(self):
        if not (chosen := self.descriptor()) or len(chosen[0].descriptors) >= DESCRIPTORS_MAX:
            return None
        process, number = chosen
        closed_by_exec = self.random.random() < 0.3
        error, new = self.stage.tell(process.name, "dup", number, int(closed_by_exec))
        self.note(process, "dup", number, "=", new, "O_CLOEXEC" if closed_by_exec else "")
        return self.world.dup(process, number, new, closed_by_exec), error

    def duplicate_onto(self):
        if not (chosen := self.descriptor()) or len(chosen[0].descriptors) < 2:
            return None
        process, number = chosen
        onto = self.random.choice([other for other in sorted(process.descriptors) if other != number])
        self.note(process, "dup2", number, onto)
        expected = self.world.dup2(process, number, onto)
        return expected, self.stage.tell(process.name, "dup2", number, onto)[0]

    def synchronise(self):
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        self.note(process, "fsync", number)
        expected = self.world.fsync(process, number)
        return expected, self.stage.tell(process.name, "fsync", number, threaded=self.threaded())[0]

    def fork(self):
        process = self.process()
        if len(self.world.processes) >= PROCESSES_MAX or not process.descriptors:
            return None
        self.born += 1
        name = f"P{self.born}"
        self.note(process, "fork", name)
        expected = self.world.fork(process, name)
        error, _ = self.stage.tell(process.name, "fork", 0, 0, name)
        self.stage.welcome()
        return expected, error

    def execute(self):
        process = self.process()
        if not process.descriptors:
            return None
        self.note(process, "exec")
        expected = self.world.execute(process)
        return expected, self.stage.tell(process.name, "exec", threaded=self.threaded())[0]

    def exit(self):
        process = self.process()
        status = self.random.choice((0, 0, 3))
        self.note(process, "exit", status)
        expected = self.world.end(process, dying=status != 0)
        self.stage.actors[process.name].order("exit", status, threaded=self.threaded())
        self.stage.gone(process.name)
        return expected, 0

    def kill(self):
        process = self.process()
        number = self.random.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV))
        self.note(process, "is killed by", number.name)
        expected = self.world.end(process, dying=True)
        os.kill(self.stage.actors[process.name].process, number)
        self.stage.gone(process.name)
        return expected, 0

    def kill_during_an_upload(self):
        """The close hangs at the service; the writer is killed. Nothing is stored, and how it went is asked when somebody wants to know."""
        if not (chosen := self.descriptor()):
            return None
        process, number = chosen
        handle, _ = process.descriptors[number]
        file = handle.file
        if not self.would_publish(process, number) or ("put", file.name) in self.exchange.faults:
            return None
        self.note(process, "close", number, "hangs, and it is killed")
        fault = self.stage.fault(file.name, "put", "hangs")
        self.exchange.faults["put", file.name] = "hangs"
        actor = self.stage.actors[process.name]
        actor.order("close", number)
        expected = self.world.close(process, number)
        if self.exchange.faults.pop(("put", file.name), None):  # it was told without a call
            self.stage.sandbox.clear_faults(fault)
            return expected, actor.answer()[0]
        self.stage.wait_until_it_hangs(file.name)
        os.kill(actor.process, signal.SIGKILL)
        rest = self.world.end(process, dying=True)
        self.stage.gone(process.name)
        self.stage.sandbox.clear_faults(fault)
        return Outcome(calls=expected.calls + rest.calls, released=True), 0

    def would_publish(self, process, number):
        handle, _ = process.descriptors[number]
        left = [other for other, (at, _) in process.descriptors.items() if other != number and at.file is handle.file]
        return (self.world.commit not in ("fsync", "write") and self.world.publishable(handle) and handle.opener is process and not left
                and not self.world.refusal(stored_form(handle.value)))

    def remove(self):
        name = self.any_name()
        self.look_first(name)
        self.note("unlink", name)
        expected = self.world.unlink(name)
        return expected, _errno(os.unlink, self.stage.path(name))

    def set_times(self):
        name = self.any_name()
        self.look_first(name)
        times = tuple(self.random.randint(0, 2**32) * 10**9 + self.random.randrange(10**9) for _ in range(2))
        self.note("utimensat", name, *times)
        expected = self.world.set_times(name, times)
        return expected, _errno(lambda: os.utime(self.stage.path(name), ns=times))

    def rename(self):
        return self.give_name(os.rename, self.world.rename)

    def link(self):
        return self.give_name(os.link, self.world.link)

    def give_name(self, act, expect):
        name, to = self.any_name(), self.name()
        if name == to or RETAINED / 2 < self.exchange.age(name) < RETAINED * 2:
            return None  # or it may be wiped in this very moment
        self.look_first(name, to)
        if self.exchange.service.renames == "duplicate" and self.random.random() < 0.2:
            self.will_meet("duplicate", name, to)
        self.note(act.__name__, name, to)
        expected = expect(name, to)
        return expected, _errno(act, self.stage.path(name), self.stage.path(to))

    # --- what others do ---------------------------------------------------------------------------------------------------

    def edit_elsewhere(self):
        name, value = self.name(), self.value()
        if self.awaits_silence(name):
            return None
        self.note("another client puts", name, value)
        self.exchange.hold(name, value, elsewhere=True)
        self.stage.put(name, value)
        return Outcome(), 0

    def delete_elsewhere(self):
        name = self.name()
        if name not in self.exchange.held or self.awaits_silence(name):
            return None
        self.note("another client deletes", name)
        del self.exchange.held[name]
        self.stage.delete(name)
        return Outcome(), 0

    def go_wrong(self):
        change, name = self.random.choice(("put", "put", "put", "delete")), self.name()
        return (Outcome(), 0) if self.will_meet(change, name, name) else None

    def will_meet(self, change, name, created, kinds=None):
        """Lets something befall the next `change` of `name`, which may create `created`. Whether it could."""
        kind = self.random.choice(kinds or FAULTS[change])
        if (change, name) in self.exchange.faults or (kind in UNHEARD and not self.is_agreed(created)):
            return False
        self.note("the next", change, "of", name, "will be", kind)
        self.exchange.faults[change, name] = kind
        self.stage.fault(name, change, kind)
        return True

    # Where another client was first, and our create's answer is lost, it can't be told who made it, if all of it happened within one second of the service's clock.

    def awaits_silence(self, name):
        """Whether an answer will be lost, and what others do must not make it ambiguous."""
        return self.exchange.faults.get(("put", name)) in UNHEARD

    def is_agreed(self, name):
        """Whether the mount knows what the service holds, and what is changed is what it seems to be."""
        known, file = self.exchange.known[name], self.world.files.get(name)
        if (known and file and file.created) or (not known and self.world.nocreate):
            return False
        return name not in self.exchange.doubted and known == self.exchange.held.get(name)

    def refresh(self):
        self.note("refresh, ls")
        self.stage.mount.refresh()
        self.exchange.learn_all()
        return self.list_all()

    def list_all(self):
        names = sorted(os.listdir(self.stage.directory))
        there = {name for name, known in self.exchange.known.items() if known}
        there |= {name for name in self.world.files if self.world.file_is_there(name)}
        doubted = self.exchange.doubted
        if set(names) - doubted != there - doubted:
            raise Diverged(f"ls shows {names}, and should show {sorted(there)} (and perhaps {sorted(doubted)})")
        return Outcome(), 0

    def list(self):
        self.note("ls")
        return self.list_all()

    def inspect(self):
        name = self.any_name()
        self.look_first(name)
        expected = self.world.state(name)
        self.note("state of", name)
        try:
            state = os.getxattr(self.stage.path(name), "user.sstorefs.state").decode()
        except FileNotFoundError:
            state = None
        if state != expected:
            raise Diverged(f"{name} is {state}, and should be {expected}")
        return Outcome(), 0

    # --- an end to it -------------------------------------------------------------------------------------------------------

    def run(self, steps):
        for _ in range(steps):
            self.step()
            if self.count % 200 == 0:
                self.compare_everything()
                self.stage.sandbox.clear()
        self.leave_nothing_staged()
        self.compare_everything()

    def leave_nothing_staged(self):
        """It would be lost with the mount, and the daemon would say so."""
        for name in TEMPORARY:
            self.note("unlink", name)
            self.compare(self.world.unlink(name), _errno(os.unlink, self.stage.path(name)))


Play.STEPS = (
    (12, Play.open_one), (20, Play.write_some), (3, Play.write_somewhere), (3, Play.cut_off), (1, Play.allocate), (16, Play.close_one),
    (6, Play.duplicate), (2, Play.duplicate_onto), (4, Play.synchronise), (3, Play.fork), (2, Play.execute),
    (2, Play.exit), (2, Play.kill), (1, Play.kill_during_an_upload), (2, Play.remove), (2, Play.set_times), (4, Play.rename), (0.7, Play.link),
    (1, Play.edit_elsewhere), (0.7, Play.delete_elsewhere), (0.6, Play.go_wrong), (0.8, Play.refresh), (2, Play.list), (3, Play.inspect),
)


def _errno(action, *words):
    try:
        action(*words)
    except OSError as why:
        return why.errno
    return 0


def _names(errors):
    return " or ".join(errno.errorcode.get(error, "success") for error in sorted(errors))


def _lines(calls):
    return "\n    ".join(" ".join(map(str, call)) for call in calls) or "nothing"


def build_actor(work):
    program = work / "actor"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-pthread", "-o", program, HERE / "actor.c"], check=True)
    return str(program)


def play(steps, seed, work, service=FASTLY, option="commit=close"):
    """Returns the play. Raises Diverged with all that is needed to play it again."""
    stage = Stage(service, NAMES + tuple(TEMPORARY), work, build_actor(work), f"{STEP_BY_STEP},{option}").start()
    play = Play(stage, seed, option)
    try:
        play.run(steps)
        stage.stop()
    except Exception as why:
        stage.abandon()
        steps_before = "\n".join(play.trace)
        log = "\n".join(stage.mount.log().splitlines()[-20:])
        raise Diverged(f"seed {seed}, step {play.count}: {type(why).__name__}: {why}\nthe steps before it:\n{steps_before}\n"
                       f"the end of the daemon's log:\n{log}\n"
                       f"play it again: tests/model/play.py --service {service.name} --option {option} --seed {seed} --steps {play.count + 1}") from why
    return play


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", choices=SERVICES, default="fastly")
    parser.add_argument("--option", choices=OPTIONS, default=OPTIONS[0])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=None)
    words = parser.parse_args()
    seed = random.randrange(10**9) if words.seed is None else words.seed
    enter_own_mounts()
    print(f"seed {seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        try:
            done = play(words.steps, seed, Path(work), SERVICES[words.service], words.option)
        except Diverged as why:
            sys.exit(str(why))
    took = time.monotonic() - begun
    print(f"{done.count} steps in {took:.1f} s, {done.count / took:.0f} a second; {done.born} processes")
    print(", ".join(f"{name} {count}" for name, count in sorted(done.counts.items())))


if __name__ == "__main__":
    main()
