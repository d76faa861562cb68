"""How long metadata counts as fresh, what refreshes it, and what is shown while the service is down (doc/semantics.md, chapter 6)."""

import errno
import os
import signal
import time

import pytest

from programs import errno_of, shell, together, write_file
from services import SERVICES, Fastly, Stripe
from waiting import wait_until
from client import Sandbox


@pytest.fixture
def lone(tmp_path):
    """A sandbox of its own, that may be stopped and started again."""
    with Sandbox(state=tmp_path / "state.sqlite") as sandbox:
        sandbox.seed("prod", 0)
        yield sandbox


TIMEOUT = 30  # what `timeout` is by default, in seconds


def state(path):
    return os.getxattr(path, "user.sstorefs.state").decode()


# Time-to-live


def test_within_the_ttl_nothing_is_asked(make_mount, direct, sandbox):
    sandbox.seed("prod", 10)
    mount = make_mount(direct, options="ttl=30")
    os.listdir(mount / "prod")
    sandbox.clear()
    sandbox.put("prod", "THEIRS", b"x")
    end = time.monotonic() + 2.5  # longer than the kernel itself caches anything
    while time.monotonic() < end:
        assert len(os.listdir(mount / "prod")) == 10
        os.stat(mount / "prod/SECRET_0000003")
        assert errno_of(os.stat, mount / "prod/THEIRS") == errno.ENOENT
        time.sleep(0.1)
    assert sandbox.calls() == []


def test_after_the_ttl_the_old_answer_comes_at_once_and_one_refresh_follows(make_mount, direct, sandbox):
    sandbox.seed("prod", 300)
    mount = make_mount(direct, source="fastly:prod", options="ttl=1,entry_timeout=0,attr_timeout=0")
    assert len(os.listdir(mount.path)) == 300
    sandbox.put("prod", "THEIRS", b"x")
    time.sleep(1.1)
    sandbox.clear()
    sandbox.fault(operation="fastly.list_secrets", hold="before")
    for _ in range(5):
        assert len(os.listdir(mount.path)) == 300
        os.stat(mount / "SECRET_0000001")
        assert state(mount / "SECRET_0000001") == "stored"
    assert [call["operation"] for call in sandbox.calls()] == ["fastly.list_secrets"]
    sandbox.release()
    sandbox.wait_for_calls(2, operation="fastly.list_secrets", state="answered")
    wait_until(lambda: "THEIRS" in os.listdir(mount.path))
    assert len(sandbox.calls()) == 2


def test_indefinite_never_asks_again(make_mount, direct, sandbox):
    sandbox.seed("prod", 10)
    mount = make_mount(direct, options="indefinite,negative_ttl=0")
    os.listdir(mount / "prod")
    sandbox.clear()
    time.sleep(1.5)
    assert errno_of(os.stat, mount / "prod/ABSENT") == errno.ENOENT
    assert len(os.listdir(mount / "prod")) == 10
    assert sandbox.calls() == []
    # But for what was written here, and what is asked for.
    write_file(mount / "prod/OURS", b"x")
    assert len(os.listdir(mount / "prod")) == 11
    mount.refresh()
    sandbox.put("prod", "THEIRS", b"x")
    assert len(os.listdir(mount / "prod")) == 12


def test_minimal_never_gives_what_is_older_than_a_second(make_mount, direct, sandbox):
    sandbox.seed("prod", 10)
    mount = make_mount(direct, options="minimal")
    for number in range(3):
        sandbox.put("prod", f"THEIRS_{number}", b"x")
        time.sleep(1.1)
        assert f"THEIRS_{number}" in os.listdir(mount / "prod")
        sandbox.delete("prod", f"THEIRS_{number}")
        time.sleep(2.1)  # ours, and then the kernel's
        assert errno_of(os.stat, mount / f"prod/THEIRS_{number}") == errno.ENOENT


def test_minimal_asks_for_single_names_where_that_is_less(make_mount, direct, sandbox):
    sandbox.seed("prod", 1000)
    mount = make_mount(direct, options="minimal")
    os.stat(mount / "prod/SECRET_0000001")
    sandbox.clear()
    time.sleep(2.1)
    os.stat(mount / "prod/SECRET_0000001")
    assert sandbox.calls(operation="fastly.list_secrets") == []
    assert len(sandbox.calls(operation="fastly.get_secret")) == 1


def test_an_absent_name_is_asked_for_again_after_its_own_time(make_mount, direct, sandbox):
    mount = make_mount(direct, options="negative_ttl=1")
    assert errno_of(os.stat, mount / "prod/NAME") == errno.ENOENT
    sandbox.put("prod", "NAME", b"theirs")
    assert errno_of(os.stat, mount / "prod/NAME") == errno.ENOENT
    assert len(sandbox.calls(operation="fastly.get_secret")) == 1
    wait_until(lambda: os.path.exists(mount / "prod/NAME"))


def test_the_kernel_keeps_nothing_for_longer_than_a_second(make_mount, direct, sandbox):
    sandbox.put("prod", "NAME", b"val")
    mount = make_mount(direct, options="indefinite")
    os.stat(mount / "prod/NAME")
    sandbox.delete("prod", "NAME")
    mount.refresh()
    wait_until(lambda: not os.path.exists(mount / "prod/NAME"), 1.5)


def test_the_pace_of_walks_is_bound_to_what_a_walk_costs(make_mount, direct, sandbox):
    sandbox.seed("prod", 600)
    sandbox.fault(operation="fastly.list_secrets", latency=0.1)
    mount = make_mount(direct, source="fastly:prod", options="ttl=0,entry_timeout=0,attr_timeout=0")
    stats = 0

    def two_walks_are_done():
        nonlocal stats
        stats += 1
        os.listdir(mount.path)
        os.stat(mount / "SECRET_0000001")
        return len(sandbox.calls(operation="fastly.list_secrets")) >= 2 * 3

    wait_until(two_walks_are_done)
    begun = [call["at"] for call in sandbox.calls(operation="fastly.list_secrets")][::3]
    # A walk takes 0.3 s at least: for ten times as long no other begins.
    assert begun[1] - begun[0] >= 3
    assert len(sandbox.calls(operation="fastly.get_secret")) < stats / 2


# Refreshing


@pytest.mark.parametrize("how", ["refresh", "SIGHUP"])
def test_what_is_asked_for_after_a_refresh_comes_from_the_service(direct_mount, sandbox, how):
    sandbox.seed("prod", 300)
    assert len(os.listdir(direct_mount / "prod")) == 300
    sandbox.put("prod", "THEIRS", b"x")
    sandbox.clear()
    if how == "refresh":
        direct_mount.refresh()
    else:
        direct_mount.signal(signal.SIGHUP)
        wait_until(lambda: "THEIRS" in os.listdir(direct_mount / "prod"))
    assert len(os.listdir(direct_mount / "prod")) == 301
    # The stores, and the two pages; nothing is asked of its own accord.
    assert sorted(call["operation"] for call in sandbox.calls()) == ["fastly.list_secrets"] * 2 + ["fastly.list_stores"]
    sandbox.clear()
    direct_mount.refresh()
    time.sleep(0.3)
    assert sandbox.calls() == []


def test_a_refresh_during_a_walk_is_not_answered_by_that_walk(direct_mount, sandbox):
    sandbox.seed("prod", 400)
    sandbox.fault(operation="fastly.list_secrets", hold="after", after=1, times=1)
    with os.scandir(direct_mount / "prod") as entries:
        assert sum(1 for _ in zip(range(200), entries)) == 200
    sandbox.wait_for_call("fastly.list_secrets", state="held")
    # Both pages are of before this.
    sandbox.delete("prod", "SECRET_0000000")
    sandbox.put("prod", "THEIRS", b"x")
    direct_mount.refresh()
    views = [lambda: set(os.listdir(direct_mount / "prod"))] * 3
    sandbox.release()
    for names in together(*views):
        assert "THEIRS" in names and "SECRET_0000000" not in names and len(names) == 400
    assert len(sandbox.calls(operation="fastly.list_secrets")) == 4


def test_names_during_a_walk_that_is_too_old(direct_mount, sandbox):
    sandbox.seed("prod", 400)
    sandbox.fault(operation="fastly.list_secrets", hold="after", after=1, times=1)
    with os.scandir(direct_mount / "prod") as entries:
        assert sum(1 for _ in zip(range(200), entries)) == 200
    sandbox.wait_for_call("fastly.list_secrets", state="held")
    sandbox.delete("prod", "SECRET_0000000")
    direct_mount.refresh()
    time.sleep(1.1)  # what the kernel has cached before
    assert errno_of(os.stat, direct_mount / "prod/SECRET_0000000") == errno.ENOENT
    os.stat(direct_mount / "prod/SECRET_0000001")
    sandbox.release()


# The service is down


def test_while_the_service_is_down_everything_known_is_there_and_marked(make_mount, lone):
    lone.seed("prod", 500)
    mount = make_mount(Fastly("lone", lone, lone.url), options="ttl=1")
    names = sorted(os.listdir(mount / "prod"))
    digest = os.getxattr(mount / "prod" / names[7], "user.digest")
    lone.stop()
    time.sleep(1.2)
    wait_until(lambda: errno_of(os.stat, mount / "prod" / names[7]) == 0 and state(mount / "prod" / names[7]) == "stale")
    begun = time.monotonic()
    assert sorted(os.listdir(mount / "prod")) == names
    for name in names:
        os.stat(mount / "prod" / name)
        assert state(mount / "prod" / name) == "stale"
    assert os.getxattr(mount / "prod" / names[7], "user.digest") == digest
    assert "user.sstorefs.state" in os.listxattr(mount / "prod" / names[7])
    assert errno_of(os.stat, mount / "prod/ABSENT") == errno.ENOENT
    assert time.monotonic() - begun < TIMEOUT  # not even once was the budget waited for
    assert '"stale": true' in mount.control("status")
    # As soon as it is back all is as it was.
    lone.start()
    lone.put("prod", "THEIRS", b"x")
    wait_until(lambda: "THEIRS" in os.listdir(mount / "prod"))
    wait_until(lambda: state(mount / "prod" / names[7]) == "stored")


def test_it_is_marked_at_the_first_failed_attempt(make_mount, direct, sandbox):
    """Not when the budget of half a minute is used up."""
    sandbox.seed("prod", 3)
    mount = make_mount(direct, source="fastly:prod", options="ttl=1")
    os.listdir(mount.path)
    sandbox.fault(status=503)
    time.sleep(1.2)
    begun = time.monotonic()
    wait_until(lambda: state(mount / "SECRET_0000001") == "stale")
    assert time.monotonic() - begun < TIMEOUT


def test_new_names_fail_fast_while_the_service_is_down(make_mount, lone):
    lone.seed("prod", 10)
    mount = make_mount(Fastly("lone", lone, lone.url), options="")
    os.stat(mount / "prod/SECRET_0000001")
    lone.stop()
    begun = time.monotonic()
    assert errno_of(os.stat, mount / "prod/SECRET_0000002") == errno.EHOSTUNREACH
    assert errno_of(os.listdir, mount / "prod") == errno.EHOSTUNREACH
    assert time.monotonic() - begun < TIMEOUT
    os.stat(mount / "prod/SECRET_0000001")
    assert "EHOSTUNREACH" in mount.control("errors")
    lone.start()
    wait_until(lambda: errno_of(os.stat, mount / "prod/SECRET_0000002") == 0)
    assert len(os.listdir(mount / "prod")) == 10


@pytest.mark.parametrize("options", ["", "minimal"])
def test_what_is_known_is_given_soon_even_after_a_refresh(make_mount, lone, options):
    lone.seed("prod", 10)
    mount = make_mount(Fastly("lone", lone, lone.url), options=options)
    os.listdir(mount / "prod")
    lone.stop()
    time.sleep(1.1)
    mount.refresh()
    begun = time.monotonic()
    os.stat(mount / "prod/SECRET_0000001")
    assert len(os.listdir(mount / "prod")) == 10
    assert errno_of(os.stat, mount / "prod/ABSENT") == errno.ENOENT
    assert time.monotonic() - begun < TIMEOUT
    assert state(mount / "prod/SECRET_0000001") == "stale"


def test_a_service_that_hangs_does_not_delay_what_is_cached(make_mount, direct, sandbox):
    sandbox.seed("prod", 500)
    mount = make_mount(direct, options="ttl=1")
    names = os.listdir(mount / "prod")
    sandbox.fault(hang="forever")
    time.sleep(1.2)
    begun = time.monotonic()
    assert os.listdir(mount / "prod") == names
    for name in names:
        os.stat(mount / "prod" / name)
    assert time.monotonic() - begun < TIMEOUT


def test_one_bad_response_is_asked_for_again_unnoticed(make_mount, direct, sandbox):
    sandbox.seed("prod", 500)
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.list_secrets", status=503, times=1)
    sandbox.fault(operation="fastly.list_secrets", body="truncated", after=1, times=1)
    assert len(os.listdir(mount / "prod")) == 500
    assert mount.control("errors") == ""


@pytest.mark.mount_options("ttl=1,entry_timeout=60")
def test_a_write_to_a_name_that_the_kernel_alone_still_knows_creates(direct_mount, sandbox):
    """While it caches a deleted name the kernel opens the old file instead of creating one."""
    name = direct_mount / "prod/NAME"

    def vanish():
        os.stat(name)
        sandbox.delete("prod", "NAME")
        wait_until(lambda: os.listdir(name.parent) == [], 60)

    sandbox.put("prod", "NAME", b"theirs")
    for turn in range(2):
        vanish()
        write_file(name, b"ours %d" % turn)
        assert sandbox.value("prod", "NAME") == b"ours %d" % turn
    vanish()
    assert errno_of(os.open, name, os.O_WRONLY) == errno.ENOENT


def test_a_store_that_another_client_deleted(make_mount, direct, sandbox):
    sandbox.seed("prod", 10)
    sandbox.seed("gone", 10)
    mount = make_mount(direct, options="ttl=1")
    assert len(os.listdir(mount / "gone")) == 10
    sandbox.delete("gone")
    wait_until(lambda: sorted(os.listdir(mount.path)) == ["prod"])
    wait_until(lambda: errno_of(os.listdir, mount / "gone") == errno.ENOENT)
    wait_until(lambda: errno_of(os.stat, mount / "gone/SECRET_0000001") == errno.ENOENT)
    assert len(os.listdir(mount / "prod")) == 10


def test_a_store_that_was_made_anew_is_another_one(make_mount, direct, sandbox):
    sandbox.put("new", "OLD", b"x")
    mount = make_mount(direct, options="ttl=1")
    with os.scandir(mount / "new") as held:
        assert [entry.name for entry in held] == ["OLD"]
        sandbox.delete("new")
        sandbox.put("new", "YOUNG", b"x")
        # Meanwhile it may well be found to be gone.
        wait_until(lambda: errno_of(os.stat, mount / "new/YOUNG") == 0 and os.listdir(mount / "new") == ["YOUNG"])
        wait_until(lambda: errno_of(os.stat, mount / "new/OLD") == errno.ENOENT)
    write_file(mount / "new/OURS", b"val")
    assert sandbox.value("new", "OURS") == b"val"


# What expires


def test_what_expires_vanishes_by_itself(make_mount, sandbox):
    stripe = Stripe("direct", sandbox, sandbox.url)
    stripe.put("account", "SHORT", b"x", expires_at=int(time.time()) + 4)
    stripe.put("account", "LONG", b"x", expires_at=int(time.time()) + 3600)
    mount = make_mount(stripe, source="stripe:", options="indefinite")
    assert sorted(os.listdir(mount / "account")) == ["LONG", "SHORT"]
    os.stat(mount / "account/SHORT")
    sandbox.clear()
    wait_until(lambda: os.listdir(mount / "account") == ["LONG"], 6)
    wait_until(lambda: errno_of(os.stat, mount / "account/SHORT") == errno.ENOENT, 0.5)  # the kernel counts in ticks
    assert errno_of(os.getxattr, mount / "account/SHORT", "user.digest") == errno.ENOENT
    # Nor does it stand in the way of a new one.
    assert shell("set -C; echo val > SHORT", cwd=mount / "account").returncode == 0
    assert stripe.calls("list_secrets") == []


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_there_between_two_listings_alone_is_gone(make_mount, sandbox, service):
    """It was seen by its name; the listing has not changed since."""
    served = SERVICES[service]("direct", sandbox).make_store()
    served.put(served.store, "KEPT", b"val")
    mount = make_mount(served)
    directory = mount / served.store
    assert os.listdir(directory) == ["KEPT"]
    served.put(served.store, "BRIEF", b"val")
    mount.refresh()
    os.stat(directory / "BRIEF")
    served.delete(served.store, "BRIEF")
    mount.refresh()
    assert os.listdir(directory) == ["KEPT"]
