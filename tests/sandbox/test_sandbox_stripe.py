"""The sandbox's Stripe says what is known of the real one (doc/apis.md, Stripe)."""

import base64
import time

import pytest
from raw_http import Stripe


def names(reply):
    return [entry["name"] for entry in reply.json["data"]]


def error(reply):
    return reply.json["error"]


# Set, find, delete, list

def test_set_answers_the_object_without_its_payload(sandbox, stripe):
    reply = stripe.post(name="A", payload="value")
    assert reply.status == 200
    body = reply.json
    assert body["id"].startswith("appsecret_") and isinstance(body["created"], int)
    assert {**body, "id": 0, "created": 0} == {"id": 0, "object": "apps.secret", "created": 0, "expires_at": None,
                                               "livemode": False, "name": "A", "scope": {"type": "account"}}
    assert sandbox.uploads("A") == [b"value"]


def test_set_replaces_and_keeps_the_id_unless_a_variant_changes_it(sandbox, stripe):
    first = stripe.post(name="A", payload="1").json
    assert stripe.post(name="A", payload="2").json["id"] == first["id"]
    sandbox.variant(stripe__replace_id="new")
    assert stripe.post(name="A", payload="3").json["id"] != first["id"]
    assert sandbox.value("account", "A", "stripe") == b"3"
    assert names(stripe.get()) == ["A"]


def test_find_finds_by_name_and_scope(stripe):
    made = stripe.post(name="A", payload="1", user="usr_1").json
    assert made["scope"] == {"type": "user", "user": "usr_1"}
    assert stripe.get("/find", name="A", user="usr_1").json == made
    for reply in (stripe.get("/find", name="A"), stripe.get("/find", name="A", user="usr_2"), stripe.get("/find", name="B")):
        assert reply.status == 404
        assert error(reply)["code"] == "resource_missing"
    assert error(stripe.get("/find", name="x'y"))["message"] == "No such secret: 'x'y'"


def test_delete_is_a_post_and_says_deleted(sandbox, stripe):
    made = stripe.post(name="A", payload="1").json
    reply = stripe.post("/delete", name="A")
    assert (reply.status, reply.json) == (200, {**made, "deleted": True})
    assert stripe.post("/delete", name="A").status == 404
    sandbox.variant(stripe__delete_body="short")
    made = stripe.post(name="A", payload="1").json
    assert stripe.post("/delete", name="A").json == {"id": made["id"], "object": "apps.secret", "deleted": True}


def test_the_newest_come_first_and_pages_begin_after_an_object(stripe):
    for number in range(5):
        stripe.post(name=f"n{number}", payload="1")
    first = stripe.get(limit=2)
    assert names(first) == ["n4", "n3"] and first.json["has_more"] is True
    second = stripe.get(limit=3, starting_after=first.json["data"][-1]["id"])
    assert names(second) == ["n2", "n1", "n0"] and second.json["has_more"] is False
    before = stripe.get(limit=2, ending_before=second.json["data"][-1]["id"])
    assert names(before) == ["n2", "n1"] and before.json["has_more"] is True
    assert first.json["object"] == "list" and first.json["url"] == "/v1/apps/secrets"


def test_ten_come_unless_more_are_asked_for(sandbox, stripe):
    sandbox.seed("account", 150, service="stripe")
    assert len(names(stripe.get())) == 10
    assert len(names(stripe.get(limit=100))) == 100
    for limit in ("0", "101", "-1", "x", ""):
        assert stripe.get(limit=limit).status == 400


def test_a_page_begins_only_at_what_exists(stripe):
    made = stripe.post(name="A", payload="1").json
    assert error(stripe.get(starting_after="appsecret_none"))["code"] == "resource_missing"
    assert stripe.get(starting_after=made["id"], user="usr_1").status == 400
    assert stripe.get(starting_after="A").status == 400
    assert stripe.get(starting_after=made["id"], ending_before=made["id"]).status == 400


def test_an_unused_scope_is_an_empty_list(stripe):
    reply = stripe.get(user="usr_nobody")
    assert (reply.status, names(reply), reply.json["has_more"]) == (200, [], False)


# Limits

def test_the_eleventh_secret_of_a_scope_is_refused_but_not_a_replacement(sandbox, stripe):
    assert [stripe.post(name=f"n{number}", payload="1").status for number in range(11)] == [200] * 10 + [400]
    assert stripe.post(name="n0", payload="2").status == 200
    assert stripe.post(name="n0", payload="2", user="usr_1").status == 200
    sandbox.variant(stripe__per_scope=11)
    assert stripe.post(name="n10", payload="1").status == 200


@pytest.mark.parametrize("member", ["name", "payload"])
def test_five_thousand_characters_fit_not_bytes_unless_a_variant_changes_it(sandbox, stripe, member):
    whole = {"name": "A", "payload": "1"}
    assert stripe.post(**{**whole, member: "é" * 5000}).status == 200
    reply = stripe.post(**{**whole, member: "é" * 5001})
    assert (reply.status, error(reply)["param"]) == (400, member)
    sandbox.variant(stripe__length="bytes")
    assert stripe.post(**{**whole, member: "é" * 2500}).status == 200
    assert stripe.post(**{**whole, member: "é" * 2501}).status == 400


def test_an_expired_secret_goes_by_itself(sandbox, stripe):
    soon = int(time.time()) + 100
    assert stripe.post(name="A", payload="1", expires_at=soon).json["expires_at"] == soon
    assert names(stripe.get()) == ["A"]
    sandbox.variant(clock=101)
    assert names(stripe.get()) == [] and stripe.get("/find", name="A").status == 404


def test_a_replace_clears_the_expiry_unless_a_variant_changes_it(sandbox, stripe):
    soon = int(time.time()) + 100
    stripe.post(name="A", payload="1", expires_at=soon)
    assert stripe.post(name="A", payload="2").json["expires_at"] is None
    sandbox.variant(stripe__replace_expiry="keep")
    stripe.post(name="A", payload="1", expires_at=soon)
    assert stripe.post(name="A", payload="2").json["expires_at"] == soon


@pytest.mark.parametrize("moment", ["1", "-1", "1.5", "soon", "", "9" * 30, "+1", " 9999999999"])
def test_an_expiry_must_be_a_future_whole_number(sandbox, stripe, moment):
    reply = stripe.post(name="A", payload="1", expires_at=moment)
    assert (reply.status, error(reply)["param"]) == (400, "expires_at")
    assert sandbox.uploads() == []


# The form

@pytest.mark.parametrize("value", ["+&=%/?#[]", "a b\n\tc\r", "é\U0001f511\u2028", "a\0b", "100%", ";"])
def test_every_character_arrives(sandbox, stripe, value):
    assert stripe.post(name=value, payload=value).json["name"] == value
    assert sandbox.uploads(value) == [value.encode()]
    assert stripe.get("/find", name=value).status == 200


def test_an_unescaped_plus_is_a_blank(sandbox, stripe):
    stripe.post_raw("", "name=A&payload=a+b&scope[type]=account")
    assert sandbox.uploads("A") == [b"a b"]


def test_brackets_may_be_raw_or_escaped(stripe):
    assert stripe.post_raw("", "name=A&payload=1&scope[type]=account").status == 200
    assert stripe.post_raw("", "name=A&payload=1&scope%5Btype%5D=account").status == 200


@pytest.mark.parametrize("body, param, code", [
    ("payload=1&scope[type]=account", "name", "parameter_missing"),
    ("name=A&scope[type]=account", "payload", "parameter_missing"),
    ("name=A&payload=1", "scope", "parameter_missing"),
    ("name=A&payload=1&scope[user]=usr_1", "scope[type]", "parameter_missing"),
    ("name=A&payload=1&scope[type]=user", "scope[user]", "parameter_missing"),
    ("name=A&payload=1&scope[type]=account&scope[user]=usr_1", "scope[user]", None),
    ("name=A&payload=1&scope[type]=user&scope[user]=bob", "scope[user]", None),
    ("name=A&payload=1&scope[type]=team", "scope[type]", None),
    ("name=A&payload=1&scope=account", "scope", None),
    ("name=&payload=1&scope[type]=account", "name", "parameter_invalid_empty"),
    ("name=A&payload=&scope[type]=account", "payload", "parameter_invalid_empty"),
    ("name=A&payload=1&scope[type]=account&more=1", "more", "parameter_unknown"),
    ("name=A&payload=1&scope[type]=account&scope[more]=1", "scope[more]", "parameter_unknown"),
    ("name=A&payload=1&scope[type]=account&limit=1", "limit", "parameter_unknown"),
    ("name=A&name=A&payload=1&scope[type]=account", "name", None),
    ("name[]=A&payload=1&scope[type]=account", "name", None),
    ("name=A&payload=1&scope[type][x]=account", "scope[type][x]", "parameter_unknown"),
])
def test_forms_that_are_not_exact_are_refused(sandbox, stripe, body, param, code):
    reply = stripe.post_raw("", body)
    assert (reply.status, error(reply).get("param"), error(reply).get("code")) == (400, param, code)
    assert error(reply)["type"] == "invalid_request_error"
    assert sandbox.uploads() == []


@pytest.mark.parametrize("payload", ["%", "%4", "%zz", "%ff", "%c3", "%ed%a0%80", "\xff"])
def test_bad_escapes_and_bad_utf8_are_refused(sandbox, stripe, payload):
    assert stripe.post_raw("", f"name=A&payload={payload}&scope[type]=account".encode("latin-1")).status == 400
    assert sandbox.uploads() == []


@pytest.mark.parametrize("body", ["&name=A", "name", "=A", "name=A&&payload=1", '{"name":"A"}'])
def test_what_is_no_form_is_refused(stripe, body):
    assert stripe.post_raw("", body).status == 400


def test_content_type_body_and_query_stand_where_they_belong(stripe):
    form = "name=A&payload=1&scope[type]=account"
    assert stripe.post_raw("", form, {"Content-Type": "application/json"}).status == 400
    assert stripe.post_raw("?" + form, "").status == 400
    assert stripe.send("GET", "/v1/apps/secrets?scope[type]=account", b"limit=1").status == 400
    assert stripe.send("DELETE", "/v1/apps/secrets").status == 404
    assert stripe.send("GET", "/v1/other").status == 404


# Who asks

@pytest.mark.parametrize("header, status", [
    ("Bearer sandbox-token", 200), ("Basic " + base64.b64encode(b"sandbox-token:").decode(), 200),
    ("Basic " + base64.b64encode(b"sandbox-token:x").decode(), 401), ("Basic sandbox-token", 401), ("Bearer wrong", 401),
    ("Bearer ", 401), ("Token sandbox-token", 401), (None, 401)])
def test_the_key_comes_as_bearer_or_as_basic_user(stripe, header, status):
    reply = stripe.send("GET", "/v1/apps/secrets?scope[type]=account", None, {"Authorization": header})
    assert reply.status == status
    assert reply.headers["Request-Id"].startswith("req_")


def test_a_publishable_key_is_refused_as_one(sandbox):
    client = Stripe(sandbox.port, "pk_test_1")
    assert error(client.get())["code"] == "secret_key_required"
    client.close()


def test_test_and_live_and_every_account_are_namespaces_of_their_own(sandbox, stripe):
    sandbox.tokens("sandbox-token", "sk_live_1")
    live = Stripe(sandbox.port, "sk_live_1")
    assert live.post(name="A", payload="1").json["livemode"] is True
    assert names(stripe.get()) == []
    stripe.post(name="B", payload="1", headers={"Stripe-Account": "acct_1"})
    assert names(stripe.get()) == [] and names(stripe.get(headers={"Stripe-Account": "acct_1"})) == ["B"]
    assert stripe.get(headers={"Stripe-Account": "me"}).status == 403
    live.close()


def test_a_version_is_a_date(stripe):
    assert stripe.get(headers={"Stripe-Version": "2026-07-29.dahlia"}).status == 200
    assert stripe.get(headers={"Stripe-Version": "newest"}).status == 400


def test_the_key_of_an_organization_names_account_and_version_each_time(sandbox):
    sandbox.tokens("sandbox-token", "sk_org_live_1", "sk_live_1")
    client, account = Stripe(sandbox.port, "sk_org_live_1"), Stripe(sandbox.port, "sk_live_1")
    version, context = {"Stripe-Version": "2026-07-29.dahlia"}, {"Stripe-Context": "acct_1/acct_1a"}
    assert "Stripe-Context" in error(client.get(headers=version))["message"]
    assert "Stripe-Version" in error(client.get(headers=context))["message"]
    assert client.get(headers=version | {"Stripe-Context": "acct_1//"}).status == 400
    assert client.get(headers=version | {"Stripe-Context": "acct_1/me"}).status == 403
    assert client.post(name="A", payload="1", headers=version | context).json["livemode"] is True
    assert names(account.get(headers={"Stripe-Account": "acct_1a"})) == ["A"]
    client.close()
    account.close()


def test_the_rate_limit_says_why(sandbox, stripe):
    sandbox.variant(stripe__rate_limit=2)
    replies = [stripe.get() for _ in range(6)]
    assert replies[0].status == 200 and replies[-1].status == 429
    assert error(replies[-1])["code"] == "rate_limit"
    assert replies[-1].headers["Stripe-Rate-Limited-Reason"] == "global-rate"


# Idempotency

def test_the_same_key_and_form_bring_the_same_answer_and_no_second_change(sandbox, stripe):
    key = {"Idempotency-Key": "one"}
    first = stripe.post(name="A", payload="1", headers=key)
    stripe.post(name="A", payload="2")
    again = stripe.post(name="A", payload="1", headers=key)
    assert again.body == first.body and again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert sandbox.value("account", "A", "stripe") == b"2"
    assert sandbox.uploads("A") == [b"1", b"2"]


def test_the_same_key_with_another_form_is_refused(sandbox, stripe):
    key = {"Idempotency-Key": "one"}
    stripe.post(name="A", payload="1", headers=key)
    for reply in (stripe.post(name="A", payload="2", headers=key), stripe.post("/delete", name="A", headers=key)):
        assert (reply.status, error(reply)["type"]) == (400, "idempotency_error")
    assert sandbox.uploads("A") == [b"1"]


def test_what_failed_validation_is_not_kept_for_the_key(stripe):
    key = {"Idempotency-Key": "one"}
    assert stripe.post(name="A", payload="", headers=key).status == 400
    assert stripe.post(name="A", payload="1", headers=key).status == 200


def test_a_404_of_a_delete_is_kept_for_the_key(stripe):
    key = {"Idempotency-Key": "one"}
    assert stripe.post("/delete", name="A", headers=key).status == 404
    stripe.post(name="A", payload="1")
    again = stripe.post("/delete", name="A", headers=key)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (404, "true")


def test_a_500_is_replayed_and_a_503_is_not(sandbox, stripe):
    for status, replayed in ((500, True), (503, False)):
        key = {"Idempotency-Key": f"for {status}"}
        sandbox.fault(status=status, times=1)
        assert stripe.post(name="A", payload="1", headers=key).status == status
        assert stripe.post(name="A", payload="1", headers=key).status == (status if replayed else 200)


def test_keys_have_one_to_255_characters_and_get_has_none(stripe):
    assert stripe.post(name="A", payload="1", headers={"Idempotency-Key": "k" * 256}).status == 400
    assert stripe.post(name="A", payload="1", headers={"Idempotency-Key": ""}).status == 400
    assert stripe.get(headers={"Idempotency-Key": "k"}).status == 200
    assert "Idempotent-Replayed" not in stripe.get(headers={"Idempotency-Key": "k"}).headers


# Expanding, which no client should do

@pytest.mark.parametrize("expand", ["payload"])
def test_expanding_brings_the_payload_and_is_in_the_journal(sandbox, stripe, expand):
    stripe.post(name="A", payload="deep")
    assert "payload" not in stripe.get("/find", name="A").json
    assert stripe.get("/find", name="A", expand=expand).json["payload"] == "deep"
    assert stripe.post(name="A", payload="deep", expand=expand).json["payload"] == "deep"
    assert stripe.get(expand="data.payload").json["data"][0]["payload"] == "deep"
    assert stripe.post("/delete", name="A", expand=expand).json["payload"] == "deep"
    assert [call["expand"] for call in sandbox.calls()] == [
        None, None, ["payload"], ["payload"], ["data.payload"], ["payload"]]


def test_the_indexed_spelling_expands_too(sandbox, stripe):
    stripe.post(name="A", payload="deep")
    reply = stripe.send("GET", "/v1/apps/secrets/find?name=A&scope[type]=account&expand[0]=payload")
    assert reply.json["payload"] == "deep"
    assert sandbox.calls()[-1]["expand"] == ["payload"]


def test_nothing_else_expands(stripe):
    stripe.post(name="A", payload="1")
    assert stripe.get("/find", name="A", expand="scope").status == 400
    assert stripe.get(expand="payload").status == 400
