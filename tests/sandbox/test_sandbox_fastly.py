"""The sandbox's Fastly says what the real one was recorded to say (doc/apis.md, Fastly)."""

import base64
import re
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import pytest
from raw_http import FASTLY, Fastly, text


@pytest.fixture
def store(fastly):
    return fastly.store()


def names(pages):
    return [entry["name"] for page in pages for entry in page["data"]]


def test_a_new_store_is_201_and_has_an_id_of_22_base62_characters(fastly):
    reply = fastly.call("POST", "", {"name": "prod"})
    assert reply.status == 201
    assert re.fullmatch(r"[0-9A-Za-z]{22}", reply.json["id"])
    assert list(reply.json) == ["id", "name", "created_at"]


def test_a_new_secret_is_200_whether_by_post_or_put(fastly, store):
    assert fastly.put(store, "A", b"1", "POST").status == 200
    assert fastly.put(store, "B", b"1", "PUT").status == 200


def test_recreated_is_there_only_when_true(fastly, store):
    assert "recreated" not in fastly.put(store, "A", b"1").json
    assert fastly.put(store, "A", b"1").json["recreated"] is True
    assert fastly.put(store, "A", b"1", "PATCH").json["recreated"] is True
    assert "recreated" not in fastly.call("GET", f"/{store}/secrets/A").json


def test_the_same_value_written_again_has_another_digest(fastly, store):
    digests = {fastly.put(store, "A", b"1").json["digest"] for _ in range(3)}
    assert len(digests) == 3
    assert {len(base64.b64decode(digest)) for digest in digests} == {32}


def test_the_digest_of_the_write_is_the_one_that_is_listed_and_fetched(fastly, store):
    written = fastly.put(store, "A", b"1").json
    assert fastly.call("GET", f"/{store}/secrets").json["data"] == [written]
    assert fastly.call("GET", f"/{store}/secrets/A").json == written


def test_created_at_is_in_whole_seconds_and_moves_with_a_rewrite(sandbox, fastly, store):
    first = fastly.put(store, "A", b"1").json["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first)
    sandbox.variant(clock=5)
    second = fastly.put(store, "A", b"1").json["created_at"]
    seconds = [datetime.fromisoformat(moment).timestamp() for moment in (first, second)]
    assert 4 <= seconds[1] - seconds[0] <= 7


def test_post_of_a_taken_name_is_400_duplicate_and_changes_nothing(sandbox, fastly, store):
    fastly.put(store, "A", b"1")
    reply = fastly.put(store, "A", b"2", "POST")
    assert (reply.status, reply.type) == (400, "application/problem+json")
    assert reply.json == {"title": "Bad Request", "detail": "duplicate: name", "status": 400}
    assert sandbox.value("prod", "A") == b"1"


@pytest.mark.parametrize("status", [404, 400])
def test_patch_of_a_missing_name_is_refused_as_the_variant_says(sandbox, fastly, store, status):
    sandbox.variant(fastly__patch_missing=status)
    assert fastly.put(store, "A", b"1", "PATCH").status == status
    assert sandbox.value("prod", "A") is None


def test_deletions_are_204_without_type_and_length(fastly, store):
    fastly.put(store, "A", b"1")
    for path in (f"/{store}/secrets/A", f"/{store}"):
        reply = fastly.call("DELETE", path)
        assert (reply.status, reply.body) == (204, b"")
        assert "Content-Type" not in reply.headers and "Content-Length" not in reply.headers


def test_the_connection_goes_on_after_a_204(fastly, sandbox, store):
    fastly.call("DELETE", f"/{store}")
    fastly.call("GET")
    assert len({call["connection"] for call in sandbox.calls()}) == 1


def test_deleting_a_store_destroys_what_is_in_it(fastly, store):
    fastly.put(store, "A", b"1")
    assert fastly.call("DELETE", f"/{store}").status == 204
    assert fastly.call("GET", f"/{store}/secrets").status == 404


@pytest.mark.parametrize("path", ["/nosuchstore", "/nosuchstore/secrets", "/{store}/secrets/NONE", "/{store}/secrets/",
                                  "/{store}/more", "/"])
def test_what_does_not_exist_is_404(fastly, store, path):
    reply = fastly.call("GET", path.format(store=store))
    assert (reply.status, reply.type) == (404, "application/problem+json")


@pytest.mark.parametrize("method, path", [("PUT", ""), ("PATCH", "/{store}"), ("POST", "/{store}/secrets/A"),
                                          ("GET", "/client-key"), ("POST", "/signing-key"), ("DELETE", "/client-key"),
                                          ("HEAD", "")])
def test_other_methods_are_405(fastly, store, method, path):
    reply = fastly.call(method, path.format(store=store))
    assert reply.status == 405
    assert fastly.call("GET").status == 200


def test_bodies_are_indented_and_end_with_a_newline(fastly, store):
    fastly.put(store, "A", b"1")
    for path in ("", f"/{store}", f"/{store}/secrets", f"/{store}/secrets/A", "/signing-key"):
        body = fastly.call("GET", path).body
        assert body.startswith(b'{\n  "') and body.endswith(b"}\n")


def test_the_headers_are_those_that_were_recorded(fastly):
    reply = fastly.call("GET")
    assert reply.headers["Cache-Control"] == "no-store" and reply.headers["Pragma"] == "no-cache"
    assert re.fullmatch(r"[0-9a-f]{32}", reply.headers["Fastly-Trace-Id"])
    assert abs(parsedate_to_datetime(reply.headers["Date"]).timestamp() - time.time()) < 3


def test_only_the_signing_key_has_an_etag(fastly, store):
    assert "Etag" in fastly.call("GET", "/signing-key").headers
    for path in ("", f"/{store}", f"/{store}/secrets"):
        assert "Etag" not in fastly.call("GET", path).headers


# Pages

def test_pages_hold_ten_unless_asked_and_two_hundred_at_most(sandbox, fastly):
    store = sandbox.seed("big", 450)["store"]
    first = fastly.call("GET", f"/{store}/secrets").json
    assert (len(first["data"]), first["meta"]["limit"]) == (10, 10)
    pages = fastly.walk(f"/{store}/secrets", 200)
    assert [len(page["data"]) for page in pages] == [200, 200, 50]
    assert fastly.call("GET", f"/{store}/secrets?limit=201").status == 400


def test_the_last_page_has_no_cursor_at_all(sandbox, fastly):
    store = sandbox.seed("big", 20)["store"]
    pages = fastly.walk(f"/{store}/secrets")
    assert len(pages) == 2
    assert list(pages[-1]["meta"]) == ["limit"]


def test_fewer_than_ten_are_never_a_page_unless_a_variant_changes_it(sandbox, fastly):
    store = sandbox.seed("big", 30)["store"]
    assert len(fastly.call("GET", f"/{store}/secrets?limit=3").json["data"]) == 10
    sandbox.variant(fastly__smallest_page=0)
    assert len(fastly.call("GET", f"/{store}/secrets?limit=3").json["data"]) == 3


def test_secrets_come_by_name_and_none_twice(fastly, store):
    for name in ("b", "B", "a.c", "a-c", "_", "Z9"):
        fastly.put(store, name, b"1")
    assert names(fastly.walk(f"/{store}/secrets")) == ["B", "Z9", "_", "a-c", "a.c", "b"]


def test_a_listing_survives_changes_between_its_pages(sandbox, fastly):
    store = sandbox.seed("big", 40)["store"]
    first = fastly.call("GET", f"/{store}/secrets").json
    fastly.call("DELETE", f"/{store}/secrets/{first['data'][-1]['name']}")
    fastly.put(store, "AAA", b"1")
    second = fastly.call("GET", f"/{store}/secrets?cursor={first['meta']['next_cursor']}").json
    assert second["data"][0]["name"] == "SECRET_0000010"


def test_stores_come_by_id(sandbox, fastly):
    sandbox.seed(stores=25)
    ids = [entry["id"] for page in fastly.walk("") for entry in page["data"]]
    assert ids == sorted(ids) and len(ids) == 25


@pytest.mark.parametrize("cursor", ["nonsense", "////", "AAAAAAAAAAAAAAAA", "%00", "null"])
def test_an_invented_cursor_is_refused(fastly, store, cursor):
    assert fastly.call("GET", f"/{store}/secrets?cursor={cursor}").status == 400


def test_a_cursor_of_another_listing_is_refused(sandbox, fastly, store):
    other = sandbox.seed("big", 40)["store"]
    cursor = fastly.call("GET", f"/{other}/secrets").json["meta"]["next_cursor"]
    assert fastly.call("GET", f"/{store}/secrets?cursor={cursor}").status == 400
    assert fastly.call("GET", f"?cursor={cursor}").status == 400


def test_the_empty_cursor_is_the_first_page(sandbox, fastly):
    store = sandbox.seed("big", 12)["store"]
    assert fastly.call("GET", f"/{store}/secrets?cursor=").json == fastly.call("GET", f"/{store}/secrets").json


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=ten", "limit=010", "limit=", "limit=5&limit=5", "page=2",
                                   "name=A", "limit", "=5", "limit=%zz"])
def test_odd_queries_are_refused(fastly, store, query):
    assert fastly.call("GET", f"/{store}/secrets?{query}").status == 400


def test_a_query_where_none_belongs_is_refused(fastly, store):
    assert fastly.call("GET", f"/{store}?limit=5").status == 400
    assert fastly.call("DELETE", f"/{store}?force=true").status == 400
    assert fastly.call("GET", f"/{store}").status == 200


def test_a_store_is_found_by_name_in_a_list_of_one(sandbox, fastly, store):
    found = fastly.call("GET", "?name=prod").json
    assert [entry["id"] for entry in found["data"]] == [store] and "meta" in found
    assert fastly.call("GET", "?name=none").json["data"] == []
    sandbox.variant(fastly__unknown_store_name="404")
    assert fastly.call("GET", "?name=none").status == 404


# Strictness

def test_a_missing_or_wrong_token_is_401_in_the_legacy_form(sandbox):
    for headers in ({}, {"Fastly-Key": "wrong"}, {"Authorization": "Bearer sandbox-token"}, {"Fastly-Key": ""}):
        client = Fastly(sandbox.port)
        reply = client.send("GET", FASTLY, None, {"Fastly-Key": None, **headers})
        assert (reply.status, reply.type) == (401, "application/json")
        assert reply.json == {"msg": "Provided credentials are missing or invalid"}
        client.close()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a\n", "a" * 256, None, 7, ["a"], "a%41"])
def test_bad_names_are_refused(sandbox, fastly, store, name):
    assert fastly.put(store, name, b"1").status == 400
    assert fastly.call("POST", "", {"name": name}).status == 400
    assert sandbox.uploads() == []


@pytest.mark.parametrize("name", [".", "..", ".env", "-", "_", "a" * 255, "0.9-x_Y"])
def test_odd_but_legal_names_are_taken(fastly, store, name):
    assert fastly.put(store, name, b"1").status == 200
    escaped = name.replace(".", "%2E")
    assert fastly.call("GET", f"/{store}/secrets/{escaped}").json["name"] == name
    assert fastly.call("DELETE", f"/{store}/secrets/{escaped}").status == 204


def test_literal_dot_segments_are_refused_because_a_proxy_would_resolve_them(fastly, store):
    fastly.put(store, "..", b"1")
    assert fastly.call("DELETE", f"/{store}/secrets/..").status == 400
    assert fastly.call("GET", f"/{store}").status == 200


@pytest.mark.parametrize("body", [
    {}, {"name": "A"}, {"secret": "MQ=="}, {"name": "A", "secret": "MQ==", "more": 1}, [], "A", None, 7,
    {"name": "A", "secret": None}, {"name": "A", "secret": 1}, {"name": "A", "secret": "MQ==", "client_key": None},
    {"name": "A", "secret": "MQ==", "client_key": ""}])
def test_bodies_with_missing_unknown_or_wrong_members_are_refused(sandbox, fastly, store, body):
    assert fastly.call("PUT", f"/{store}/secrets", body).status == 400
    assert sandbox.uploads() == []


@pytest.mark.parametrize("body", [b"", b"{", b'{"name":"A","secret":"MQ==",}', b'{"name":"A","name":"A","secret":"MQ=="}',
                                  b'{"name":"\xff","secret":"MQ=="}', b'\xef\xbb\xbf{"name":"A","secret":"MQ=="}',
                                  b'{"name":"\\ud800","secret":"MQ=="}', b"NaN", b"[" * 100000])
def test_bodies_that_are_no_json_are_refused(fastly, store, body):
    reply = fastly.send("PUT", f"{FASTLY}/{store}/secrets", body)
    assert reply.status == 400 and reply.json["detail"].startswith("invalid JSON")


@pytest.mark.parametrize("secret", ["MQ", "MQ=", "MQ==\n", " MQ==", "MR==", "M-==", "M_==", "MQ==MQ==", "*", "\u00e4"])
def test_base64_that_is_not_canonical_is_refused(sandbox, fastly, store, secret):
    assert fastly.call("PUT", f"/{store}/secrets", {"name": "A", "secret": secret}).status == 400
    assert sandbox.uploads() == []


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(fastly, store, content_type):
    reply = fastly.send("PUT", f"{FASTLY}/{store}/secrets", b'{"name":"A","secret":"MQ=="}', {"Content-Type": content_type})
    assert reply.status == 415


def test_a_charset_behind_the_content_type_is_no_harm(fastly, store):
    reply = fastly.send("PUT", f"{FASTLY}/{store}/secrets", b'{"name":"A","secret":"MQ=="}',
                        {"Content-Type": "application/json; charset=utf-8"})
    assert reply.status == 200


@pytest.mark.parametrize("method, path", [("GET", ""), ("GET", "/{store}"), ("GET", "/{store}/secrets"),
                                          ("DELETE", "/{store}"), ("POST", "/client-key"), ("GET", "/signing-key")])
def test_a_body_where_none_belongs_is_refused(fastly, store, method, path):
    assert fastly.call(method, path.format(store=store), {}).status == 400
    assert fastly.call("GET", f"/{store}").status == 200


def test_a_value_has_one_to_65536_bytes(sandbox, fastly, store):
    assert fastly.put(store, "A", b"").status == 400
    assert fastly.put(store, "A", b"x" * 65536).status == 200
    assert fastly.put(store, "A", b"x" * 65537).status == 400
    assert [len(value) for value in sandbox.uploads()] == [65536]
    sandbox.variant(fastly__empty_value="accept")
    assert fastly.put(store, "A", b"").status == 200


def test_a_taken_store_name_is_refused(fastly, store):
    reply = fastly.call("POST", "", {"name": "prod"})
    assert (reply.status, reply.json["detail"]) == (400, "duplicate: name")


# Quotas, rates, forms

def test_quotas_are_kept_when_the_variant_says_so(sandbox, fastly):
    sandbox.variant(fastly__quota_stores=1, fastly__quota_secrets=2, fastly__quota_status=500)
    store = fastly.store()
    assert fastly.call("POST", "", {"name": "more"}).status == 500
    assert [fastly.put(store, name, b"1").status for name in "ABCA"] == [200, 200, 500, 200]


def test_the_rate_limit_counts_what_changes_something(sandbox, fastly, store):
    sandbox.variant(fastly__rate_limit=2)
    replies = [fastly.put(store, "A", b"1") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.headers["Fastly-RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    assert int(replies[-1].headers["Fastly-RateLimit-Reset"]) % 3600 == 0
    assert time.time() <= int(replies[-1].headers["Fastly-RateLimit-Reset"]) <= time.time() + 3600
    read = fastly.call("GET")
    assert read.status == 200 and "Fastly-RateLimit-Reset" not in read.headers


@pytest.mark.parametrize("form, content_type, member", [
    ("problem", "application/problem+json", "detail"), ("jsonapi", "application/vnd.api+json", "errors"),
    ("legacy", "application/json", "msg"), ("legacy_title", "application/json", "title"),
    ("legacy_errors", "application/json", "errors")])
def test_errors_come_in_every_form(sandbox, fastly, form, content_type, member):
    sandbox.variant(fastly__error_body=form)
    reply = fastly.call("GET", "/none")
    assert (reply.status, reply.type) == (404, content_type)
    assert member in reply.json


def test_fastlys_own_command_line_finds_what_it_asks_first(sandbox, fastly):
    reply = fastly.send("GET", "/realms/fastly/.well-known/openid-configuration", None, {"Fastly-Key": None})
    assert reply.status == 200
    assert reply.json["authorization_endpoint"].startswith(sandbox.url)


def test_the_clock_can_be_another(sandbox, fastly, store):
    sandbox.variant(clock=-86400)
    reply = fastly.put(store, "A", b"1")
    for moment in (parsedate_to_datetime(reply.headers["Date"]), datetime.fromisoformat(reply.json["created_at"])):
        assert abs((datetime.now(timezone.utc) - moment).total_seconds() - 86400) < 5


def test_an_unsealed_value_arrives_as_it_was_sent(sandbox, fastly, store):
    value = bytes(range(256))
    fastly.put(store, "A", value)
    assert sandbox.uploads("A") == [value]
    assert sandbox.upload_records("A")[0]["sealed"] is False
    assert text(value) == base64.b64encode(sandbox.value("prod", "A")).decode()
