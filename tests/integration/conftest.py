"""Fixtures: one sandbox and one nginx a session, emptied before each test; a real mount for each test that asks."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "contrib/sandbox"), str(Path(__file__).parent)]

from client import Sandbox  # noqa: E402
from front import Front  # noqa: E402
from mounting import PROGRAM, Mount, enter_own_mounts  # noqa: E402


class Service:
    """How the sandbox is reached: its address, and what a mount must be told about it."""

    def __init__(self, kind, sandbox, url, cacert=None):
        self.kind = kind
        self.sandbox = sandbox
        self.url = url
        self.cacert = cacert
        self.token = sandbox.token

    @property
    def options(self):
        words = [f"endpoint={self.url}", f"signing_key={self.sandbox.signing_key}"]
        return ",".join(words + ([f"cacert={self.cacert}"] if self.cacert else []))


@pytest.fixture(scope="session")
def running_sandbox():
    with Sandbox() as sandbox:
        yield sandbox
        assert sandbox.summary()["expanded"] == 0, "something asked Stripe to send a value back"


@pytest.fixture(scope="session")
def front(running_sandbox, tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("nginx"), running_sandbox.port)
    try:
        yield front.start()
    finally:
        front.stop()


@pytest.fixture
def sandbox(running_sandbox):
    """Empty but for one store, `prod`; nothing has been called yet."""
    running_sandbox.reset()
    running_sandbox.seed("prod", 0)
    running_sandbox.clear()
    yield running_sandbox
    running_sandbox.clear_faults()


@pytest.fixture
def direct(sandbox):
    """Plain HTTP/1.1, without anything between."""
    return Service("direct", sandbox, sandbox.url)


@pytest.fixture(params=["direct", "nginx"])
def service(request, sandbox):
    """Both ways, one after the other: for what the way could change."""
    if request.param == "direct":
        return Service("direct", sandbox, sandbox.url)
    front = request.getfixturevalue("front")
    return Service("nginx", sandbox, front.url, front.cacert)


def _option(request):
    marker = request.node.get_closest_marker("mount_options")
    return marker.args[0] if marker else ""


@pytest.fixture
def make_mount(request, sandbox, tmp_path):
    """make_mount(service, source="fastly:", options="", VARIABLE=…): started, and ended with the test."""
    made = request.node.mounts = []

    def make(service, start=True, **wishes):
        work = tmp_path / f"mount{len(made)}"
        work.mkdir()
        mount = Mount(work, service, **wishes)
        made.append(mount)
        return mount.start() if start else mount

    yield make
    sandbox.clear_faults()
    failures = []
    for mount in made:
        try:
            mount.finish()
        except AssertionError as why:
            failures.append(str(why))
    assert not failures, "\n".join(failures)


@pytest.fixture
def mount(request, make_mount, service):
    """Of the whole account, both ways."""
    return make_mount(service, options=_option(request))


@pytest.fixture
def direct_mount(request, make_mount, direct):
    """Of the whole account, without nginx: for what is the same both ways."""
    return make_mount(direct, options=_option(request))


@pytest.fixture
def cloudflare(sandbox):
    """With an empty store."""
    from services import Cloudflare

    service = Cloudflare("direct", sandbox, sandbox.url)
    service.seed("prod", 0)
    return service


@pytest.fixture
def watched(cloudflare):
    """Every request and answer must be as the schema has it."""
    with cloudflare.watched():
        yield


@pytest.fixture
def cloudflare_mount(request, make_mount, cloudflare):
    made = make_mount(cloudflare, source=cloudflare.source, options=_option(request))
    cloudflare.sandbox.clear()
    return made


class Place:
    """One store of one service, mounted: what is the same on all of them is tested on all of them."""

    def __init__(self, service, mount, store):
        self.service, self.mount, self.store = service, mount, store
        self.name = getattr(service, "name", "fastly")
        self.takes_any_bytes = self.name == "fastly"

    def __truediv__(self, name):
        return self.mount / self.store / name

    def put(self, name, value):
        self.service.sandbox.put(self.store, name, value, service=self.name)

    def value(self, name):
        return self.service.sandbox.value(self.store, name, service=self.name)

    def uploads(self):
        return self.service.sandbox.uploads()

    def errors(self):
        """The lines of .sstorefs/errors, newest first: time, operation, path, errno, HTTP status, request id, words."""
        return [line.split("\t") for line in self.mount.control("errors").splitlines()]


def _place(request, make_mount, name):
    from services import Cloudflare, Stripe

    sandbox = request.getfixturevalue("sandbox")
    if name == "fastly":
        service = Service("direct", sandbox, sandbox.url)
        return Place(service, make_mount(service, options=_option(request)), "prod")
    service = {"cloudflare": Cloudflare, "stripe": Stripe}[name]("direct", sandbox, sandbox.url)
    store = "prod" if name == "cloudflare" else "account"
    if name == "cloudflare":
        service.seed("prod", 0)
    mount = make_mount(service, source=service.source, options=_option(request))
    sandbox.clear()
    return Place(service, mount, store)


@pytest.fixture(params=["fastly", "cloudflare", "stripe"])
def place(request, make_mount):
    """Each service, one after the other."""
    return _place(request, make_mount, request.param)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the daemon's log and the sandbox's calls."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for mount in getattr(item, "mounts", []):
        report.sections.append((f"daemon's log, {mount.source}", mount.log() or "(empty)"))
    sandbox = getattr(item, "funcargs", {}).get("sandbox")
    if sandbox and sandbox.process and sandbox.process.poll() is None:
        calls = [f"{call['method']} {call['path']} {call['name'] or ''} {call['state']} {call['status']}"
                 f" {call['duration']} {call['fault'] or ''}" for call in sandbox.calls()]
        report.sections.append(("sandbox's calls", "\n".join(calls[-60:]) or "(none)"))


def pytest_configure(config):
    if not PROGRAM.exists():
        raise pytest.UsageError(f"{PROGRAM} is missing: build it, or name the build directory in SSTOREFS_BUILD")
    enter_own_mounts()
