"""
A model of many mounts on one token: what each sends, when it waits and when it gives up, as src/net/throttle.c and src/net/retry.c do it, against the limits of
the services as the sandbox has them. Time is simulated; chance is seeded, so that figures repeat.
"""

import heapq
import itertools
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sandbox"))

from rate_limit import FixedWindow, Lockout, Minutes, TokenBucket  # noqa: E402

TIMEOUT = 30.0
LATENCY = 0.05
KEY_LIFE = 600.0
# The shortest and longest time from one look of a mount that is down to the next (src/fetch/recovery.c).
RECOVERY = 45.0, 75.0


class Simulation:
    """A clock, and its queue of events."""

    def __init__(self, seed):
        self.time = 0.0
        self.random = random.Random(seed)
        self.queue = []
        self.order = itertools.count()

    def now(self):
        return self.time

    def at(self, moment, action, *arguments):
        heapq.heappush(self.queue, (moment, next(self.order), action, arguments))

    def run(self):
        while self.queue:
            self.time, _, action, arguments = heapq.heappop(self.queue)
            action(*arguments)


@dataclass
class Answer:
    ok: bool
    wait: float = None       # a refusal: seconds until it ends; None: it does not say
    remaining: int = None    # what is left of the budget; None: it does not say
    resets_in: float = 0.0


class Fastly:
    """1000 changes an hour; reads are free."""

    name, per, start, first, later = "Fastly", "1000 changes an hour", "r", "kw", "kw"
    limit, unmetered_reads = 1000, True

    def __init__(self, clock):
        self.window, self.clock = FixedWindow(clock), clock

    def answer(self, change):
        if not change:
            return Answer(True)
        ok = self.window.spend(self.limit, 3600)
        left, reset = self.window.left(self.limit, 3600)
        return Answer(ok, None if ok else reset - self.clock.now(), left, reset - self.clock.now())


class Cloudflare:
    """1200 calls in five minutes; one more, and all are refused for five minutes."""

    name, per, start, first, later = "Cloudflare", "1200 calls in 5 minutes", "r", "w", "w"
    limit, unmetered_reads = 1200, False

    def __init__(self, clock):
        self.window = Lockout(clock)

    def answer(self, change):
        ok = self.window.spend(self.limit, 300, 300)
        left, seconds = self.window.left(self.limit, 300)
        return Answer(ok, None if ok else seconds, left, seconds)


class Stripe:
    """25 calls a second in test mode, and nothing that announces it."""

    name, per, start, first, later = "Stripe", "25 calls a second (test mode)", "r", "rw", "w"
    limit, unmetered_reads = 25, False

    def __init__(self, clock):
        self.bucket = TokenBucket(clock)

    def answer(self, change):
        return Answer(self.bucket.spend("all", self.limit))


class GitHub:
    """5000 calls an hour; 80 changes and 900 points a minute."""

    name, per, start, first, later = "GitHub", "5000 calls an hour, 80 changes a minute", "r", "rw", "w"
    limit, changes, points, unmetered_reads = 5000, 80, 900, False

    def __init__(self, clock):
        self.window, self.minutes, self.clock = FixedWindow(clock), Minutes(clock), clock

    def answer(self, change):
        ok = self.window.spend(self.limit, 3600)
        left, reset = self.window.left(self.limit, 3600)
        if not ok:
            return Answer(False, reset - self.clock.now(), left, reset - self.clock.now())
        for key, most, cost in (("points", self.points, 5 if change else 1), ("changes", self.changes, int(change))):
            if not self.minutes.spend(key, most, cost):
                return Answer(False, self.minutes.left(key), left, reset - self.clock.now())
        return Answer(True, None, left, reset - self.clock.now())


SERVICES = (Fastly, Cloudflare, Stripe, GitHub)


@dataclass
class Outcome:
    calls: int = 0
    refusals: int = 0      # by the service
    stored: int = 0
    told: int = 0          # writers that got EAGAIN
    not_started: int = 0   # mounts whose first call was refused for longer than they wait
    durations: list = field(default_factory=list)

    @property
    def slowest(self):
        return max(self.durations, default=0.0)


class Mount:
    def __init__(self, simulation, service, outcome):
        self.simulation, self.service, self.outcome = simulation, service, outcome
        self.refused_until = {False: 0.0, True: 0.0}
        self.remaining, self.resets_at = None, 0.0
        self.key_until = 0.0
        self.is_refused = False
        self.is_down = False

    # One call, with its waits and retries: src/net/call.c

    def _held_for(self, change):
        now, until = self.simulation.now(), self.refused_until[change]
        metered = change or not self.service.unmetered_reads
        if metered and self.remaining == 0:
            until = max(until, self.resets_at)
        return max(0.0, until - now)

    def _spread(self, wait):
        return self.simulation.random.uniform(0, min(max(wait / 10, 0.25), 10))

    def call(self, change, deadline, ended, retries=0):
        now, wait = self.simulation.now(), self._held_for(change)
        if wait and now + wait >= deadline:
            ended(False)
        elif wait:
            self.simulation.at(min(now + wait + self._spread(wait), deadline - 0.01), self.call, change, deadline, ended, retries)
        else:
            self.simulation.at(now + LATENCY / 2, self._arrive, change, deadline, ended, retries)
            if self.remaining:
                self.remaining -= 1

    def _arrive(self, change, deadline, ended, retries):
        self.outcome.calls += 1
        answer = self.service.answer(change)
        self.simulation.at(self.simulation.now() + LATENCY / 2, self._answered, answer, change, deadline, ended, retries)

    def _answered(self, answer, change, deadline, ended, retries):
        now = self.simulation.now()
        if answer.remaining is not None:
            self.remaining, self.resets_at = answer.remaining, now + answer.resets_in
        if answer.ok:
            self.is_down = False
            ended(True)
            return
        self.outcome.refusals += 1
        pause = self.simulation.random.uniform(0.001, min(0.4 * 2 ** retries, 10))
        if answer.wait is not None:
            for kind in (False, True) if not self.service.unmetered_reads else (True,):
                self.refused_until[kind] = max(self.refused_until[kind], now + answer.wait)
            pause = max(pause, answer.wait + self._spread(answer.wait))
        if now + pause >= deadline:
            ended(False)
        else:
            self.simulation.at(now + pause, self.call, change, deadline, ended, retries + 1)

    # What users do

    def start(self, then=None, tries_key=False):
        """Lists the stores. `tries_key` fetches a client key beside that, as where the signing key is given by hand; a mount goes without, too."""
        waits = 1 + tries_key

        def ended(ok):
            nonlocal waits
            waits -= 1
            self.outcome.not_started += not ok
            if ok and then and not waits:
                then()

        def key_ended(ok):
            self.key_until = self.simulation.now() + KEY_LIFE if ok else 0
            self.is_refused = not ok
            ended(True)

        self.call(False, self.simulation.now() + TIMEOUT, ended)
        if tries_key:
            self.call(True, self.simulation.now() + TIMEOUT, key_ended)

    def write(self, is_first=False):
        """`r` is a read, `k` a client key unless one is held, `w` the write."""
        began = self.simulation.now()
        # After a refusal the name is looked up before it is written.
        steps = ["r"] * self.is_refused + list(self.service.first if is_first else self.service.later)

        def go_on(ok):
            while ok and steps:
                step = steps.pop(0)
                if step == "k" and self.simulation.now() < self.key_until:
                    continue
                if step == "k":
                    self.key_until = self.simulation.now() + KEY_LIFE
                self.call(step != "r", began + TIMEOUT, go_on)
                return
            self.outcome.durations.append(self.simulation.now() - began)
            self.outcome.stored += ok
            self.outcome.told += not ok

        go_on(True)

    def look(self):
        """The daemon's own call after an outage."""
        if self.is_down:
            self.call(False, self.simulation.now() + TIMEOUT, lambda ok: None)


# What a fleet does; `chance` draws moments.


def idle(mounts, at, chance):
    """Idle mounts: nothing is sent."""


def cron(mounts, at, chance):
    for mount in mounts:
        at(chance.uniform(0, 1), mount.write)


def outage(mounts, at, chance):
    """An outage of an hour, and one write of each mount in the minute after it."""
    for mount in mounts:
        mount.is_down = True
        at(chance.uniform(0, RECOVERY[1]), mount.look)
        at(chance.uniform(0, 60), mount.write)


def together(mounts, at, chance, moments=None, tries_key=False):
    """Writes of all mounts within a second, or at `moments`."""
    for moment, mount in zip(moments or [chance.uniform(0, 1) for _ in mounts], mounts):
        at(moment, mount.start, lambda mount=mount: mount.write(is_first=True), tries_key)


SCENARIOS = {"idle for an hour": idle, "an hourly cron on all": cron, "the minute after an outage": outage, "all started at once": together}


def play(kind, scenario, count, seed=1, limit=None, **more):
    """Returns the outcome for `count` mounts, which begin on a full hour, with a window of their own."""
    simulation, outcome = Simulation(seed), Outcome()
    service = kind(simulation)
    service.limit = limit or service.limit
    begin = 3600.0 * 1000

    def at(delay, action, *arguments):
        simulation.at(begin + delay, action, *arguments)

    simulation.time = begin
    mounts = [Mount(simulation, service, outcome) for _ in range(count)]
    scenario(mounts, at, simulation.random, **more)
    simulation.run()
    return outcome
