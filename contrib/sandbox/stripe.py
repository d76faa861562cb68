"""The Stripe Apps Secret Store API (doc/apis.md, Stripe)."""

import base64
import binascii
import re
import secrets as random
import string

from error_bodies import error_response, pretty
from idempotency import Idempotency
from http_types import Response, ApiError
from rate_limit import TokenBucket
from routing import Router
from base_service import Service
from stripe_form import Parameters, bad, expansions, read_form
from parsing import ParseError, read_pairs

BASE = "/v1/apps/secrets"
_ACCOUNT = re.compile(r"acct_\w+", re.ASCII)
_CONTEXT = re.compile(r"\w+(/\w+)*", re.ASCII)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
_ALPHABET = string.ascii_letters + string.digits
DEFAULT_VERSION = "2026-07-29.dahlia"

ROUTES = Router((
    ("GET", BASE, "list_secrets"),
    ("POST", BASE, "set_secret"),
    ("GET", BASE + "/find", "find_secret"),
    ("POST", BASE + "/delete", "delete_secret"),
))
KNOWN = {
    "list_secrets": ("scope", "limit", "starting_after", "ending_before", "expand"),
    "set_secret": ("scope", "name", "payload", "expires_at", "expand"),
    "find_secret": ("scope", "name", "expand"),
    "delete_secret": ("scope", "name", "expand"),
}
TYPES = {500: "api_error", 502: "api_error", 503: "api_error", 504: "api_error"}


class Stripe(Service):
    name = "stripe"
    paths = ("/v1/",)
    secret_id_sql = "'appsecret_' || hex(randomblob(12))"

    def __init__(self, state, variants, clock, call_log, tokens, accounts):
        super().__init__(state, variants, clock, call_log)
        self.tokens = tokens
        self.accounts = accounts
        self.parameters = Parameters(variants)
        self.idempotency = Idempotency(state)
        self.rate = TokenBucket(clock)

    def identify(self, request, call):
        """Names the call for the call log and the faults, before anything is checked."""
        found = ROUTES.find(request.method, request.path.split("/")[1:])
        if not isinstance(found, tuple):
            return
        call["operation"] = f"{self.name}.{found[0]}"
        said = _said(request)
        call["store"] = said.get("scope[user]") or said.get("scope[type]")
        call["name"] = said.get("name")
        call["mode"] = "either" if found[0] == "set_secret" else None
        call["expand"] = [value for key, value in said.items() if key.startswith("expand")] or None
        if (key := request.headers.get("idempotency-key")) and request.method == "POST":
            self.idempotency.begin(_namespace(request), key, call)

    def credentials(self, request, tokens):
        """present, wrong, or None: the key as Bearer, or as Basic's user name with an empty password."""
        if "authorization" not in request.headers:
            return None
        return "present" if _key(request) in tokens else "wrong"

    def decorate(self, request, response, call):
        response.headers += [("Request-Id", call["request_id"]), ("Cache-Control", "no-cache, no-store"),
                           ("Stripe-Version", request.headers.get("stripe-version", DEFAULT_VERSION))]
        if key := request.headers.get("idempotency-key"):
            response.headers.append(("Idempotency-Key", key))

    def new_request_id(self):
        return "req_" + _random_word(14)

    def error(self, status, detail, family=None, code=None, **more):
        if family not in (None, "stripe"):
            return error_response(family, status, detail, code)
        more.setdefault("error_type", TYPES.get(status, "invalid_request_error"))
        return error_response("stripe", status, detail, code or ("rate_limit" if status == 429 else None), **more)

    def announce_exhausted(self, response, seconds):
        response.set("Stripe-Rate-Limited-Reason", "global-rate")

    def on_fault(self, request, call, response):
        """A 500 is an answer of the service's own, which it keeps for the key; the other 5xx are a gateway's."""
        key = request.headers.get("idempotency-key")
        if key and response.status == 500 and request.method == "POST" and self.variants["stripe.replay_500"] == "yes":
            self.idempotency.keep(_namespace(request), key, request, response)

    def on_done(self, call):
        self.idempotency.end(call)

    # For the control interface: a store is a scope of a namespace (test or live, own account or another)

    def find_store(self, params):
        return self.state.store(self.name, self._scope_id(params))

    def make_store(self, params):
        return self.state.add_store(self.name, self._scope_id(params), params["store"], self.clock.now())

    def _scope_id(self, params):
        live = str(params.get("livemode", _is_live(self.tokens[0]))).lower() == "true"
        return f"{_namespace_of(live, params.get('account', ''))}/{params['store']}"

    # What is checked for every call

    def _error_response(self, error):
        more = error.more
        kept = {name: more[key] for name, key in (("param", "param"), ("error_type", "type")) if more.get(key)}
        response = self.error(error.status, error.detail, None, more.get("code"), **kept)
        response.headers += more.get("headers", [])
        return response

    def _respond(self, request, call):
        self._authenticate(request, call)
        if self.variants["stripe.rate_limit"] and not self.rate.spend("all", self.variants["stripe.rate_limit"]):
            raise ApiError(429, "Request rate limit exceeded.", code="rate_limit",
                          headers=[("Stripe-Rate-Limited-Reason", "global-rate")])
        found = ROUTES.find(request.method, request.path.split("/")[1:])
        if not isinstance(found, tuple):
            raise bad(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)
        key = self.idempotency.key(request)
        namespace = _namespace(request)
        if key and (kept := self.idempotency.replay(namespace, key, request, call)):
            return kept
        return self._run(request, call, found[0], namespace, key)

    def _run(self, request, call, operation, namespace, key):
        """What fails validation is not kept for the key: the call has then not begun."""
        form = read_form(_parameters(request), KNOWN[operation])
        scope = self.parameters.scope(form)
        self._expire()
        scope_id = f"{namespace}/{scope}"
        # A scope is no object: it need not be created, and it is there with its first secret.
        store = self.state.store(self.name, scope_id) or {"number": 0, "name": scope, "id": scope_id}
        try:
            response = getattr(self, operation)(form, call, store)
        except ApiError as error:
            if not error.more.get("begun"):
                raise
            response = self._error_response(error)
        if key:
            self.idempotency.keep(namespace, key, request, response)
        return response

    def _authenticate(self, request, call):
        if call["credentials"] is None:
            raise bad("You did not provide an API key.", status=401)
        key = _key(request)
        if key is not None and key.startswith("pk_"):
            raise bad("This API call cannot be made with a publishable API key.", None, "secret_key_required", 401)
        if call["credentials"] == "wrong":
            raise bad("Invalid API Key provided", status=401)
        if (key or "").startswith("sk_org_"):
            _check_organization(request)
        self._check_account(request)
        if not _VERSION.fullmatch(request.headers.get("stripe-version", DEFAULT_VERSION)):
            raise bad("Invalid Stripe API version")

    def _check_account(self, request):
        context = request.headers.get("stripe-context")
        if context is not None and not _CONTEXT.fullmatch(context):
            raise bad(f"Invalid Stripe-Context: '{context}'")
        account = _account(request)
        if account is not None and (not _ACCOUNT.fullmatch(account) or self.accounts and account not in self.accounts):
            raise bad(f"The provided key does not have access to account '{account}' (or that account does not exist).",
                      None, "account_invalid", 403)

    def _expire(self):
        """Secrets go by themselves when their time is up."""
        now = self.clock.now()
        if self.state.one("SELECT 1 FROM secrets WHERE expires_at <= ?", now):
            with self.state.change() as db:
                db.execute("DELETE FROM secrets WHERE expires_at <= ?", (now,))

    # Operations

    def list_secrets(self, form, call, store):
        expanded = "data.payload" in expansions(form, ("data.payload",))
        limit = self.parameters.limit(form)
        if "starting_after" in form and "ending_before" in form:
            raise bad("You can only give one of starting_after and ending_before")
        backwards = "ending_before" in form
        border = self._border(store, form)
        # The order is that of creation, and row numbers are given in it.
        downwards = (self.variants["stripe.order"] == "newest") != backwards
        beyond, order = ("<", "DESC") if downwards else (">", "ASC")
        limits = "" if border is None else f"AND number {beyond} {border}"
        rows = self.state.all(f"SELECT * FROM secrets WHERE store = ? {limits} ORDER BY number {order} LIMIT ?",
                              store["number"], limit + 1)
        page = rows[:limit][::-1] if backwards else rows[:limit]
        data = [_object(store, secret, expanded) for secret in page]
        return Response(200, pretty({"object": "list", "data": data, "has_more": len(rows) > limit, "url": BASE}))

    def _border(self, store, form):
        """The row number of the object after or before which the page lies."""
        name = next((name for name in ("starting_after", "ending_before") if name in form), None)
        if name is None:
            return None
        secret = self.state.secret_by_id(store, form[name])
        if secret is None:
            raise bad(f"No such secret: '{form[name]}'", name, "resource_missing")
        return secret["number"]

    def find_secret(self, form, call, store):
        name = self.parameters.text(form, "name")
        expanded = "payload" in expansions(form, ("payload",))
        return Response(200, pretty(_object(store, self._secret(store, name), expanded)))

    def _secret(self, store, name):
        secret = self.state.secret(store, name)
        if secret is None:
            raise ApiError(404, f"No such secret: '{name}'", code="resource_missing", param="name", begun=True)
        return secret

    def delete_secret(self, form, call, store):
        name = self.parameters.text(form, "name")
        expanded = "payload" in expansions(form, ("payload",))
        secret = self._secret(store, name)
        self.state.delete_secret(secret)
        whole = {**_object(store, secret, expanded), "deleted": True}
        if self.variants["stripe.delete_body"] == "short":
            whole = {key: whole[key] for key in ("id", "object", "deleted")}
        return Response(200, pretty(whole))

    def set_secret(self, form, call, store):
        name, payload = self.parameters.text(form, "name"), self.parameters.text(form, "payload")
        expires_at = self.parameters.expires_at(form, self.clock.now())
        expanded = "payload" in expansions(form, ("payload",))
        value = payload.encode()
        self.call_log.value_seen(call, value)
        old = self.state.secret(store, name)
        secret = self._replace(store, old, value, expires_at) if old else self._create(store, name, value, expires_at)
        self.call_log.upload(call, value)
        return Response(200, pretty(_object(store, secret, expanded)))

    def _create(self, store, name, value, expires_at):
        if self.state.secret_count(store) >= self.variants["stripe.per_scope"]:
            code, most = self.variants["stripe.full_code"], self.variants["stripe.per_scope"]
            raise ApiError(self.status("full_status"), f"You have reached the maximum of {most} secrets for this scope.",
                          code=None if code == "none" else code, begun=True)
        if store["number"] == 0:
            store = self.state.add_store(self.name, store["id"], store["name"], self.clock.now())
        with self.state.change():
            return self.state.add_secret(store, name, value, self.clock.now(), id=_secret_id(), expires_at=expires_at)

    def _replace(self, store, old, value, expires_at):
        if expires_at is None and self.variants["stripe.replace_expiry"] == "keep":
            expires_at = old["expires_at"]
        columns = {"value": value, "expires_at": expires_at, "modified": self.clock.now()}
        if self.variants["stripe.replace_id"] == "new":
            columns["id"] = _secret_id()
        if self.variants["stripe.replace_created"] == "new":
            columns["created"] = self.clock.now()
        with self.state.change():
            self.state.update_secret(old["number"], **columns)
        return self.state.secret(store, old["name"])


def _object(store, secret, expanded):
    user = store["name"]
    shown = {"id": secret["id"], "object": "apps.secret", "created": int(secret["created"]),
             "expires_at": secret["expires_at"], "livemode": store["id"].startswith("live"), "name": secret["name"],
             "scope": {"type": "account"} if user == "account" else {"type": "user", "user": user}}
    if expanded:
        shown["payload"] = bytes(secret["value"]).decode("utf-8", "replace")
    return shown


def _key(request):
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return text
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return None
    return user if colon and not password else None


def _is_live(key):
    return (key or "").startswith(("sk_live_", "rk_live_", "sk_org_live_"))


def _namespace_of(live, account):
    return ("live" if live else "test") + (f":{account}" if account else "")


def _check_organization(request):
    """An organization has no account and no version of its own: each request names both."""
    for header in ("Stripe-Context", "Stripe-Version"):
        if header.lower() not in request.headers:
            raise bad(f"You must provide the {header} header when using an organization API key.")


def _account(request):
    """The account that the request is for; None: the key's own. A context ends with it."""
    if context := request.headers.get("stripe-context"):
        return context.rpartition("/")[2]
    return request.headers.get("stripe-account")


def _namespace(request):
    """Test and live, and each account, are disjoint."""
    return _namespace_of(_is_live(_key(request)), _account(request) or "")


def _parameters(request):
    """A GET has a query and no body, a POST the other way round."""
    if request.method == "GET":
        if request.body:
            raise bad("This call takes no body")
        return request.query
    if request.query:
        raise bad("This call takes its parameters in the body")
    if request.content_type() != "application/x-www-form-urlencoded":
        raise bad("Content-Type must be application/x-www-form-urlencoded")
    return request.body.decode("latin-1")


def _said(request):
    """The parameters for the call log; their faults are reported later."""
    try:
        return dict(read_pairs(request.query if request.method == "GET" else request.body.decode("latin-1")))
    except ParseError:
        return {}


def _random_word(length):
    return "".join(random.choice(_ALPHABET) for _ in range(length))


def _secret_id():
    return "appsecret_" + _random_word(24)
