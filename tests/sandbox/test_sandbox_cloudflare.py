"""The sandbox's Cloudflare says what is known of the real one (doc/apis.md, Cloudflare)."""

import re

import pytest
from raw_http import Client


@pytest.fixture
def store(cloudflare):
    return cloudflare.store()


def created(cloudflare, store, name="A", **more):
    return cloudflare.create(store, name, **more).json["result"][0]


def listed(cloudflare, store, query="per_page=100"):
    return cloudflare.call("GET", f"/stores/{store}/secrets?{query}").json


# Stores

def test_a_store_is_created_by_an_object_and_answered_by_one(cloudflare):
    reply = cloudflare.call("POST", "/stores", {"name": "s"})
    assert reply.status == 200
    body = reply.json
    assert body["success"] is True and body["errors"] == [] and body["messages"] == []
    assert re.fullmatch(r"[0-9a-f]{32}", body["result"]["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["result"]["created"])


def test_an_array_creates_no_store(cloudflare):
    reply = cloudflare.call("POST", "/stores", [{"name": "s"}])
    assert (reply.status, reply.json["errors"][0]["code"], cloudflare.slug(reply)) == (400, 1001, "invalid_json_body")
    assert reply.json["success"] is False and reply.json["result"] is None


def test_there_is_one_store_unless_a_variant_changes_it(sandbox, cloudflare, store):
    reply = cloudflare.call("POST", "/stores", {"name": "more"})
    assert (reply.status, reply.json["errors"][0]) == (400, {"code": 1003, "message": "maximum_stores_exceeded"})
    sandbox.variant(cloudflare__quota_stores=2)
    assert cloudflare.call("POST", "/stores", {"name": "more"}).status == 200


def test_a_store_that_is_not_empty_stays_unless_forced(cloudflare, store):
    created(cloudflare, store)
    reply = cloudflare.call("DELETE", f"/stores/{store}")
    assert (reply.status, cloudflare.slug(reply)) == (409, "store_not_empty")
    assert cloudflare.call("DELETE", f"/stores/{store}?force=false").status == 409
    assert cloudflare.call("DELETE", f"/stores/{store}?force=true").json["result"] is None
    assert cloudflare.call("GET", f"/stores/{store}").status == 404


def test_an_empty_store_goes(cloudflare, store):
    reply = cloudflare.call("DELETE", f"/stores/{store}")
    assert (reply.status, reply.json["success"], reply.json["result"]) == (200, True, None)


# Secrets

def test_secrets_are_created_by_an_array_and_answered_by_one(sandbox, cloudflare, store):
    reply = cloudflare.create(store, "A", "B", value="v")
    assert reply.status == 200
    assert [secret["name"] for secret in reply.json["result"]] == ["A", "B"]
    assert sandbox.uploads() == [b"v", b"v"]


def test_an_object_creates_no_secret(cloudflare, store):
    reply = cloudflare.call("POST", f"/stores/{store}/secrets", {"name": "A", "value": "v", "scopes": ["workers"]})
    assert (reply.status, cloudflare.slug(reply)) == (400, "invalid_json_body")
    assert cloudflare.call("POST", f"/stores/{store}/secrets", []).status == 400


def test_scopes_come_back_sorted(cloudflare, store):
    assert created(cloudflare, store, scopes=("workers", "access"))["scopes"] == ["access", "workers"]


@pytest.mark.parametrize("scopes, slug", [([], "secret_scopes_empty"), (["worker"], "secret_scope_invalid"),
                                          (["ai-gateway"], "secret_scope_invalid"),
                                          (["workers", "workers"], "secret_scope_invalid"), ("workers", "invalid_json_body"),
                                          ([1], "invalid_json_body"), (None, "invalid_json_body")])
def test_bad_scopes_are_refused(cloudflare, store, scopes, slug):
    reply = cloudflare.call("POST", f"/stores/{store}/secrets", [{"name": "A", "value": "v", "scopes": scopes}])
    assert (reply.status, cloudflare.slug(reply)) == (400, slug)


def test_a_taken_name_is_refused_as_the_variant_says(sandbox, cloudflare, store):
    created(cloudflare, store)
    for status in (409, 400):
        sandbox.variant(cloudflare__conflict_status=status)
        reply = cloudflare.create(store, "A")
        assert reply.status == status
        assert reply.json["errors"][0] == {"code": 1003, "message": "secret_name_already_exists: A"}


def test_several_are_created_together_or_not_at_all_unless_a_variant_changes_it(sandbox, cloudflare, store):
    created(cloudflare, store, "B")
    assert cloudflare.create(store, "A", "B").status == 409
    assert sandbox.value("default_secrets_store", "A", "cloudflare") is None
    assert sandbox.uploads("A") == []
    sandbox.variant(cloudflare__multi_create="partial")
    assert cloudflare.create(store, "A", "B").status == 409
    assert sandbox.value("default_secrets_store", "A", "cloudflare") == b"v"


def test_a_patch_of_the_value_keeps_everything_else(sandbox, cloudflare, store):
    old = created(cloudflare, store, comment="why", scopes=("dex", "access"))
    new = cloudflare.call("PATCH", f"/stores/{store}/secrets/{old['id']}", {"value": "w"}).json["result"]
    kept = ("id", "name", "created", "comment", "scopes", "store_id")
    assert {key: new[key] for key in kept} == {key: old[key] for key in kept}
    assert new["modified"] > old["modified"]
    assert sandbox.value("default_secrets_store", "A", "cloudflare") == b"w"


def test_a_patch_of_the_comment_keeps_the_value(sandbox, cloudflare, store):
    old = created(cloudflare, store)
    new = cloudflare.call("PATCH", f"/stores/{store}/secrets/{old['id']}", {"comment": "why"}).json["result"]
    assert new["comment"] == "why"
    assert sandbox.value("default_secrets_store", "A", "cloudflare") == b"v"
    cleared = cloudflare.call("PATCH", f"/stores/{store}/secrets/{old['id']}", {"comment": ""}).json["result"]
    assert "comment" not in cleared
    assert len(sandbox.uploads()) == 1


@pytest.mark.parametrize("body", [{}, {"name": "B"}, {"value": None}, {"value": 1}, {"value": ""}, [], [{"value": "w"}],
                                  {"comment": None}, {"scopes": []}, {"value": "w", "id": "x"}])
def test_bad_patches_are_refused_and_change_nothing(sandbox, cloudflare, store, body):
    secret = created(cloudflare, store)
    assert cloudflare.call("PATCH", f"/stores/{store}/secrets/{secret['id']}", body).status == 400
    assert sandbox.value("default_secrets_store", "A", "cloudflare") == b"v"


def test_a_secret_is_pending_and_then_active(sandbox, cloudflare, store):
    secret = created(cloudflare, store)
    assert secret["status"] == "pending"
    sandbox.variant(clock=2)
    path = f"/stores/{store}/secrets/{secret['id']}"
    assert cloudflare.call("GET", path).json["result"]["status"] == "active"
    assert cloudflare.call("PATCH", path, {"value": "w"}).json["result"]["status"] == "pending"


def test_a_deletion_is_202_or_200_with_null(sandbox, cloudflare, store):
    for status in (202, 200):
        sandbox.variant(cloudflare__delete_status=status)
        secret = created(cloudflare, store)
        reply = cloudflare.call("DELETE", f"/stores/{store}/secrets/{secret['id']}")
        assert (reply.status, reply.json["result"]) == (status, None)
        assert cloudflare.call("DELETE", f"/stores/{store}/secrets/{secret['id']}").status == 404


def test_deleted_rows_can_linger_in_listings(sandbox, cloudflare, store):
    sandbox.variant(cloudflare__deleted_rows=60)
    secret = created(cloudflare, store)
    cloudflare.call("DELETE", f"/stores/{store}/secrets/{secret['id']}")
    assert [row["status"] for row in listed(cloudflare, store)["result"]] == ["deleted"]
    again = created(cloudflare, store)
    assert again["id"] != secret["id"]
    sandbox.variant(clock=61)
    assert [row["id"] for row in listed(cloudflare, store)["result"]] == [again["id"]]


def test_a_bulk_deletion_needs_ids(cloudflare, store):
    ids = [secret["id"] for secret in cloudflare.create(store, "A", "B", "C").json["result"]]
    for body in (None, {}, {"ids": []}, {"ids": ids[0]}, ids, {"ids": [1]}):
        assert cloudflare.call("DELETE", f"/stores/{store}/secrets", body).status == 400
    assert cloudflare.call("DELETE", f"/stores/{store}/secrets", {"ids": ids[:2]}).status == 202
    assert [row["name"] for row in listed(cloudflare, store)["result"]] == ["C"]


def test_a_duplicate_has_the_value_and_another_id(sandbox, cloudflare, store):
    secret = created(cloudflare, store, value="deep", comment="why")
    path = f"/stores/{store}/secrets/{secret['id']}/duplicate"
    copy = cloudflare.call("POST", path, {"name": "B", "scopes": ["dex"]}).json["result"]
    assert copy["id"] != secret["id"] and copy["scopes"] == ["dex"] and "comment" not in copy
    assert sandbox.value("default_secrets_store", "B", "cloudflare") == b"deep"
    assert cloudflare.call("POST", path, {"name": "B", "scopes": ["dex"]}).status == 409
    assert cloudflare.slug(cloudflare.call("POST", path, {"name": "C", "scopes": []})) == "secret_scopes_empty"
    assert cloudflare.slug(cloudflare.call("POST", path, {"name": "C"})) == "secret_scopes_empty"


@pytest.mark.parametrize("name, slug", [("", "secret_name_empty"), ("a.b", "secret_name_invalid"), ("a b", "secret_name_invalid"),
                                        ("ä", "secret_name_invalid"), ("a/b", "secret_name_invalid"),
                                        ("a" * 256, "secret_name_invalid"), (None, "invalid_json_body")])
def test_bad_names_are_refused(cloudflare, store, name, slug):
    reply = cloudflare.call("POST", f"/stores/{store}/secrets", [{"name": name, "value": "v", "scopes": ["workers"]}])
    assert (reply.status, cloudflare.slug(reply)) == (400, slug)


def test_periods_are_taken_when_the_variant_says_so(sandbox, cloudflare, store):
    sandbox.variant(cloudflare__periods="accept")
    assert cloudflare.create(store, "a.b").status == 200


def test_a_value_has_one_to_65536_bytes_of_utf8(sandbox, cloudflare, store):
    assert cloudflare.create(store, "A", value="é" * 32768).status == 200
    reply = cloudflare.create(store, "B", value="é" * 32768 + "x")
    assert (reply.status, cloudflare.slug(reply)) == (400, "secret_value_too_long")
    assert cloudflare.create(store, "B", value="").status == 400
    assert sandbox.uploads() == [("é" * 32768).encode()]


@pytest.mark.parametrize("value", ["\"\\/\b\f\n\r\t", "\x01\x1f\x7f", "a\0b", "\U0001f511", "\u2028é", " trailing \n"])
def test_every_character_arrives(sandbox, cloudflare, store, value):
    assert cloudflare.create(store, "A", value=value).status == 200
    assert sandbox.uploads("A") == [value.encode()]


@pytest.mark.parametrize("body", [b'[{"name":"A","value":"\xff","scopes":["workers"]}]',
                                  b'[{"name":"A","value":"\\ud83d","scopes":["workers"]}]',
                                  b'[{"name":"A","value":"v","value":"v","scopes":["workers"]}]',
                                  b'[{"name":"A","value":"v","scopes":["workers"],"more":1}]',
                                  b'[{"name":"A","value":"v","scopes":["workers"]},]', b""])
def test_bodies_that_are_not_exact_are_refused(sandbox, cloudflare, store, body):
    reply = cloudflare.send("POST", f"{cloudflare.base}/stores/{store}/secrets", body)
    assert (reply.status, cloudflare.slug(reply)) == (400, "invalid_json_body")
    assert sandbox.uploads() == []


def test_the_secret_quota_is_that_of_the_account(sandbox, cloudflare, store):
    sandbox.variant(cloudflare__quota_secrets=2)
    assert cloudflare.create(store, "A", "B", "C").status == 400
    assert cloudflare.create(store, "A", "B").status == 200
    reply = cloudflare.create(store, "C")
    assert reply.json["errors"][0] == {"code": 1003, "message": "maximum_secrets_exceeded"}
    assert cloudflare.call("GET", "/quota").json["result"] == {"secrets": {"quota": 2, "usage": 2}}


# Listings

def test_pages_are_numbered_and_have_the_total(sandbox, cloudflare):
    store = sandbox.seed("big", 250, service="cloudflare")["store"]
    pages = [listed(cloudflare, store, f"per_page=100&page={page}&order=name&direction=asc") for page in (1, 2, 3, 4)]
    assert [len(page["result"]) for page in pages] == [100, 100, 50, 0]
    assert pages[2]["result_info"] == {"count": 50, "page": 3, "per_page": 100, "total_count": 250}
    names = [row["name"] for page in pages for row in page["result"]]
    assert names == sorted(names) and len(set(names)) == 250


def test_the_newest_come_first_unless_asked(cloudflare, store):
    for name in "BAC":
        created(cloudflare, store, name)
    assert [row["name"] for row in listed(cloudflare, store)["result"]] == ["C", "A", "B"]
    assert [row["name"] for row in listed(cloudflare, store, "order=name&direction=asc")["result"]] == ["A", "B", "C"]
    assert [row["name"] for row in listed(cloudflare, store, "order=created&direction=asc")["result"]] == ["B", "A", "C"]


def test_the_order_follows_changes(cloudflare, store):
    first = created(cloudflare, store, "A")
    created(cloudflare, store, "B")
    assert [row["name"] for row in listed(cloudflare, store, "order=modified")["result"]] == ["B", "A"]
    cloudflare.call("PATCH", f"/stores/{store}/secrets/{first['id']}", {"value": "w"})
    assert [row["name"] for row in listed(cloudflare, store, "order=modified")["result"]] == ["A", "B"]


def test_a_search_finds_parts_of_names_and_comments_and_the_total_ignores_it(cloudflare, store):
    created(cloudflare, store, "DB_KEY")
    created(cloudflare, store, "OTHER", comment="the db key")
    created(cloudflare, store, "THIRD")
    found = listed(cloudflare, store, "search=db&order=name&direction=asc")
    assert [row["name"] for row in found["result"]] == ["DB_KEY", "OTHER"]
    assert (found["result_info"]["count"], found["result_info"]["total_count"]) == (2, 3)


def test_scopes_filter(cloudflare, store):
    created(cloudflare, store, "A", scopes=("workers", "dex"))
    created(cloudflare, store, "B")
    for scopes in ("scopes=dex,workers", "scopes=dex&scopes=workers"):
        assert [row["name"] for row in listed(cloudflare, store, scopes)["result"]] == ["A"]


@pytest.mark.parametrize("query", ["per_page=101", "per_page=0", "page=0", "page=x", "order=id", "direction=up", "limit=5",
                                   "page=1&page=1", "page"])
def test_odd_queries_are_refused(cloudflare, store, query):
    assert cloudflare.call("GET", f"/stores/{store}/secrets?{query}").status == 400


@pytest.mark.parametrize("form, info", [("absent", None), ("null", dict.fromkeys(("count", "page", "per_page", "total_count"))),
                                        ("no_total", {"count": 0, "page": 1, "per_page": 20}),
                                        ("total_pages", {"count": 0, "page": 1, "per_page": 20, "total_count": 0, "total_pages": 0})])
def test_the_page_information_can_be_less_or_more(sandbox, cloudflare, store, form, info):
    sandbox.variant(cloudflare__result_info=form)
    assert cloudflare.call("GET", f"/stores/{store}/secrets").json.get("result_info") == info


# Who asks, and for what

def test_an_address_with_the_key_is_as_good_as_a_token(sandbox, cloudflare):
    person = {"X-Auth-Email": "you@example.com", "X-Auth-Key": "sandbox-token", "Authorization": None}
    assert cloudflare.send("GET", cloudflare.base + "/quota", None, person).status == 200
    assert cloudflare.send("GET", cloudflare.base + "/quota", None, {**person, "X-Auth-Key": "other"}).status == 401
    assert cloudflare.send("GET", cloudflare.base + "/quota", None, {**person, "X-Auth-Email": "me@x.org"}).status == 401
    assert cloudflare.send("GET", cloudflare.base + "/quota", None, {**person, "X-Auth-Email": None}).status == 401


@pytest.mark.parametrize("token, status, code", [("Bearer wrong", 401, 10000), ("Bearer two words", 400, 9106), ("", 400, 9106),
                                                 (None, 400, 9106), ("Basic sandbox-token", 401, 10000)])
def test_other_credentials_are_refused(cloudflare, token, status, code):
    reply = cloudflare.send("GET", cloudflare.base + "/quota", None, {"Authorization": token})
    assert (reply.status, reply.json["errors"][0]["code"]) == (status, code)


def test_another_account_is_403(sandbox, cloudflare):
    client = Client(sandbox.port, Authorization="Bearer sandbox-token")
    other = client.send("GET", f"/client/v4/accounts/{'f' * 32}/secrets_store/quota")
    assert (other.status, other.json["errors"][0]["code"]) == (403, 9109)
    impossible = client.send("GET", "/client/v4/accounts/not-an-id/secrets_store/quota")
    assert (impossible.status, impossible.json["errors"][0]["code"]) == (404, 7003)
    client.close()


def test_the_path_works_with_and_without_the_version(sandbox, cloudflare):
    assert cloudflare.send("GET", f"/accounts/{sandbox.account}/secrets_store/quota").status == 200


def test_empty_parts_and_unknown_paths_are_404(cloudflare, store):
    assert cloudflare.call("DELETE", f"/stores/{store}/secrets/").json["errors"][0]["code"] == 1000
    assert cloudflare.call("GET", "/stores//secrets").json["errors"][0]["code"] == 1000
    assert cloudflare.call("GET", "/nothing").status == 404
    assert cloudflare.call("PUT", f"/stores/{store}/secrets").status == 405


@pytest.mark.parametrize("path, slug", [("/stores/{other}", "store_not_found"), ("/stores/{other}/secrets", "store_not_found"),
                                        ("/stores/{store}/secrets/{other}", "secret_not_found"),
                                        ("/stores/{store}/secrets/01234567-0123-0123-0123-0123456789ab", "secret_not_found")])
def test_what_does_not_exist_says_so_with_code_1001(cloudflare, store, path, slug):
    reply = cloudflare.call("GET", path.format(store=store, other="e" * 32))
    assert (reply.status, reply.json["errors"][0]) == (404, {"code": 1001, "message": slug})


def test_content_type_and_bodies_are_checked(cloudflare, store):
    body = b'[{"name":"A","value":"v","scopes":["workers"]}]'
    secrets = f"{cloudflare.base}/stores/{store}/secrets"
    assert cloudflare.send("POST", secrets, body, {"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    assert cloudflare.send("POST", secrets, body, {"Content-Type": "text/plain;charset=UTF-8"}).status == 200
    assert cloudflare.call("GET", "/quota", {}).status == 400
    assert cloudflare.call("GET", "/quota?page=1").status == 400


def test_over_the_limit_everything_is_locked_out(sandbox, cloudflare):
    sandbox.variant(cloudflare__rate_limit=3, cloudflare__rate_window=60, cloudflare__lockout=300)
    replies = [cloudflare.call("GET", "/quota") for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert replies[0].headers["Ratelimit"].startswith('"default";r=2;t=')
    assert replies[0].headers["Ratelimit-Policy"] == '"default";q=3;w=60'
    assert "Retry-After" not in replies[2].headers
    assert 290 <= int(replies[3].headers["Retry-After"]) <= 300
    sandbox.variant(clock=100)
    assert cloudflare.call("GET", "/quota").status == 429
    sandbox.variant(clock=310)
    assert cloudflare.call("GET", "/quota").status == 200


@pytest.mark.parametrize("choice, expected", [("null", None), ("empty", "")])
def test_a_missing_comment_can_be_null_or_empty(sandbox, cloudflare, store, choice, expected):
    sandbox.variant(cloudflare__no_comment=choice)
    assert created(cloudflare, store)["comment"] == expected


def test_the_journal_names_what_was_created_and_patched(sandbox, cloudflare, store):
    secret = cloudflare.create(store, "A", "B").json["result"][1]
    cloudflare.call("PATCH", f"/stores/{store}/secrets/{secret['id']}", {"value": "w"})
    create, patch = sandbox.calls(operation="cloudflare.*_secret*")
    assert (create["operation"], create["mode"], create["names"]) == ("cloudflare.create_secrets", "create", ["A", "B"])
    assert (patch["operation"], patch["mode"], patch["name"]) == ("cloudflare.patch_secret", "replace", "B")
    assert create["headers"]["authorization"] == "present"
