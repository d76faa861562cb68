#!/usr/bin/python3
"""
Random sequences, carried out in the reference and on the mount at once, and compared after every step. What programs do is in actions.py; what others do, and the
comparison, here.

    tests/model/runner.py [--service NAME] [--option OPTION] [--steps N] [--seed SEED]

The seed of a sequence is printed; with it the same steps come again. Ends with status 1 at the first difference, with the steps that led to it.
"""

import argparse
import errno
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parents[1] / "contrib/sandbox")]  # as pytest.ini has it, for a run by hand

from actions import NAMES, NO_REPLY, Programs, errno_of  # noqa: E402
from daemon import enter_own_mounts  # noqa: E402
from harness import STEP_BY_STEP, Diverged, Harness  # noqa: E402
from objects import TEMPORARY, Outcome  # noqa: E402
from service_model import FASTLY, SERVICES  # noqa: E402
from spec import Model  # noqa: E402

OPTIONS = ("commit=close", "commit=fsync", "commit=write", "nocreate")
SHOWN = 400
FAULTS = {"put": ("refused", "refused", "reply_lost", "request_dropped", "server_error", "throttled"),
          "duplicate": ("refused", "reply_lost", "request_dropped", "server_error", "throttled"),
          "delete": ("undeletable", "delete_reply_lost")}


class RandomRun(Programs):
    def __init__(self, harness, seed, option):
        self.harness = harness
        self.seed = seed
        self.random = random.Random(seed)
        self.model = Model(harness.service, NAMES + tuple(TEMPORARY), option)
        self.exchange = self.model.exchange
        self.trace = deque(maxlen=SHOWN)
        self.count = 0
        self.born = 0
        self.counts = {}

    # --- a step -------------------------------------------------------------------------------------------------------

    STEPS = ()  # filled in below: how often, which

    def step(self):
        # Where only others can create, they do it more often.
        weights = [weight * (8 if self.model.nocreate and action == RandomRun.edit_elsewhere else 1) for weight, action in self.STEPS]
        while True:
            action = self.random.choices(self.STEPS, weights)[0][1]
            if (done := action(self)) is not None:
                break
        expected, got = done
        self.count += 1
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        self.compare(expected, got)

    def note(self, *arguments):
        self.trace.append(f"{self.count + 1:7} " + " ".join(map(str, arguments)))

    def compare(self, expected, got):
        """The errno, and what the service saw."""
        self.trace[-1] += f" -> {errno.errorcode.get(got, got) if got else 'ok'}" + "".join(f"; {call[0]} {call[1]} {call[3]}" for call in expected.calls)
        if got not in expected.errors:
            raise Diverged(f"the program got {_names({got})}, and should have got {_names(expected.errors)}")
        calls, walked = self.harness.calls(len(expected.calls))  # walked: it learned of everything
        wanted = expected.calls
        if expected.released:  # of several names, each in its own time
            calls, wanted = (sorted(some, key=lambda call: call[1]) for some in (calls, wanted))
        if calls != wanted:
            raise Diverged(f"the service saw\n    {_lines(calls)}\nand should have seen\n    {_lines(wanted)}")
        if walked:
            self.exchange.learn_all()
        if expected.released:
            self.harness.wait_until_idle()
        if calls and not self.model.service.describes:
            self.learn_versions()
        self.compare_sizes()

    def learn_versions(self):
        """What was stored is asked for now, perhaps by a walk, which tells of everything else too."""
        for name in self.model.names:
            if name not in self.exchange.invalid:
                errno_of(os.stat, self.harness.path(name))
        if self.harness.calls(0)[1]:
            self.exchange.learn_all()
        self.harness.begin_another_second()

    def compare_sizes(self):
        """And times that were set. An invalid name stays so: a lookup would verify it."""
        for name in self.model.names:
            if name in self.exchange.invalid:
                continue
            expected = self.model.seen(name)
            try:
                found = os.stat(self.harness.path(name))
            except FileNotFoundError:
                found = None
            shown = found and (found.st_size, (found.st_atime_ns, found.st_mtime_ns) if expected and expected[1] else None)
            if shown != expected:
                raise Diverged(f"{name} has the size and times {shown}, and should have {expected}")

    def compare_everything(self):
        for name in self.model.names:
            held = self.exchange.held.get(name)
            if self.harness.value(name) != (held and held.value):
                raise Diverged(f"the service holds something else as {name}")

    # --- what others do ---------------------------------------------------------------------------------------------------

    def edit_elsewhere(self):
        name, value = self.name(), self.value()
        if self.awaits_silence(name):
            return None
        self.note("another client puts", name, value)
        self.exchange.hold(name, value, elsewhere=True)
        self.harness.put(name, value)
        return Outcome(), 0

    def delete_elsewhere(self):
        name = self.name()
        if name not in self.exchange.held or self.awaits_silence(name):
            return None
        self.note("another client deletes", name)
        del self.exchange.held[name]
        self.harness.delete(name)
        return Outcome(), 0

    def inject_fault(self):
        change, name = self.random.choice(("put", "put", "put", "delete")), self.name()
        return (Outcome(), 0) if self.will_meet(change, name, name) else None

    def will_meet(self, change, name, created, kinds=None):
        """Lets something befall the next `change` of `name`, which may create `created`. Whether it could."""
        kind = self.random.choice(kinds or FAULTS[change])
        if (change, name) in self.exchange.faults or (kind in NO_REPLY and not self.is_agreed(created)):
            return False
        self.note("the next", change, "of", name, "will be", kind)
        self.exchange.faults[change, name] = kind
        self.harness.fault(name, change, kind)
        return True

    # Where another client was first, and our create's answer is lost, it is not known who made it, if all of it happened within one second of the service's clock.

    def awaits_silence(self, name):
        """Whether an answer will be lost, and what others do must not make it ambiguous."""
        return self.exchange.faults.get(("put", name)) in NO_REPLY

    def is_agreed(self, name):
        """Whether the mount knows what the service holds, and what is changed is what it seems to be."""
        known, file = self.exchange.known[name], self.model.files.get(name)
        if (known and file and file.created) or (not known and self.model.nocreate):
            return False
        return name not in self.exchange.invalid and known == self.exchange.held.get(name)

    def refresh(self):
        self.note("refresh, ls")
        self.harness.mount.refresh()
        self.exchange.learn_all()
        return self.list_all()

    def list_all(self):
        names = sorted(os.listdir(self.harness.directory))
        there = {name for name, known in self.exchange.known.items() if known}
        there |= {name for name in self.model.files if self.model.file_is_there(name)}
        invalid = self.exchange.invalid
        if set(names) - invalid != there - invalid:
            raise Diverged(f"ls shows {names}, and should show {sorted(there)} (and perhaps {sorted(invalid)})")
        return Outcome(), 0

    def list(self):
        self.note("ls")
        return self.list_all()

    def inspect(self):
        name = self.any_name()
        self.look_first(name)
        expected = self.model.state(name)
        self.note("state of", name)
        try:
            state = os.getxattr(self.harness.path(name), "user.sstorefs.state").decode()
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
                self.harness.sandbox.clear()
        self.leave_nothing_staged()
        self.compare_everything()

    def leave_nothing_staged(self):
        """It would be lost with the mount, and the daemon would say so."""
        for name in TEMPORARY:
            self.note("unlink", name)
            self.compare(self.model.unlink(name), errno_of(os.unlink, self.harness.path(name)))


RandomRun.STEPS = (
    (12, RandomRun.open_one), (20, RandomRun.write_some), (3, RandomRun.write_somewhere), (3, RandomRun.truncate), (1, RandomRun.allocate), (16, RandomRun.close_one),
    (6, RandomRun.duplicate), (2, RandomRun.duplicate_onto), (4, RandomRun.synchronise), (3, RandomRun.fork), (2, RandomRun.exec),
    (2, RandomRun.exit), (2, RandomRun.kill), (1, RandomRun.kill_during_an_upload), (2, RandomRun.unlink), (2, RandomRun.set_times), (4, RandomRun.rename), (0.7, RandomRun.link),
    (1, RandomRun.edit_elsewhere), (0.7, RandomRun.delete_elsewhere), (0.6, RandomRun.inject_fault), (0.8, RandomRun.refresh), (2, RandomRun.list), (3, RandomRun.inspect),
)


def _names(errors):
    return " or ".join(errno.errorcode.get(error, "success") for error in sorted(errors))


def _lines(calls):
    return "\n    ".join(" ".join(map(str, call)) for call in calls) or "nothing"


def build_actor(work):
    program = work / "actor"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-pthread", "-o", program, HERE / "actor.c"], check=True)
    return str(program)


def run_sequence(steps, seed, work, service=FASTLY, option="commit=close"):
    """Returns the run. Raises Diverged with all that is needed to repeat it."""
    harness = Harness(service, NAMES + tuple(TEMPORARY), work, build_actor(work), f"{STEP_BY_STEP},{option}").start()
    run = RandomRun(harness, seed, option)
    try:
        run.run(steps)
        harness.stop()
    except Exception as why:
        harness.abandon()
        steps_before = "\n".join(run.trace)
        log = "\n".join(harness.mount.log().splitlines()[-20:])
        raise Diverged(f"seed {seed}, step {run.count}: {type(why).__name__}: {why}\nthe steps before it:\n{steps_before}\n"
                       f"the end of the daemon's log:\n{log}\n"
                       f"repeat it: tests/model/runner.py --service {service.name} --option {option} --seed {seed} --steps {run.count + 1}") from why
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", choices=SERVICES, default="fastly")
    parser.add_argument("--option", choices=OPTIONS, default=OPTIONS[0])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.randrange(10**9) if arguments.seed is None else arguments.seed
    enter_own_mounts()
    print(f"seed {seed}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        try:
            done = run_sequence(arguments.steps, seed, Path(work), SERVICES[arguments.service], arguments.option)
        except Diverged as why:
            sys.exit(str(why))
    took = time.monotonic() - begun
    print(f"{done.count} steps in {took:.1f} s, {done.count / took:.0f} a second; {done.born} processes")
    print(", ".join(f"{name} {count}" for name, count in sorted(done.counts.items())))


if __name__ == "__main__":
    main()
