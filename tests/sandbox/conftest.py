"""A running sandbox for every test, as new each time."""

import importlib.util
from pathlib import Path

import pytest
import sandbox_wire

CONTROL = Path(__file__).resolve().parents[2] / "contrib" / "sandbox" / "client.py"


def _control():
    spec = importlib.util.spec_from_file_location("sandbox_control", CONTROL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sandbox_class():
    """The class, for tests that need a sandbox of their own."""
    return _control().Sandbox


@pytest.fixture(scope="session")
def running_sandbox(sandbox_class):
    with sandbox_class() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox):
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def fastly(sandbox):
    client = sandbox_wire.Fastly(sandbox.port)
    yield client
    client.close()


@pytest.fixture
def cloudflare(sandbox):
    client = sandbox_wire.Cloudflare(sandbox.port, sandbox.account)
    yield client
    client.close()


@pytest.fixture
def github(sandbox):
    client = sandbox_wire.GitHub(sandbox.port)
    yield client
    client.close()


@pytest.fixture
def stripe(sandbox):
    client = sandbox_wire.Stripe(sandbox.port)
    yield client
    client.close()
