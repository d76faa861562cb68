"""Stripe's Idempotency-Key: keeps a response, and sends it again for the same request (doc/apis.md, Stripe 4)."""

import hashlib

from http_types import Response, ApiError

LONGEST_KEY = 255


class Idempotency:
    """`namespace` keeps test and live keys, and the accounts, apart."""

    def __init__(self, state):
        self.state = state
        self.open = {}

    def key(self, request):
        """Returns the key, or None; only POST has one that counts."""
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise ApiError(400, f"Idempotency-Key must have 1 to {LONGEST_KEY} characters", type="idempotency_error")
        return key

    def begin(self, namespace, key, call):
        """Marks the key as in use, until `end`."""
        self.open.setdefault((namespace, key), call["number"])

    def end(self, call):
        self.open = {place: number for place, number in self.open.items() if number != call["number"]}

    def replay(self, namespace, key, request, call):
        """Returns the kept response, None if there is none, or an error."""
        if self.open.get((namespace, key), call["number"]) != call["number"]:
            raise ApiError(409, "There is currently another in-progress request using this Idempotency Key",
                          type="idempotency_error", code="idempotency_key_in_use")
        row = self.state.one("SELECT * FROM replays WHERE namespace = ? AND key = ?", namespace, key)
        if row is None:
            return None
        if row["fingerprint"] != _fingerprint(request):
            raise ApiError(400, "Keys for idempotent requests can only be used with the same parameters they were first"
                          " used with.", type="idempotency_error")
        return Response(row["status"], row["body"], headers=[("Idempotent-Replayed", "true")])

    def keep(self, namespace, key, request, response):
        with self.state.change() as db:
            db.execute("INSERT OR REPLACE INTO replays VALUES (?, ?, ?, ?, ?)",
                       (namespace, key, _fingerprint(request), response.status, response.body))


def _fingerprint(request):
    return hashlib.sha256(f"{request.method} {request.target}\n".encode() + request.body).digest()
