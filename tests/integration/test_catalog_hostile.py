"""Listings that are broken, or lie: an error or a clean listing, never a crash, an endless walk or a strange name."""

import errno
import os
import time

import pytest

from programs import errno_of, errno_or
from services import Stripe

# The last attempt may be one for which no time was left.
FAILED = (-errno.EIO, -errno.ETIMEDOUT)
CLEAN = {f"SECRET_{number:07}" for number in range(500)}


def alive(mount, sandbox, path):
    """Whatever it was, it is over when the fault is."""
    sandbox.clear_faults()
    assert mount.process.poll() is None
    mount.refresh()
    assert set(os.listdir(path)) == CLEAN


# every page is corrupt: the names there may be at most, and whether an error may be what comes of it
PAGES = [("repeat_cursor", True), ("cursor_number", True), ("cursor_object", True), ("not_list", True), ("null_list", True),
         ("cursor_null", False), ("cursor_empty", False), ("duplicates", False), ("non_object", False), ("nameless", False),
         ("number_name", False), ("idless", False), ("no_time", False), ("bad_time", False), ("empty", None)]


@pytest.mark.parametrize("page,fails", PAGES)
@pytest.mark.parametrize("after", [0, 1])
def test_corrupt_pages_by_cursor(make_mount, direct, sandbox, page, fails, after):
    sandbox.seed("prod", 500)
    mount = make_mount(direct, options="timeout=2")
    sandbox.fault(operation="fastly.list_secrets", page=page, after=after)
    begun = time.monotonic()
    names = errno_or(os.listdir, mount / "prod")
    assert time.monotonic() - begun < 20
    if isinstance(names, int):
        assert fails and names in FAILED
        assert mount.control("errors").count("list\tprod") == 1
    else:
        assert not fails and set(names) <= CLEAN and len(names) == len(set(names))
        whole = page in ("duplicates", "non_object", "idless", "no_time", "bad_time")
        assert set(names) == CLEAN or not whole
    assert len(sandbox.calls(operation="fastly.list_secrets")) < 30
    alive(mount, sandbox, mount / "prod")


def test_an_entry_with_a_slash_is_shown_encoded(make_mount, direct, sandbox):
    sandbox.seed("prod", 500)
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.list_secrets", page="slash_name")
    assert set(os.listdir(mount / "prod")) == CLEAN | {"a%2Fb"}
    os.stat(mount / "prod/a%2Fb")
    alive(mount, sandbox, mount / "prod")


@pytest.mark.parametrize("body", ["truncated", "nonsense", "html", "empty", "nested", "null", "array", "object", "string", "trailing"])
@pytest.mark.parametrize("after", [0, 1])
def test_corrupt_bodies(make_mount, direct, sandbox, body, after):
    sandbox.seed("prod", 500)
    mount = make_mount(direct, options="timeout=2")
    sandbox.fault(operation="fastly.list_secrets", body=body, after=after)
    begun = time.monotonic()
    assert -errno_of(os.listdir, mount / "prod") in FAILED
    assert time.monotonic() - begun < 20
    # Fetched again within the budget, and once it is good users see no difference.
    assert len(sandbox.calls(operation="fastly.list_secrets")) > 1
    alive(mount, sandbox, mount / "prod")


@pytest.mark.parametrize("body", ["truncated", "nonsense", "nested"])
def test_a_bad_body_is_fetched_again(make_mount, direct, sandbox, body):
    sandbox.seed("prod", 500)
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.list_secrets", body=body, after=1, times=2)
    assert set(os.listdir(mount / "prod")) == CLEAN
    assert len(sandbox.calls(operation="fastly.list_secrets")) == 5


@pytest.mark.parametrize("fault", [{"huge": 20_000_000}, {"body": "bomb"}, {"flood": 5000}, {"reset": "middle"}, {"close": "middle"}])
def test_answers_without_measure(make_mount, direct, sandbox, fault):
    sandbox.seed("prod", 500)
    mount = make_mount(direct, options="timeout=2")
    sandbox.fault(operation="fastly.list_secrets", **fault)
    assert -errno_of(os.listdir, mount / "prod") in FAILED
    alive(mount, sandbox, mount / "prod")


@pytest.mark.parametrize("page", ["total_changes", "total_missing", "total_zero", "total_vast", "duplicates", "non_object",
                                  "nameless", "number_name", "idless", "empty", "not_list", "null_list"])
def test_corrupt_numbered_pages(make_mount, cloudflare, page):
    cloudflare.seed("prod", 500)
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.fault("list_secrets", page=page)
    begun = time.monotonic()
    names = errno_or(os.listdir, mount / "prod")
    assert time.monotonic() - begun < 20
    if isinstance(names, int):
        assert page in ("not_list", "null_list") and names in FAILED
    else:
        assert set(names) <= CLEAN and len(names) == len(set(names))
        assert set(names) == CLEAN or page in ("nameless", "number_name", "idless", "empty")
    assert len(cloudflare.calls("list_secrets")) < 60
    alive(mount, cloudflare.sandbox, mount / "prod")


def test_numbered_pages_that_shift_while_they_are_read(make_mount, cloudflare):
    cloudflare.seed("prod", 1000)
    mount = make_mount(cloudflare, source=cloudflare.source)
    cloudflare.fault("list_secrets", hold="before", after=1, times=1)
    with os.scandir(mount / "prod") as entries:
        next(entries)
    cloudflare.sandbox.wait_for_call("cloudflare.list_secrets", state="held")
    for number in range(50):
        cloudflare.delete("prod", f"SECRET_{number:07}")
    cloudflare.sandbox.release()
    assert set(os.listdir(mount / "prod")) >= {f"SECRET_{number:07}" for number in range(50, 1000)}
    names = os.listdir(mount / "prod")
    assert set(names) == {f"SECRET_{number:07}" for number in range(50, 1000)}


@pytest.mark.parametrize("page", ["repeat_cursor", "has_more", "not_list", "nameless"])
def test_corrupt_pages_that_begin_behind_an_entry(make_mount, sandbox, page):
    stripe = Stripe("direct", sandbox, sandbox.url)
    sandbox.variant(stripe__page_cap=2, stripe__per_scope=100)
    for number in range(7):
        stripe.put("account", f"N{number}", b"x")
    mount = make_mount(stripe, source="stripe:", options="timeout=2")
    sandbox.fault(operation="stripe.list_secrets", page=page)
    names = errno_or(os.listdir, mount / "account")
    assert names in FAILED or set(names) <= {f"N{number}" for number in range(7)}
    assert len(stripe.calls("list_secrets")) < 150
    sandbox.clear_faults()
    mount.refresh()
    assert len(os.listdir(mount / "account")) == 7


def test_names_of_every_kind(make_mount, direct, sandbox):
    """What a listing shows is valid, one to one, and is found under exactly that name."""
    raw = ["a/b", "/", "//", ".", "..", "...", "%", "%4", "%41", "%2F", "a%2fb", "%%41", "\x01", "\x7f", "a\nb", "a\tb", "ü", "日本",
           "🔑", " ", "a b", "-rf", "*", "~", ".sstorefs", ".sstorefs2", "%2Esstorefs", "'", '"', "\\", "n" * 255, "n" * 256,
           "/" * 85, "/" * 86, "ü" * 127, "ü" * 128]
    for name in raw:
        sandbox.put("prod", name, b"x")
    mount = make_mount(direct)
    shown = os.listdir(mount / "prod")
    too_long = {"n" * 256, "/" * 86, "ü" * 128}
    assert len(shown) == len(set(shown)) == len(raw) - len(too_long)
    assert all("/" not in name and name not in (".", "..") and len(name.encode()) <= 255 for name in shown)
    assert {"a%2Fb", "%2E", "%2E%2E", "%2541", "%252F", "a%252fb", "%01", "%7F", "a%0Ab", "ü", "%2Esstorefs"} <= set(shown)
    assert f'"left_out": {len(too_long)}' in mount.control("status")
    for name in shown:
        os.stat(mount / "prod" / name)


def test_the_same_name_twice_is_shown_once(make_mount, direct, sandbox):
    sandbox.seed("prod", 500)
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.list_secrets", page="duplicates")
    names = os.listdir(mount / "prod")
    assert len(names) == len(set(names)) == 500


def test_lists_of_stores_that_are_corrupt(make_mount, direct, sandbox):
    sandbox.seed(stores=10)
    mount = make_mount(direct, options="timeout=2")
    before = set(os.listdir(mount.path))
    for fault in ({"page": "repeat_cursor"}, {"page": "not_list"}, {"page": "number_name"}, {"page": "idless"}, {"body": "nested"},
                  {"page": "duplicates"}, {"page": "non_object"}):
        number = sandbox.fault(operation="fastly.list_stores", **fault)
        mount.refresh()
        names = errno_or(os.listdir, mount.path)
        assert names in FAILED or set(names) <= before
        sandbox.clear_faults(number)
        mount.refresh()
        assert set(os.listdir(mount.path)) == before
