"""Stripe's parameters: closed forms with brackets, in queries and in bodies (doc/apis.md, Stripe 2)."""

import re

from http_types import ApiError
from parsing import ParseError, read_pairs, whole_number

LONGEST = 5000
_KEY = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_USER = re.compile(r"usr_\w+", re.ASCII)
MEMBERS = {"scope": ("type", "user")}


def bad(message, param=None, code=None, status=400):
    return ApiError(status, message, param=param, code=code)


def read_form(text, known):
    """{name: text, "scope": {…}, "expand": […]}; what is not known or given twice is refused."""
    try:
        pairs = read_pairs(text)
    except ParseError as why:
        raise bad(f"Invalid request: {why}") from None
    form = {}
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        if not found or found[1] not in known:
            raise bad(f"Received unknown parameter: {key}", key, "parameter_unknown")
        _take(form, key, found[1], found[2], value)
    return form


def _take(form, key, name, member, value):
    if name == "expand":
        if member is None or not re.fullmatch(r"[0-9]*", member):
            raise bad("Invalid array", "expand")
        form.setdefault("expand", []).append(value)
        return
    if name not in MEMBERS:
        if member is not None:
            raise bad("Invalid string: it has members", name)
        target, member = form, name
    else:
        if member is None:
            raise bad("Invalid object", name)
        if member not in MEMBERS[name]:
            raise bad(f"Received unknown parameter: {key}", key, "parameter_unknown")
        target = form.setdefault(name, {})
    if member in target:
        raise bad(f"Parameter given twice: {key}", key)
    target[member] = value


class Parameters:
    """The rules for each parameter. `variants` says what is counted and whether NUL may be there."""

    def __init__(self, variants):
        self.variants = variants

    def text(self, form, name):
        """A required text; an empty one means unset to Stripe."""
        if name not in form:
            raise bad(f"Missing required param: {name}.", name, "parameter_missing")
        self._text(form[name], name)
        return form[name]

    def _text(self, value, param):
        if not value:
            raise bad(f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a"
                      f" parameter; however '{param}' cannot be unset.", param, "parameter_invalid_empty")
        length = len(value.encode()) if self.variants["stripe.length"] == "bytes" else len(value)
        if length > LONGEST:
            raise bad(f"Invalid string: must be at most {LONGEST} characters", param)
        if "\0" in value and self.variants["stripe.nul"] == "refuse":
            raise bad("Invalid string: it holds a null byte", param)

    def scope(self, form):
        """`account`, or the id of a user."""
        scope = form.get("scope")
        if not scope or "type" not in scope:
            param = "scope[type]" if scope else "scope"
            raise bad(f"Missing required param: {param}.", param, "parameter_missing")
        if scope["type"] not in ("account", "user"):
            raise bad("Invalid scope[type]: must be one of account or user", "scope[type]")
        if scope["type"] == "account":
            if "user" in scope:
                raise bad("scope[user] must not be given with the account scope", "scope[user]")
            return "account"
        if "user" not in scope:
            raise bad("Missing required param: scope[user].", "scope[user]", "parameter_missing")
        self._text(scope["user"], "scope[user]")
        if not _USER.fullmatch(scope["user"]):
            raise bad("Invalid scope[user]: no such user", "scope[user]")
        return scope["user"]

    def expires_at(self, form, now):
        if "expires_at" not in form:
            return None
        try:
            moment = whole_number(form["expires_at"], 0, 10**11)
        except ParseError:
            raise bad("Invalid integer", "expires_at", "parameter_invalid_integer") from None
        if moment <= now and self.variants["stripe.past_expiry"] == "refuse":
            raise bad("Invalid timestamp: must be in the future", "expires_at")
        return moment

    def limit(self, form):
        try:
            return min(whole_number(form.get("limit", "10"), 1, 100), self.variants["stripe.page_cap"])
        except ParseError:
            raise bad("Invalid limit: must be from 1 to 100", "limit", "parameter_invalid_integer") from None


def expansions(form, allowed):
    """What the caller wants to see in full: `payload` brings the value back, as the real service does."""
    params = form.get("expand", [])
    for param in params:
        if param not in allowed:
            raise bad(f"This property cannot be expanded ({param}).", "expand")
    return params
