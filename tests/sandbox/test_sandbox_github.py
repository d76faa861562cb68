"""The sandbox's GitHub says what is known of the real one (apis.md, GitHub)."""

import pytest
from raw_http import GitHub, seal, text

ORGANIZATION = "/orgs/octo-org/actions"
STORES = ("actions", "dependabot", "codespaces", "agents")


def names(reply):
    return [entry["name"] for entry in reply.json["secrets"]]


def message(reply):
    return reply.json["message"]


# Secrets

@pytest.mark.parametrize("store", STORES)
def test_put_says_whether_it_created_or_replaced(sandbox, github, store):
    created, replaced = github.put(store, "TOKEN", b"one"), github.put(store, "TOKEN", b"two")
    assert (created.status, created.json) == (201, {})
    assert (replaced.status, replaced.body) == (204, b"")
    assert sandbox.uploads("TOKEN") == [b"one", b"two"]
    assert names(github.call("GET", f"{store}/secrets")) == ["TOKEN"]


def test_a_secret_is_described_without_its_value(github):
    github.put("actions", "TOKEN", b"value")
    entry = github.call("GET", "actions/secrets/TOKEN").json
    assert set(entry) == {"name", "created_at", "updated_at"} and entry["created_at"].endswith("Z")
    assert github.call("GET", "actions/secrets").json == {"total_count": 1, "secrets": [entry]}


def test_names_are_kept_in_capitals_and_found_in_both(github):
    assert github.put("actions", "token", b"1").status == 201
    assert github.put("actions", "Token", b"2").status == 204
    assert github.call("GET", "actions/secrets/toKEN").json["name"] == "TOKEN"


@pytest.mark.parametrize("name", ["1A", "A-B", "A%20B", "GITHUB_A", "github_a", "%C3%A4"])
def test_names_that_are_refused(github, name):
    assert github.put("actions", name, b"v").status == 422


def test_stores_are_apart_and_so_are_their_keys(github):
    keys = {store: github.key(store)["key_id"] for store in STORES}
    assert len(set(keys.values())) == len(STORES)
    github.put("actions", "A", b"1")
    assert names(github.call("GET", "dependabot/secrets")) == []


def test_what_is_sealed_for_another_store_or_an_old_key_is_refused(sandbox, github):
    foreign = github.put("actions", "A", b"1", github.key("dependabot"))
    assert foreign.status == 422 and "improperly encrypted secret" in message(foreign)
    old = github.key("actions")
    sandbox.variant(github__key_generation=1)
    assert github.put("actions", "A", b"1", old).status == 422
    assert github.put("actions", "A", b"1").status == 201


def test_a_body_must_be_whole(github):
    key = github.key("actions")
    sealed = text(seal(key["key"], b"v"))
    path = "actions/secrets/A"
    reply = github.call("PUT", path, {"encrypted_value": sealed})
    assert reply.status == 422 and '"key_id" wasn\'t supplied.' in message(reply)
    for body in ({"key_id": key["key_id"]}, {"encrypted_value": "!", "key_id": key["key_id"]},
                 {"encrypted_value": sealed, "key_id": key["key_id"], "visibility": "all"}, [], None):
        assert github.call("PUT", path, body).status == 422


def test_what_a_call_does_not_take_is_refused(github):
    assert github.put("actions", "A", b"1").status == 201
    for method, path in (("GET", "actions/secrets/A?page=1"), ("GET", "actions/secrets/public-key?x=1"),
                         ("DELETE", "actions/secrets/A?force=true"), ("PUT", "environments/production?x=1"),
                         ("GET", "actions/secrets?sort=name")):
        assert github.call(method, path).status == 422, path
    assert github.call("GET", "actions/secrets", {"name": "A"}).status == 400
    assert github.call("DELETE", "actions/secrets/A", {}).status == 400
    assert github.call("GET", "actions/secrets/A").status == 200


def test_the_limit_of_a_value_and_of_a_store(sandbox, github):
    assert github.put("actions", "A", b"x" * 49152).status == 201
    assert github.put("actions", "A", b"x" * 49153).status == 422
    sandbox.variant(github__quota_secrets=1)
    assert github.put("actions", "B", b"v").status == 422
    assert github.put("actions", "A", b"v").status == 204
    sandbox.variant(github__quota_status="403")
    assert github.put("actions", "B", b"v").status == 403


def test_delete_and_what_is_not_there(github):
    github.put("actions", "A", b"1")
    assert github.call("DELETE", "actions/secrets/A").status == 204
    for reply in (github.call("DELETE", "actions/secrets/A"), github.call("GET", "actions/secrets/A"),
                  github.call("GET", "/repos/octo/none/actions/secrets"), github.call("GET", "actions/nothing")):
        assert reply.status == 404
        assert set(reply.json) == {"message", "documentation_url", "status"} and reply.json["status"] == "404"


def test_pages_are_numbered_and_linked(sandbox, github):
    sandbox.seed("actions", 205, service="github")
    first = github.call("GET", "actions/secrets?per_page=100")
    assert first.json["total_count"] == 205 and len(first.json["secrets"]) == 100
    assert 'page=2>; rel="next"' in first.headers["Link"] and 'page=3>; rel="last"' in first.headers["Link"]
    last = github.call("GET", "actions/secrets?per_page=100&page=3")
    assert len(last.json["secrets"]) == 5 and 'rel="next"' not in last.headers["Link"]
    assert len(github.call("GET", "actions/secrets").json["secrets"]) == 30
    assert github.call("GET", "actions/secrets?per_page=101").status == 422


# Environments

def test_environments_are_made_and_removed(sandbox, github):
    made = github.call("PUT", "environments/pre%2Fprod").json
    assert made["name"] == "pre/prod"
    assert sandbox.calls()[-1]["mode"] == "create"
    assert github.put("environments/pre%2Fprod", "A", b"1").status == 201
    assert github.call("GET", "environments").json == {"total_count": 1, "environments": [made]}
    github.call("PUT", "environments/pre%2Fprod")
    assert sandbox.calls()[-1]["mode"] == "reset"
    assert github.call("GET", "environments/Pre%2FProd").json["name"] == "pre/prod"
    assert github.call("PUT", "environments/Pre%2FProd").json["id"] == made["id"]
    assert github.call("DELETE", "environments/pre%2Fprod").status == 204
    assert github.call("GET", "environments/pre%2Fprod/secrets").status == 404


@pytest.mark.parametrize("rules, status", [
    ({"wait_timer": 30, "prevent_self_review": True, "reviewers": [{"type": "User", "id": 1}],
      "deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False}}, 200),
    ({"reviewers": None, "deployment_branch_policy": None}, 200),
    ({"wait_timer": 43201}, 422), ({"wait_timer": "30"}, 422), ({"prevent_self_review": 1}, 422),
    ({"reviewers": [{"type": "Robot", "id": 1}]}, 422), ({"reviewers": [{"type": "Team", "id": 1}] * 7}, 422),
    ({"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": True}}, 422),
    ({"deployment_branch_policy": {"protected_branches": True}}, 422), ({"name": "production"}, 422), ([], 422)])
def test_the_rules_of_an_environment_are_checked(github, rules, status):
    assert github.call("PUT", "environments/production", rules).status == status


# Organizations

def test_an_organizations_secrets_have_their_visibility(github):
    repository = github.call("GET", "/repos/octo-org/web").json["id"]
    assert github.put(ORGANIZATION, "A", b"1").status == 422
    assert github.put(ORGANIZATION, "A", b"1", visibility="all").status == 201
    assert github.put(ORGANIZATION, "B", b"1", visibility="selected", selected_repository_ids=[repository]).status == 201
    assert github.put(ORGANIZATION, "C", b"1", visibility="all", selected_repository_ids=[repository]).status == 422
    for values in (None, 7, {}, ["web"], [True]):
        assert github.put(ORGANIZATION, "C", b"1", visibility="selected", selected_repository_ids=values).status == 422
    shown = {entry["name"]: entry for entry in github.call("GET", f"{ORGANIZATION}/secrets").json["secrets"]}
    assert shown["A"]["visibility"] == "all" and "selected_repositories_url" not in shown["A"]
    assert shown["B"]["visibility"] == "selected" and shown["B"]["selected_repositories_url"]
    selected = github.call("GET", f"{ORGANIZATION}/secrets/B/repositories").json
    assert [one["full_name"] for one in selected["repositories"]] == ["octo-org/web"]


@pytest.mark.parametrize("kind, as_text", [("actions", 201), ("dependabot", 201), ("codespaces", 422), ("agents", 422)])
def test_ids_of_repositories_are_numbers_and_texts_where_the_schema_has_them(github, kind, as_text):
    store = f"/orgs/octo-org/{kind}"
    repository = github.call("GET", "/repos/octo-org/web").json["id"]
    for name, number, status in (("A", repository, 201), ("B", str(repository), as_text), ("C", "web", 422)):
        assert github.put(store, name, b"1", visibility="selected", selected_repository_ids=[number]).status == status
    assert github.call("GET", f"{store}/secrets/A/repositories").json["total_count"] == 1


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_graphql_has_the_ids_of_repositories_by_name(github, path):
    def ask(*names):
        asked = "".join(f'\n\t repo_{at:03}: repository(owner: "octo-org", name: "{name}") {{\n databaseId\n }}' for at, name in enumerate(names))
        return github.call("POST", path, {"query": f"query MapRepositoryNames {{{asked} }}"}).json

    web, api = (github.call("GET", f"/repos/octo-org/{name}").json["id"] for name in ("web", "api"))
    assert ask("web", "api") == {"data": {"repo_000": {"databaseId": web}, "repo_001": {"databaseId": api}}}
    missing = ask("none")
    assert missing["data"] == {"repo_000": None} and [error["type"] for error in missing["errors"]] == ["NOT_FOUND"]
    assert "errors" in github.call("POST", path, {"query": "query { viewer { login } }"}).json


# Who may, and how often

def test_tokens(sandbox, github):
    assert github.call("GET", "actions/secrets", Authorization="token sandbox-token").status == 200
    wrong = GitHub(sandbox.port, "other")
    assert message(wrong.call("GET", "actions/secrets")) == "Bad credentials"
    wrong.close()
    assert github.call("GET", "actions/secrets", Authorization=None).status == 401
    assert github.call("GET", "actions/secrets", **{"User-Agent": None}).status == 403
    assert github.call("GET", "actions/secrets", **{"X-GitHub-Api-Version": "1999-01-01"}).status == 400
    sandbox.variant(github__rights="read")
    assert github.call("GET", "actions/secrets").status == 200
    assert "not accessible" in message(github.put("actions", "A", b"1"))


def test_a_server_of_ones_own_has_a_prefix(github):
    assert github.call("GET", "/api/v3/repos/octo/app/actions/secrets").status == 200


def test_the_same_question_with_its_etag_costs_nothing(sandbox, github):
    sandbox.variant(github__rate_limit=10)
    github.put("actions", "A", b"1")
    first = github.call("GET", "actions/secrets")
    again = github.call("GET", "actions/secrets", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    github.put("actions", "A", b"2")
    github.put("actions", "B", b"2")
    changed = github.call("GET", "actions/secrets", **{"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200


def test_the_primary_limit_says_until_when(sandbox, github):
    sandbox.variant(github__rate_limit=2)
    github.call("GET", "actions/secrets")
    assert github.call("GET", "actions/secrets").headers["X-RateLimit-Remaining"] == "0"
    refused = github.call("GET", "actions/secrets")
    assert refused.status == 403 and refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-RateLimit-Reset"]) > 0
    assert github.call("GET", "/rate_limit").status == 200


@pytest.mark.parametrize("limit, calls", [("github__changes", 2), ("github__points", 13)])
def test_the_secondary_limits(sandbox, github, limit, calls):
    key = github.key("actions")
    sandbox.variant(**{limit: calls})
    statuses = [github.put("actions", f"A{number}", b"1", key).status for number in range(3)]
    assert statuses == [201, 201, 403]
    refused = github.put("actions", "A3", b"1", key)
    assert "secondary rate limit" in message(refused) and 0 < int(refused.headers["Retry-After"]) <= 60
    sandbox.variant(github__retry_after="no", github__limit_status="429")
    refused = github.put("actions", "A3", b"1", key)
    assert refused.status == 429 and "Retry-After" not in refused.headers
