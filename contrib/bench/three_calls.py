"""Fastly's three calls of a write as they go over the wire, for the clients to compare with."""

import base64
import json
from urllib.request import Request, urlopen

from nacl.public import PublicKey, SealedBox

STORES = "/resources/stores/secret"


def ask(sandbox, method, path, body=None):
    request = Request(sandbox.url + path, None if body is None else json.dumps(body).encode(), method=method,
                      headers={"Fastly-Key": sandbox.token, "Content-Type": "application/json"})
    with urlopen(request) as answer:
        return json.load(answer)


def store_id(sandbox, name):
    return next(store["id"] for store in ask(sandbox, "GET", STORES)["data"] if store["name"] == name)


def sealed_body(sandbox, name, value):
    """Returns the body of the last of the three calls, sealed under a client key that was fetched for it."""
    key = ask(sandbox, "POST", f"{STORES}/client-key")["public_key"]
    sealed = SealedBox(PublicKey(base64.b64decode(key))).encrypt(value)
    return json.dumps({"name": name, "secret": base64.b64encode(sealed).decode(), "client_key": key}).encode()


def secrets_url(sandbox, store):
    return f"{sandbox.url}{STORES}/{store_id(sandbox, store)}/secrets"
