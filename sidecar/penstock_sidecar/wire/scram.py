"""The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677; channel binding tls-server-end-point).

Nonces are arguments. The other authentication methods are in `login.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import stringprep
import unicodedata
from functools import lru_cache

MECHANISM = "SCRAM-SHA-256"
MECHANISM_PLUS = "SCRAM-SHA-256-PLUS"
# The server chooses the count; more than this is an attack on our CPU.
_MOST_ITERATIONS = 10_000_000


class ScramError(ValueError):
    """The server's part of the exchange is wrong: it does not know the password, or is not who it claims to be."""


class ScramClient:
    """One exchange: `first()`, then `final(server_first)`, then `verify(server_final)`."""

    def __init__(self, password: str, nonce: str, binding: bytes | None = None, *, could_bind: bool = False) -> None:
        """`binding`: the hash of the server's certificate, for -PLUS. `could_bind`: we could, the server did not."""
        self._password = prepared(password)
        self._nonce = nonce
        self._header = b"p=tls-server-end-point,," if binding is not None else b"y,," if could_bind else b"n,,"
        self._binding = binding or b""
        self._expected = b""

    @property
    def _bare(self) -> str:
        # The user is the startup packet's; PostgreSQL ignores the one in here.
        return f"n=,r={self._nonce}"

    def first(self) -> bytes:
        """The client-first-message."""
        return self._header + self._bare.encode()

    def final(self, server_first: bytes) -> bytes:
        """The client-final-message. Raises ScramError."""
        fields = _fields(server_first)
        try:
            nonce, salt, iterations = fields["r"], base64.b64decode(fields["s"], validate=True), int(fields["i"])
        except (KeyError, ValueError):
            raise ScramError("the server's first SCRAM message is malformed") from None
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise ScramError("the server's SCRAM nonce does not continue ours")
        if not 1 <= iterations <= _MOST_ITERATIONS:
            raise ScramError(f"the server asks for {iterations} SCRAM iterations")
        bound = base64.b64encode(self._header + self._binding).decode()
        without_proof = f"c={bound},r={nonce}"
        signed = ",".join((self._bare, server_first.decode(), without_proof)).encode()
        salted = _salted(self._password, salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        """Check that the server knows the password too. Raises ScramError."""
        fields = _fields(server_final)
        if "e" in fields:
            raise ScramError(f"the server ended the SCRAM exchange: {fields['e']}")
        try:
            signature = base64.b64decode(fields["v"], validate=True)
        except (KeyError, ValueError):
            raise ScramError("the server's final SCRAM message is malformed") from None
        if not self._expected or not hmac.compare_digest(signature, self._expected):
            raise ScramError("the server's SCRAM signature is wrong: it does not know the password")


def prepared(password: str) -> bytes:
    """The password by SASLprep (RFC 4013), or as it is where SASLprep refuses it, as PostgreSQL does."""
    if password.isascii() and password.isprintable():
        # None of its letters is mapped, prohibited or written right to left.
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    text = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return (password if not text or _prohibited(text) else text).encode()


def _prohibited(text: str) -> bool:
    tables = (
        stringprep.in_table_a1, stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
        stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
        stringprep.in_table_c8, stringprep.in_table_c9,
    )  # fmt: skip
    if any(table(char) for char in text for table in tables):
        return True
    right_to_left = [stringprep.in_table_d1(char) for char in text]
    if not any(right_to_left):
        return False
    mixed = any(stringprep.in_table_d2(char) for char in text)
    return mixed or not (right_to_left[0] and right_to_left[-1])


# Half of a login's time; a gate logs in with one password to each database, whose salt is the server's for good.
@lru_cache(maxsize=128)
def _salted(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _fields(message: bytes) -> dict[str, str]:
    try:
        text = message.decode()
    except UnicodeDecodeError:
        raise ScramError("the server's SCRAM message is not text") from None
    return {part[0]: part[2:] for part in text.split(",") if part[1:2] == "="}
