"""
A fleet on one token: daemons that are started at once and write together, against the services' own limits. All finish, no daemon is locked out, and reads leave
writes their share (doc/semantics.md, chapter 1; doc/apis.md, Fastly 5, Cloudflare 5, Stripe 4).
"""

import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Sandbox
from daemon import environment, wait_until_mounted
from programs import errno_of, write_file
from services import SERVICES

FLEET = 20
EACH = 8  # writes of each daemon


@pytest.fixture
def limited():
    """The services as they are with their limits on."""
    with Sandbox("--limits") as sandbox:
        sandbox.seed("prod", 0)
        sandbox.seed("prod", 0, service="cloudflare")
        sandbox.variant(cloudflare__quota_secrets=1000, stripe__per_scope=1000)
        sandbox.clear()
        yield sandbox


def launch(mount):
    """As Mount.start, without waiting."""
    mount.path.mkdir()
    with open(mount.log_path, "ab") as log:
        mount.process = subprocess.Popen(mount.arguments("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env=environment(mount.work), cwd=mount.work)
    mount.pid = mount.process.pid


class Fleet:
    def __init__(self, make_mount, sandbox, kind, options="timeout=60"):
        self.sandbox = sandbox
        service = SERVICES[kind]("direct", sandbox)
        self.store, self.writes = service.store, f"{kind}.{service.replaces}"
        self.kind = kind
        self.mounts = [make_mount(service, start=False, options=options) for _ in range(FLEET)]
        self.errors = []
        self.reads = self.refused_reads = 0
        self.over = threading.Event()

    def start(self):
        """All at once."""
        for mount in self.mounts:
            launch(mount)
        for mount in self.mounts:
            wait_until_mounted(mount.path, mount.process, timeout=60)
        return self

    def _write(self, number, mount):
        for turn in range(EACH):
            error = errno_of(write_file, mount / f"{self.store}/NAME{number}_{turn}", b"value %d %d" % (number, turn))
            self.errors += [os.strerror(error)] if error else []

    def _read(self, mount):
        """As greedy as a script that watches a directory can be."""
        while not self.over.is_set():
            errno_of(mount.refresh)
            error = errno_of(os.listdir, mount / self.store)
            self.reads += not error
            self.refused_reads += error != 0
            time.sleep(0.05)

    def run(self, reads=False, after=0):
        """All daemons write, and with `reads` all list without end at the same time, from `after` calls before. Returns the seconds it took."""
        writers = [threading.Thread(target=self._write, args=each) for each in enumerate(self.mounts)]
        readers = [threading.Thread(target=self._read, args=(mount,)) for mount in self.mounts if reads]
        for reader in readers:
            reader.start()
        self.sandbox.wait_for_calls(after, timeout=60, service=self.kind)
        began = time.monotonic()
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        seconds = time.monotonic() - began
        self.over.set()
        for reader in readers:
            reader.join()
        return seconds

    def end(self):
        """All at once, too."""
        with ThreadPoolExecutor(FLEET) as pool:
            assert set(pool.map(lambda mount: mount.unmount(), self.mounts)) == {0}

    def check(self):
        assert self.errors == []
        for number in range(FLEET):
            for turn in range(EACH):
                held = self.sandbox.value(self.store, f"NAME{number}_{turn}", service=self.kind)
                assert held == b"value %d %d" % (number, turn)

    def refusals(self):
        return [call for call in self.sandbox.calls(service=self.kind) if call["status"] == 429]


def test_fastly(make_mount, limited, record_property):
    """1000 calls that change something an hour, which is what the fleet has."""
    fleet = Fleet(make_mount, limited, "fastly").start()
    seconds = fleet.run(reads=True)
    fleet.check()
    assert fleet.refusals() == []
    assert len(limited.calls(operation="fastly.put_secret")) == FLEET * EACH
    assert len(limited.calls(operation="fastly.create_client_key")) <= FLEET
    fleet.end()
    record_property("row", (f"fleet of {FLEET}, fastly", "success", FLEET * EACH, f"{seconds:.1f}", f"{fleet.reads} listings beside it"))


@pytest.mark.timeout(240)
def test_cloudflare(make_mount, limited, record_property):
    """One call too many locks all clients out for long. All daemons list as fast as they can: what is left near the limit is kept for writes."""
    limited.variant(cloudflare__rate_window=8)
    fleet = Fleet(make_mount, limited, "cloudflare").start()
    seconds = fleet.run(reads=True, after=900)
    fleet.check()
    assert fleet.refusals() == [], "a daemon was locked out"
    fleet.end()
    record_property("row", (f"fleet of {FLEET}, cloudflare", "success", len(limited.calls(service="cloudflare")), f"{seconds:.1f}",
                            f"{fleet.reads} listings beside it"))


@pytest.mark.timeout(240)
def test_stripe(make_mount, limited, record_property):
    """25 calls a second, and a 429 for each one more: asked again, but not hammered."""
    fleet = Fleet(make_mount, limited, "stripe").start()
    seconds = fleet.run()
    fleet.check()
    calls = limited.calls(service="stripe")
    accepted = [call for call in calls if call["status"] == 200]
    assert len(calls) <= 4 * len(accepted)
    fleet.end()
    record_property("row", (f"fleet of {FLEET}, stripe", "success", len(calls), f"{seconds:.1f}",
                            f"{len(fleet.refusals())} times 429"))
