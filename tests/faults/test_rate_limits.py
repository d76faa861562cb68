"""
A service that refuses calls for their number (429) until a known moment: no change is sent before it, whichever process asks; reads that are not metered go on, and every refused process learns when (doc/semantics.md, chapter 6).
"""

import errno
import json
import os
import re
import subprocess
import threading
import time

import pytest

from daemon import environment, wait_until_mounted
from programs import errno_of, start, write_file
from services import SERVICES
from waiting import wait_until

PUT = "operation=fastly.put_secret"
MOMENT = re.compile(r"until (20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ)")


def changes(sandbox):
    return [call for call in sandbox.calls() if call["method"] != "GET"]


def ways_to_change(store):
    """What asks for a change, each in its way."""
    return {
        "replace": lambda: write_file(store / "NAME", b"new"),
        "create": lambda: write_file(store / "NEW", b"new"),
        "unlink": lambda: os.unlink(store / "GONE"),
        "rename": lambda: os.rename(store / "OTHER", store / "ANOTHER"),
        "mkdir": lambda: os.mkdir(store.parent / "store"),
    }


@pytest.mark.mount_options("timeout=2,ttl=1")
def test_after_a_429_no_change_is_sent_before_the_reset_and_reads_go_on(direct_mount, sandbox):
    store = direct_mount / "prod"
    write_file(store / "NAME", b"old")
    write_file(store / "OTHER", b"old")
    write_file(store / "GONE", b"old")
    sandbox.fault(f"{PUT},status=429,rate_reset=3600,times=1")
    assert errno_of(write_file, store / "NAME", b"val") == errno.EAGAIN
    sandbox.clear()
    sandbox.put("prod", "BY_ANOTHER_CLIENT", b"val")
    for what, change in ways_to_change(store).items():
        assert errno_of(change) == errno.EAGAIN, what
        direct_mount.refresh()
        assert "BY_ANOTHER_CLIENT" in os.listdir(store), "reads are not metered"
    assert errno_of(os.open, store / "NAME", os.O_WRONLY) == errno.EAGAIN, "it is reported already at open"
    assert changes(sandbox) == [] and {call["status"] for call in sandbox.calls()} == {200}
    moments = set(MOMENT.findall(direct_mount.control("errors")))
    status = json.loads(direct_mount.control("status"))
    assert len(moments) <= 2, "the moment is the same, to a second"
    assert status["changes_refused_until"][:16] in {moment[:16] for moment in moments} and status["reachable"] and status["down"] is None
    assert 3500 < time.mktime(time.strptime(max(moments), "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime()) < 3610


@pytest.mark.mount_options("timeout=30")
def test_all_waiting_processes_learn_until_when_and_nothing_is_sent_before(direct_mount, sandbox):
    store = direct_mount / "prod"
    for number in range(8):
        write_file(store / f"NAME{number}", b"old")
    sandbox.fault(f"{PUT},status=429,rate_reset=4,times=1")
    sandbox.clear()
    first = start("sh", "-c", 'echo val | dd of="$0" status=none', store / "NAME0")
    sandbox.wait_for_calls(1, operation="fastly.put_secret")
    refused_at = time.monotonic()
    wait_until(lambda: "budget is used up until" in direct_mount.control("errors"), lambda: direct_mount.control("errors"))
    others = [start("sh", "-c", 'echo val | dd of="$0" status=none', store / f"NAME{number}") for number in range(1, 8)]
    wait_until(lambda: json.loads(direct_mount.control("status"))["uploads_in_flight"] == 8, lambda: direct_mount.control("status"))
    assert json.loads(direct_mount.control("status"))["changes_refused_until"]
    assert len(changes(sandbox)) == 1, "the one that was refused"
    assert [writer.wait(60) for writer in (first, *others)] == [0] * 8
    calls = [call["at"] for call in changes(sandbox)]
    assert len(calls) == 9 and min(calls[1:]) - calls[0] >= 3, "whole seconds: the reset may be up to one nearer"
    assert time.monotonic() - refused_at >= 3


@pytest.mark.mount_options("timeout=60")
def test_what_waited_for_a_connection_is_not_sent_after_a_429(direct_mount, sandbox):
    """More writes at once than there are connections: those behind have not left when the first are refused."""
    mount = direct_mount
    names = [mount / f"prod/NAME{number}" for number in range(200)]
    write_file(names[0], b"old")
    sandbox.clear()
    sandbox.fault(f"{PUT},hold=before,status=429,rate_reset=3600")
    writers = [threading.Thread(target=errno_of, args=(write_file, name, b"val")) for name in names]
    for writer in writers:
        writer.start()
    wait_until(lambda: json.loads(mount.control("status"))["uploads_in_flight"] == len(names), lambda: mount.control("status"))
    held = len(sandbox.calls(operation="fastly.put_secret", state="held"))
    sandbox.release(held)
    for writer in writers:
        writer.join()
    assert 0 < held <= 128 and len(sandbox.calls(operation="fastly.put_secret")) == held


@pytest.mark.mount_options("timeout=2")
def test_another_token_has_a_limit_of_its_own(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"old")
    sandbox.fault(f"{PUT},status=429,rate_reset=3600,times=1")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EAGAIN
    sandbox.tokens(sandbox.token, "another-token")
    direct_mount.write_token("another-token")
    direct_mount.signal(1)
    wait_until(lambda: "has changed" in direct_mount.log(), direct_mount.log)
    write_file(direct_mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


@pytest.mark.parametrize("kind, spread", [("cloudflare", True), ("fastly", False)])
def test_first_calls_are_spread_after_a_boot(make_mount, sandbox, kind, spread):
    """Within two seconds, where they count against the rate limit: daemons that begin together ten seconds after a boot do not call together. Elsewhere no call waits."""
    service = SERVICES[kind]("direct", sandbox).make_store()
    mounts = [make_mount(service, start=False) for _ in range(8)]
    booted = 10 - int(time.clock_gettime(time.CLOCK_BOOTTIME))
    sandbox.clear()
    ways = []
    for mount in mounts:
        mount.path.mkdir()
        words = ["unshare", "--time", "--boottime", str(booted), "--fork", "--kill-child", *mount.arguments("-f")]
        began = time.monotonic()
        with subprocess.Popen(words, env=environment(mount.work), stderr=subprocess.DEVNULL) as process:
            sandbox.wait_for_calls(len(ways) + 1, operation=f"{kind}.list_stores")
            ways.append(time.monotonic() - began)
            wait_until_mounted(mount.path, process)
            subprocess.run(["umount", mount.path], check=True)
    assert max(ways) - min(ways) > 0.2 or not spread, ways
