#!/usr/bin/python3
"""
A soak: three mounts for as long as is wanted, with random writes, deletions, listings and refreshes while all that can fail does, at random. At its end no
acknowledged value may be missing, and memory and descriptors may not have grown.

    tests/soak/soak.py [--minutes 30] [--seed N]        as root
"""

import argparse
import errno
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS.parent / "contrib/sandbox")]  # as pytest.ini has it, for a run by hand

from client import Sandbox  # noqa: E402
from daemon import Mount, enter_own_mounts  # noqa: E402
from network import Drop, enter_own_network  # noqa: E402
from programs import errno_of, write_file  # noqa: E402
from services import SERVICES  # noqa: E402
from tls import Certificates, ChangingNginx  # noqa: E402

NAMES = 12  # of each worker
WORKERS = 4  # of each mount
UNKNOWN = (errno.EIO, errno.ETIMEDOUT, errno.EINTR)
GROWTH = 512 << 10  # bytes: what is not counted as growth
DESCRIPTORS = 4
MEASURED_FROM = 100  # seconds

# What goes wrong, for a few calls each. None of it lets the service do later what the daemon has given up: the outcome could not be checked.
FAULTS = [
    "status=503", "status=500,when=after", "status=429,retry_after=1", "status=429", "status=403", "status=400", "status=502,family=html",
    "reset=before", "reset=after", "reset=middle", "close=before", "close=after", "method=P*,body=truncated", "method=P*,body=nonsense",
    "method=P*,body=empty", "method=P*,body=html", "latency=0.05..0.5", "hang=1", "method=P*,huge=20000000", "flood=2000", "slow=2000",
    "operation=*.list_secrets,page=repeat_cursor", "operation=*.list_secrets,page=non_object", "operation=*.list_secrets,page=empty",
    "operation=*.list_secrets,page=duplicates", "operation=*.create_client_key,key=bad_signature", "header=Retry-After:1,status=503",
]


class Worker(threading.Thread):
    """The only one who writes its names, so that it knows what they may hold."""

    def __init__(self, soak, mount, store, number):
        super().__init__(daemon=True)
        self.soak = soak
        self.directory = mount / store
        self.mount = mount
        self.number = number
        self.random = random.Random(f"{soak.seed} {mount.path} {number}")
        self.may_hold = {f"NAME_{number}_{i}": {None} for i in range(NAMES)}
        self.counts = {}
        self.failure = None

    def run(self):
        actions = [(self.write, 6), (self.delete, 1), (self.list, 2), (self.look, 3), (self.refresh, 0.2), (self.read_status, 0.3)]
        try:
            while not self.soak.over.is_set():
                action = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
                error = errno_of(action)
                key = (action.__name__, errno.errorcode.get(error, error))
                self.counts[key] = self.counts.get(key, 0) + 1
        except Exception as why:  # noqa: BLE001 reported at the end
            self.failure = f"{type(why).__name__}: {why}"

    def _change(self, name, value, change):
        """What may be there after a change that was refused, acknowledged, or is not known."""
        before = self.may_hold[name]
        self.may_hold[name] = before | {value}
        try:
            change()
            self.may_hold[name] = {value}
        except OSError as why:
            if why.errno == errno.ENOENT and value is None:
                self.may_hold[name] = {None} if before == {None} else before | {None}
            elif why.errno not in UNKNOWN:
                self.may_hold[name] = before
            raise

    def write(self):
        name = self.random.choice(list(self.may_hold))
        size = self.random.choice([10, 100, 1000, 4000])
        value = f"{self.random.random()} {name} ".encode().ljust(size, b"x")
        try:
            self._change(name, value, lambda: write_file(self.directory / name, value))
        except FileNotFoundError as why:
            raise AssertionError(f"{name} could not be written: no such file, though its store is there") from why

    def delete(self):
        name = self.random.choice(list(self.may_hold))
        self._change(name, None, lambda: os.unlink(self.directory / name))

    def list(self):
        os.listdir(self.directory)

    def look(self):
        name = self.random.choice(list(self.may_hold))
        os.getxattr(self.directory / name, "user.digest")

    def refresh(self):
        self.mount.refresh()

    def read_status(self):
        self.mount.control(self.random.choice(["status", "errors", "metrics"]))


class Gauge:
    """What a daemon uses, as time goes by."""

    def __init__(self, mount):
        self.pid = mount.pid
        self.samples = []

    def read(self):
        with open(f"/proc/{self.pid}/smaps_rollup") as rollup:
            memory = next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Anonymous:"))
        self.samples.append((memory, len(os.listdir(f"/proc/{self.pid}/fd"))))

    def grown(self):
        """What the last third had more than the second: (bytes, descriptors). Usually, not at most: a peak is an answer of megabytes on its way."""
        third = len(self.samples) // 3
        before, after = self.samples[third:2 * third], self.samples[2 * third:]
        return tuple(int(median(sample[which] for sample in after) - median(sample[which] for sample in before)) for which in (0, 1))

    def peak(self):
        return tuple(max(sample[which] for sample in self.samples) for which in (0, 1))


class Soak:
    def __init__(self, work, seconds, seed):
        self.seconds, self.seed = seconds, seed
        self.random = random.Random(seed)
        self.work = work
        self.over = threading.Event()
        self.sandbox = Sandbox(state=work / "state.sqlite").start()
        (work / "certificates").mkdir()
        self.nginx = ChangingNginx(work / "nginx", self.sandbox.port, Certificates(work / "certificates")).start()
        self._lift_quotas()
        self.sandbox.seed("prod", 300)
        for service in ("cloudflare", "github"):
            self.sandbox.seed("prod", 0, service=service)
        self.mounts, self.workers = {}, []

    def _lift_quotas(self):
        self.sandbox.variant(cloudflare__quota_secrets=10000, stripe__per_scope=10000)

    def start(self):
        for name, service in SERVICES.items():
            work = self.work / name
            work.mkdir()
            target = service("nginx", self.sandbox, self.nginx.url, self.nginx.cacert)
            mount = Mount(work, target, options="timeout=5,ttl=2,negative_ttl=1").start()
            self.mounts[name] = (mount, target.store)
            self.workers += [Worker(self, mount, target.store, number) for number in range(WORKERS)]
        for worker in self.workers:
            worker.start()

    def faults(self):
        """One thing goes wrong."""
        self.sandbox.clear()  # the call log, which would grow
        kind = self.random.random()
        if kind < 0.92:
            self.sandbox.fault(f"{self.random.choice(FAULTS)},times={self.random.randint(1, 10)}")
        elif kind < 0.95:
            drop = Drop(self.nginx.port)
            drop.begin()
            time.sleep(self.random.uniform(0.2, 2))
            drop.end()
        elif kind < 0.98:
            self.nginx.start(http2=self.random.random() < 0.7, requests=self.random.choice([1, 10, 1000000]))
        else:
            self.sandbox.stop()
            time.sleep(self.random.uniform(0.1, 1))
            self.sandbox.start()
            self._lift_quotas()
        if self.random.random() < 0.3:
            self.sandbox.clear_faults()

    def run(self, progress=lambda line: None):
        gauges = {kind: Gauge(mount) for kind, (mount, _) in self.mounts.items()}
        end, last_left, measured = time.monotonic() + self.seconds, 0, 0
        while (left := end - time.monotonic()) > 0 and not any(worker.failure for worker in self.workers):
            self.faults()
            if measured - left > 1 or not measured:
                for gauge in gauges.values():
                    gauge.read()
                measured = left
            if last_left - left > 30 or not last_left:
                last_left = left
                progress(f"{left:6.0f} s left: " + ", ".join(
                    f"{kind} {gauge.samples[-1][0] >> 10} KiB {gauge.samples[-1][1]} fds" for kind, gauge in gauges.items()))
            time.sleep(self.random.uniform(0, 0.4))
        self.over.set()
        self.nginx.start()
        self.sandbox.clear_faults()
        for worker in self.workers:
            worker.join(60)
        return gauges

    def missing(self):
        """Every name that holds what it can't, in words."""
        wrong = [f"{worker.directory}: {worker.failure or 'it hangs'}" for worker in self.workers if worker.failure or worker.is_alive()]
        for kind, (mount, store) in self.mounts.items():
            if mount.process.poll() is not None:
                wrong.append(f"{kind}: the daemon ended with status {mount.process.returncode}:\n{mount.log()[-2000:]}")
        for worker in self.workers:
            kind = worker.directory.parent.parent.name
            for name, may_hold in worker.may_hold.items():
                holds = self.sandbox.value(worker.directory.name, name, service=kind)
                if holds not in may_hold:
                    wrong.append(f"{kind} {name} holds {holds and holds[:40]}, where it may hold {[v and v[:40] for v in may_hold]}")
        return wrong

    def counts(self):
        total = {}
        for worker in self.workers:
            for key, count in worker.counts.items():
                total[key] = total.get(key, 0) + count
        return total

    def stop(self):
        """The daemons' exit statuses and sanitizers' reports, those that are not as they should be."""
        wrong = []
        for kind, (mount, _) in self.mounts.items():
            try:
                mount.finish()
            except AssertionError as why:
                wrong.append(f"{kind}: {why}")
        self.nginx.stop()
        self.sandbox.stop()
        return wrong


def soak(work, seconds, seed, progress):
    """Runs one, and returns what was wrong, in words."""
    one = Soak(work, seconds, seed)
    try:
        one.start()
        gauges = one.run(progress)
        wrong = one.missing()
        for (what, error), count in sorted(one.counts().items(), key=str):
            progress(f"{what:12} {error or 'done':14} {count:8}")
        for kind, gauge in gauges.items():
            memory, descriptors = gauge.grown()
            progress(f"{kind}: {gauge.samples[0][0] >> 10} KiB at first, {gauge.samples[-1][0] >> 10} KiB and {gauge.samples[-1][1]} descriptors at last,"
                     f" {gauge.peak()[0] >> 10} KiB and {gauge.peak()[1]} at most;"
                     f" last third {memory >> 10:+} KiB and {descriptors:+} descriptors against the second")
            # A shorter one is over before the memory that everything needs once has been needed once.
            if seconds >= MEASURED_FROM and memory > GROWTH:
                wrong.append(f"{kind}: memory has grown by {memory} bytes in the last third")
            if seconds >= MEASURED_FROM and descriptors > DESCRIPTORS:
                wrong.append(f"{kind}: {descriptors} descriptors more in the last third")
            if gauge.samples[-1][0] > 96 << 20 or gauge.samples[-1][1] > 150:
                wrong.append(f"{kind}: {gauge.samples[-1]} bytes and descriptors at the end")
    finally:
        ends = one.stop()
    return wrong + ends


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    enter_own_mounts()
    enter_own_network()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        wrong = soak(Path(work), options.minutes * 60, options.seed, lambda line: print(line, flush=True))
    print("\n".join(wrong) or "nothing was lost, nothing has grown")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
