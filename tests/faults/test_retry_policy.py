"""The daemon never hammers: a service that is down is left alone, a token that is refused is not tried again and again, and many retries don't come at once."""

import errno
import os
import time

import pytest

from client import Sandbox
from programs import errno_of, write_file, write_until_stored
from services import Fastly
from waiting import wait_until

PUT = "operation=fastly.put_secret"


@pytest.mark.mount_options("timeout=1")
@pytest.mark.parametrize("fault,expected", [("hang=forever", errno.ETIMEDOUT), ("status=503", errno.EIO)])
def test_a_service_that_is_down_is_reported_at_open_without_a_call(direct_mount, sandbox, fault, expected):
    """For three seconds; and a success ends it."""
    name = direct_mount / "prod/NAME"
    write_file(name, b"old")
    sandbox.put("prod", "OTHER", b"other")
    os.stat(direct_mount / "prod/OTHER")
    sandbox.fault(f"service=fastly,{fault}")
    assert errno_of(write_file, name, b"val") == expected
    end = time.monotonic() + 1.5
    sandbox.clear()
    refused = 0
    while time.monotonic() < end:
        assert errno_of(os.open, direct_mount / "prod/OTHER", os.O_WRONLY) == expected
        refused += 1
    assert refused > 5
    assert sandbox.calls(operation="fastly.put_secret") == [] and len(sandbox.calls()) <= 2
    sandbox.clear_faults()
    write_until_stored(direct_mount / "prod/OTHER", b"val")


def test_a_refusal_without_a_new_token_is_final(direct_mount, sandbox):
    """The file is read again, and says the same."""
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.clear()
    sandbox.fault(f"{PUT},status=401,times=1")
    direct_mount.token_file.write_text(f"  {sandbox.token}\n\n")  # written otherwise, and no other
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


@pytest.fixture
def two_tokens():
    """A service that knows a second token."""
    with Sandbox("--token", "another-token") as sandbox:
        sandbox.seed("prod", 0)
        yield Fastly("direct", sandbox, sandbox.url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_new_token_takes_over_in_the_middle_of_a_write(make_mount, two_tokens, status):
    """A refusal, the file read anew, and the same request once more: the writer notices nothing."""
    mount, sandbox = make_mount(two_tokens), two_tokens.sandbox
    write_file(mount / "prod/NAME", b"old")
    sandbox.clear()
    sandbox.fault(f"{PUT},status={status},times=1")
    mount.write_token("another-token")
    write_file(mount / "prod/NAME", b"val")
    assert [call["status"] for call in sandbox.calls(operation="fastly.put_secret")] == [status, 200]
    assert sandbox.value("prod", "NAME") == b"val"


def test_a_new_token_that_is_no_good_is_tried_once(make_mount, two_tokens):
    mount, sandbox = make_mount(two_tokens), two_tokens.sandbox
    write_file(mount / "prod/NAME", b"old")
    sandbox.clear()
    sandbox.fault(f"{PUT},status=401,times=1")
    mount.write_token("a-token-that-is-unknown")
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EACCES
    assert [call["status"] for call in sandbox.calls(operation="fastly.put_secret")] == [401, 401]
    mount.write_token(sandbox.token)
    write_until_stored(mount / "prod/NAME", b"new")
    assert sandbox.value("prod", "NAME") == b"new"


def test_a_refused_token_is_asked_about_seldom(direct_mount, sandbox):
    """A thousand opens are a thousand refusals, and hardly a call."""
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.fault("service=fastly,status=401")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    sandbox.clear()
    for _ in range(1000):
        assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    assert len(sandbox.calls()) <= 3


@pytest.mark.mount_options("timeout=1")
def test_a_refused_token_is_not_mistaken_for_want_of_memory(direct_mount, sandbox):
    """After some seconds an open asks the service about the token first; where that does not answer, the refusal still holds."""
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.fault("service=fastly,status=401")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    sandbox.clear_faults()
    sandbox.fault("service=fastly,hang=forever")
    sandbox.clear()
    errors = set()
    wait_until(lambda: errors.add(errno_of(write_file, direct_mount / "prod/NAME", b"val")) or sandbox.calls())
    assert errors == {errno.EACCES}


@pytest.mark.mount_options("timeout=8")
def test_retries_are_few_and_far_between(direct_mount, sandbox):
    """The pauses grow (the first is 0.1 s on average: 80 would fit), and are drawn, so that many daemons don't come back together."""
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.clear()
    sandbox.fault(f"{PUT},status=503")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EIO
    moments = [call["at"] for call in sandbox.calls(operation="fastly.put_secret")]
    pauses = [after - before for before, after in zip(moments, moments[1:])]
    assert 3 <= len(moments) <= 16
    assert len({round(pause, 2) for pause in pauses}) > len(pauses) // 2, "pauses that are all alike"
