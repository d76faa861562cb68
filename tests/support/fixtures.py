"""
The fixtures of the tests that mount: one sandbox and one nginx a session, emptied before each test, and a real mount for each test that asks. The conftest.py
of a folder imports those that it needs.
"""

import pytest

from client import Sandbox
from daemon import PROGRAM, Mount, enter_own_mounts
from services import SERVICES, Cloudflare, Fastly
from tls import Nginx


@pytest.fixture(scope="session")
def running_sandbox():
    with Sandbox() as sandbox:
        yield sandbox
        assert sandbox.summary()["expanded"] == 0, "something asked Stripe to send a value back"


@pytest.fixture(scope="session")
def front(running_sandbox, tmp_path_factory):
    """nginx in front of the sandbox."""
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), running_sandbox.port)
    try:
        yield nginx.start()
    finally:
        nginx.stop()


@pytest.fixture
def sandbox(running_sandbox):
    """Empty but for one store, `prod`; no call has been made yet."""
    running_sandbox.reset()
    running_sandbox.seed("prod", 0)
    running_sandbox.clear()
    yield running_sandbox
    running_sandbox.clear_faults()


@pytest.fixture
def direct(sandbox):
    """Fastly by plain HTTP/1.1, with no server between."""
    return Fastly("direct", sandbox)


@pytest.fixture(params=["direct", "nginx"])
def service(request, sandbox):
    """Fastly, directly and then through nginx: for what the way could change."""
    if request.param == "direct":
        return Fastly("direct", sandbox)
    front = request.getfixturevalue("front")
    return Fastly("nginx", sandbox, front.url, front.cacert)


def _option(request):
    marker = request.node.get_closest_marker("mount_options")
    return marker.args[0] if marker else ""


@pytest.fixture
def make_mount(request, sandbox, tmp_path):
    """make_mount(service, source=service.source, options="", VARIABLE=…): started, and ended with the test."""
    made = request.node.mounts = []

    def make(service, start=True, **settings):
        work = tmp_path / f"mount{len(made)}"
        work.mkdir()
        mount = Mount(work, service, **settings)
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
    """Of the whole account of Fastly, both ways."""
    return make_mount(service, options=_option(request))


@pytest.fixture
def direct_mount(request, make_mount, direct):
    """Of the whole account of Fastly, without nginx: for what is the same both ways."""
    return make_mount(direct, options=_option(request))


@pytest.fixture
def cloudflare(sandbox):
    """With an empty store."""
    return Cloudflare("direct", sandbox).make_store()


@pytest.fixture
def watched(cloudflare):
    """Every request and response has to be as the schema has it."""
    with cloudflare.watched():
        yield


@pytest.fixture
def cloudflare_mount(request, make_mount, cloudflare):
    made = make_mount(cloudflare, options=_option(request))
    cloudflare.sandbox.clear()
    return made


class Place:
    """One store of one service, mounted: what is the same on all of them is tested on all of them."""

    def __init__(self, service, mount):
        self.service, self.mount, self.store = service, mount, service.store
        self.name = service.name
        self.takes_any_bytes = self.name == "fastly"

    def __truediv__(self, name):
        return self.mount / self.store / name

    def put(self, name, value):
        self.service.put(self.store, name, value)

    def value(self, name):
        return self.service.value(self.store, name)

    def uploads(self):
        return self.service.sandbox.uploads()

    def errors(self):
        """The lines of .sstorefs/errors, newest first: time, operation, path, errno, HTTP status, request id, message."""
        return [line.split("\t") for line in self.mount.control("errors").splitlines()]


@pytest.fixture(params=SERVICES)
def place(request, make_mount, sandbox):
    """Each service, one after the other."""
    service = SERVICES[request.param]("direct", sandbox).make_store()
    mount = make_mount(service, options=_option(request))
    if service.name != "fastly":
        sandbox.clear()
    return Place(service, mount)


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
