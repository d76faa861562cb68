"""The fixtures of all tests that mount, TLS in a network of our own, and at the end the table of what was seen."""

import pytest

import fixtures
from fixtures import direct, direct_mount, make_mount, pytest_runtest_makereport, running_sandbox, sandbox  # noqa: F401
from network import enter_own_network
from report import TableRecorder, shown
from services import Fastly
from tls import Certificates, ChangingNginx


def pytest_configure(config):
    fixtures.pytest_configure(config)
    enter_own_network()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def nginx(running_sandbox, certificates, tmp_path):
    nginx = ChangingNginx(tmp_path / "nginx", running_sandbox.port, certificates)
    yield nginx.start()
    nginx.stop()


@pytest.fixture
def tls(sandbox, nginx, certificates):
    """Fastly by TLS and HTTP/2, at an address that is not a loopback one."""
    return Fastly("tls", sandbox, nginx.url, certificates.ca)


@pytest.fixture
def table(record_property, sandbox):
    return TableRecorder(record_property, sandbox)


def pytest_terminal_summary(terminalreporter):
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    lines = [value for report in reports for name, value in getattr(report, "user_properties", []) if name == "row"]
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line(shown(lines))
