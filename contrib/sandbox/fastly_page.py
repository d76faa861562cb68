"""Fastly's listings: pages by cursor, written as the service writes them (doc/apis.md, Fastly 4)."""

import base64
import hashlib
import hmac
import json

from clock import to_seconds
from http_types import Response, ApiError
from parsing import ParseError, read_query, whole_number

LARGEST_PAGE = 200
_quoted = json.encoder.encode_basestring


class Cursors:
    """A cursor is the last key of a page and a seal, so that an invented one, or one of another listing, is refused."""

    def __init__(self, state, secret):
        self.secret = state.setting("cursor_secret", secret)

    def _seal(self, listing, key):
        return hmac.digest(self.secret, f"{listing}\0{key}".encode(), "sha256")[:9]

    def after(self, listing, key):
        return base64.urlsafe_b64encode(self._seal(listing, key) + key.encode()).decode()

    def key(self, listing, cursor):
        """Returns the key after which the page begins; the empty cursor is the first page."""
        if not cursor:
            return None
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii"))
            key = raw[9:].decode()
        except ValueError:
            raise ApiError(400, "cursor: invalid") from None
        if cursor != self.after(listing, key):
            raise ApiError(400, "cursor: invalid")
        return key


def page_params(request, variants, known):
    """Reads the query of a listing: (limit, the rest of the parameters)."""
    try:
        query = read_query(request.query, known)
        asked = whole_number(query["limit"], 1, LARGEST_PAGE) if "limit" in query else variants["fastly.default_page"]
    except ParseError as why:
        raise ApiError(400, str(why)) from None
    return min(max(asked, variants["fastly.smallest_page"]), variants["fastly.page_cap"]), query


def store_text(store, indent=""):
    """Prints a store as the service does. By hand: json.dumps with indent is ten times as slow."""
    return (f'{{\n{indent}  "id": "{store["id"]}",\n{indent}  "name": {_quoted(store["name"])},\n'
            f'{indent}  "created_at": "{to_seconds(int(store["created"]))}"\n{indent}}}')


def secret_text(secret, indent="", recreated=False):
    digest = base64.b64encode(secret["digest"]).decode()
    more = f',\n{indent}  "recreated": true' if recreated else ""
    return (f'{{\n{indent}  "name": {_quoted(secret["name"])},\n{indent}  "digest": "{digest}",\n'
            f'{indent}  "created_at": "{to_seconds(int(secret["created"]))}"{more}\n{indent}}}')


def page_response(rows, one_text, limit, next_cursor):
    """`next_cursor` is left out, not null, at the end of the listing."""
    data = ",\n".join("    " + one_text(row, "    ") for row in rows)
    data = f"[\n{data}\n  ]" if data else "[]"
    more = f',\n    "next_cursor": {_quoted(next_cursor)}' if next_cursor else ""
    return Response(200, f'{{\n  "data": {data},\n  "meta": {{\n    "limit": {limit}{more}\n  }}\n}}\n'.encode())


def digest_tag(text):
    """An Etag, which only the signing key has."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
