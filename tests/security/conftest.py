"""Fixtures: those of tests/integration, all three services behind TLS, and a system log of our own."""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

INTEGRATION = Path(__file__).resolve().parents[1] / "integration"
sys.path[:0] = [str(INTEGRATION), str(Path(__file__).parent)]

# By its path: this file has the same name.
_specification = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
_integration = sys.modules["integration_conftest"] = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_integration)
from integration_conftest import (Service, direct, direct_mount, front, make_mount, mount,  # noqa: E402, F401
                                  pytest_configure, pytest_runtest_makereport, running_sandbox, sandbox, service)
from fake_dev import Devices  # noqa: E402
from services import Cloudflare, Stripe  # noqa: E402
from private_mount import PrivateMount  # noqa: E402


class Fastly(Service):
    name = "fastly"
    source = "fastly:"
    store = "prod"
    writing = "put_secret"

    def value(self, store, name):
        return self.sandbox.value(store, name)

    def fault(self, operation, **words):
        return self.sandbox.fault({"operation": f"{self.name}.{operation}", **words})


class SecretsOfCloudflare(Cloudflare):
    store = "prod"
    writing = "create_secrets"


class SecretsOfStripe(Stripe):
    store = "account"
    writing = "set_secret"


SERVICES = {"fastly": Fastly, "cloudflare": SecretsOfCloudflare, "stripe": SecretsOfStripe}


@pytest.fixture(params=SERVICES)
def each_service(request, sandbox, front):
    """The three services, behind TLS and HTTP/2 as they are in life; each with an empty store."""
    service = SERVICES[request.param]("nginx", sandbox, front.url, front.cacert)
    if service.name == "cloudflare":
        service.seed("prod", 0)
    return service


@pytest.fixture(scope="session")
def devices():
    """Devices that everybody may open, and what daemons in the background say."""
    devices = Devices()
    yield devices
    devices.close()


@pytest.fixture
def place():
    """A directory that every user can reach: other than tmp_path, whose parents each run of pytest closes to others."""
    place = Path(tempfile.mkdtemp(prefix="sstorefs-place-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def private_mount(direct, tmp_path):
    """A place that every user can reach."""
    private_mount = PrivateMount(direct)
    yield private_mount
    private_mount.finish(tmp_path)
