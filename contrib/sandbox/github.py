"""GitHub's API for the secrets of repositories, environments and organizations (apis.md, GitHub)."""

import base64
import hashlib
import json
import math
import re
import secrets as random
from datetime import datetime, timezone

import github_repository
from error_bodies import error_response
from github_keys import StoreKeys
from github_page import link_header, page_params
from http_types import Response, ApiError, lenient_name
from rate_limit import Minutes, FixedWindow
from routing import Router, no_body
from base_service import Service
from parsing import ParseError, read_base64

KINDS = ("actions", "dependabot", "codespaces", "agents")
VERSION = "2022-11-28"
LARGEST_VALUE = 48 * 1024
HOUR = 3600
PREFIX, GRAPHQL = "/api/v3", "/api/graphql"  # of a GitHub Enterprise Server
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_VISIBILITIES = ("all", "private", "selected")
_IDS_AS_TEXT = ("actions", "dependabot")  # whose ids of repositories may be texts, too
# What `gh secret set --repos` asks for, with single blanks.
_LOOKUP = re.compile(r'(\w+): repository\(owner: "([^"]*)", name: "([^"]*)"\) { databaseId }')
_LOOKUPS = re.compile(rf"query \w+ {{ ({_LOOKUP.pattern} )+}}")
SCHEMES = ("bearer", "token")


def _secret_routes(base, store):
    return ((("GET", base + "/secrets", "list_secrets", store),
             ("GET", base + "/secrets/public-key", "get_public_key", store),
             ("GET", base + "/secrets/{name}", "get_secret", store),
             ("PUT", base + "/secrets/{name}", "put_secret", store),
             ("DELETE", base + "/secrets/{name}", "delete_secret", store)))


REPOSITORY = "/repos/{owner}/{repo}"
ORGANIZATION = "/orgs/{org}"
_TABLE = (
    ("GET", REPOSITORY, "get_repository", None),
    ("GET", ORGANIZATION, "get_organization", None),
    ("GET", "/user", "get_user", None),
    ("GET", "/rate_limit", "get_rate_limit", None),
    ("POST", "/graphql", "query_repositories", None),
    ("GET", REPOSITORY + "/environments", "list_environments", None),
    ("GET", REPOSITORY + "/environments/{environment}", "get_environment", None),
    ("PUT", REPOSITORY + "/environments/{environment}", "put_environment", None),
    ("DELETE", REPOSITORY + "/environments/{environment}", "delete_environment", None),
    *_secret_routes(REPOSITORY + "/environments/{environment}", "environment"),
    *(route for kind in KINDS for route in _secret_routes(f"{REPOSITORY}/{kind}", kind)),
    *(route for kind in KINDS for route in _secret_routes(f"{ORGANIZATION}/{kind}", kind)),
    *(("GET", f"{ORGANIZATION}/{kind}/secrets/{{name}}/repositories", "list_selected", kind) for kind in KINDS),
)
ROUTES = Router(tuple((method, path, (operation, store)) for method, path, operation, store in _TABLE))
UNMETERED = ("get_rate_limit",)
WITH_QUERY = ("list_environments", "list_secrets", "list_selected")
WITH_BODY = ("put_environment", "put_secret", "query_repositories")


class GitHub(Service):
    name = "github"
    paths = ("/repos/", "/orgs/", "/user", "/rate_limit", "/graphql", GRAPHQL, PREFIX + "/")
    secret_id_sql = "NULL"

    def __init__(self, state, variants, clock, call_log):
        super().__init__(state, variants, clock, call_log)
        self.keys = StoreKeys(state, variants)
        self.rate = FixedWindow(clock)
        self.minute = Minutes(clock)

    def forget(self):
        super().forget()
        self.minute.forget()

    def identify(self, request, call):
        """Names the call for the call log and the faults, before anything is checked."""
        found = ROUTES.find(request.method, [lenient_name(part) for part in _path(request).split("/")[1:]])
        if not isinstance(found, tuple):
            return
        (operation, kind), words = found
        call["operation"] = f"{self.name}.{operation}"
        call["store"] = words.get("environment", kind)
        call["name"] = words.get("name")
        if operation == "put_secret":
            call["mode"], call["sealed"] = "either", True

    def credentials(self, request, tokens):
        """Returns present, wrong, or None when there are no credentials."""
        sent = request.headers.get("authorization")
        if sent is None:
            return None
        scheme, _, token = sent.partition(" ")
        return "present" if scheme.lower() in SCHEMES and token.strip() in tokens else "wrong"

    def decorate(self, request, response, call):
        """Adds the headers of every response, refusals too."""
        limit = self.variants["github.rate_limit"] or 5000
        left, reset = self.rate.left(limit, HOUR)
        response.headers += [("X-GitHub-Request-Id", call["request_id"]), ("X-GitHub-Media-Type", "github.v3; format=json"),
                           ("X-GitHub-Api-Version-Selected", VERSION)]
        for name, value in (("Limit", limit), ("Remaining", left), ("Used", limit - left), ("Reset", math.ceil(reset)),
                            ("Resource", "core")):
            if response.get(f"X-RateLimit-{name}") is None:
                response.headers.append((f"X-RateLimit-{name}", str(value)))

    def new_request_id(self):
        return ":".join(random.token_hex(size).upper() for size in (2, 3, 4, 4, 4))

    def error(self, status, detail, family=None, code=None):
        return error_response(family or "github", status, detail, code)

    def announce_exhausted(self, response, seconds):
        response.set("X-RateLimit-Remaining", "0")
        response.set("X-RateLimit-Reset", str(math.ceil(self.clock.now() + seconds)))

    def _error_response(self, error):
        response = self.error(error.status, error.detail)
        response.headers += error.more.get("headers", [])
        return response

    # For the control interface: a store is repos/OWNER/REPO/STORE or orgs/ORG/STORE; STORE alone is the first repository's

    def find_store(self, params):
        return self.state.store(self.name, self._id_of(params["store"]))

    def make_store(self, params):
        store_id = self._id_of(params["store"])
        name = store_id.partition("/environments/")[2] or store_id.rpartition("/")[2]
        return self.state.add_store(self.name, store_id, name, self.clock.now())

    def _id_of(self, text):
        if text.startswith(("repos/", "orgs/")):
            return text
        return _store_id(f"repos/{self.variants['github.repositories'][0].lower()}", None if text in KINDS else "environment", text)

    # What is checked for every call

    def _respond(self, request, call):
        self._check_head(request, call)
        (operation, kind), words = self._route(request)
        self._check_rights(request)
        if operation not in WITH_QUERY and request.query:
            raise invalid("this call takes no parameters")
        if operation not in WITH_BODY:
            no_body(request)
        base = self._base(words)
        parameters = [words[name] for name in ("environment", "name") if name in words]
        if kind:
            store = self._store(base, kind, parameters.pop(0) if kind == "environment" else None)
            response = getattr(self, operation)(request, call, store, *parameters)
        else:
            response = getattr(self, operation)(request, call, base, *parameters)
        return self._conditional(request, response)

    def _check_head(self, request, call):
        if "user-agent" not in request.headers:
            raise ApiError(403, "Request forbidden by administrative rules. Please make sure your request has a"
                               " User-Agent header")
        if call["credentials"] is None:
            raise ApiError(401, "Requires authentication")
        if call["credentials"] == "wrong":
            raise ApiError(401, "Bad credentials")
        if request.headers.get("x-github-api-version", VERSION) != VERSION:
            raise ApiError(400, "Version is not supported")
        if call["operation"].partition(".")[2] not in UNMETERED:
            self._spend(request)

    def _spend(self, request):
        limit = self.variants["github.rate_limit"]
        # A 304 costs nothing: _conditional() gives the call back.
        if limit and not self.rate.spend(limit, HOUR):
            raise ApiError(self.status("limit_status"), "API rate limit exceeded for user ID 1.")
        change = request.method != "GET"
        for key, most, cost in (("points", self.variants["github.points"], 5 if change else 1),
                                ("changes", self.variants["github.changes"], 1 if change else 0)):
            if most and not self.minute.spend(key, most, cost):
                after = [("Retry-After", str(math.ceil(self.minute.left(key))))]
                raise ApiError(self.status("limit_status"), "You have exceeded a secondary rate limit. Please wait a few"
                              " minutes before you try again.",
                              headers=after if self.variants["github.retry_after"] == "yes" else [])

    def _route(self, request):
        try:
            segments = request.segments()
            found = ROUTES.find(request.method, segments[len(segments) - _path(request).count("/"):])
        except ParseError:
            found = None
        if not isinstance(found, tuple):
            raise ApiError(404, "Not Found")
        return found

    def _check_rights(self, request):
        rights = self.variants["github.rights"]
        if rights == "none" or rights == "read" and request.method != "GET":
            raise ApiError(403, "Resource not accessible by personal access token")

    def _base(self, words):
        """repos/OWNER/REPO or orgs/ORG, in lower case; what the token may not see is not there."""
        if "org" in words:
            base, known = f"orgs/{words['org']}", self.variants["github.organizations"]
        elif "repo" in words:
            base, known = f"repos/{words['owner']}/{words['repo']}", self.variants["github.repositories"]
        else:
            return None
        if base.lower().partition("/")[2] not in (name.lower() for name in known):
            raise ApiError(404, "Not Found")
        return base.lower()

    def _store(self, base, kind, environment):
        """The fixed ones are there at the first request; an environment must have been made."""
        store_id = _store_id(base, kind, environment or kind)
        store = self._environment_of(store_id) if environment else self.state.store(self.name, store_id)
        if store is None:
            if environment:
                raise ApiError(404, "Not Found")
            store = self.state.add_store(self.name, store_id, kind, self.clock.now())
        return store

    def _environment_of(self, store_id):
        """In whatever case: GitHub finds environments so, and keeps the spelling in which one was made."""
        return self.state.one("SELECT * FROM stores WHERE service = 'github' AND lower(id) = lower(?)", store_id)

    def _conditional(self, request, response):
        """The same token and the same answer have the same ETag; 304 costs nothing of the hour's limit."""
        if response.status != 200 or request.method != "GET" or self.variants["github.etags"] == "no":
            return response
        token = request.headers["authorization"].encode()
        tag = f'W/"{hashlib.sha256(token + response.body).hexdigest()}"'
        response.set("ETag", tag)
        response.set("Cache-Control", "private, max-age=60, s-maxage=60")
        if request.headers.get("if-none-match") != tag:
            return response
        self.rate.give_back()
        return Response(304, headers=response.headers)

    # Repositories, organizations, the user

    def get_repository(self, request, call, base):
        names = [name.lower() for name in self.variants["github.repositories"]]
        full = self.variants["github.repositories"][names.index(base.partition("/")[2])]
        return _json(github_repository.alone(self._repository_id(full), full, self.variants["github.rights"] == "write"))

    def get_organization(self, request, call, base):
        return _json({"login": base.partition("/")[2], "id": 1})

    def get_user(self, request, call, base):
        return _json({"login": "sandbox", "id": 1})

    def get_rate_limit(self, request, call, base):
        limit = self.variants["github.rate_limit"] or 5000
        left, reset = self.rate.left(limit, HOUR)
        core = {"limit": limit, "used": limit - left, "remaining": left, "reset": math.ceil(reset)}
        return _json({"resources": {"core": core}, "rate": core})

    def query_repositories(self, request, call, base):
        """The one query of GraphQL that is known: ids of repositories by their names."""
        query = " ".join(str((_body(request) or {}).get("query")).split())
        if not _LOOKUPS.fullmatch(query):
            return _json({"errors": [{"message": "the sandbox knows no such query"}]})
        known = {name.lower(): name for name in self.variants["github.repositories"]}
        found = {alias: known.get(f"{owner}/{name}".lower()) for alias, owner, name in _LOOKUP.findall(query)}
        errors = [{"type": "NOT_FOUND", "path": [alias], "message": "Could not resolve to a Repository"}
                  for alias, name in found.items() if not name]
        data = {alias: name and {"databaseId": self._repository_id(name)} for alias, name in found.items()}
        return _json({"data": data, **({"errors": errors} if errors else {})})

    def _repository_id(self, full_name):
        return 1 + int.from_bytes(hashlib.sha256(full_name.lower().encode()).digest()[:4], "big")

    # Environments

    def list_environments(self, request, call, base):
        per_page, page = page_params(request, self.variants)
        like = f"{base}/environments/"
        rows = self.state.all("SELECT * FROM stores WHERE service = 'github' AND substr(id, 1, ?) = ? ORDER BY name",
                              len(like), like)
        response = _json({"total_count": len(rows), "environments": [
            self._environment(base, row) for row in rows[(page - 1) * per_page:page * per_page]]})
        return link_header(response, request, page, per_page, len(rows))

    def get_environment(self, request, call, base, environment):
        return _json(self._environment(base, self._store(base, "environment", environment)))

    def put_environment(self, request, call, base, environment):
        """Resets the protection rules of one that is there: `reset` in the call log says that a client did so."""
        _check_rules(_body(request))
        if not environment or len(environment) > 255:
            raise ApiError(422, "Invalid request. The name of the environment is not valid.")
        store_id = _store_id(base, "environment", environment)
        store = self._environment_of(store_id)
        call["mode"] = "reset" if store else "create"
        store = store or self.state.add_store(self.name, store_id, environment, self.clock.now())
        return _json(self._environment(base, store))

    def delete_environment(self, request, call, base, environment):
        self.state.delete_store(self._store(base, "environment", environment))
        return Response(204)

    def _environment(self, base, store):
        url = f"https://api.github.com/{base}/environments/{store['name']}"
        return {"id": store["number"], "node_id": base64.b64encode(str(store["number"]).encode()).decode(),
                "name": store["name"], "url": url, "html_url": url, "created_at": _time(store["created"]),
                "updated_at": _time(store["modified"]), "protection_rules": [], "deployment_branch_policy": None}

    # Secrets

    def list_secrets(self, request, call, store):
        per_page, page = page_params(request, self.variants)
        total = self.state.secret_count(store)
        rows = self.state.all("SELECT * FROM secrets WHERE store = ? AND deleted_at IS NULL ORDER BY name LIMIT ? OFFSET ?",
                              store["number"], per_page, (page - 1) * per_page)
        response = _json({"total_count": total, "secrets": [_described(store, row) for row in rows]})
        return link_header(response, request, page, per_page, total)

    def get_secret(self, request, call, store, name):
        return _json(_described(store, self._secret(store, name)))

    def list_selected(self, request, call, store, name):
        values = json.loads(self._secret(store, name)["scopes"] or "{}").get("repositories", [])
        found = [github_repository.in_a_list(number, full) for full in self.variants["github.repositories"]
                 if (number := self._repository_id(full)) in values]
        per_page, page = page_params(request, self.variants)
        return _json({"total_count": len(found), "repositories": found[(page - 1) * per_page:page * per_page]})

    def get_public_key(self, request, call, store):
        key_id, public = self.keys.public(store)
        return _json({"key_id": key_id, "key": base64.b64encode(public).decode()})

    def put_secret(self, request, call, store, name):
        name = _good_name(name)
        body = _body(request)
        visibility = _visibility(store, body)
        value = self.keys.open(store, body["key_id"], _sealed(body))
        self.call_log.value_seen(call, value)
        if len(value) > LARGEST_VALUE:
            raise ApiError(422, "Secret value is too large: the limit is 48 KB")
        old = self.state.secret(store, name)
        if old is None and self.state.secret_count(store) >= self._quota(store):
            raise ApiError(self.status("quota_status"), "The maximum number of secrets is reached")
        self._keep(store, name, value, old, visibility)
        call["name"] = name
        self.call_log.upload(call, value)
        return Response(204) if old is not None else _json({}, 201)

    def _quota(self, store):
        return self.variants["github.quota_organization" if store["id"].startswith("orgs/") else "github.quota_secrets"]

    def _keep(self, store, name, value, old, visibility):
        now = self.clock.now()
        with self.state.change():
            if old is None:
                self.state.add_secret(store, name, value, now, scopes=visibility)
            else:
                self.state.update_secret(old["number"], value=value, modified=now, scopes=visibility)

    def delete_secret(self, request, call, store, name):
        self.state.delete_secret(self._secret(store, name))
        return Response(204)

    def _secret(self, store, name):
        """Returns a name in capitals: GitHub ignores case."""
        secret = self.state.secret(store, name.upper())
        if secret is None:
            raise ApiError(404, "Not Found")
        return secret


def _path(request):
    return "/graphql" if request.path == GRAPHQL else request.path.removeprefix(PREFIX)


def _store_id(base, kind, name):
    return f"{base}/environments/{name}" if kind == "environment" else f"{base}/{name}"


def _time(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value, status=200):
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8")


def _described(store, secret):
    shown = {"name": secret["name"], "created_at": _time(secret["created"]), "updated_at": _time(secret["modified"])}
    if store["id"].startswith("orgs/"):
        shown["visibility"] = json.loads(secret["scopes"] or '{"visibility": "private"}')["visibility"]
        if shown["visibility"] == "selected":
            shown["selected_repositories_url"] = (
                f"https://api.github.com/{store['id']}/secrets/{secret['name']}/repositories")
    return shown


def invalid(why):
    return ApiError(422, f"Invalid request.\n\n{why}")


def _body(request):
    """Reads a body as JSON whatever its type is called, as the examples of the service's documentation need it."""
    try:
        return request.json() if request.body else None
    except ParseError:
        raise ApiError(400, "Problems parsing JSON") from None


_RULES = {"wait_timer": lambda rule: type(rule) is int and 0 <= rule <= 43200,
          "prevent_self_review": lambda rule: isinstance(rule, bool),
          "reviewers": lambda rule: rule is None or isinstance(rule, list) and len(rule) <= 6 and all(map(_is_reviewer, rule)),
          "deployment_branch_policy": lambda rule: rule is None or _is_policy(rule)}


def _is_reviewer(reviewer):
    return isinstance(reviewer, dict) and reviewer.get("type") in ("User", "Team") and type(reviewer.get("id")) is int


def _is_policy(policy):
    """One of the two kinds of branches, and not both."""
    return isinstance(policy, dict) and sorted(map(str, policy.values())) == ["False", "True"] and policy.keys() == {
        "protected_branches", "custom_branch_policies"}


def _check_rules(body):
    """Checks the protection rules of an environment; there may be no body."""
    if not isinstance(body, (dict, type(None))):
        raise invalid("the body is no object")
    for name, rule in (body or {}).items():
        if name not in _RULES:
            raise invalid(f'"{name}" is not a permitted key.')
        if not _RULES[name](rule):
            raise invalid(name)


def _good_name(name):
    name = name.upper()
    if not _NAME.fullmatch(name):
        raise ApiError(422, "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_)."
                           " Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_).")
    if name.startswith("GITHUB_"):
        raise ApiError(422, "Secret names must not start with GITHUB_.")
    return name


def _sealed(body):
    try:
        return read_base64(body["encrypted_value"])
    except ParseError:
        raise invalid("encrypted_value is not base64.") from None


def _visibility(store, body):
    """Checks the members beside the value, and returns them as they are kept."""
    is_organization = store["id"].startswith("orgs/")
    if not isinstance(body, dict):
        raise invalid("For 'links/0/schema', nil is not an object.")
    for member in ("encrypted_value", "key_id", *(("visibility",) if is_organization else ())):
        if not isinstance(body.get(member), str):
            raise invalid(f'"{member}" wasn\'t supplied.')
    known = {"encrypted_value", "key_id"} | ({"visibility", "selected_repository_ids"} if is_organization else set())
    if unknown := sorted(body.keys() - known):
        raise invalid(f'"{unknown[0]}" is not a permitted key.')
    if not is_organization:
        return None
    values = body.get("selected_repository_ids", [])
    if isinstance(values, list) and store["id"].rpartition("/")[2] in _IDS_AS_TEXT:
        values = [int(number) if type(number) is str and number.isdigit() else number for number in values]
    if not isinstance(values, list) or not all(type(number) is int for number in values):
        raise invalid("selected_repository_ids is no list of ids")
    if body["visibility"] not in _VISIBILITIES:
        raise invalid("visibility")
    if values and body["visibility"] != "selected":
        raise invalid("selected_repository_ids needs the visibility selected.")
    return json.dumps({"visibility": body["visibility"], "repositories": values})
