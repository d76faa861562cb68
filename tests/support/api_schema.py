"""The shapes of the three services' answers, written from doc/apis.md, and a small checker for them."""

import re

MICROS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Maybe:
    """A member that may be missing."""

    def __init__(self, shape):
        self.shape = shape


class Either:
    def __init__(self, *shapes):
        self.shapes = shapes


FASTLY_STORE = {"id": re.compile(r"[0-9A-Za-z]{22}"), "name": str, "created_at": SECONDS}
FASTLY_SECRET = {"name": str, "digest": re.compile(r"[0-9A-Za-z+/]{43}="), "created_at": SECONDS, "recreated": Maybe(True)}
FASTLY_META = {"limit": int, "next_cursor": Maybe(str)}
FASTLY_PROBLEM = {"title": str, "detail": str, "status": int}

CLOUDFLARE_ID = re.compile(r"[0-9a-f]{32}")
CLOUDFLARE_STORE = {"id": CLOUDFLARE_ID, "name": str, "created": MICROS, "modified": MICROS, "account_id": Maybe(CLOUDFLARE_ID)}
CLOUDFLARE_SECRET = {"id": CLOUDFLARE_ID, "store_id": CLOUDFLARE_ID, "name": str, "created": MICROS, "modified": MICROS,
                     "status": re.compile("pending|active|deleted"), "comment": Maybe(str), "scopes": Maybe([str])}
CLOUDFLARE_INFO = {"count": int, "page": int, "per_page": int, "total_count": int, "total_pages": Maybe(int)}
CLOUDFLARE_FAILURE = {"success": False, "errors": [{"code": int, "message": str}], "messages": [], "result": None}


def cloudflare_success(result, info=None):
    return {"success": True, "errors": [], "messages": [], "result": result, **({"result_info": info} if info else {})}


STRIPE_SCOPE = Either({"type": "account"}, {"type": "user", "user": str})
STRIPE_SECRET = {"id": re.compile(r"appsecret_\w+"), "object": "apps.secret", "created": int, "expires_at": Either(int, None),
                 "livemode": bool, "name": str, "scope": STRIPE_SCOPE, "deleted": Maybe(True), "payload": Maybe(str)}
STRIPE_LIST = {"object": "list", "data": [STRIPE_SECRET], "has_more": bool, "url": re.compile("/v1/apps/secrets")}
STRIPE_FAILURE = {"error": {"type": re.compile("api_error|card_error|idempotency_error|invalid_request_error"),
                            "message": Maybe(str), "code": Maybe(str), "param": Maybe(str)}}


def differs(value, shape, where="answer"):
    """What is wrong with it, in words, or None."""
    if isinstance(shape, Either):
        return None if any(differs(value, one) is None for one in shape.shapes) else f"{where}: {value!r} fits nothing"
    if isinstance(shape, dict):
        return _object_differs(value, shape, where)
    if isinstance(shape, list):
        return _list_differs(value, shape, where)
    if isinstance(shape, re.Pattern):
        fits = isinstance(value, str) and shape.fullmatch(value)
    elif isinstance(shape, type):
        fits = type(value) is shape
    else:
        fits = value == shape and type(value) is type(shape)
    return None if fits else f"{where}: {value!r} is no {shape}"


def _object_differs(value, shape, where):
    if not isinstance(value, dict):
        return f"{where}: {value!r} is no object"
    for name in value.keys() - shape.keys():
        return f"{where}.{name}: unknown"
    for name, inner in shape.items():
        if name not in value:
            if not isinstance(inner, Maybe):
                return f"{where}.{name}: missing"
            continue
        if wrong := differs(value[name], inner.shape if isinstance(inner, Maybe) else inner, f"{where}.{name}"):
            return wrong
    return None


def _list_differs(value, shape, where):
    if not isinstance(value, list) or (not shape and value):
        return f"{where}: {value!r} is no such list"
    return next((wrong for place, entry in enumerate(value) if (wrong := differs(entry, shape[0], f"{where}[{place}]"))), None)
