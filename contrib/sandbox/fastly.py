"""The Fastly Secret Store API (doc/apis.md, Fastly)."""

import math
import re
import secrets as random
import string

from error_bodies import error_response, pretty
from fastly_keys import ClientKeys
from fastly_page import Cursors, digest_tag, page_response, page_params, secret_text, store_text
from http_types import Response, ApiError, lenient_name
from rate_limit import FixedWindow
from routing import Router, no_body
from base_service import Service
from parsing import ParseError, read_base64

BASE = "/resources/stores/secret"
LARGEST_VALUE = 65536
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

ROUTES = Router((
    ("GET", BASE, "list_stores"),
    ("POST", BASE, "create_store"),
    ("GET", BASE + "/{store}", "get_store"),
    ("DELETE", BASE + "/{store}", "delete_store"),
    ("GET", BASE + "/{store}/secrets", "list_secrets"),
    ("POST", BASE + "/{store}/secrets", "put_secret"),
    ("PUT", BASE + "/{store}/secrets", "put_secret"),
    ("PATCH", BASE + "/{store}/secrets", "put_secret"),
    ("GET", BASE + "/{store}/secrets/{name}", "get_secret"),
    ("DELETE", BASE + "/{store}/secrets/{name}", "delete_secret"),
    ("POST", BASE + "/client-key", "create_client_key"),
    ("GET", BASE + "/signing-key", "get_signing_key"),
    ("GET", "/realms/fastly/.well-known/openid-configuration", "openid_configuration"),
))
MODES = {"POST": "create", "PUT": "either", "PATCH": "replace"}
OPEN_TO_ALL = ("fastly.openid_configuration",)


class Fastly(Service):
    name = "fastly"
    paths = ("/resources/", "/realms/")
    secret_id_sql = "NULL"

    def __init__(self, state, variants, clock, call_log, signing_seed=None):
        super().__init__(state, variants, clock, call_log)
        self.keys = ClientKeys(state, variants, clock, signing_seed)
        self.cursors = Cursors(state, random.token_bytes(32))
        self.rate = FixedWindow(clock)

    def identify(self, request, call):
        """Names the call for the call log and the faults, before anything is checked."""
        raw = [lenient_name(part) for part in request.path.split("/")[1:]]
        found = ROUTES.find(request.method, raw)
        if not isinstance(found, tuple):
            return
        operation, words = found
        call["operation"] = f"{self.name}.{operation}"
        store = self.state.store(self.name, words.get("store", ""))
        call["store"] = store["name"] if store else words.get("store")
        call["name"] = words.get("name")
        if operation == "put_secret":
            call["mode"] = MODES[request.method]
            call["name"] = _name_in(request)
        elif operation == "create_store":
            call["store"] = _name_in(request)

    def credentials(self, request, tokens):
        """Returns present, wrong, or None when there are no credentials."""
        token = request.headers.get("fastly-key")
        return token and ("present" if token in tokens else "wrong")

    def decorate(self, request, response, call):
        """Adds the headers of every response, refusals too."""
        response.headers += [("Cache-Control", "no-store"), ("Pragma", "no-cache"), ("Via", "1.1 varnish"),
                           ("Fastly-Trace-Id", call["request_id"])]
        self._announce_rate(request, response)

    def new_request_id(self):
        return random.token_hex(16)

    def error(self, status, detail, family=None, code=None):
        return error_response(family or self.variants["fastly.error_body"], status, detail, code)

    def announce_exhausted(self, response, seconds):
        response.set("Fastly-RateLimit-Remaining", "0")
        response.set("Fastly-RateLimit-Reset", str(math.ceil(self.clock.now() + seconds)))

    def _error_response(self, error):
        response = self.error(error.status, error.detail, error.more.get("family"))
        response.headers += error.more.get("headers", [])
        return response

    def _respond(self, request, call):
        if call["operation"] not in OPEN_TO_ALL and call["credentials"] != "present":
            raise ApiError(self.status("unauthorized"), "Provided credentials are missing or invalid",
                          family="legacy")
        self._spend_rate(request)
        operation, words = self._route(request)
        if operation in ("list_stores", "list_secrets"):
            no_body(request)
        elif request.query:
            raise ApiError(400, "this call takes no parameters")
        return getattr(self, operation)(request, call, **words)

    def _route(self, request):
        if any(part in (".", "..") for part in request.path.split("/")):
            raise ApiError(400, "a path with dot segments")
        try:
            found = ROUTES.find(request.method, request.segments())
        except ParseError as why:
            raise ApiError(400, f"path: {why}") from None
        if found is None:
            raise ApiError(404, "no such path")
        if isinstance(found, list):
            raise ApiError(405, "method not allowed", headers=[("Allow", ", ".join(found))])
        return found

    # For the control interface, which names a store by its name or its id

    def find_store(self, params):
        return self.state.store(self.name, params["store"]) or self.state.store_named(self.name, params["store"])

    def make_store(self, params):
        return self.state.add_store(self.name, new_store_id(), params["store"], self.clock.now())

    # Rate limits: calls that change something, in windows of an hour

    def _spend_rate(self, request):
        limit = self.variants["fastly.rate_limit"]
        if limit and request.method != "GET" and not self.rate.spend(limit, self.variants["fastly.rate_window"]):
            raise ApiError(429, "You have exceeded your hourly rate limit", family="legacy")

    def _announce_rate(self, request, response):
        limit = self.variants["fastly.rate_limit"]
        if limit and request.method != "GET" and self.variants["fastly.rate_headers"] == "yes":
            left, reset = self.rate.left(limit, self.variants["fastly.rate_window"])
            response.set("Fastly-RateLimit-Remaining", str(left))
            response.set("Fastly-RateLimit-Reset", str(math.ceil(reset)))

    # Stores

    def list_stores(self, request, call):
        limit, query = page_params(request, self.variants, ("limit", "cursor", "name"))
        if "name" in query:
            return self._store_by_name(query, limit)
        after = self.cursors.key("stores", query.get("cursor"))
        rows = self.state.all("SELECT * FROM stores WHERE service = 'fastly' AND id > ? ORDER BY id LIMIT ?",
                              after or "", limit + 1)
        cursor = self.cursors.after("stores", rows[limit - 1]["id"]) if len(rows) > limit else None
        return page_response(rows[:limit], store_text, limit, cursor)

    def _store_by_name(self, query, limit):
        if "cursor" in query and query["cursor"]:
            raise ApiError(400, "cursor and name exclude each other")
        store = self.state.store_named(self.name, query["name"])
        if store is None and self.variants["fastly.unknown_store_name"] == "404":
            raise ApiError(404, "store not found")
        return page_response([store] if store else [], store_text, limit, None)

    def create_store(self, request, call):
        body = _object(request, {"name"}, set())
        name = self.spelled(self._good_name(body["name"]))
        if self.state.store_named(self.name, name):
            raise ApiError(400, "duplicate: name")
        quota = self.variants["fastly.quota_stores"]
        if quota and self.state.store_count(self.name) >= quota:
            self._over_quota("stores")
        store = self.state.add_store(self.name, new_store_id(), name, self.clock.now())
        return Response(201, (store_text(store) + "\n").encode())

    def get_store(self, request, call, store):
        no_body(request)
        return Response(200, (store_text(self._store(store)) + "\n").encode())

    def delete_store(self, request, call, store):
        no_body(request)
        self.state.delete_store(self._store(store))
        return Response(204)

    def _store(self, store_id):
        store = self.state.store(self.name, store_id)
        if store is None:
            raise ApiError(404, "store not found")
        return store

    def _over_quota(self, what):
        raise ApiError(self.status("quota_status"), f"the maximum number of {what} is reached")

    # Secrets

    def list_secrets(self, request, call, store):
        store = self._store(store)
        limit, query = page_params(request, self.variants, ("limit", "cursor"))
        listing = f"secrets {store['id']}"
        after = self.cursors.key(listing, query.get("cursor"))
        rows = self._secrets_after(store, after, limit + 1)
        cursor = self.cursors.after(listing, rows[limit - 1]["name"]) if len(rows) > limit else None
        return page_response(rows[:limit], secret_text, limit, cursor)

    def _secrets_after(self, store, after, count):
        backwards = self.variants["fastly.order"] == "reverse"
        beyond, order = ("<", "DESC") if backwards else (">", "ASC")
        border = "" if after is None else f"AND name {beyond} :after"
        return self.state.db.execute(
            f"SELECT name, digest, created FROM secrets WHERE store = :store AND deleted_at IS NULL {border}"
            f" ORDER BY name {order} LIMIT :count",
            {"store": store["number"], "after": after, "count": count}).fetchall()

    def get_secret(self, request, call, store, name):
        no_body(request)
        return Response(200, (secret_text(self._secret(self._store(store), name)) + "\n").encode())

    def delete_secret(self, request, call, store, name):
        no_body(request)
        self.state.delete_secret(self._secret(self._store(store), name))
        return Response(204)

    def _secret(self, store, name):
        secret = self.state.secret(store, name)
        if secret is None:
            raise ApiError(404, "secret not found")
        return secret

    def put_secret(self, request, call, store):
        store = self._store(store)
        body = _object(request, {"name", "secret"}, {"client_key"})
        name = self._good_name(body["name"])
        value = self._value(body, call)
        old = self.state.secret(store, name)
        self._check_mode(MODES[request.method], old)
        secret = self._keep(store, name, value, old, body.get("client_key"))
        self.call_log.upload(call, value)
        recreated = old is not None
        return Response(200, (secret_text(secret, recreated=recreated) + "\n").encode())

    def _check_mode(self, mode, old):
        if old is not None and mode == "create":
            raise ApiError(400, "duplicate: name")
        if old is None and mode == "replace":
            raise ApiError(self.status("patch_missing"), "secret not found")
        quota = self.variants["fastly.quota_secrets"]
        if old is None and quota and self.state.secret_total(self.name) >= quota:
            self._over_quota("secrets")

    def _keep(self, store, name, value, old, client_key):
        """Replaces a secret: the new one takes the name over, with a new digest and time."""
        with self.state.change() as db:
            if client_key:
                self.keys.spend(client_key)
            if old is not None:
                db.execute("DELETE FROM secrets WHERE number = ?", (old["number"],))
            return self.state.add_secret(store, name, value, self.clock.now())

    def _value(self, body, call):
        """Returns the plaintext, unsealed if need be."""
        try:
            value = read_base64(body["secret"])
        except ParseError:
            raise ApiError(400, "secret: invalid base64") from None
        call["sealed"] = "client_key" in body
        if call["sealed"]:
            call["client_key"] = body["client_key"]
            value = self.keys.open(body["client_key"], value)
        self.call_log.value_seen(call, value)
        if len(value) > LARGEST_VALUE:
            raise ApiError(400, "secret: too large")
        if not value and self.variants["fastly.empty_value"] == "refuse":
            raise ApiError(400, "secret: must not be empty")
        return value

    def _good_name(self, name):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ApiError(400, "name: must contain only letters, numbers, dashes, underscores, and periods")
        if len(name) > self.variants["fastly.name_length"]:
            raise ApiError(400, "name: too long")
        return name

    # Keys, and what Fastly's own command line asks before every command

    def create_client_key(self, request, call):
        no_body(request)
        return Response(200, pretty(self.keys.issue()))

    def get_signing_key(self, request, call):
        no_body(request)
        key = self.keys.signing_key()
        return Response(200, pretty({"signing_key": key}), headers=[("Etag", digest_tag(key))])

    def openid_configuration(self, request, call):
        base = f"http://{request.headers.get('host', '127.0.0.1')}/realms/fastly"
        connect = f"{base}/protocol/openid-connect"
        return Response(200, pretty({"issuer": base, "authorization_endpoint": f"{connect}/auth",
                                   "token_endpoint": f"{connect}/token", "jwks_uri": f"{connect}/certs",
                                   "response_types_supported": ["code"], "subject_types_supported": ["public"],
                                   "id_token_signing_alg_values_supported": ["RS256"]}))


def new_store_id():
    """Makes an id of 22 characters of base62, as all recorded store ids are."""
    number = int.from_bytes(random.token_bytes(16), "big")
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def _name_in(request):
    """The name in a body, for the call log; its faults are reported later."""
    try:
        name = request.json()["name"]
        return name if isinstance(name, str) else None
    except (ParseError, LookupError, TypeError):
        return None


def _object(request, required, optional):
    """Reads a JSON object with all required members and no unknown one."""
    if request.content_type() != "application/json":
        raise ApiError(415, "Content-Type must be application/json")
    try:
        body = request.json()
    except ParseError as why:
        raise ApiError(400, f"invalid JSON: {why}") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be an object")
    for name in sorted(required - body.keys()):
        raise ApiError(400, f"{name}: missing")
    for name in sorted(body.keys() - required - optional):
        raise ApiError(400, f"{name}: unknown")
    return body
