"""Checks of Cloudflare's bodies: members, names, values, scopes, comments (doc/apis.md, Cloudflare 3, Cloudflare 6)."""

import re

from http_types import ApiError
from parsing import ParseError

LARGEST_VALUE = 65536
LONGEST_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_NAME_WITH_PERIODS = re.compile(r"[A-Za-z0-9_.-]+")


def slug(status, text, code=1001):
    """An error of Cloudflare's: its code is a class, the slug in the message names the error."""
    return ApiError(status, text, code=code)


def bad_body(why):
    return slug(400, f"invalid_json_body: {why}")


def read_body(request):
    # The second is what the official command line client sends, which leaves it to fetch().
    if request.content_type() not in ("application/json", "text/plain"):
        raise slug(415, "unsupported_media_type")
    try:
        return request.json()
    except ParseError as why:
        raise bad_body(why) from None


def members(body, required, optional=frozenset()):
    """Checks that a body is an object with all required members and no unknown one."""
    if not isinstance(body, dict):
        raise slug(400, "invalid_json_body")
    for name in sorted(body.keys() - required - optional):
        raise bad_body(f"unknown member {name}")
    for name in sorted(required - body.keys()):
        raise slug(400, MISSING.get(name, f"invalid_json_body: {name} is missing"))
    return body


MISSING = {"name": "secret_name_empty", "scopes": "secret_scopes_empty", "value": "secret_value_empty"}


class Rules:
    """The rules that depend on the variants."""

    def __init__(self, variants):
        self.variants = variants

    def name(self, name):
        if not isinstance(name, str):
            raise bad_body("name is no string")
        if not name:
            raise slug(400, "secret_name_empty")
        allowed = _NAME_WITH_PERIODS if self.variants["cloudflare.periods"] == "accept" else _NAME
        if not allowed.fullmatch(name) or len(name) > LONGEST_NAME:
            raise slug(400, "secret_name_invalid")
        return name

    def store_name(self, name):
        """Takes any printable name: no rule is published."""
        if not isinstance(name, str):
            raise bad_body("name is no string")
        if not name:
            raise slug(400, "store_name_empty")
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise slug(400, "store_name_invalid")
        return name

    def value(self, value):
        """Checks the limit, which counts bytes of UTF-8, not characters."""
        if not isinstance(value, str):
            raise bad_body("value is no string")
        if not value:
            raise slug(400, "secret_value_empty")
        if "\0" in value and self.variants["cloudflare.nul"] == "refuse":
            raise slug(400, "secret_value_invalid")
        raw = value.encode()
        if len(raw) > LARGEST_VALUE:
            raise slug(400, "secret_value_too_long")
        return raw

    def scopes(self, scopes):
        """Returns the scopes sorted, whatever order was sent."""
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise bad_body("scopes is no array of strings")
        if not scopes:
            raise slug(400, "secret_scopes_empty")
        if len(set(scopes)) != len(scopes) or not set(scopes) <= set(self.variants["cloudflare.scopes"]):
            raise slug(400, "secret_scope_invalid")
        return sorted(scopes)

    def comment(self, comment):
        if not isinstance(comment, str):
            raise bad_body("comment is no string")
        return comment
