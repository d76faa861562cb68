"""The Cloudflare Secrets Store API (doc/apis.md, Cloudflare)."""

import json
import math
import re
import secrets as random

from clock import to_micros
from cloudflare_body import Rules, bad_body, members, read_body, slug
from cloudflare_page import MORE_WORDS, SECRET_ORDERS, STORE_ORDERS, PageParams, SecretOrder, result_info
from error_bodies import error_response
from http_types import Response, lenient_name
from rate_limit import Lockout
from routing import Router, no_body
from base_service import Service
from state import scopes_of
from parsing import ParseError, read_query

BASE = "/accounts/{account}/secrets_store"
PREFIX = "/client/v4"
_IDENTIFIER = re.compile(r"\w{1,32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_CREDENTIAL = re.compile(r"[!-~]+")

ROUTES = Router((
    ("GET", BASE + "/quota", "get_quota"),
    ("GET", BASE + "/stores", "list_stores"),
    ("POST", BASE + "/stores", "create_store"),
    ("GET", BASE + "/stores/{store}", "get_store"),
    ("DELETE", BASE + "/stores/{store}", "delete_store"),
    ("GET", BASE + "/stores/{store}/secrets", "list_secrets"),
    ("POST", BASE + "/stores/{store}/secrets", "create_secrets"),
    ("DELETE", BASE + "/stores/{store}/secrets", "delete_secrets"),
    ("GET", BASE + "/stores/{store}/secrets/{secret}", "get_secret"),
    ("PATCH", BASE + "/stores/{store}/secrets/{secret}", "patch_secret"),
    ("DELETE", BASE + "/stores/{store}/secrets/{secret}", "delete_secret"),
    ("POST", BASE + "/stores/{store}/secrets/{secret}/duplicate", "duplicate_secret"),
))
WITH_QUERY = ("list_stores", "list_secrets", "delete_store")
WITH_BODY = ("create_store", "create_secrets", "delete_secrets", "patch_secret", "duplicate_secret")
CODES = {401: 10000, 403: 10000, 405: 10405, 429: 10100}


class Cloudflare(Service):
    name = "cloudflare"
    paths = (PREFIX + "/", "/accounts/")
    secret_id_sql = "lower(hex(randomblob(16)))"

    def __init__(self, state, variants, clock, call_log, account, emails):
        super().__init__(state, variants, clock, call_log)
        self.account = account
        self.emails = emails
        self.rules = Rules(variants)
        self.order = SecretOrder(state)
        self.rate = Lockout(clock)

    def identify(self, request, call):
        """Names the call for the call log and the faults, before anything is checked."""
        found = ROUTES.find(request.method, [lenient_name(part) for part in _parts(request)])
        if not isinstance(found, tuple):
            return
        operation, words = found
        call["operation"] = f"{self.name}.{operation}"
        store = self.state.store(self.name, words.get("store", ""))
        call["store"] = store["name"] if store else words.get("store")
        secret = store and self.state.secret_by_id(store, words.get("secret", ""))
        call["name"] = secret["name"] if secret else words.get("secret")
        self._identify_body(operation, request, call)

    def _identify_body(self, operation, request, call):
        names = _names_in(request)
        if operation == "create_secrets":
            call["mode"], call["names"], call["name"] = "create", names, names[0] if names else None
        elif operation == "patch_secret":
            call["mode"] = "replace" if _has_value(request) else None
        elif operation == "create_store":
            call["store"] = names[0] if names else None
        elif operation == "duplicate_secret":
            call["names"] = [call["name"], *names]

    def credentials(self, request, tokens):
        """Returns present, wrong, or None: for a Bearer token, or a person's address with the key."""
        bearer = request.headers.get("authorization")
        key, email = request.headers.get("x-auth-key"), request.headers.get("x-auth-email")
        if bearer is None and key is None and email is None:
            return None
        right = bearer is None or bearer.partition(" ")[0].lower() == "bearer" and bearer.partition(" ")[2] in tokens
        if key is not None or email is not None:
            right = right and key in tokens and email in self.emails
        return "present" if right else "wrong"

    def _error_response(self, error):
        return self.error(error.status, error.detail, None, error.more.get("code"))

    def decorate(self, request, response, call):
        """Adds the headers of every response, refusals too."""
        response.headers += [("CF-RAY", call["request_id"]), ("Cache-Control", "no-store"), ("Server", "cloudflare")]
        limit, window = self.variants["cloudflare.rate_limit"], self.variants["cloudflare.rate_window"]
        if limit:
            left, reset = self.rate.left(limit, window)
            response.set("Ratelimit", f'"default";r={left};t={math.ceil(reset)}')
            response.set("Ratelimit-Policy", f'"default";q={limit};w={math.ceil(window)}')
            if response.status == 429:
                response.set("Retry-After", str(math.ceil(reset)))

    def new_request_id(self):
        return f"{random.token_hex(8)}-FRA"

    def error(self, status, detail, family=None, code=None):
        code = int(code) if str(code or "").isdigit() else CODES.get(status, 1001)
        return error_response(family or "cloudflare", status, detail, code)

    def announce_exhausted(self, response, seconds):
        response.set("Ratelimit", f'"default";r=0;t={math.ceil(seconds)}')
        response.set("Ratelimit-Policy", '"default";q=1200;w=300')

    def find_store(self, params):
        return self.state.store(self.name, params["store"]) or self.state.store_named(self.name, params["store"])

    def make_store(self, params):
        return self.state.add_store(self.name, random.token_hex(16), params["store"], self.clock.now())

    # What is checked for every call

    def _respond(self, request, call):
        self._authenticate(request, call)
        limit = self.variants["cloudflare.rate_limit"]
        if limit and not self.rate.spend(limit, self.variants["cloudflare.rate_window"], self.variants["cloudflare.lockout"]):
            raise slug(429, "rate limit exceeded", 10100)
        operation, words = self._route(request)
        if operation not in WITH_QUERY and request.query:
            raise slug(400, "invalid_query: this call takes no parameters")
        if operation not in WITH_BODY:
            no_body(request)
        if words.pop("account") != self.account:
            raise slug(403, "Unauthorized to access requested resource", 9109)
        if "store" in words:
            words["store"] = self._store(words["store"])
        if "secret" in words:
            words["secret"] = self._secret(words["store"], words["secret"])
        return getattr(self, operation)(request, call, **words)

    def _authenticate(self, request, call):
        if call["credentials"] == "present":
            return
        sent = request.headers.get("authorization", "").partition(" ")[2] or request.headers.get("x-auth-key", "")
        if not _CREDENTIAL.fullmatch(sent):
            raise slug(self.status("malformed_token"), "Authentication failed", 9106)
        raise slug(self.status("unauthorized"), "Authentication error", 10000)

    def _route(self, request):
        parts = _parts(request)
        if "" in parts:
            raise slug(404, "not found", 1000)
        try:
            found = ROUTES.find(request.method, request.segments()[-len(parts):])
        except ParseError:
            found = None
        if isinstance(found, list):
            raise slug(405, "Method not allowed for this authentication scheme", 10405)
        if found is None or not all(_IDENTIFIER.fullmatch(word) for word in found[1].values()):
            raise slug(self.status("no_route"), f"Could not route to {request.path},"
                       " perhaps your object identifier is invalid?", 7003)
        return found

    def _store(self, store_id):
        store = self.state.store(self.name, store_id)
        if store is None:
            raise slug(404, "store_not_found")
        return store

    def _secret(self, store, secret_id):
        secret = self.state.secret_by_id(store, secret_id)
        if secret is None:
            raise slug(404, "secret_not_found")
        return secret

    # Quota and stores

    def get_quota(self, request, call):
        quota = {"quota": self.variants["cloudflare.quota_secrets"], "usage": self.state.secret_total(self.name)}
        return success({"secrets": quota})

    def list_stores(self, request, call):
        param = PageParams(request, self.variants, STORE_ORDERS)
        column = STORE_ORDERS[param.order]
        rows = self.state.all("SELECT * FROM stores WHERE service = 'cloudflare'"
                              f" ORDER BY {column} {param.direction}, number {param.direction}")
        page = [self._store_object(store) for store in param.slice(rows)]
        return success(page, result_info(param, len(page), len(rows), self.variants["cloudflare.result_info"]))

    def create_store(self, request, call):
        """Answers with an object, not an array of one."""
        body = read_body(request)
        name = self.spelled(self.rules.store_name(members(body, {"name"})["name"]))
        if self.state.store_count(self.name) >= self.variants["cloudflare.quota_stores"]:
            raise slug(400, "maximum_stores_exceeded", 1003)
        if self.state.store_named(self.name, name):
            raise slug(self.status("conflict_status"), f"store_name_already_exists: {name}", 1003)
        return success(self._store_object(self.make_store({"store": name})))

    def get_store(self, request, call, store):
        return success(self._store_object(store))

    def delete_store(self, request, call, store):
        try:
            force = read_query(request.query, ("force",)).get("force", "false")
        except ParseError as why:
            raise slug(400, f"invalid_query: {why}") from None
        if force not in ("true", "false"):
            raise slug(400, "invalid_query: force is true or false")
        if force == "false" and self.state.secret_count(store):
            raise slug(409, "store_not_empty", 1003)
        self.state.delete_store(store)
        return success(None)

    # Secrets

    def list_secrets(self, request, call, store):
        """Lists a page; `total_count` is the whole store's, whatever is searched for."""
        param = PageParams(request, self.variants, SECRET_ORDERS, MORE_WORDS)
        now = self.clock.now()
        linger = self.variants["cloudflare.deleted_rows"]
        lingering = now - linger if linger else None
        numbers = self.order.numbers(store, param, now - self.variants["cloudflare.pending"], lingering)
        page = [self._secret_object(store, secret) for secret in self.order.rows(param.slice(numbers))]
        total = self.state.secret_count(store) if param.search or param.scopes else len(numbers)
        return success(page, result_info(param, len(page), total, self.variants["cloudflare.result_info"]))

    def get_secret(self, request, call, store, secret):
        return success(self._secret_object(store, secret))

    def create_secrets(self, request, call, store):
        """An array, answered by an array of the same length; all of them or none, unless `partial` is set."""
        body = read_body(request)
        if not isinstance(body, list) or not body:
            raise slug(400, "invalid_json_body")
        params = [self._new_secret(entry) for entry in body]
        if self.variants["cloudflare.multi_create"] == "partial":
            made = [self._create(store, call, [param])[0] for param in params]
        else:
            made = self._create(store, call, params)
        return success([self._secret_object(store, secret) for secret in made])

    def _new_secret(self, entry):
        members(entry, {"name", "value", "scopes"}, {"comment"})
        return {"name": self.rules.name(entry["name"]), "value": self.rules.value(entry["value"]),
                "scopes": self.rules.scopes(entry["scopes"]), "comment": self.rules.comment(entry.get("comment", ""))}

    def _create(self, store, call, params):
        with self.state.change():
            made = [self._add(store, param) for param in params]
        for param in params:
            self.call_log.value_seen(call, param["value"])
            self.call_log.upload(call, param["value"], param["name"])
        return made

    def _add(self, store, param):
        """Creates one secret, within `change()`."""
        if self.state.secret(store, param["name"]):
            raise slug(self.status("conflict_status"), f"secret_name_already_exists: {param['name']}", 1003)
        if self.state.secret_total(self.name) >= self.variants["cloudflare.quota_secrets"]:
            raise slug(400, self.variants["cloudflare.quota_slug"], 1003)
        return self.state.add_secret(store, param["name"], param["value"], self.clock.now(), id=random.token_hex(16),
                                     scopes=json.dumps(param["scopes"]), comment=param["comment"] or None)

    def patch_secret(self, request, call, store, secret):
        """Changes only the members that are sent; id and name stay."""
        body = members(read_body(request), set(), {"value", "scopes", "comment"})
        if not body:
            raise bad_body("nothing to change")
        columns = {"modified": self.clock.now()}
        if "value" in body:
            columns["value"] = self.rules.value(body["value"])
        if "scopes" in body:
            columns["scopes"] = json.dumps(self.rules.scopes(body["scopes"]))
        if "comment" in body:
            columns["comment"] = self.rules.comment(body["comment"]) or None
        with self.state.change():
            self.state.update_secret(secret["number"], **columns)
        if "value" in body:
            self.call_log.value_seen(call, columns["value"])
            self.call_log.upload(call, columns["value"])
        return success(self._secret_object(store, self.state.secret(store, secret["name"])))

    def duplicate_secret(self, request, call, store, secret):
        body = members(read_body(request), {"name", "scopes"}, {"comment"})
        kept = secret["comment"] if self.variants["cloudflare.duplicate_comment"] == "keep" else None
        param = {"name": self.rules.name(body["name"]), "value": secret["value"],
                "scopes": self.rules.scopes(body["scopes"]),
                "comment": self.rules.comment(body.get("comment", kept or ""))}
        with self.state.change():
            copy = self._add(store, param)
        return success(self._secret_object(store, copy))

    def delete_secret(self, request, call, store, secret):
        self._delete([secret])
        return success(None, status=self.status("delete_status"))

    def delete_secrets(self, request, call, store):
        """Refuses a request without ids: what the real service then deletes is not known, and might be everything."""
        ids = members(read_body(request), {"ids"})["ids"]
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
            raise bad_body("ids is no array of identifiers")
        self._delete([self._secret(store, one) for one in ids])
        return success(None, status=self.status("delete_status"))

    def _delete(self, secrets):
        linger_at = self.clock.now() if self.variants["cloudflare.deleted_rows"] else None
        for secret in secrets:
            self.state.delete_secret(secret, linger_at)

    # Objects

    def _store_object(self, store):
        return {"id": store["id"], "name": store["name"], "account_id": self.account,
                "created": to_micros(store["created"]), "modified": to_micros(store["modified"])}

    def _secret_object(self, store, secret):
        shown = {"id": secret["id"], "store_id": store["id"], "name": secret["name"], "status": self._status(secret),
                 "created": to_micros(secret["created"]), "modified": to_micros(secret["modified"]),
                 "scopes": scopes_of(secret)}
        if secret["comment"]:
            shown["comment"] = secret["comment"]
        elif self.variants["cloudflare.no_comment"] != "absent":
            shown["comment"] = None if self.variants["cloudflare.no_comment"] == "null" else ""
        return shown

    def _status(self, secret):
        if secret["deleted_at"]:
            return self.variants["cloudflare.deleted_status"]
        return "pending" if secret["modified"] > self.clock.now() - self.variants["cloudflare.pending"] else "active"


def success(result, info=None, status=200):
    body = {"success": True, "errors": [], "messages": [], "result": result}
    if info is not None:
        body["result_info"] = info
    return Response(status, json.dumps(body, ensure_ascii=False).encode())


def _parts(request):
    return request.path.removeprefix(PREFIX).split("/")[1:]


def _names_in(request):
    """The names in a body, for the call log; their faults are reported later."""
    try:
        entries = request.json()
    except ParseError:
        return []
    entries = entries if isinstance(entries, list) else [entries]
    return [entry["name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def _has_value(request):
    try:
        return "value" in request.json()
    except (ParseError, TypeError):
        return False
