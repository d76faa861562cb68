"""Cloudflare Secrets Store: quotas and rate limits, credentials and refusals, listings of many pages (doc/apis.md, Cloudflare)."""

import errno
import os
import subprocess
import time

import pytest

from daemon import PROGRAM, run_program
from programs import errno_of, shell, write_file
from waiting import wait_until

pytestmark = pytest.mark.usefixtures("watched")


@pytest.fixture
def mount(cloudflare_mount):
    return cloudflare_mount


# The quota


def figures(path):
    counts = os.statvfs(path)
    return counts.f_files, counts.f_files - counts.f_ffree


def test_df_shows_quota_and_usage(mount, cloudflare):
    for number in range(7):
        cloudflare.put("prod", f"NAME{number}", b"x")
    done = shell(f"df --output=itotal,iused,iavail {mount.path}")
    assert done.stdout.split()[-3:] == ["100", "7", "93"]
    assert cloudflare.names() == ["get_quota"]
    write_file(mount / "prod/NEW", b"val")
    assert figures(mount.path) == (100, 8)
    write_file(mount / "prod/NEW", b"again")
    assert figures(mount / "prod") == (100, 8)
    os.unlink(mount / "prod/NEW")
    assert figures(mount.path) == (100, 7)
    assert len(cloudflare.calls("get_quota")) == 1
    mount.refresh()
    cloudflare.variant(quota_secrets=50)
    assert figures(mount.path) == (50, 7)


def test_df_goes_on_when_the_quota_may_not_be_seen(mount, cloudflare):
    cloudflare.fault("get_quota", status=403)
    assert figures(mount.path) == (0, 0)


@pytest.mark.parametrize("slug", ["maximum_secrets_exceeded", "secrets_quota_exceeded", "quota_exceeded"])
def test_one_secret_more_than_the_quota_is_edquot_and_reported_at_the_next_open(mount, cloudflare, slug):
    cloudflare.put("prod", "OLD", b"old")
    cloudflare.variant(quota_secrets=1, quota_slug=slug)
    assert errno_of(write_file, mount / "prod/NEW", b"val") == errno.EDQUOT
    assert slug in mount.control("errors")
    assert not (mount / "prod/NEW").exists()
    calls = len(cloudflare.calls())
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NEWER")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()
    assert len(cloudflare.calls()) == calls
    write_file(mount / "prod/OLD", b"new")
    os.unlink(mount / "prod/OLD")
    write_file(mount / "prod/NEW", b"val")


def test_a_quota_that_df_has_shown_to_be_used_up_is_reported_at_open(mount, cloudflare):
    cloudflare.put("prod", "OLD", b"old")
    cloudflare.variant(quota_secrets=1)
    assert figures(mount.path) == (1, 1)
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NEW")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()
    assert cloudflare.calls("create_secrets") == []
    cloudflare.variant(quota_secrets=2)
    mount.refresh()
    write_file(mount / "prod/NEW", b"val")


def test_find_lists_what_was_not_changed_for_ninety_days(mount, cloudflare):
    now = time.time()
    cloudflare.put("prod", "OLD", b"x", created=now - 200 * 86400, modified=now - 100 * 86400)
    cloudflare.put("prod", "ROTATED", b"x", created=now - 200 * 86400, modified=now - 10 * 86400)
    cloudflare.put("prod", "NEW", b"x")
    done = shell("find . -type f -mtime +90", cwd=mount.path)
    assert (done.stdout.split(), done.stderr) == (["./prod/OLD"], "")


# Credentials, and what else is answered


def test_an_address_and_a_key(make_mount, cloudflare):
    mount = make_mount(cloudflare, start=False, source=cloudflare.source, CLOUDFLARE_API_KEY=cloudflare.token,
                       CLOUDFLARE_EMAIL="you@example.com", CLOUDFLARE_API_TOKEN="not-this-one")
    mount.options = cloudflare.options
    mount.start()
    write_file(mount / "prod/NAME", b"val")
    headers = cloudflare.calls("create_secrets")[0]["headers"]
    assert headers["x-auth-email"] == "you@example.com" and headers["x-auth-key"] == "present" and "authorization" not in headers


@pytest.mark.parametrize("variable", ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL"])
def test_token_and_address_from_the_environment(make_mount, cloudflare, variable):
    mount = make_mount(cloudflare, start=False, source=cloudflare.source, CLOUDFLARE_API_TOKEN=cloudflare.token,
                       **{variable: cloudflare.url + "/"})
    mount.options = "timeout=30"
    mount.start()
    write_file(mount / "prod/NAME", b"val")


@pytest.mark.parametrize("source,options", [("cloudflare:", ""), ("cloudflare:x y", ""), ("cloudflare:/prod", ""),
                                            ("cloudflare:ACCOUNT/a/b", ""), ("cloudflare:ACCOUNT", "scopes=a b"),
                                            ("cloudflare:ACCOUNT", "scopes=:"), ("cloudflare:ACCOUNT", "users=usr_a"),
                                            ("cloudflare:ACCOUNT", "expires=1h")])
def test_sources_and_options_that_make_no_sense(cloudflare, tmp_path, source, options):
    (tmp_path / "mnt").mkdir()
    message = ",".join(filter(None, (cloudflare.options, options)))
    source = source.replace("ACCOUNT", cloudflare.sandbox.account)
    done = run_program([PROGRAM, source, tmp_path / "mnt", "-o", message], tmp_path, CLOUDFLARE_API_TOKEN=cloudflare.token)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert cloudflare.calls() == []


def test_a_store_that_is_not_there_can_not_be_mounted(cloudflare, tmp_path):
    (tmp_path / "mnt").mkdir()
    done = run_program([PROGRAM, f"{cloudflare.source}/none", tmp_path / "mnt", "-o", cloudflare.options], tmp_path,
                       CLOUDFLARE_API_TOKEN=cloudflare.token)
    assert done.returncode == 32 and "no such store" in done.stderr and len(done.stderr.splitlines()) == 1


# what goes wrong with a create, what its close says, and what the errors then tell
REFUSALS = [
    ({"status": 401}, errno.EACCES, "10000"),
    ({"status": 403, "detail": "Authentication error", "code": "10000"}, errno.EACCES, "Authentication error"),
    ({"status": 400, "detail": "Authentication failed", "code": "9106"}, errno.EACCES, "9106"),
    ({"status": 400, "detail": "secret_value_too_long"}, errno.EFBIG, "secret_value_too_long"),
    ({"status": 400, "detail": "secret_scope_invalid: x"}, errno.EINVAL, "secret_scope_invalid"),
    ({"status": 404, "detail": "store_not_found"}, errno.ENOENT, "store_not_found"),
    ({"status": 400, "detail": "some_new_slug"}, errno.EINVAL, "some_new_slug"),
    ({"status": 403, "header": "cf-mitigated:challenge", "body": "html"}, errno.EACCES, "firewall"),
    ({"status": 500}, errno.EIO, "EIO"),
    ({"body": "html"}, errno.EIO, "EIO"),
    ({"hang": "forever"}, errno.ETIMEDOUT, "ETIMEDOUT"),
]


@pytest.mark.parametrize("fault,expected,message", REFUSALS, ids=[str(fault) for fault, *_ in REFUSALS])
def test_refusals(make_mount, cloudflare, fault, expected, message):
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    assert os.listdir(mount / "prod") == []
    cloudflare.fault("*", **fault)
    assert errno_of(write_file, mount / "prod/NAME", b"val") == expected
    newest = mount.control("errors").splitlines()[0]
    assert errno.errorcode[expected] in newest and message in newest
    if "status" in fault:
        assert cloudflare.calls()[-1]["request_id"] in newest


def test_success_must_be_explicit(make_mount, cloudflare):
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.fault("patch_secret", body="object")
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EIO


# Listings


@pytest.mark.parametrize("info", ["full", "total_pages", "no_total", "null", "absent"])
@pytest.mark.parametrize("cap", [100, 30])
def test_listings_are_whole_whatever_pages_tell(mount, cloudflare, info, cap):
    cloudflare.seed("prod", 345)
    cloudflare.variant(result_info=info, page_cap=cap)
    assert len(os.listdir(mount / "prod")) == 345
    if (info, cap) == ("full", 100):
        assert len(cloudflare.calls("list_secrets")) == 4


def test_pages_are_fetched_side_by_side(mount, cloudflare):
    cloudflare.seed("prod", 1000)
    cloudflare.fault("list_secrets", hold="before", after=1)
    child = subprocess.Popen(["ls", mount / "prod"], stdout=subprocess.PIPE, text=True)
    cloudflare.sandbox.wait_for_calls(8, operation="cloudflare.list_secrets", state="held")
    cloudflare.sandbox.release()
    assert len(child.communicate(timeout=30)[0].split()) == 1000
    assert len(cloudflare.calls("list_secrets")) == 10


def test_a_stat_of_a_stale_name_asks_for_that_one(make_mount, cloudflare):
    cloudflare.seed("prod", 500)
    mount = make_mount(cloudflare, source=f"{cloudflare.source}/prod", options="ttl=1,attr_timeout=0,entry_timeout=0")
    assert len(os.listdir(mount.path)) == 500
    cloudflare.sandbox.clear()

    def is_asked():
        os.stat(mount / "SECRET_0000007")
        return cloudflare.calls()

    # The time-to-live is what is tested: a second, or ten times what the walk took.
    wait_until(is_asked)
    assert cloudflare.names()[0] == "get_secret"


# Rate limits


def test_the_last_tenth_of_the_budget_is_for_writes(make_mount, cloudflare):
    cloudflare.variant(rate_limit=40, rate_window=300)
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    for _ in range(60):
        mount.refresh()
        os.listdir(mount / "prod")
    assert len(cloudflare.calls()) in (37, 38)
    assert '"rate_limit_remaining": 2' in mount.control("status")
    write_file(mount / "prod/NAME", b"new")
    assert cloudflare.value("prod", "NAME") == b"new"


def test_no_call_runs_into_the_lockout(make_mount, cloudflare):
    cloudflare.variant(rate_limit=20, rate_window=300)
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    results = [errno_of(write_file, mount / "prod/NAME", b"new") for _ in range(25)]
    assert set(results) == {0, errno.EAGAIN}
    assert "the rate-limit budget is used up until 2" in mount.control("errors")
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NAME")
    assert refused.returncode != 0 and "temporarily unavailable" in refused.stderr, "it is reported already at open"
    assert {call["status"] for call in cloudflare.calls()} == {200}


def test_a_lockout_is_waited_for_in_silence(make_mount, cloudflare):
    """Another client has used up what there was."""
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.fault("*", status=429, header="Retry-After:300")
    assert errno_of(write_file, mount / "prod/NAME", b"new") == errno.EAGAIN
    calls = len(cloudflare.calls())
    for _ in range(3):
        assert errno_of(write_file, mount / "prod/NAME", b"new") == errno.EAGAIN
        os.stat(mount / "prod/NAME")
        time.sleep(1.2)  # longer in all than a service counts as down
    assert len(cloudflare.calls()) == calls
