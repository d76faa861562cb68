"""GitHub's public keys: one for each store, with an id, unsigned and without an end until it is changed."""

import hashlib
import secrets as random

from http_types import ApiError
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

IMPROPER = "Bad request - validation failed due to an improperly encrypted secret"


class StoreKeys:
    """Each key is made from one seed, the store and the generation that is set: another one changes all keys."""

    def __init__(self, state, variants):
        self.state = state
        self.variants = variants

    def _private(self, store):
        seed = self.state.setting("github.key_seed", random.token_bytes(32))
        text = f"{self.variants['github.key_generation']} {store['id']}".encode()
        return PrivateKey(hashlib.blake2b(text, key=seed, digest_size=32).digest())

    def public(self, store):
        """Returns (key id, public key)."""
        public = bytes(self._private(store).public_key)
        return str(int.from_bytes(hashlib.sha256(public).digest()[:8], "big")), public

    def open(self, store, key_id, sealed):
        """Unseals a value for this store, under its present key."""
        if key_id != self.public(store)[0]:
            raise ApiError(422, IMPROPER)
        try:
            return SealedBox(self._private(store)).decrypt(sealed)
        except (CryptoError, ValueError):
            raise ApiError(422, IMPROPER) from None
