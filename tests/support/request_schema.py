"""
Cloudflare's and Stripe's APIs as a schema of our own, from the facts (doc/apis.md, Cloudflare, Stripe): what may be sent, and what is answered.

Requests are checked more strictly than the services do: what they do not need is not sent. The shapes of answers, and the checker, are those
of the sandbox's own tests.
"""

import json
import re
from urllib.parse import parse_qsl, unquote

from api_schema import (CLOUDFLARE_FAILURE, CLOUDFLARE_INFO, CLOUDFLARE_SECRET, CLOUDFLARE_STORE, STRIPE_FAILURE,
                        STRIPE_LIST, STRIPE_SECRET, Either, Maybe, cloudflare_success, differs)

ID = r"[0-9a-f]{32}"
STORES = rf"/client/v4/accounts/{ID}/secrets_store/stores"
NUMBER = re.compile(r"[1-9][0-9]*")
TEXT = re.compile(r"(?s).+")
PAGE = {"page": NUMBER, "per_page": "100", "order": "name", "direction": "asc"}
SCOPES = [re.compile(r"[A-Za-z0-9_-]+")]
CLOUDFLARE_INFO = Either({name: Maybe(Either(int, None)) for name in CLOUDFLARE_INFO}, None)
STRIPE_SCOPE = {"scope[type]": re.compile("account|user"), "scope[user]": Maybe(re.compile(r"usr_\w+"))}
STRIPE_DELETED = Either(STRIPE_SECRET, {"id": re.compile(r"appsecret_\w+"), "object": "apps.secret", "deleted": True})


def listed(entry):
    entry = {**entry, "comment": Maybe(Either(str, None))} if "scopes" in entry else entry
    return Either(cloudflare_success([entry], CLOUDFLARE_INFO), cloudflare_success([entry]))


def done(entry):
    return cloudflare_success({**entry, "comment": Maybe(Either(str, None))} if "scopes" in entry else entry)


# operation: method, path, query, body, answer. A body is JSON for Cloudflare and a form for Stripe; None: there is none.
ENDPOINTS = {
    "cloudflare.get_quota": ("GET", rf"{STORES[:-7]}/quota", {}, None, done({"secrets": {"quota": int, "usage": int}})),
    "cloudflare.list_stores": ("GET", STORES, PAGE, None, listed(CLOUDFLARE_STORE)),
    "cloudflare.create_store": ("POST", STORES, {}, {"name": TEXT}, done(CLOUDFLARE_STORE)),
    "cloudflare.delete_store": ("DELETE", rf"{STORES}/{ID}", {}, None, cloudflare_success(None)),
    "cloudflare.list_secrets": ("GET", rf"{STORES}/{ID}/secrets", {**PAGE, "search": Maybe(TEXT)}, None,
                                listed(CLOUDFLARE_SECRET)),
    "cloudflare.get_secret": ("GET", rf"{STORES}/{ID}/secrets/{ID}", {}, None, done(CLOUDFLARE_SECRET)),
    "cloudflare.create_secrets": ("POST", rf"{STORES}/{ID}/secrets", {},
                                  [{"name": TEXT, "value": TEXT, "scopes": SCOPES, "comment": Maybe(TEXT)}],
                                  listed(CLOUDFLARE_SECRET)),
    "cloudflare.patch_secret": ("PATCH", rf"{STORES}/{ID}/secrets/{ID}", {},
                                {"value": Maybe(TEXT), "scopes": Maybe(SCOPES), "comment": Maybe(str)},
                                done(CLOUDFLARE_SECRET)),
    "cloudflare.delete_secret": ("DELETE", rf"{STORES}/{ID}/secrets/{ID}", {}, None, cloudflare_success(None)),
    "cloudflare.duplicate_secret": ("POST", rf"{STORES}/{ID}/secrets/{ID}/duplicate", {},
                                    {"name": TEXT, "scopes": SCOPES, "comment": Maybe(TEXT)}, done(CLOUDFLARE_SECRET)),
    "stripe.list_secrets": ("GET", "/v1/apps/secrets", {**STRIPE_SCOPE, "limit": "100", "starting_after": Maybe(TEXT)}, None,
                            STRIPE_LIST),
    "stripe.find_secret": ("GET", "/v1/apps/secrets/find", {**STRIPE_SCOPE, "name": TEXT}, None, STRIPE_SECRET),
    "stripe.set_secret": ("POST", "/v1/apps/secrets", {},
                          {**STRIPE_SCOPE, "name": TEXT, "payload": TEXT, "expires_at": Maybe(NUMBER)}, STRIPE_SECRET),
    "stripe.delete_secret": ("POST", "/v1/apps/secrets/delete", {}, {**STRIPE_SCOPE, "name": TEXT}, STRIPE_DELETED),
}
TYPES = {"cloudflare": "application/json", "stripe": "application/x-www-form-urlencoded"}
FAILURES = {"cloudflare": CLOUDFLARE_FAILURE, "stripe": STRIPE_FAILURE}


def pairs(text):
    """A query or a form; a name twice is one too many. What is encoded and how is strict: only RFC 3986's unreserved characters stand for themselves."""
    if re.fullmatch(r"([\w.~%-]+=[\w.~%-]*(&(?!$)|$))*", text, re.ASCII) is None:
        raise ValueError(f"not encoded as it should be: {text[:200]!r}")
    found = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    if len(dict(found)) != len(found):
        raise ValueError(f"a parameter is given twice: {text[:200]!r}")
    return dict(found)


def request_problem(exchange):
    """What is wrong with a request, in words, or None."""
    if exchange["operation"] not in ENDPOINTS:
        return f"{exchange['operation']}: nothing that sstorefs should ask"
    method, path, query, body, _ = ENDPOINTS[exchange["operation"]]
    service = exchange["operation"].partition(".")[0]
    sent_path, _, sent_query = exchange["path"].partition("?")
    headers = exchange["headers"]
    if exchange["method"] != method or not re.fullmatch(path, unquote(sent_path)):
        return f"{exchange['method']} {sent_path}: not {method} {path}"
    if (body is None) != (not exchange["body"]) or (body is not None) != ("content-type" in headers):
        return f"a body that should not be there, or none that should: {headers}"
    if body is not None and headers["content-type"] != TYPES[service]:
        return f"Content-Type: {headers['content-type']}"
    if (service == "stripe" and method == "POST") != ("idempotency-key" in headers):
        return f"Idempotency-Key: {headers.get('idempotency-key')}"
    try:
        wrong = differs(pairs(sent_query), query, "query")
        if not wrong and body is not None:
            sent = exchange["body"].decode()
            wrong = differs(json.loads(sent) if service == "cloudflare" else pairs(sent), body, "body")
    except ValueError as why:
        return str(why)
    return wrong or ("nothing is changed" if exchange["body"] == b"{}" else None)


def answer_problem(exchange):
    """The same for an answer, where there was one that no fault has touched."""
    if exchange["answer"] is None or exchange["operation"] not in ENDPOINTS:
        return None
    service = exchange["operation"].partition(".")[0]
    shape = ENDPOINTS[exchange["operation"]][4] if exchange["status"] < 300 else FAILURES[service]
    return differs(json.loads(exchange["answer"]), shape)


def problems(exchanges):
    """Everything that is wrong with what sstorefs has sent and got."""
    ours = [one for one in exchanges if one["headers"].get("user-agent", "").startswith("sstorefs/")]
    found = [(one["operation"], "request", request_problem(one)) for one in ours]
    found += [(one["operation"], "answer", answer_problem(one)) for one in ours]
    return [f"{operation}, {what}: {why}" for operation, what, why in found if why], len(ours)
