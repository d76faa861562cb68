"""A running sandbox for every test, as new each time."""

import pytest

import client
import raw_http


@pytest.fixture(scope="session")
def sandbox_class():
    """The class, for tests that need a sandbox of their own."""
    return client.Sandbox


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
    client = raw_http.Fastly(sandbox.port)
    yield client
    client.close()


@pytest.fixture
def cloudflare(sandbox):
    client = raw_http.Cloudflare(sandbox.port, sandbox.account)
    yield client
    client.close()


@pytest.fixture
def github(sandbox):
    client = raw_http.GitHub(sandbox.port)
    yield client
    client.close()


@pytest.fixture
def stripe(sandbox):
    client = raw_http.Stripe(sandbox.port)
    yield client
    client.close()
