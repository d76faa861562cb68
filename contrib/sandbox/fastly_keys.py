"""Fastly's client keys: X25519 key pairs, signed, under which values arrive sealed (doc/apis.md, Fastly 7)."""

import base64
import secrets as random
from functools import lru_cache

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from clock import to_nanos
from http_types import ApiError
from parsing import ParseError, read_base64


@lru_cache(maxsize=64)
def _box(private):
    """Making a SealedBox costs two multiplications on the curve."""
    return SealedBox(PrivateKey(private))


def _text(raw):
    return base64.b64encode(bytes(raw)).decode()


class ClientKeys:
    """Issues keys, and unseals values under a key that is still valid."""

    def __init__(self, state, variants, clock, signing_seed=None):
        self.state = state
        self.variants = variants
        self.clock = clock
        self.signing = SigningKey(state.setting("signing_seed", signing_seed or random.token_bytes(32)))

    def signing_key(self):
        return _text(self.signing.verify_key)

    def issue(self):
        """Returns the members of a client key's response; the signature covers the 32 raw bytes alone."""
        private = PrivateKey.generate()
        public = bytes(private.public_key)
        expires_at = self.clock.now() + self.variants["fastly.client_key_lifetime"]
        with self.state.change() as db:
            db.execute("DELETE FROM client_keys WHERE expires_at < ?", (self.clock.now() - 3600,))
            db.execute("INSERT INTO client_keys VALUES (?, ?, ?, 0)", (public, bytes(private), expires_at))
        choice = self.variants["fastly.key_member"]
        names = ("public_key", "client_key") if choice == "both" else (choice,)
        return {**{name: _text(public) for name in names},
                "signature": _text(self.signing.sign(public).signature), "expires_at": to_nanos(expires_at)}

    def open(self, client_key, sealed):
        """Unseals a value."""
        box = _box(self._alive(client_key)["private"])
        try:
            return box.decrypt(sealed)
        except (CryptoError, ValueError, TypeError):
            raise ApiError(400, "secret: can't be decrypted with this client key") from None

    def spend(self, client_key):
        """Notes, within `change()`, that an upload under this key was accepted."""
        self.state.db.execute("UPDATE client_keys SET uses = uses + 1 WHERE public = ?", (read_base64(client_key),))

    def forget(self, public):
        with self.state.change() as db:
            db.execute("DELETE FROM client_keys WHERE public = ?", (public,))

    def _alive(self, client_key):
        try:
            public = read_base64(client_key)
        except ParseError:
            raise ApiError(400, "client_key: invalid base64") from None
        row = self.state.one("SELECT * FROM client_keys WHERE public = ?", public)
        if row is None or row["expires_at"] <= self.clock.now():
            raise ApiError(400, "client_key: unknown or expired")
        if row["uses"] and self.variants["fastly.client_key_reuse"] == "no":
            raise ApiError(400, "client_key: already used")
        return row
