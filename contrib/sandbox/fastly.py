"""The Fastly Secret Store API (API-FACTS 1)."""

import math
import re
import secrets as random
import string

from error_bodies import error_answer, pretty
from fastly_keys import ClientKeys
from fastly_page import Cursors, digest_tag, page_answer, page_wish, secret_text, store_text
from http_types import Answer, Refusal, lenient_name
from rate_limit import Windows
from routing import Router, no_body
from base_service import Service
from parsing import Unreadable, read_base64

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

    def __init__(self, state, plays, clock, journal, signing_seed=None):
        super().__init__(state, plays, clock, journal)
        self.keys = ClientKeys(state, plays, clock, signing_seed)
        self.cursors = Cursors(state, random.token_bytes(32))
        self.rate = Windows(clock)

    def recognise(self, request, call):
        """Names the call for the journal and the faults, before anything is checked."""
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
        """present, wrong, or None when there are none."""
        token = request.headers.get("fastly-key")
        return token and ("present" if token in tokens else "wrong")

    def dress(self, request, answer, call):
        """What every answer carries, refusals too."""
        answer.headers += [("Cache-Control", "no-store"), ("Pragma", "no-cache"), ("Via", "1.1 varnish"),
                           ("Fastly-Trace-Id", call["request_id"])]
        self._announce_rate(request, answer)

    def new_request_id(self):
        return random.token_hex(16)

    def error(self, status, detail, family=None, code=None):
        return error_answer(family or self.plays["fastly.error_body"], status, detail, code)

    def announce_exhausted(self, answer, seconds):
        answer.set("Fastly-RateLimit-Remaining", "0")
        answer.set("Fastly-RateLimit-Reset", str(math.ceil(self.clock.now() + seconds)))

    def _refused(self, refusal):
        answer = self.error(refusal.status, refusal.detail, refusal.more.get("family"))
        answer.headers += refusal.more.get("headers", [])
        return answer

    def _answer(self, request, call):
        if call["operation"] not in OPEN_TO_ALL and call["credentials"] != "present":
            raise Refusal(self.status("unauthorized"), "Provided credentials are missing or invalid",
                          family="legacy")
        self._spend_rate(request)
        operation, words = self._route(request)
        if operation in ("list_stores", "list_secrets"):
            no_body(request)
        elif request.query:
            raise Refusal(400, "this call takes no parameters")
        return getattr(self, operation)(request, call, **words)

    def _route(self, request):
        if any(part in (".", "..") for part in request.path.split("/")):
            raise Refusal(400, "a path with dot segments")
        try:
            found = ROUTES.find(request.method, request.segments())
        except Unreadable as why:
            raise Refusal(400, f"path: {why}") from None
        if found is None:
            raise Refusal(404, "no such path")
        if isinstance(found, list):
            raise Refusal(405, "method not allowed", headers=[("Allow", ", ".join(found))])
        return found

    # For the control interface, which names a store by its name or its id

    def find_store(self, wishes):
        return self.state.store(self.name, wishes["store"]) or self.state.store_named(self.name, wishes["store"])

    def make_store(self, wishes):
        return self.state.add_store(self.name, new_store_id(), wishes["store"], self.clock.now())

    # Rate limits: calls that change something, in windows of an hour

    def _spend_rate(self, request):
        limit = self.plays["fastly.rate_limit"]
        if limit and request.method != "GET" and not self.rate.spend(limit, self.plays["fastly.rate_window"]):
            raise Refusal(429, "You have exceeded your hourly rate limit", family="legacy")

    def _announce_rate(self, request, answer):
        limit = self.plays["fastly.rate_limit"]
        if limit and request.method != "GET" and self.plays["fastly.rate_headers"] == "yes":
            left, reset = self.rate.left(limit, self.plays["fastly.rate_window"])
            answer.set("Fastly-RateLimit-Remaining", str(left))
            answer.set("Fastly-RateLimit-Reset", str(math.ceil(reset)))

    # Stores

    def list_stores(self, request, call):
        limit, query = page_wish(request, self.plays, ("limit", "cursor", "name"))
        if "name" in query:
            return self._store_by_name(query, limit)
        after = self.cursors.key("stores", query.get("cursor"))
        rows = self.state.all("SELECT * FROM stores WHERE service = 'fastly' AND id > ? ORDER BY id LIMIT ?",
                              after or "", limit + 1)
        cursor = self.cursors.after("stores", rows[limit - 1]["id"]) if len(rows) > limit else None
        return page_answer(rows[:limit], store_text, limit, cursor)

    def _store_by_name(self, query, limit):
        if "cursor" in query and query["cursor"]:
            raise Refusal(400, "cursor and name exclude each other")
        store = self.state.store_named(self.name, query["name"])
        if store is None and self.plays["fastly.unknown_store_name"] == "404":
            raise Refusal(404, "store not found")
        return page_answer([store] if store else [], store_text, limit, None)

    def create_store(self, request, call):
        body = _object(request, {"name"}, set())
        name = self._good_name(body["name"])
        if self.state.store_named(self.name, name):
            raise Refusal(400, "duplicate: name")
        quota = self.plays["fastly.quota_stores"]
        if quota and self.state.store_count(self.name) >= quota:
            self._over_quota("stores")
        store = self.state.add_store(self.name, new_store_id(), name, self.clock.now())
        return Answer(201, (store_text(store) + "\n").encode())

    def get_store(self, request, call, store):
        no_body(request)
        return Answer(200, (store_text(self._store(store)) + "\n").encode())

    def delete_store(self, request, call, store):
        no_body(request)
        self.state.delete_store(self._store(store))
        return Answer(204)

    def _store(self, store_id):
        store = self.state.store(self.name, store_id)
        if store is None:
            raise Refusal(404, "store not found")
        return store

    def _over_quota(self, what):
        raise Refusal(self.status("quota_status"), f"the maximum number of {what} is reached")

    # Secrets

    def list_secrets(self, request, call, store):
        store = self._store(store)
        limit, query = page_wish(request, self.plays, ("limit", "cursor"))
        listing = f"secrets {store['id']}"
        after = self.cursors.key(listing, query.get("cursor"))
        rows = self._secrets_after(store, after, limit + 1)
        cursor = self.cursors.after(listing, rows[limit - 1]["name"]) if len(rows) > limit else None
        return page_answer(rows[:limit], secret_text, limit, cursor)

    def _secrets_after(self, store, after, count):
        backwards = self.plays["fastly.order"] == "reverse"
        beyond, order = ("<", "DESC") if backwards else (">", "ASC")
        border = "" if after is None else f"AND name {beyond} :after"
        return self.state.db.execute(
            f"SELECT name, digest, created FROM secrets WHERE store = :store AND deleted_at IS NULL {border}"
            f" ORDER BY name {order} LIMIT :count",
            {"store": store["number"], "after": after, "count": count}).fetchall()

    def get_secret(self, request, call, store, name):
        no_body(request)
        return Answer(200, (secret_text(self._secret(self._store(store), name)) + "\n").encode())

    def delete_secret(self, request, call, store, name):
        no_body(request)
        self.state.delete_secret(self._secret(self._store(store), name))
        return Answer(204)

    def _secret(self, store, name):
        secret = self.state.secret(store, name)
        if secret is None:
            raise Refusal(404, "secret not found")
        return secret

    def put_secret(self, request, call, store):
        store = self._store(store)
        body = _object(request, {"name", "secret"}, {"client_key"})
        name = self._good_name(body["name"])
        value = self._value(body, call)
        old = self.state.secret(store, name)
        self._check_mode(MODES[request.method], old)
        secret = self._keep(store, name, value, old, body.get("client_key"))
        self.journal.upload(call, value)
        recreated = old is not None
        return Answer(200, (secret_text(secret, recreated=recreated) + "\n").encode())

    def _check_mode(self, mode, old):
        if old is not None and mode == "create":
            raise Refusal(400, "duplicate: name")
        if old is None and mode == "replace":
            raise Refusal(self.status("patch_missing"), "secret not found")
        quota = self.plays["fastly.quota_secrets"]
        if old is None and quota and self.state.secret_total(self.name) >= quota:
            self._over_quota("secrets")

    def _keep(self, store, name, value, old, client_key):
        """A secret is bound to its value: a new one takes the name over, with a new digest and time."""
        with self.state.change() as db:
            if client_key:
                self.keys.spend(client_key)
            if old is not None:
                db.execute("DELETE FROM secrets WHERE number = ?", (old["number"],))
            return self.state.add_secret(store, name, value, self.clock.now())

    def _value(self, body, call):
        """The plaintext, opened if it came sealed."""
        try:
            value = read_base64(body["secret"])
        except Unreadable:
            raise Refusal(400, "secret: invalid base64") from None
        call["sealed"] = "client_key" in body
        if call["sealed"]:
            call["client_key"] = body["client_key"]
            value = self.keys.open(body["client_key"], value)
        self.journal.value_seen(call, value)
        if len(value) > LARGEST_VALUE:
            raise Refusal(400, "secret: too large")
        if not value and self.plays["fastly.empty_value"] == "refuse":
            raise Refusal(400, "secret: must not be empty")
        return value

    def _good_name(self, name):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refusal(400, "name: must contain only letters, numbers, dashes, underscores, and periods")
        if len(name) > self.plays["fastly.name_length"]:
            raise Refusal(400, "name: too long")
        return name

    # Keys, and what Fastly's own command line asks before every command

    def create_client_key(self, request, call):
        no_body(request)
        return Answer(200, pretty(self.keys.issue()))

    def get_signing_key(self, request, call):
        no_body(request)
        key = self.keys.signing_key()
        return Answer(200, pretty({"signing_key": key}), headers=[("Etag", digest_tag(key))])

    def openid_configuration(self, request, call):
        base = f"http://{request.headers.get('host', '127.0.0.1')}/realms/fastly"
        connect = f"{base}/protocol/openid-connect"
        return Answer(200, pretty({"issuer": base, "authorization_endpoint": f"{connect}/auth",
                                   "token_endpoint": f"{connect}/token", "jwks_uri": f"{connect}/certs",
                                   "response_types_supported": ["code"], "subject_types_supported": ["public"],
                                   "id_token_signing_alg_values_supported": ["RS256"]}))


def new_store_id():
    """22 characters of base62, as every store id that was ever recorded has."""
    number = int.from_bytes(random.token_bytes(16), "big")
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


def _name_in(request):
    """The name a body speaks of, for the journal; what is wrong with it is said later."""
    try:
        name = request.json()["name"]
        return name if isinstance(name, str) else None
    except (Unreadable, LookupError, TypeError):
        return None


def _object(request, required, optional):
    """A JSON object with all of the required members and no unknown one."""
    if request.content_type() != "application/json":
        raise Refusal(415, "Content-Type must be application/json")
    try:
        body = request.json()
    except Unreadable as why:
        raise Refusal(400, f"invalid JSON: {why}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be an object")
    for name in sorted(required - body.keys()):
        raise Refusal(400, f"{name}: missing")
    for name in sorted(body.keys() - required - optional):
        raise Refusal(400, f"{name}: unknown")
    return body
