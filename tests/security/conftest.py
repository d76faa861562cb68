"""The fixtures of all tests that mount, all services behind TLS, and a system log of our own."""

import shutil
import tempfile
from pathlib import Path

import pytest

from fake_dev import Devices
from fixtures import (direct, direct_mount, front, make_mount, mount, pytest_configure,  # noqa: F401
                      pytest_runtest_makereport, running_sandbox, sandbox, service)
from private_mount import PrivateMount
from services import SERVICES


@pytest.fixture(params=SERVICES)
def each_service(request, sandbox, front):  # noqa: F811
    """The services, behind TLS and HTTP/2 like the real ones; each with an empty store."""
    return SERVICES[request.param]("nginx", sandbox, front.url, front.cacert).make_store()


@pytest.fixture(scope="session", autouse=True)
def full_cores():
    """What the kernel begins with, and processes inherit: so that what has empty cores has emptied them itself."""
    Path("/proc/self/coredump_filter").write_text("0x33")


@pytest.fixture(scope="session")
def devices():
    """Devices that every user may open, and the log of daemons in the background."""
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
def private_mount(direct, tmp_path):  # noqa: F811
    """A place that every user can reach."""
    private_mount = PrivateMount(direct)
    yield private_mount
    private_mount.finish(tmp_path)
