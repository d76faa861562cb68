"""Faults do what they say, to the calls they name, as often as they say."""

import gzip
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest
from raw_http import FASTLY, Client, Fastly


@pytest.fixture
def store(fastly):
    return fastly.store()


@pytest.fixture
def background():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def lost(client, *what):
    """Whether the call ended without an answer."""
    try:
        client(*what)
    except (OSError, http.client.HTTPException):
        return True
    return False


# Which calls

def test_a_fault_meets_only_the_calls_it_names(sandbox, fastly, store):
    sandbox.fault("status=503,operation=fastly.put_secret,name=B*,store=pro?")
    assert [fastly.put(store, name, b"1").status for name in ("A", "B", "BB")] == [200, 503, 503]
    assert fastly.call("GET").status == 200


@pytest.mark.parametrize("spec", ["status=503,service=cloudflare", "status=503,method=DELETE", "status=503,path=*/none",
                                  "status=503,name=x", "status=503,probability=0", "status=503,times=0"])
def test_a_fault_for_others_leaves_a_call_alone(sandbox, fastly, spec):
    sandbox.fault(spec)
    assert fastly.call("GET").status == 200


def test_after_and_times_count_the_calls_that_fit(sandbox, fastly):
    sandbox.fault("status=503,method=GET,after=2,times=2")
    assert [fastly.call("GET").status for _ in range(6)] == [200, 200, 503, 503, 200, 200]


def test_a_probability_is_drawn_each_time(sandbox, fastly):
    sandbox.fault("status=503,probability=0.5")
    assert {fastly.call("GET").status for _ in range(60)} == {200, 503}


def test_faults_add_up(sandbox, fastly):
    sandbox.fault("latency=0.1")
    sandbox.fault("status=503,retry_after=7")
    begun = time.monotonic()
    reply = fastly.call("GET")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "7") and time.monotonic() - begun >= 0.1


def test_faults_can_be_cleared_one_by_one_or_all(sandbox, fastly):
    first, _ = sandbox.fault("status=503,times=9"), sandbox.fault("status=502")
    sandbox.clear_faults(first)
    assert fastly.call("GET").status == 502
    sandbox.clear_faults()
    assert fastly.call("GET").status == 200


@pytest.mark.parametrize("spec", ["", "nonsense", "status", "status=abc", "status=99", "method=GET", "latency=-1",
                                  "status=503,status=502", "body=unknown", "probability=2", "when=after", "reset=later"])
def test_a_fault_that_makes_no_sense_is_refused(sandbox, spec):
    with pytest.raises(ValueError):
        sandbox.fault(spec)


def test_the_journal_names_the_fault(sandbox, fastly):
    sandbox.fault("status=503,times=1")
    fastly.call("GET")
    fastly.call("GET")
    assert [call["fault"] for call in sandbox.calls()] == ["status=503,times=1", None]


# Statuses

@pytest.mark.parametrize("when, kept", [("before", None), ("after", b"1")])
def test_an_error_comes_before_or_after_the_change_was_made(sandbox, fastly, store, when, kept):
    sandbox.fault(f"status=503,when={when}")
    assert fastly.put(store, "A", b"1").status == 503
    assert sandbox.value("prod", "A") == kept


@pytest.mark.parametrize("family, content_type, beginning", [
    ("problem", "application/problem+json", b'{\n  "title"'), ("jsonapi", "application/vnd.api+json", b'{\n  "errors"'),
    ("legacy", "application/json", b'{\n  "msg"'), ("cloudflare", "application/json", b'{"success": false'),
    ("cloudflare_bare", "application/json", b'{"code"'), ("stripe", "application/json", b'{\n  "error"'),
    ("html", "text/html", b"<html>"), ("text", "text/plain", b"words"), ("empty", None, b"")])
def test_an_error_comes_in_any_form(sandbox, fastly, family, content_type, beginning):
    sandbox.fault(status=500, family=family, detail="words, more words")
    reply = fastly.call("GET")
    assert (reply.status, reply.type) == (500, content_type)
    assert reply.body.startswith(beginning) and (beginning != b"" or reply.body == b"")


def test_an_error_speaks_each_services_language_and_has_its_request_id(sandbox, fastly, cloudflare, stripe):
    sandbox.fault("status=429")
    replies = fastly.call("GET"), cloudflare.call("GET", "/quota"), stripe.get()
    assert replies[0].json["status"] == 429
    assert replies[1].json["errors"][0]["code"] == 10100
    assert replies[2].json["error"]["code"] == "rate_limit"
    sent = [reply.headers[name] for reply, name in zip(replies, ("Fastly-Trace-Id", "CF-RAY", "Request-Id"))]
    assert sent == [call["request_id"] for call in sandbox.calls()]


@pytest.mark.parametrize("status", [200, 204, 301])
def test_other_statuses_can_be_forged(sandbox, fastly, store, status):
    sandbox.fault({"status": status, "header": "Location: http://127.0.0.1:1/", "operation": "fastly.put_secret"})
    reply = fastly.put(store, "A", b"1")
    assert reply.status == status and reply.headers["Location"] == "http://127.0.0.1:1/"
    assert sandbox.uploads() == []


# Time

def test_latency_comes_before_the_change_or_after_it(sandbox, fastly, store, background):
    for when, kept in (("before", None), ("after", b"1")):
        sandbox.clear_faults()
        sandbox.fault(f"latency=0.5,when={when},operation=fastly.put_secret,name={when}")
        writing = background.submit(Fastly(sandbox.port).put, store, when, b"1")
        sandbox.wait_for_call("fastly.put_secret", name=when)
        assert sandbox.value("prod", when) == kept
        assert writing.result().status == 200


def test_latency_can_be_a_range(sandbox, fastly):
    sandbox.fault("latency=0.05..0.1")
    begun = time.monotonic()
    fastly.call("GET")
    assert 0.05 <= time.monotonic() - begun < 1


@pytest.mark.parametrize("when, kept", [("before", None), ("after", b"1")])
def test_a_held_call_waits_for_its_release(sandbox, fastly, store, background, when, kept):
    sandbox.fault(f"hold={when},operation=fastly.put_secret")
    writing = background.submit(fastly.put, store, "A", b"1")
    call = sandbox.wait_for_call("fastly.put_secret", state="held")
    assert call["name"] == "A" and not writing.done()
    assert sandbox.value("prod", "A") == kept
    assert sandbox.release() == 1
    assert writing.result(5).status == 200
    assert fastly.put(store, "B", b"1").status == 200


def test_held_calls_can_be_let_go_one_by_one(sandbox, store, background):
    sandbox.fault("hold=before,operation=fastly.put_secret")
    for number in range(3):
        background.submit(Fastly(sandbox.port).put, store, f"N{number}", b"1")
        sandbox.wait_for_calls(number + 1, operation="fastly.put_secret", state="held")
    assert sandbox.release(1) == 1
    sandbox.wait_for_calls(1, operation="fastly.put_secret", state="answered")
    assert [call["name"] for call in sandbox.calls(state="held")] == ["N1", "N2"]
    assert sandbox.release() == 2


def test_others_are_served_while_one_is_held(sandbox, fastly, store, background):
    sandbox.fault("hold=before,name=A")
    writing = background.submit(Fastly(sandbox.port).put, store, "A", b"1")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    assert fastly.put(store, "B", b"1").status == 200
    sandbox.release()
    assert writing.result(5).status == 200


def test_clearing_faults_lets_held_calls_go(sandbox, fastly, background):
    sandbox.fault("hold=before")
    asking = background.submit(fastly.call, "GET")
    sandbox.wait_for_call("fastly.list_stores", state="held")
    sandbox.clear_faults()
    assert asking.result(5).status == 200


@pytest.mark.parametrize("when, kept", [("before", None), ("after", b"1")])
def test_a_call_that_hangs_for_ever_ends_when_the_client_leaves(sandbox, fastly, store, when, kept):
    sandbox.fault(f"hang=forever,when={when},operation=fastly.put_secret")
    fastly.connection.timeout = 0.3
    fastly.connection.sock.settimeout(0.3)
    assert lost(fastly.put, store, "A", b"1")
    assert sandbox.wait_for_call("fastly.put_secret", state="dropped")["status"] is None
    assert sandbox.value("prod", "A") == kept


def test_a_call_can_hang_for_a_while(sandbox, fastly):
    sandbox.fault("hang=0.2")
    begun = time.monotonic()
    assert fastly.call("GET").status == 200 and time.monotonic() - begun >= 0.2


def test_a_slow_answer_arrives_whole(sandbox, fastly):
    sandbox.fault("slow=2000")
    begun = time.monotonic()
    assert fastly.call("GET").json["data"] == [] and time.monotonic() - begun > 0.1


# Connections

@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("when, kept", [("before", None), ("after", b"1"), ("middle", b"1")])
def test_a_connection_is_lost_before_or_after_the_change_or_amid_the_answer(sandbox, fastly, store, how, when, kept):
    sandbox.fault(f"{how}={when},operation=fastly.put_secret,times=1")
    assert lost(fastly.put, store, "A", b"1")
    assert sandbox.value("prod", "A") == kept
    assert sandbox.wait_for_call("fastly.put_secret", state="dropped")["status"] is None
    assert fastly.put(store, "A", b"2").status == 200


def test_a_reset_is_a_reset_and_a_close_is_none(sandbox):
    for how, expected in (("reset", ConnectionResetError), ("close", http.client.RemoteDisconnected)):
        sandbox.fault(f"{how}=before,times=1")
        with pytest.raises(ConnectionError) as failure:
            Fastly(sandbox.port).call("GET")
        assert failure.type is expected


# Bodies

@pytest.mark.parametrize("kind", ["truncated", "nonsense", "html", "empty", "trailing", "nested"])
def test_a_corrupt_body_is_no_json_and_the_change_was_made(sandbox, fastly, store, kind):
    sandbox.fault(f"body={kind},operation=fastly.put_secret")
    reply = fastly.put(store, "A", b"1")
    assert reply.status == 200
    with pytest.raises((ValueError, RecursionError)):
        json.loads(reply.body)
    assert sandbox.value("prod", "A") == b"1"


@pytest.mark.parametrize("kind, expected", [("null", None), ("array", []), ("object", {}), ("string", "yes")])
def test_a_body_can_be_other_json(sandbox, fastly, kind, expected):
    sandbox.fault(body=kind)
    assert fastly.call("GET").json == expected


def test_a_nested_body_has_200_000_brackets(sandbox, fastly):
    sandbox.fault("body=nested")
    assert fastly.call("GET").body.count(b"[") == 200_000


def test_a_huge_body_is_as_long_as_asked(sandbox, fastly):
    sandbox.fault("huge=20000000")
    reply = fastly.call("GET")
    assert 20_000_000 < len(reply.body) < 20_001_000 and reply.json["data"] == []


def test_a_client_that_leaves_amid_a_huge_answer_does_no_harm(sandbox, fastly):
    sandbox.fault("huge=1000000000,times=1")
    client = Client(sandbox.port, **{"Fastly-Key": "sandbox-token"})
    client.connection.request("GET", FASTLY, None, client.headers)
    client.connection.getresponse().read(1000)
    client.close()
    assert fastly.call("GET").status == 200


def test_a_bomb_unpacks_to_far_more(sandbox, fastly):
    sandbox.fault("body=bomb,huge=5000000")
    reply = fastly.call("GET")
    assert reply.headers["Content-Encoding"] == "gzip" and len(reply.body) < 50_000
    assert len(gzip.decompress(reply.body)) == 5_000_000


# Headers

def test_headers_can_be_added_replaced_and_flooded(sandbox, fastly):
    sandbox.fault({"header": ["X-Odd: a, b", "Cache-Control: public"], "flood": 50, "content_type": "text/html"})
    reply = fastly.call("GET")
    assert reply.headers["X-Odd"] == "a, b" and reply.headers["Cache-Control"] == "public"
    assert len([name for name in reply.headers if name.startswith("X-Flood-")]) == 50
    assert reply.type == "text/html"


def test_a_content_type_can_be_missing(sandbox, fastly):
    sandbox.fault("content_type=none")
    assert fastly.call("GET").type is None


def test_retry_after_is_seconds_or_a_date(sandbox, fastly):
    sandbox.fault("status=429,retry_after=3,times=1")
    assert fastly.call("GET").headers["Retry-After"] == "3"
    sandbox.fault("status=429,retry_after=date30")
    moment = parsedate_to_datetime(fastly.call("GET").headers["Retry-After"]).timestamp()
    assert 27 < moment - time.time() < 31


def test_the_rate_limit_headers_of_each_service_can_be_forged(sandbox, fastly, cloudflare, stripe):
    sandbox.fault("status=429,rate_reset=30")
    assert 28 < int(fastly.call("GET").headers["Fastly-RateLimit-Reset"]) - time.time() <= 31
    assert cloudflare.call("GET", "/quota").headers["Ratelimit"] == '"default";r=0;t=30'
    assert stripe.get().headers["Stripe-Rate-Limited-Reason"] == "global-rate"


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_date_header_alone_can_be_wrong(sandbox, fastly, store, skew):
    sandbox.fault(skew=skew)
    reply = fastly.put(store, "A", b"1")
    assert abs(parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time() - skew) < 5
    assert reply.json["created_at"][:13] == time.strftime("%Y-%m-%dT%H", time.gmtime())


# Pages

@pytest.mark.parametrize("kind, check", [
    ("cursor_number", lambda page: page["meta"]["next_cursor"] == 7),
    ("cursor_null", lambda page: page["meta"]["next_cursor"] is None),
    ("cursor_empty", lambda page: page["meta"]["next_cursor"] == ""),
    ("cursor_object", lambda page: page["meta"]["next_cursor"] == {}),
    ("duplicates", lambda page: len(page["data"]) == 20 and page["data"][0] == page["data"][1]),
    ("non_object", lambda page: len(page["data"]) == 14 and 7 in page["data"] and None in page["data"]),
    ("nameless", lambda page: all("name" not in entry for entry in page["data"])),
    ("number_name", lambda page: {entry["name"] for entry in page["data"]} == {5}),
    ("no_time", lambda page: all("created_at" not in entry for entry in page["data"])),
    ("bad_time", lambda page: {entry["created_at"] for entry in page["data"]} == {"yesterday"}),
    ("slash_name", lambda page: "a/b" in [entry["name"] for entry in page["data"]]),
    ("empty", lambda page: page["data"] == [] and page["meta"]["next_cursor"]),
    ("not_list", lambda page: isinstance(page["data"], dict)),
    ("null_list", lambda page: page["data"] is None)])
def test_a_page_of_fastly_can_be_corrupt(sandbox, fastly, kind, check):
    store = sandbox.seed("big", 20)["store"]
    sandbox.fault(page=kind)
    assert check(fastly.call("GET", f"/{store}/secrets").json)
    assert fastly.call("GET", f"/{store}/secrets/SECRET_0000000").json["name"] == "SECRET_0000000"


def test_a_cursor_can_repeat_for_ever(sandbox, fastly):
    store = sandbox.seed("big", 30)["store"]
    cursor = fastly.call("GET", f"/{store}/secrets").json["meta"]["next_cursor"]
    sandbox.fault("page=repeat_cursor")
    assert fastly.call("GET", f"/{store}/secrets?cursor={cursor}").json["meta"]["next_cursor"] == cursor


def test_stripes_last_object_can_be_the_one_it_began_with(sandbox, stripe):
    ids = [stripe.post(name=f"n{number}", payload="1").json["id"] for number in range(3)]
    sandbox.fault("page=repeat_cursor")
    page = stripe.get(starting_after=ids[2]).json
    assert page["has_more"] is True and page["data"][-1]["id"] == ids[2]


@pytest.mark.parametrize("kind, totals", [("total_changes", [251, 252]), ("total_zero", [0, 0]), ("total_missing", [None, None]),
                                          ("total_vast", [10**12, 10**12])])
def test_cloudflares_total_can_be_wrong(sandbox, cloudflare, kind, totals):
    store = sandbox.seed("big", 250, service="cloudflare")["store"]
    sandbox.fault(page=kind)
    pages = [cloudflare.call("GET", f"/stores/{store}/secrets?page={page}&per_page=100").json for page in (1, 2)]
    assert [page["result_info"]["total_count"] for page in pages] == totals


def test_a_key_in_use_is_409_at_stripe(sandbox, stripe, background):
    key = {"Idempotency-Key": "one"}
    sandbox.fault("hold=before,operation=stripe.set_secret,times=1")
    first = background.submit(stripe.post, name="A", payload="1", headers=key)
    sandbox.wait_for_call("stripe.set_secret", state="held")
    other = type(stripe)(sandbox.port)
    second = other.post(name="A", payload="1", headers=key)
    assert (second.status, second.json["error"]["code"]) == (409, "idempotency_key_in_use")
    sandbox.release()
    assert first.result(5).status == 200
    assert other.post(name="A", payload="1", headers=key).headers["Idempotent-Replayed"] == "true"
    other.close()
