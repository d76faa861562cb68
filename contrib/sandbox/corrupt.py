"""Corrupts finished responses: bodies, pages and client keys, odd headers."""

import base64
import gzip
import json
import re
from email.utils import formatdate

from nacl.signing import SigningKey

from error_bodies import pretty

OTHER_SIGNING_KEY = SigningKey(b"another signing key, of no worth")
BOMB_BYTES = 100_000_000

# Bodies


def _changed(change):
    """Changes bodies that are JSON objects; others stay as they are."""
    def distort(body):
        try:
            members = json.loads(body)
        except ValueError:
            return body
        return pretty(change(members)) if isinstance(members, dict) else body
    return distort


def _with_points(value):
    """Writes every whole number with a point, which JSON treats as the same."""
    if isinstance(value, dict):
        return {name: _with_points(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_points(one) for one in value]
    return float(value) if type(value) is int else value


def _talkative(members):
    """Cloudflare's envelope with messages, and behind an error another one."""
    more = [{"code": 1099, "message": "a second error"}] if members.get("errors") else []
    return members | {"messages": [{"code": 10042, "message": "a message"}, "another one"], "errors": members.get("errors", []) + more}


BODIES = {
    "truncated": lambda body: body[: len(body) // 2],
    "nonsense": lambda body: b"\x00\xff\xfe{{{ nothing that can be read ]]",
    "html": lambda body: b"<html><head><title>Welcome</title></head><body>Please log in</body></html>\n",
    "empty": lambda body: b"",
    "nested": lambda body: b"[" * 200_000 + b"]" * 200_000,
    "null": lambda body: b"null",
    "array": lambda body: b"[]",
    "object": lambda body: b"{}",
    "string": lambda body: b'"yes"',
    "trailing": lambda body: body + b"}}} and then some",
    "bomb": None,
    # Not wrong, but seldom seen.
    "wide": _changed(lambda members: members | {"serial": 2**64}),
    "points": _changed(_with_points),
    "local_times": lambda body: re.sub(rb'("\d{4}-\d\d-\d\dT[0-9:.]+)Z"', rb'\1"', body),
    "no_visibility": _changed(lambda members: {name: members[name] for name in members if name != "visibility"}),
    "no_result": _changed(lambda members: {name: members[name] for name in members if name != "result"}),
    "renamed": _changed(lambda members: members | {"name": "another_name"}),
    "talkative": _changed(_talkative),
    "null_result": _changed(lambda members: members | {"result": None}),
    "object_result": _changed(lambda members: members | {"result": {}}),
}

# Client keys: each takes the answer's members, decoded, and returns them changed.


def _flipped(raw):
    return bytes([raw[0] ^ 1]) + raw[1:]


def _other_key(key):
    return key | {"signature": OTHER_SIGNING_KEY.sign(key["public_key"]).signature}


KEYS = {
    "expired": lambda key: key | {"expires_at": "2001-01-01T00:00:00.000000000Z"},
    "no_expiry": lambda key: {name: key[name] for name in key if name != "expires_at"},
    "bad_expiry": lambda key: key | {"expires_at": "soon"},
    "bad_signature": lambda key: key | {"signature": _flipped(key["signature"])},
    "bad_key": lambda key: key | {"public_key": _flipped(key["public_key"])},
    "other_signing_key": _other_key,
    "short_key": lambda key: key | {"public_key": key["public_key"][:31]},
    "long_key": lambda key: key | {"public_key": key["public_key"] + b"\0"},
    "short_signature": lambda key: key | {"signature": key["signature"][:63]},
    "bad_base64": lambda key: key | {"public_key": "not base64!"},
    "number": lambda key: key | {"public_key": 7},
    "zero": None,
    "forgotten": None,
}


def corrupt_key(kind, response, keys):
    """Corrupts a client key's response, or the signing key's (which only `other_signing_key` changes)."""
    members = json.loads(response.body)
    if "signing_key" in members:
        if kind == "other_signing_key":
            response.body = pretty({"signing_key": base64.b64encode(bytes(OTHER_SIGNING_KEY.verify_key)).decode()})
        return
    names = [name for name in ("public_key", "client_key") if name in members]
    if not names:
        return
    key = {"public_key": base64.b64decode(members[names[0]]), "signature": base64.b64decode(members["signature"]),
           "expires_at": members["expires_at"]}
    key = _corrupted(kind, key, keys)
    key = {name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in key.items()}
    public = key.pop("public_key")
    response.body = pretty({name: public for name in names} | key)


def _corrupted(kind, key, keys):
    if kind == "forgotten":
        keys.forget(key["public_key"])
        return key
    if kind == "zero":
        # A point of small order, well signed: nothing can be sealed under it.
        return key | {"public_key": bytes(32), "signature": keys.signing.sign(bytes(32)).signature}
    return KEYS[kind](key)


# Pages: each takes (members, list of entries, the request's query) and changes them in place.


def _info(page):
    return page.get("meta") or page.get("result_info") or page


def _repeat_cursor(page, entries, query):
    if "cursor" in query:
        page["meta"]["next_cursor"] = query["cursor"]
    elif "starting_after" in query:
        page["has_more"] = True
        if entries:
            entries[-1]["id"] = query["starting_after"]


def _set(name, value):
    def change(page, entries, query):
        _info(page)[name] = value
    return change


def _each_twice(page, entries, query):
    entries[:] = [entry for entry in entries for _ in range(2)]


def _add(*odd):
    def change(page, entries, query):
        entries[len(entries) // 2:len(entries) // 2] = odd
    return change


def _without(name):
    def change(page, entries, query):
        for entry in entries:
            entry.pop(name, None)
    return change


def _with(name, value):
    def change(page, entries, query):
        for entry in entries:
            entry[name] = value
    return change


def _one_more_each_time(page, entries, query):
    info = _info(page)
    if "total_count" in info:
        info["total_count"] += int(query.get("page", 1))


LISTS = ("data", "result", "secrets", "environments", "repositories")


def _replace_list(value):
    def change(page, entries, query):
        page[next(name for name in LISTS if name in page)] = value
    return change


def _no_entries(page, entries, query):
    entries.clear()


PAGES = {
    "repeat_cursor": _repeat_cursor,
    "cursor_number": _set("next_cursor", 7),
    "cursor_null": _set("next_cursor", None),
    "cursor_empty": _set("next_cursor", ""),
    "cursor_object": _set("next_cursor", {}),
    "duplicates": _each_twice,
    "non_object": _add(7, None, "entry", []),
    "nameless": _without("name"),
    "number_name": _with("name", 5),
    "idless": _without("id"),
    "no_time": _without("created_at"),
    "bad_time": _with("created_at", "yesterday"),
    "slash_name": _add({"id": "0" * 32, "name": "a/b", "digest": "AA==", "created_at": "2026-01-01T00:00:00Z"}),
    "total_changes": _one_more_each_time,
    "total_missing": _set("total_count", None),
    "total_zero": _set("total_count", 0),
    "total_vast": _set("total_count", 10**12),
    "empty": _no_entries,
    "not_list": _replace_list({"0": "entry"}),
    "null_list": _replace_list(None),
    "has_more": _set("has_more", True),
}


def corrupt_page(kind, response, query):
    page = json.loads(response.body)
    entries = next((page[name] for name in LISTS if name in page), None) if isinstance(page, dict) else None
    if isinstance(entries, list):
        PAGES[kind](page, entries, query)
        response.body = pretty(page)


# Everything else


def corrupt_body(kind, response, size):
    if kind == "bomb":
        response.body = gzip.compress(b" " * (size or BOMB_BYTES), 1)
        response.set("Content-Encoding", "gzip")
        return
    response.body = BODIES[kind](response.body)
    if kind == "html":
        response.content_type = "text/html"
    if response.status == 204:
        # A 204 can't have a body, so a corrupt one comes with 200.
        response.status = 200


def corrupt_headers(fault, response, now):
    for name, value in fault.headers:
        response.set(name, value)
    for number in range(fault.get("flood", 0)):
        response.headers.append((f"X-Flood-{number}", "x" * 64))
    if (content_type := fault.get("content_type")) is not None:
        response.content_type = None if content_type == "none" else content_type
    if (retry_after := fault.get("retry_after")) is not None:
        date = retry_after.startswith("date")
        response.set("Retry-After", formatdate(now + float(retry_after[4:]), usegmt=True) if date else retry_after)
    if (skew := fault.get("skew")) is not None:
        response.date = None if skew == "none" else response.date + skew
