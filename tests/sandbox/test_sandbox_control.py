"""What the sandbox tells tests, and what they can tell it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from raw_http import Fastly


@pytest.fixture
def store(fastly):
    return fastly.store()


def test_the_journal_has_every_call_in_order(sandbox, fastly, store):
    fastly.put(store, "A", b"1", "POST")
    fastly.call("GET", f"/{store}/secrets?limit=200")
    fastly.call("DELETE", f"/{store}/secrets/A")
    fastly.call("GET", "/none/none/none/none")
    calls = sandbox.calls()
    assert [(call["operation"], call["store"], call["name"], call["status"]) for call in calls] == [
        ("fastly.create_store", "prod", None, 201), ("fastly.put_secret", "prod", "A", 200),
        ("fastly.list_secrets", "prod", None, 200), ("fastly.delete_secret", "prod", "A", 204),
        ("fastly.unknown", None, None, 404)]
    assert [call["number"] for call in calls] == sorted(call["number"] for call in calls)
    assert calls[1]["mode"] == "create" and calls[2]["path"].endswith("?limit=200")
    assert all(call["state"] == "answered" and call["duration"] >= 0 for call in calls)


@pytest.mark.parametrize("method, mode", [("POST", "create"), ("PUT", "either"), ("PATCH", "replace")])
def test_a_put_has_its_mode(sandbox, fastly, store, method, mode):
    fastly.put(store, "A", b"1", method)
    assert sandbox.calls(operation="fastly.put_secret")[0]["mode"] == mode


def test_the_journal_has_no_token(sandbox, fastly):
    fastly.call("GET")
    Fastly(sandbox.port, "another-token").call("GET")
    calls = sandbox.calls()
    assert [call["headers"]["fastly-key"] for call in calls] == ["present", "wrong"]
    assert "token" not in str(calls)


def test_the_journal_has_the_request_id_that_was_sent(sandbox, fastly):
    assert fastly.call("GET").headers["Fastly-Trace-Id"] == sandbox.calls()[0]["request_id"]


def test_calls_can_be_chosen(sandbox, fastly, store):
    for name in ("A", "B"):
        fastly.put(store, name, b"1")
    fastly.put(store, "B", b"2", "POST")
    assert len(sandbox.calls(operation="fastly.put_*")) == 3
    assert [call["name"] for call in sandbox.calls(name="A")] == ["A"]
    assert len(sandbox.calls(since=sandbox.calls(name="A")[0]["number"])) == 2
    assert sandbox.calls(state="open") == [] and sandbox.calls(service="stripe") == []


def test_a_wait_ends_as_soon_as_it_happens(sandbox, fastly, store):
    sandbox.fault("hold=before,name=A")
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(sandbox.wait_for_call, "fastly.put_secret")
        writing = pool.submit(fastly.put, store, "A", b"1")
        assert waiting.result(5)["state"] in ("begun", "held")
        sandbox.release()
        assert writing.result(5).status == 200


def test_a_wait_in_vain_reports_what_there_was(sandbox, fastly):
    fastly.call("GET")
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match="fastly.list_stores"):
        sandbox.wait_for_calls(2, timeout=0.2, operation="fastly.list_stores")
    assert 0.2 <= time.monotonic() - begun < 5


def test_an_answered_call_is_in_the_journal_before_its_client_goes_on(sandbox, fastly):
    for number in range(50):
        fastly.call("GET")
        assert len(sandbox.calls(state="answered")) == number + 1


def test_clear_forgets_calls_and_uploads_but_no_secret(sandbox, fastly, store):
    fastly.put(store, "A", b"1")
    sandbox.clear()
    assert sandbox.calls() == [] and sandbox.uploads() == [] and sandbox.value("prod", "A") == b"1"


def test_uploads_are_listed_in_order_with_their_place(sandbox, fastly, store):
    for value in (b"1", b"2", b"\xff\0"):
        fastly.put(store, "A", value)
    fastly.put(store, "B", b"3")
    fastly.put(store, "A", b"4", "POST")
    assert sandbox.uploads("A") == [b"1", b"2", b"\xff\0"] and len(sandbox.uploads()) == 4
    records = sandbox.upload_records("B")
    assert {key: records[0][key] for key in ("service", "store", "name", "mode", "sealed")} == {
        "service": "fastly", "store": "prod", "name": "B", "mode": "either", "sealed": False}


def test_a_value_is_found_by_store_name_or_id(sandbox, fastly, store):
    fastly.put(store, "A", b"1")
    assert sandbox.value("prod", "A") == sandbox.value(store, "A") == b"1"
    assert sandbox.value("prod", "B") is None and sandbox.value("none", "A") is None


def test_seeds_are_ordinary_secrets(sandbox, fastly):
    answer = sandbox.seed("big", 3, prefix="KEY_", first=8)
    assert answer["secrets"] == 3
    page = fastly.call("GET", f"/{answer['store']}/secrets").json
    assert [entry["name"] for entry in page["data"]] == ["KEY_0000008", "KEY_0000009", "KEY_0000010"]
    assert fastly.put(answer["store"], "KEY_0000008", b"1", "PATCH").status == 200
    sandbox.seed("big", 20, prefix="KEY_", first=0)
    assert len(sandbox.seed(stores=3)["stores"]) == 3


def test_a_million_secrets_are_there_in_seconds(sandbox, fastly):
    begun = time.monotonic()
    store = sandbox.seed("big", 1_000_000)["store"]
    assert time.monotonic() - begun < 50
    assert len(fastly.call("GET", f"/{store}/secrets?limit=200").json["data"]) == 200


@pytest.mark.parametrize("name", ["a/b", ".", "\x01\n\0", "x" * 300, "ä\U0001f511", "100%", ""])
def test_names_that_no_service_takes_can_be_put(sandbox, fastly, name):
    store = sandbox.put("odd", name, b"1")["store"]
    assert [entry["name"] for entry in fastly.call("GET", f"/{store}/secrets").json["data"]] == [name]


def test_what_is_put_can_be_old(sandbox, cloudflare):
    store = sandbox.put("s", "A", b"1", service="cloudflare", created=1e9, comment="why", scopes=["dex"])["store"]
    row = cloudflare.call("GET", f"/stores/{store}/secrets").json["result"][0]
    assert row["created"] == row["modified"] == "2001-09-09T01:46:40.000000Z"
    assert (row["comment"], row["scopes"], row["status"]) == ("why", ["dex"], "active")


def test_a_put_replaces_and_keeps_the_id(sandbox, cloudflare):
    first = sandbox.put("s", "A", b"1", service="cloudflare")
    assert sandbox.put("s", "A", b"2", service="cloudflare")["id"] == first["id"]
    assert sandbox.value("s", "A", "cloudflare") == b"2"


def test_secrets_and_stores_can_go_behind_the_services_back(sandbox, fastly, store):
    fastly.put(store, "A", b"1")
    sandbox.delete("prod", "A")
    assert fastly.call("GET", f"/{store}/secrets/A").status == 404
    with pytest.raises(ValueError):
        sandbox.delete("prod", "A")
    sandbox.delete("prod")
    assert fastly.call("GET", f"/{store}").status == 404


def test_a_put_is_no_call_and_no_upload(sandbox):
    sandbox.put("s", "A", b"1")
    assert sandbox.calls() == [] and sandbox.uploads() == []


def test_tokens_can_change(sandbox, fastly):
    sandbox.tokens("new")
    assert fastly.call("GET").status == 401
    assert Fastly(sandbox.port, "new").call("GET").status == 200


@pytest.mark.parametrize("choice", [{"none": 1}, {"fastly.order": "sideways"}, {"fastly.page_cap": "many"}])
def test_a_variant_that_makes_no_sense_is_refused(sandbox, choice):
    with pytest.raises(ValueError):
        sandbox.variant(**{name.replace(".", "__"): value for name, value in choice.items()})


def test_reset_makes_it_as_new(sandbox, fastly, store):
    fastly.put(store, "A", b"1")
    sandbox.variant(fastly__order="reverse")
    sandbox.fault("status=503")
    sandbox.tokens("other")
    sandbox.reset()
    summary = sandbox.summary()
    assert summary["fastly"] == {"stores": 0, "secrets": 0} and summary["faults"] == []
    assert summary["variant"]["fastly.order"] == "name" and summary["uploads"] == 0
    assert fastly.call("GET").json["data"] == [] and len(sandbox.calls()) == 1


def test_a_stopped_sandbox_comes_back_on_its_port(sandbox_class):
    sandbox = sandbox_class().start()
    port = sandbox.port
    sandbox.stop()
    with pytest.raises(ConnectionError):
        Fastly(port).call("GET")
    with sandbox.start():
        assert sandbox.port == port and Fastly(port).call("GET").status == 200


def test_counts_go_on_whatever_is_forgotten(sandbox, fastly, stripe):
    before = sandbox.summary()
    fastly.call("GET")
    stripe.post(name="A", payload="1", expand="payload")
    sandbox.reset()
    after = sandbox.summary()
    assert after["expanded"] == before["expanded"] + 1 and after["calls"] == before["calls"] + 2
    assert after["counts"]["fastly.list_stores"]["200"] > before["counts"].get("fastly.list_stores", {}).get("200", 0)
