"""What proves a secret without being it: SCRAM-SHA-256 (RFC 5802, 7677), the side that verifies.

The messages of the exchange are `penstock_sidecar.wire`'s; SCRAM towards the database is, too.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

# What RFC 7677 asks for at least, and what drivers insist on. More would only slow down who guesses, and nobody guesses
# a secret of 160 random bits.
ITERATIONS = 4096
SALT_BYTES = 16
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Verifier:
    """StoredKey and ServerKey of one secret. Neither says what the secret is, nor logs in."""

    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
        """The verifier of a secret in ASCII. Takes milliseconds."""
        salted = hashlib.pbkdf2_hmac("sha256", secret.encode("ascii"), salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        return cls(hashlib.sha256(client_key).digest(), _hmac(salted, b"Server Key"))

    def proved_by(self, proof: bytes, exchange: bytes) -> bool:
        """Whether who made this proof of that exchange (the AuthMessage) knows the secret."""
        if len(proof) != _DIGEST_BYTES:
            return False
        signature = _hmac(self.stored_key, exchange)
        client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self.stored_key)

    def signature(self, exchange: bytes) -> bytes:
        """What proves to the client that it is known here, too."""
        return _hmac(self.server_key, exchange)


# For who proves a secret where there is none to be proved. Nobody knows one for it.
NOBODYS = Verifier(bytes(_DIGEST_BYTES), bytes(_DIGEST_BYTES))


def salt_of(name: str, key: bytes) -> bytes:
    """The salt of the ticket of that name, whether there is one or not: so that a salt tells nobody which there are."""
    return _hmac(key, name.encode())[:SALT_BYTES]


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
