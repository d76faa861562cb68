"""Fixtures: those of tests/integration, in a network of our own, with fronts that fail; and the table of what was seen."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
sys.path[:0] = [str(INTEGRATION), str(HERE)]

# By its path: this file has the same name.
_specification = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
_integration = sys.modules["integration_conftest"] = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_integration)
from integration_conftest import (Service, direct, direct_mount, make_mount, pytest_runtest_makereport,  # noqa: E402, F401
                                  running_sandbox, sandbox)
from certificates import Certificates  # noqa: E402
from network import enter_own_network  # noqa: E402
from nginx import Nginx  # noqa: E402
from report import Teller, shown  # noqa: E402


def pytest_configure(config):
    _integration.pytest_configure(config)
    enter_own_network()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def nginx(running_sandbox, certificates, tmp_path):
    nginx = Nginx(tmp_path / "nginx", running_sandbox.port, certificates)
    yield nginx.start()
    nginx.stop()


@pytest.fixture
def tls(sandbox, nginx, certificates):
    """TLS and HTTP/2, at an address that is not the machine's own."""
    return Service("tls", sandbox, nginx.url, certificates.ca)


@pytest.fixture
def table(record_property, sandbox):
    return Teller(record_property, sandbox)


def pytest_terminal_summary(terminalreporter):
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    lines = [value for report in reports for name, value in getattr(report, "user_properties", []) if name == "row"]
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line(shown(lines))
