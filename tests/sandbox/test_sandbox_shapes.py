"""Every kind of answer has the shape that the service's is known to have."""

import pytest
from api_schema import (CLOUDFLARE_FAILURE, CLOUDFLARE_INFO, CLOUDFLARE_SECRET, CLOUDFLARE_STORE, FASTLY_META,
                        FASTLY_PROBLEM, FASTLY_SECRET, FASTLY_STORE, MICROS, SECONDS, STRIPE_FAILURE, STRIPE_LIST,
                        STRIPE_SECRET, Either, Maybe, cloudflare_success, differs)


def check(reply, shape):
    assert differs(reply.json, shape) is None


def test_fastlys_answers(fastly):
    store = fastly.store()
    check(fastly.put(store, "A", b"1"), FASTLY_SECRET)
    check(fastly.put(store, "A", b"1"), FASTLY_SECRET)
    check(fastly.call("GET", f"/{store}"), FASTLY_STORE)
    check(fastly.call("GET", f"/{store}/secrets/A"), FASTLY_SECRET)
    check(fastly.call("GET"), {"data": [FASTLY_STORE], "meta": FASTLY_META})
    check(fastly.call("GET", f"/{store}/secrets"), {"data": [FASTLY_SECRET], "meta": FASTLY_META})
    for reply in (fastly.put(store, "A", b"1", "POST"), fastly.call("GET", "/none"), fastly.put(store, "", b"1")):
        check(reply, FASTLY_PROBLEM)


def test_cloudflares_answers(cloudflare):
    store = cloudflare.store()
    secret = cloudflare.create(store, "A", comment="why").json["result"][0]["id"]
    path = f"/stores/{store}/secrets"
    check(cloudflare.create(store, "B", "C"), cloudflare_success([CLOUDFLARE_SECRET]))
    check(cloudflare.call("GET", f"/stores/{store}"), cloudflare_success(CLOUDFLARE_STORE))
    check(cloudflare.call("GET", "/stores"), cloudflare_success([CLOUDFLARE_STORE], CLOUDFLARE_INFO))
    check(cloudflare.call("GET", path), cloudflare_success([CLOUDFLARE_SECRET], CLOUDFLARE_INFO))
    check(cloudflare.call("GET", f"{path}/{secret}"), cloudflare_success(CLOUDFLARE_SECRET))
    check(cloudflare.call("PATCH", f"{path}/{secret}", {"value": "w"}), cloudflare_success(CLOUDFLARE_SECRET))
    check(cloudflare.call("POST", f"{path}/{secret}/duplicate", {"name": "D", "scopes": ["dex"]}), cloudflare_success(CLOUDFLARE_SECRET))
    check(cloudflare.call("DELETE", f"{path}/{secret}"), cloudflare_success(None))
    check(cloudflare.call("GET", "/quota"), cloudflare_success({"secrets": {"quota": int, "usage": int}}))
    for reply in (cloudflare.call("GET", f"{path}/{secret}"), cloudflare.create(store, "B"), cloudflare.create(store, ""),
                  cloudflare.call("DELETE", f"/stores/{store}"), cloudflare.call("GET", "/none"), cloudflare.call("PUT", path)):
        check(reply, CLOUDFLARE_FAILURE)


def test_stripes_answers(stripe):
    check(stripe.post(name="A", payload="1"), STRIPE_SECRET)
    check(stripe.post(name="B", payload="1", user="usr_1", expires_at="99999999999"), STRIPE_SECRET)
    check(stripe.get(), STRIPE_LIST)
    check(stripe.get(user="usr_1"), STRIPE_LIST)
    check(stripe.get("/find", name="A"), STRIPE_SECRET)
    check(stripe.post("/delete", name="A"), STRIPE_SECRET)
    for reply in (stripe.get("/find", name="A"), stripe.post(name="A"), stripe.get("/none"),
                  stripe.get(headers={"Authorization": "Bearer x"}), stripe.post(name="A", payload="")):
        check(reply, STRIPE_FAILURE)


@pytest.mark.parametrize("value, shape", [
    ({}, {"a": int}), ({"a": 1, "b": 1}, {"a": int}), ({"a": "1"}, {"a": int}), ({"a": True}, {"a": int}), ([1], [str]), ([1], []),
    ("2026-01-01", SECONDS), ("2026-01-01T00:00:00Z", MICROS), (None, {"a": Maybe(int)}), ("x", Either(int, None)),
    ({"a": None}, {"a": Maybe(int)}), (1, True)])
def test_the_checker_sees_what_differs(value, shape):
    assert differs(value, shape)
