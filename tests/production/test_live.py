"""contrib/live: what it asks of a service, what it leaves there, what it shows, and that its examples are the sandbox's answers."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from daemon import PROGRAM
from services import SERVICES, GitHub
from waiting import PROGRAM_TIMEOUT, wait_until

TOP = Path(__file__).resolve().parents[2]
LIVE = TOP / "contrib/live"
TARGETS = {**SERVICES, "github": GitHub}
PREFIX = "LIVE_TEST"

# What a switch of the sandbox changes: all of a service at once, and the questions whose answers have to differ.
SWITCHED = {
    "fastly": ({"unauthorized": 403, "error_body": "legacy", "patch_missing": 400, "unknown_store_name": 404, "smallest_page": 0,
                "order": "reverse", "store_spelling": "small", "client_key_reuse": "no", "key_member": "client_key", "empty_value": "accept", "name_length": 100,
                "rate_limit": 1000}, {"rate_limit": "rate_headers"}),
    "cloudflare": ({"unauthorized": 403, "malformed_token": 401, "no_route": 400, "conflict_status": 400, "quota_slug": "quota_exceeded",
                    "default_page": 50, "page_cap": 50, "result_info": "absent", "no_comment": "null", "duplicate_comment": "keep",
                    "store_spelling": "small", "deleted_rows": 1.0, "deleted_status": "active", "delete_status": 200, "multi_create": "partial", "periods": "accept",
                    "nul": "refuse"}, {}),
    "stripe": ({"full_status": 403, "full_code": "resource_limit_exceeded", "replace_expiry": "keep", "replace_id": "new",
                "replace_created": "new", "order": "oldest", "length": "bytes", "past_expiry": "accept", "nul": "refuse",
                "delete_body": "short"}, {}),
    "github": ({"rights": "read", "etags": "no"}, {}),
}
# Limits and failures that would have to be provoked.
NOT_ASKED = {"fastly.quota_status", "stripe.replay_500", "github.quota_status", "github.limit_status", "github.retry_after"}


@pytest.fixture(params=TARGETS)
def service(request, sandbox):
    sandbox.variant(cloudflare__quota_stores=2)
    return TARGETS[request.param]("direct", sandbox).make_store()


def words(service, tmp_path, *more):
    token = tmp_path / "token"
    token.write_text(service.token)
    token.chmod(0o600)
    own = {"cloudflare": ["--account", service.sandbox.account], "github": ["--repository", "octo/app"]}.get(service.name, [])
    options = {"fastly": f"signing_key={service.sandbox.signing_key}", "github": "pace=none"}.get(service.name, "")
    return [LIVE / service.name, "--endpoint", service.url, "--token-file", token, "--program", PROGRAM, "--mount-options", options, *own, *more]


def record(service, tmp_path, *more):
    output = tmp_path / f"{service.name}.json"
    done = subprocess.run(words(service, tmp_path, "--output", output, *more), capture_output=True, text=True, timeout=PROGRAM_TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def compare(first, second):
    return subprocess.run([LIVE / "compare", first, second], capture_output=True, text=True)


def differing(text):
    """The variants of the questions that differ."""
    return {variant for line in re.findall(r"^(\w+\.\w+(?:, \w+\.\w+)*): .*:$", text, re.MULTILINE) for variant in line.split(", ")}


def state(sandbox):
    """What services hold, without what passes."""
    return {name: value for name, value in sandbox.summary().items() if name in TARGETS}


def test_the_example_is_what_the_sandbox_says(service, tmp_path):
    compared = compare(record(service, tmp_path, "--write", PREFIX), LIVE / f"examples/{service.name}.json")
    assert compared.returncode == 0, compared.stdout
    assert "only in" not in compared.stdout


def test_a_service_that_answers_otherwise_is_seen(service, tmp_path):
    choices, names = SWITCHED[service.name]
    service.variant(**choices)
    write = [] if choices.get("rights") == "read" else ["--write", PREFIX]
    compared = compare(record(service, tmp_path, *write), LIVE / f"examples/{service.name}.json")
    assert compared.returncode == 1
    assert {f"{service.name}.{names.get(name, name)}" for name in choices} - differing(compared.stdout) == set(), compared.stdout


def test_it_only_reads_unless_it_is_told_to_write(service, sandbox, tmp_path):
    sandbox.put(service.store, "KEPT", b"val", service=service.name)
    sandbox.clear()
    transcript = json.loads(record(service, tmp_path).read_text())
    assert {call["method"] for call in sandbox.calls()} == {"GET"}
    assert "mount, writing" not in transcript
    assert transcript["mount, reading"]["write"] == "EROFS" and transcript["mount, reading"]["list a store"] == "ok"


def test_it_leaves_nothing_behind_when_it_is_interrupted(service, sandbox, tmp_path):
    service.put(service.store, "KEPT", b"val")
    before = state(sandbox)
    operation = f"{service.name}.{service.creates}"
    sandbox.fault(operation=operation, hold="after", after=1)
    process = subprocess.Popen(words(service, tmp_path, "--output", tmp_path / "none", "--write", PREFIX), stderr=subprocess.PIPE)
    sandbox.wait_for_call(operation, state="held")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PROGRAM_TIMEOUT)
    assert process.returncode != 0 and not (tmp_path / "none").exists()
    sandbox.clear_faults()
    wait_until(lambda: state(sandbox) == before)


def test_it_does_not_begin_where_something_has_its_prefix(sandbox, tmp_path):
    service = TARGETS["stripe"]("direct", sandbox)
    service.put("account", f"{PREFIX}_MINE", b"val")
    done = subprocess.run(words(service, tmp_path, "--write", PREFIX), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0 and "take another NAME-PREFIX" in done.stderr
    assert service.value("account", f"{PREFIX}_MINE") == b"val"


def test_it_leaves_nothing_behind_and_shows_no_token_name_id_or_value(service, sandbox, tmp_path):
    service.put(service.store, "PRIVATE_NAME", b"private value")
    before = state(sandbox)
    text = record(service, tmp_path, "--write", PREFIX).read_text()
    assert state(sandbox) == before and service.value(service.store, "PRIVATE_NAME") == b"private value"
    for hidden in (service.token, sandbox.account, "octo", "PRIVATE_NAME", "private value", PREFIX, PREFIX.lower(), "one\\u0000", '"another"'):
        assert hidden not in text, hidden
    ids = set(re.findall(r"\b(?:[0-9a-f]{32}|appsecret_\w+|(?=\w*\d)[0-9A-Za-z]{22})\b", text))
    assert ids == set()


def test_the_token_goes_over_https_alone(sandbox, tmp_path):
    service = TARGETS["fastly"]("direct", sandbox, "http://api.example.com")
    done = subprocess.run(words(service, tmp_path), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0 and "by https" in done.stderr


def test_every_open_question_is_asked():
    facts = set(re.findall(r"`((?:fastly|cloudflare|stripe|github)\.[a-z_0-9]+)`", (TOP / "doc/apis.md").read_text()))
    examples = [json.loads(path.read_text())["questions"] for path in sorted((LIVE / "examples").iterdir())]
    entries = {variant: entry for found in examples for variants, entry in found.items() for variant in variants.split(", ")}
    assert facts <= set(entries)
    assert {variant for variant, entry in entries.items() if "answer" not in entry} == NOT_ASKED


def test_transcripts_of_two_services_are_not_compared():
    done = compare(LIVE / "examples/fastly.json", LIVE / "examples/stripe.json")
    assert done.returncode != 0 and "is of fastly" in done.stderr and os.access(LIVE / "compare", os.X_OK)
