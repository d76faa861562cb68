"""Responses that differ from the sandbox's usual ones and are correct: users see no difference."""

import errno
import os
import threading
import time

import pytest

from daemon import run_program
from programs import errno_of, write_file
from services import Cloudflare, GitHub, Stripe

NEW = os.O_CREAT | os.O_EXCL


@pytest.fixture
def cloudflare(sandbox):
    sandbox.variant(cloudflare__quota_stores=3)
    service = Cloudflare("direct", sandbox, sandbox.url)
    service.seed("prod", 0)
    return service


@pytest.fixture
def stripe(sandbox):
    return Stripe("direct", sandbox, sandbox.url)


@pytest.fixture
def github(sandbox):
    return GitHub("direct", sandbox).make_store()


def attribute(path, name):
    return os.getxattr(path, f"user.{name}").decode()


def looks_new(path):
    """True if all is known of it, as of what was written a moment ago."""
    assert abs(os.stat(path).st_mtime - time.time()) < 60
    assert attribute(path, "created_at").startswith("20") and attribute(path, "digest")
    return True


# Numbers and times


@pytest.mark.parametrize("body", ["wide", "points", "local_times"])
def test_fastlys_numbers_and_times_may_be_spelled_otherwise(make_mount, direct, sandbox, body):
    sandbox.fault(service="fastly", body=body)
    mount = make_mount(direct)
    write_file(mount / "prod/NAME", b"val", NEW)
    assert sandbox.value("prod", "NAME") == b"val"
    assert looks_new(mount / "prod/NAME")
    mount.refresh()
    assert os.listdir(mount / "prod") == ["NAME"] and looks_new(mount / "prod/NAME")


@pytest.mark.parametrize("body", ["wide", "points", "local_times"])
def test_cloudflares_numbers_and_times_may_be_spelled_otherwise(make_mount, cloudflare, body):
    cloudflare.sandbox.fault(service="cloudflare", body=body)
    mount = make_mount(cloudflare, source=cloudflare.source)
    write_file(mount / "prod/NAME", b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert looks_new(mount / "prod/NAME")
    mount.refresh()
    cloudflare.sandbox.clear()
    assert os.listdir(mount / "prod") == ["NAME"] and looks_new(mount / "prod/NAME")
    assert len(cloudflare.calls("list_secrets")) == 1
    inodes = os.statvfs(mount.path)
    assert (inodes.f_files, inodes.f_ffree) == (100, 99)


@pytest.mark.parametrize("body", ["wide", "points"])
def test_stripes_numbers_may_be_spelled_otherwise(make_mount, stripe, body):
    stripe.sandbox.fault(service="stripe", body=body)
    mount = make_mount(stripe, source="stripe:account", options="expires=1h")
    write_file(mount / "NAME", b"val")
    mount.refresh()
    assert os.listdir(mount.path) == ["NAME"] and looks_new(mount / "NAME")
    assert attribute(mount / "NAME", "expires_at").startswith("20")


@pytest.mark.parametrize("body", ["wide", "points", "local_times"])
def test_githubs_numbers_and_times_may_be_spelled_otherwise(make_mount, github, body):
    github.sandbox.fault(service="github", body=body)
    mount = make_mount(github)
    write_file(mount / "prod/NAME", b"val", NEW)
    assert github.value("prod", "NAME") == b"val" and looks_new(mount / "prod/NAME")
    mount.refresh()
    assert os.listdir(mount / "prod") == ["NAME"] and looks_new(mount / "prod/NAME")
    write_file(make_mount(github, source="github:octo-org", options="repositories=web") / "actions/NAME", b"val")
    assert github.value("orgs/octo-org/actions", "NAME") == b"val"


# Changes that are granted without a word


@pytest.mark.parametrize("kind", ["fastly", "cloudflare", "stripe", "github"])
def test_a_change_may_be_answered_with_no_content(request, make_mount, direct, kind):
    service = direct if kind == "fastly" else request.getfixturevalue(kind)
    sandbox, store = direct.sandbox, "account" if kind == "stripe" else "prod"
    for method in ("PUT", "POST", "PATCH"):
        sandbox.fault(service=kind, method=method, name="NAME", status=204, when="after")
    mount = make_mount(service, source="fastly:" if kind == "fastly" else service.source)
    path = mount / store / "NAME"
    os.listdir(path.parent)
    write_file(path, b"val", NEW)
    assert looks_new(path)
    sandbox.clear()
    write_file(path, b"again")
    assert sandbox.value(store, "NAME", service=kind) == b"again"
    assert len([call for call in sandbox.calls(name="NAME") if call["method"] != "GET"]) == 1
    mount.refresh()
    assert looks_new(path)
    path.unlink()
    assert not path.exists()


@pytest.mark.parametrize("body", ["no_result", "null_result", "object_result"])
def test_cloudflare_may_leave_the_result_out(make_mount, cloudflare, body):
    """The schema has it optional (doc/apis.md, Cloudflare 2)."""
    for method in ("POST", "PATCH", "DELETE"):
        cloudflare.sandbox.fault(service="cloudflare", method=method, body=body)
    mount = make_mount(cloudflare, source=cloudflare.source)
    mount.path.joinpath("new").mkdir()
    path = mount / "new/NAME"
    write_file(path, b"val", NEW)
    assert looks_new(path)
    cloudflare.sandbox.clear()
    write_file(path, b"again")
    assert cloudflare.names() == ["patch_secret"]
    path.rename(mount / "new/MOVED")
    assert looks_new(mount / "new/MOVED") and not path.exists()
    os.link(mount / "new/MOVED", path)
    assert looks_new(path)
    assert cloudflare.value("new", "NAME") == cloudflare.value("new", "MOVED") == b"again"


@pytest.mark.parametrize("body", ["no_result", "null_result"])
def test_cloudflares_empty_lists_may_be_left_out(make_mount, cloudflare, body):
    cloudflare.sandbox.fault(service="cloudflare", operation="cloudflare.list_secrets", body=body)
    mount = make_mount(cloudflare, source=cloudflare.source)
    assert os.listdir(mount / "prod") == []
    assert errno_of(os.stat, mount / "prod/NAME") == errno.ENOENT


# Pages, keys and budgets


def test_cloudflares_pages_may_be_smaller_than_asked_for(make_mount, cloudflare):
    cloudflare.variant(page_cap=20)
    cloudflare.seed("prod", 50)
    mount = make_mount(cloudflare, source=cloudflare.source)
    cloudflare.sandbox.clear()
    assert len(os.listdir(mount / "prod")) == 50
    assert cloudflare.names() == ["list_secrets"] * 3


def test_client_keys_may_be_good_for_one_value_each(direct_mount, sandbox):
    sandbox.variant(fastly__client_key_reuse="no")
    failed = []

    def write(number):
        failed.append(errno_of(write_file, direct_mount / f"prod/NAME{number}", b"val"))

    for number in range(3):
        write(number)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3, 15)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == [0] * 15
    assert len(sandbox.uploads()) == 15


def test_what_was_sealed_under_such_a_key_can_not_be_renamed(direct_mount, sandbox):
    sandbox.variant(fastly__client_key_reuse="no")
    write_file(direct_mount / "prod/NAME", b"val")
    assert errno_of(os.rename, direct_mount / "prod/NAME", direct_mount / "prod/OTHER") == errno.EOPNOTSUPP
    assert sandbox.value("prod", "NAME") == b"val" and os.listdir(direct_mount / "prod") == ["NAME"]


def test_a_value_that_is_refused_is_sent_once_more_under_a_key_of_its_own(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.clear()
    sandbox.fault(operation="fastly.put_secret", status=400, detail="invalid secret")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"no") == errno.EINVAL
    assert [call["operation"] for call in sandbox.calls()] == [
        "fastly.put_secret", "fastly.create_client_key", "fastly.put_secret"]


def test_fastlys_budget_is_for_changes_in_whichever_response_it_comes(direct_mount, sandbox):
    end = int(time.time()) + 3600
    sandbox.fault(service="fastly", method="GET",
                  header=["Fastly-RateLimit-Remaining:0", f"Fastly-RateLimit-Reset:{end}"])
    sandbox.put("prod", "NAME", b"val")
    direct_mount.refresh()
    assert os.listdir(direct_mount / "prod") == ["NAME"]
    direct_mount.refresh()
    assert os.stat(direct_mount / "prod/NAME")
    write_file(direct_mount / "prod/NAME", b"again")


def test_an_rmdir_that_was_lost_is_refused_for_what_is_there(make_mount, cloudflare):
    cloudflare.put("prod", "NAME", b"val")
    mount = make_mount(cloudflare, source=cloudflare.source)
    cloudflare.fault("delete_store", reset="before", times=1)
    assert errno_of(os.rmdir, mount / "prod") == errno.ENOTEMPTY
    assert cloudflare.names()[-2:] == ["delete_store"] * 2


def test_an_account_may_have_another_kind_of_id(make_mount, cloudflare):
    """It is for the service to say that there is no such account."""
    mount = make_mount(cloudflare, start=False, source="cloudflare:Team-1")
    done = run_program(mount.arguments(), mount.work)
    assert done.returncode == 32 and "no account id" not in done.stderr
    mount.source = "cloudflare:no account"
    done = run_program(mount.arguments(), mount.work)
    assert done.returncode == 1 and "no account id" in done.stderr
