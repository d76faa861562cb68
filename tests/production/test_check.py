"""--check: would it work, and how is it? (sstorefs(1), CHECKING)"""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from daemon import PROGRAM, mounts_at, run_program
from programs import errno_of, write_file
from services import Cloudflare, GitHub, Stripe
from waiting import wait_until

MAN = (Path(__file__).resolve().parents[2] / "man/sstorefs.1.scd").read_text()
GOOD, USAGE, TOKEN, SERVICE, ACCESS, STORE, READ, KEY, WRITE, DAEMON = range(10)


@pytest.fixture
def check(tmp_path, direct):
    """check(source, options…): the exit status, and each step's result and words."""
    token = tmp_path / "token"
    token.write_text(direct.token)
    token.chmod(0o600)

    def run(source="fastly:prod", options=None, token_file=token, more=("--json",)):
        options = direct.options if options is None else options
        arguments = [PROGRAM, "--check", source, "-o", f"token_file={token_file},timeout=60,{options}", *more]
        ended = run_program(arguments, tmp_path)
        assert not list(tmp_path.glob("sanitizer.*"))
        if "--json" not in more:
            return ended
        assert ended.stderr == ""
        found = json.loads(ended.stdout)
        assert found["status"] == ended.returncode and found["good"] == (ended.returncode == 0)
        return ended.returncode, {step["step"]: step["result"] for step in found["steps"]}, found

    run.token = token
    return run


def test_all_is_well(check):
    status, steps, found = check()
    assert status == GOOD
    assert steps == dict.fromkeys(("token", "service", "access", "store", "read", "key", "write"), "good")
    assert found["source"] == "fastly:prod"


def test_it_prints_a_line_for_each_step(check):
    ended = check(more=())
    assert ended.returncode == GOOD and ended.stderr == ""
    assert [line.split()[:2] for line in ended.stdout.splitlines()] == [
        [step, "good"] for step in ("token", "service", "access", "store", "read", "key", "write")]


def test_it_changes_and_mounts_nothing(check, sandbox):
    sandbox.put("prod", "NAME", b"val")
    sandbox.clear()
    assert check()[0] == GOOD
    assert sandbox.uploads() == []
    changed = [call for call in sandbox.calls() if call["method"] not in ("GET",) and call["status"] // 100 == 2]
    assert [call["operation"] for call in changed] == ["fastly.create_client_key"]
    assert sandbox.value("prod", "NAME") == b"val"


def test_two_calls_that_count_against_the_rate_limit(check, sandbox):
    """Fastly counts what is no GET: probes must not eat up what writers need."""
    check()
    assert len([call for call in sandbox.calls() if call["method"] != "GET"]) == 2


@pytest.mark.parametrize("options", ["signing_key=api"])
def test_a_whole_account_with_the_key_that_the_api_names(check, direct, options):
    status, steps, found = check("fastly:", f"endpoint={direct.url},{options}")
    assert status == GOOD and steps["key"] == "good"


def test_an_account_without_stores_is_well(check, sandbox):
    sandbox.reset()
    status, steps, _ = check("fastly:")
    assert status == GOOD and steps["store"] == "skipped" and "write" not in steps


def test_a_token_file_that_others_can_read(check):
    check.token.chmod(0o644)
    status, steps, _ = check()
    assert (status, steps) == (TOKEN, {"token": "failed"})


def test_a_service_that_cannot_be_reached(check):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        status, steps, _ = check(options=f"timeout=1,endpoint=http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (status, steps) == (SERVICE, {"token": "good", "service": "failed"})


def test_a_certificate_that_is_not_trusted(check, front):
    status, steps, found = check(options=f"endpoint={front.url}")
    assert (status, steps["service"]) == (SERVICE, "failed")
    assert "certificate" in found["steps"][-1]["says"]


def test_a_service_that_fails_in_the_middle_is_no_missing_right(check, sandbox):
    sandbox.fault(operation="fastly.list_secrets", status=503)
    status, steps, _ = check(options=f"{check_options(sandbox)},timeout=1")
    assert (status, steps["read"]) == (SERVICE, "failed")


def check_options(sandbox):
    return f"endpoint={sandbox.url},signing_key={sandbox.signing_key}"


def test_a_refused_token(check):
    check.token.write_text("another-token")
    status, steps, found = check()
    assert (status, steps) == (ACCESS, {"token": "good", "service": "good", "access": "failed"})
    assert found["steps"][-1]["http_status"] == 401 and found["steps"][-1]["request_id"]
    assert "another-token" not in json.dumps(found)


def test_a_store_that_does_not_exist(check):
    status, steps, _ = check("fastly:nothere")
    assert (status, steps["store"]) == (STORE, "failed")


def test_a_token_that_may_not_list(check, sandbox):
    sandbox.fault(operation="fastly.list_secrets", status=403)
    status, steps, _ = check()
    assert (status, steps["read"], steps["write"]) == (READ, "failed", "good")


def test_a_token_that_is_revoked_in_the_middle(check, sandbox):
    """That is no missing right to list, though listing is what failed."""
    sandbox.fault(operation="fastly.list_secrets", status=401)
    status, steps, _ = check()
    assert (status, steps["read"]) == (ACCESS, "failed")


def test_a_key_that_another_key_has_signed(check, direct):
    """The production key is built in, and the sandbox signs with its own."""
    status, steps, found = check(options=f"endpoint={direct.url}")
    assert (status, steps["key"]) == (KEY, "failed")
    assert "signature does not verify: the key that is built in is not the one that the service signs with: give that" in json.dumps(found)


def test_a_token_that_may_only_read(check, sandbox):
    sandbox.fault(operation="fastly.delete_secret", status=403)
    status, steps, _ = check()
    assert (status, steps["write"]) == (WRITE, "failed")
    status, steps, _ = check(options=f"{check_options(sandbox)},ro")
    assert (status, steps["write"]) == (GOOD, "skipped")


@pytest.mark.parametrize("arguments", [("--check",), ("--check", "fastly:", "/mnt"), ("fastly:", "/mnt", "--json"),
                                   ("--check", "fastly:", "--alive"), ("fastly:", "/mnt", "--alive")])
def test_wrong_usage(tmp_path, arguments):
    ended = run_program([PROGRAM, *arguments], tmp_path)
    assert ended.returncode == USAGE and ended.stderr.count("\n") == 1 and ended.stdout == ""


@pytest.mark.parametrize("kind", [Cloudflare, Stripe])
def test_the_other_services(check, sandbox, kind):
    service = kind("direct", sandbox, sandbox.url)
    if kind is Cloudflare:
        sandbox.seed("vault", 1, service="cloudflare")
    status, steps, _ = check(service.source, service.options)
    assert status == GOOD and steps["write"] == "good" and "key" not in steps
    service.fault("delete_secret", status=403)
    assert check(service.source, service.options)[0] == WRITE


@pytest.mark.parametrize("source, stores", [("github:octo/app", ["actions", "dependabot", "codespaces", "agents", "prod"]),
                                            ("github:octo/app/prod", ["prod"]),
                                            ("github:octo-org", ["actions", "dependabot", "codespaces", "agents"])])
def test_it_names_the_public_key_of_each_store(check, sandbox, source, stores):
    service = GitHub("direct", sandbox).make_store()
    status, steps, found = check(source, service.options)
    says = next(step["says"] for step in found["steps"] if step["step"] == "key")
    assert status == GOOD and steps["write"] == steps["key"] == "good"
    assert sorted(re.findall(r"(\w+) has \d+", says)) == sorted(stores)
    assert len(set(re.findall(r"\d+", says))) == len(stores) == len(service.calls("get_public_key"))
    assert {call["method"] for call in service.calls()} == {"GET", "DELETE"}


@pytest.mark.parametrize("rights, ends", [("read", WRITE), ("none", ACCESS)])
def test_what_a_token_of_github_may_not_do(check, sandbox, rights, ends):
    service = GitHub("direct", sandbox)
    service.variant(rights=rights)
    status, _, found = check(service.source, service.options)
    assert status == ends and "Resource not accessible" in json.dumps(found)


def test_a_service_that_goes_away_before_it_tells_its_public_key_is_not_taken_for_one_with_a_bad_key(check, sandbox):
    service = GitHub("direct", sandbox).make_store()
    service.fault("get_public_key", status=503)
    status, steps, _ = check(service.source, f"{service.options},timeout=1")
    assert (status, steps["key"]) == (SERVICE, "failed")


# --- of a mount -------------------------------------------------------------------------------------------------------------------


def check_mount(mount, *more, timeout=60):
    ended = run_program([PROGRAM, "--check", mount.path, "-o", f"timeout={timeout}", "--json", *more], mount.work)
    return ended.returncode, {step["step"]: step["result"] for step in json.loads(ended.stdout)["steps"]}


def test_a_mount_that_is_well(direct_mount, sandbox):
    sandbox.clear()
    assert check_mount(direct_mount) == (GOOD, {"daemon": "good", "service": "good", "access": "good"})
    assert sandbox.calls() == []  # probes come every few seconds


def test_a_mount_whose_token_was_revoked(direct_mount, sandbox):
    sandbox.tokens("another-token")
    subprocess.run(["touch", direct_mount / "prod/NEW"], capture_output=True)
    subprocess.run(["ls", direct_mount / "other"], capture_output=True)
    assert check_mount(direct_mount) == (ACCESS, {"daemon": "good", "service": "good", "access": "failed"})
    assert check_mount(direct_mount, "--alive") == (GOOD, {"daemon": "good"}), "to start it anew would not help"


@pytest.mark.mount_options("timeout=1")
@pytest.mark.parametrize("fault", ["status=503", "reset=before"])
def test_an_outage_is_no_reason_to_start_it_anew_and_ends_by_itself(direct_mount, sandbox, fault):
    """Not ready as long as the service fails, however long no request comes; the daemon itself asks, at the latest when SIGHUP comes (unit/recovery.c has the minute)."""
    sandbox.fault(f"service=fastly,{fault}")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") != 0
    wait_until(lambda: json.loads(direct_mount.control("status"))["down"] is None)  # what a service is called for three seconds
    assert check_mount(direct_mount) == (SERVICE, {"daemon": "good", "service": "failed"})
    assert check_mount(direct_mount, "--alive") == (GOOD, {"daemon": "good"})
    sandbox.clear_faults()
    sandbox.clear()
    assert check_mount(direct_mount)[0] == SERVICE and sandbox.calls() == []
    direct_mount.signal(signal.SIGHUP)
    wait_until(lambda: check_mount(direct_mount)[0] == GOOD)
    assert [call["operation"] for call in sandbox.calls()] == ["fastly.list_stores"]


def test_a_token_that_was_replaced_is_found_by_itself(direct_mount, sandbox):
    sandbox.tokens("another-token")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") != 0
    assert check_mount(direct_mount)[0] == ACCESS
    direct_mount.write_token("another-token")
    direct_mount.refresh()
    wait_until(lambda: check_mount(direct_mount)[0] == GOOD)


def test_a_mount_whose_daemon_hangs(direct_mount):
    direct_mount.signal(signal.SIGSTOP)
    try:
        assert check_mount(direct_mount, timeout=0.5) == (DAEMON, {"daemon": "failed"})
        assert check_mount(direct_mount, "--alive", timeout=0.5) == (DAEMON, {"daemon": "failed"})
    finally:
        direct_mount.signal(signal.SIGCONT)


def test_a_mount_whose_daemon_was_killed(direct_mount):
    direct_mount.signal(signal.SIGKILL)
    direct_mount.wait()
    assert check_mount(direct_mount) == (DAEMON, {"daemon": "failed"})
    assert mounts_at(direct_mount.path)


def test_a_directory_that_is_no_mount(tmp_path):
    ended = run_program([PROGRAM, "--check", tmp_path], tmp_path)
    assert ended.returncode == DAEMON and str(tmp_path) in ended.stdout


def test_the_man_page_has_every_exit_status():
    header = (Path(__file__).resolve().parents[2] / "src/main/check/check_report.h").read_text()
    statuses = set(re.findall(r"CHECK_\w+ = (\d+)", header))
    section = MAN.split("\n# EXIT STATUS\n")[1].split("\n# ")[0]
    assert statuses and statuses <= set(re.findall(r"^\*(\d+)\*", section, re.MULTILINE))


# --- what is told beside the steps


@pytest.mark.parametrize("token,mode", [("sk_live_1", "live"), ("rk_test_1", "test"), ("sk_org_live_1", "live"), ("sandbox-token", None)])
def test_the_mode_of_a_stripe_key(check, sandbox, token, mode):
    sandbox.tokens(token)
    check.token.write_text(token)
    _, steps, found = check("stripe:", f"endpoint={sandbox.url},stripe_context=acct_1" if "org" in token else f"endpoint={sandbox.url}")
    assert steps["token"] == "good"
    assert found["steps"][0]["says"].endswith(f", and is a key of {mode} mode" if mode else "can be read")


def test_the_status_tells_the_mode_of_the_key_also_of_a_new_one(make_mount, sandbox):
    sandbox.tokens("sk_test_1", "sk_live_1")
    with Stripe("direct", sandbox, sandbox.url, token="sk_test_1").watched() as stripe:
        mount = make_mount(stripe)

        def mode():
            return json.loads((mount.path / ".sstorefs/status").read_text())["token_mode"]

        assert mode() == "test"
        mount.write_token("sk_live_1")
        mount.process.send_signal(signal.SIGHUP)
        wait_until(lambda: mode() == "live", "the new key")


@pytest.mark.parametrize("scopes,line", [("wrkers", "'wrkers' is no scope that is known: did you mean 'workers'?"),
                                         ("workers:later", "'later' is no scope that is known: workers, ai_gateway, dex, access")])
def test_a_scope_that_is_not_known_is_a_warning(check, make_mount, sandbox, scopes, line):
    with Cloudflare("direct", sandbox, sandbox.url).watched() as cloudflare:
        output = check(cloudflare.source, f"{cloudflare.options},scopes={scopes}", more=()).stdout
        assert f"scopes   warning  scopes=: {line}" in output
        mount = make_mount(cloudflare, options=f"scopes={scopes}")
        wait_until(lambda: line in mount.log())  # it comes after the mount
        assert "is no scope" not in check(cloudflare.source, f"{cloudflare.options},scopes=workers:dex", more=()).stdout
