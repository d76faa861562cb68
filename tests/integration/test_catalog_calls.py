"""What listings and lookups cost, in calls (doc/semantics.md, promise 4)."""

import errno
import os

import pytest

from programs import errno_of, shell, together, write_file


def list_calls(sandbox, store=None):
    return sandbox.calls(operation="*.list_secrets", **({"store": store} if store else {}))


@pytest.mark.parametrize("count,calls", [(0, 1), (1, 1), (199, 1), (200, 1), (201, 2), (400, 2), (1001, 6)])
def test_secrets_by_cursor_cost_one_call_a_page(direct_mount, sandbox, count, calls):
    sandbox.seed("prod", count)
    assert len(os.listdir(direct_mount / "prod")) == count
    assert len(list_calls(sandbox)) == calls


@pytest.mark.parametrize("count,calls", [(0, 1), (1, 1), (99, 1), (100, 1), (101, 2), (200, 2), (1001, 11)])
def test_numbered_pages_cost_no_call_more(make_mount, cloudflare, count, calls):
    cloudflare.seed("prod", count)
    mount = make_mount(cloudflare, source=cloudflare.source)
    assert len(os.listdir(mount / "prod")) == count
    assert len(cloudflare.calls("list_secrets")) == calls


@pytest.mark.parametrize("count,calls", [(1, 1), (200, 1), (201, 2)])
def test_stores_cost_one_call_a_page(make_mount, direct, sandbox, count, calls):
    sandbox.seed(stores=count - 1)
    mount = make_mount(direct, options="signing_key=api")
    assert len(os.listdir(mount.path)) == count
    assert len(sandbox.calls(operation="fastly.list_stores")) == calls
    # To look at the directory of stores asks for nothing in them.
    shell("ls -l", cwd=mount.path)
    assert len(sandbox.calls()) == calls


@pytest.mark.parametrize("options", ["signing_key=api", "ro"])
def test_the_mount_itself_costs_one_call(make_mount, direct, sandbox, options):
    make_mount(direct, options=options)
    assert [call["operation"] for call in sandbox.calls()] == ["fastly.list_stores"]


def test_a_signing_key_that_was_given_is_tried_with_the_client_key_of_the_first_write(make_mount, direct, sandbox):
    """Two calls at once before the mount, and one for the write: as many as without."""
    mount = make_mount(direct)
    assert sorted(call["operation"] for call in sandbox.calls()) == ["fastly.create_client_key", "fastly.list_stores"]
    sandbox.clear()
    write_file(mount / "prod/NAME", b"val")
    assert [call["operation"] for call in sandbox.calls()] == ["fastly.put_secret"]


@pytest.mark.parametrize("fault", ["status=403", "status=503", "status=429,rate_reset=3600", "reset=before", "hang=forever", "key=expired"])
def test_a_mount_does_not_wait_for_a_client_key_that_does_not_come(make_mount, direct, sandbox, fault):
    """No more than for the first attempt, half of timeout= where it hangs. A write asks again."""
    sandbox.fault(f"operation=fastly.create_client_key,{fault}")
    mount = make_mount(direct, options="timeout=6" if "hang" in fault else "timeout=600")
    assert mount.log().count("no client key came") == 1
    sandbox.clear_faults()
    if "rate_reset" not in fault and "key=" not in fault:
        write_file(mount / "prod/NAME", b"val")
        assert sandbox.uploads() == [b"val"]


def test_eight_listings_at_once_cost_one_walk(direct_mount, sandbox):
    sandbox.seed("prod", 601)
    sandbox.fault(operation="fastly.list_secrets", latency=0.1)
    views = together(*[lambda: sorted(os.listdir(direct_mount / "prod"))] * 8)
    assert all(view == views[0] and len(view) == 601 for view in views)
    assert len(list_calls(sandbox)) == 4


def test_a_listing_answers_for_everything_in_it(mount, sandbox):
    sandbox.seed("prod", 1001)
    names = os.listdir(mount / "prod")
    assert len(list_calls(sandbox)) == 6
    sandbox.clear()
    digests = {os.getxattr(mount / "prod" / name, "user.digest") for name in names}
    assert len(digests) == 1001
    done = shell("ls -lR . >/dev/null && find . -newermt 2000-01-01 | wc -l && getfattr -d -- * | grep -c created_at && stat -- * >/dev/null",
                 cwd=mount / "prod")
    assert done.stdout.split() == ["1002", "1001"], done
    for number in range(200):
        assert errno_of(os.stat, mount / f"prod/ABSENT{number}") == errno.ENOENT
    assert sandbox.calls() == []


def test_a_name_in_a_store_that_was_never_listed_costs_one_call(mount, sandbox):
    sandbox.seed("prod", 1000)
    os.stat(mount / "prod/SECRET_0000007")
    assert [call["operation"] for call in sandbox.calls()[-1:]] == ["fastly.get_secret"]
    sandbox.clear()
    for _ in range(10):
        os.stat(mount / "prod/SECRET_0000007")
        os.getxattr(mount / "prod/SECRET_0000007", "user.digest")
    assert sandbox.calls() == []


@pytest.mark.parametrize("how", ["one after the other", "at once"])
def test_a_storm_of_absent_names_costs_a_walk_and_a_few_calls(direct_mount, sandbox, how):
    sandbox.seed("prod", 401)
    asks = [lambda number=number: errno_of(os.stat, direct_mount / f"prod/ABSENT{number}") for number in range(100)]
    found = together(*asks) if how == "at once" else [ask() for ask in asks]
    assert found == [errno.ENOENT] * 100
    assert len(list_calls(sandbox)) == 3
    assert len(sandbox.calls(operation="fastly.get_secret")) <= 6


def test_a_storm_on_numbered_pages_costs_a_walk(make_mount, cloudflare):
    cloudflare.seed("prod", 401)
    mount = make_mount(cloudflare, source=cloudflare.source)
    cloudflare.sandbox.clear()
    found = together(*[lambda number=number: errno_of(os.stat, mount / f"prod/ABSENT{number}") for number in range(100)])
    assert found == [errno.ENOENT] * 100
    assert cloudflare.names() == ["list_secrets"] * 5


def test_the_same_name_asked_for_at_once_costs_one_call(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"val")
    sandbox.fault(operation="fastly.get_secret", latency=0.2)
    together(*[lambda: os.stat(direct_mount / "prod/NAME")] * 20)
    together(*[lambda: errno_of(os.stat, direct_mount / "prod/ABSENT")] * 20)
    assert len(sandbox.calls(operation="fastly.get_secret")) == 2


def test_names_that_cannot_be_cost_nothing(direct_mount, sandbox):
    sandbox.clear()
    for name in ("a b", "%41", "a%2Fb", "ü", b"\xff".decode(errors="surrogateescape")):
        assert errno_of(os.stat, direct_mount / "prod" / name) == errno.ENOENT
    assert sandbox.calls() == []


def test_attributes_that_are_none_of_ours_cost_nothing(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"val")
    os.stat(direct_mount / "prod/NAME")
    sandbox.clear()
    for name in ("security.selinux", "security.capability", "system.posix_acl_access", "user.none"):
        assert errno_of(os.getxattr, direct_mount / "prod/NAME", name) == errno.ENODATA
    assert sandbox.calls() == []


def test_the_etags_of_any_service_are_used(place):
    """GitHub sends them (test_github.py); here they are added to whatever the service answers."""
    if place.name == "github":
        place.service.variant(etags="no")
    place.put("NAME", b"val")
    place.service.fault("list_secrets", header='ETag:"one"', times=1)
    place.mount.refresh()
    assert os.listdir(place.mount / place.store) == ["NAME"]
    place.service.fault("list_secrets", status=304)
    place.mount.refresh()
    assert os.listdir(place.mount / place.store) == ["NAME"]
    last = place.service.calls("list_secrets")[-1]
    assert (last["headers"]["if-none-match"], last["status"]) == ('"one"', 304)
