"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677), the server's side: a client's messages read, ours written.

Whether a proof is good is not decided here, but by whoever keeps what the secret is verified by. Nonces are arguments.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import MalformedError, message
from penstock_sidecar.wire.scram import MECHANISM, MECHANISM_PLUS

# No message of an exchange is longer.
LONGEST = 4096
_SASL, _CONTINUE, _FINAL = b"\x00\x00\x00\x0a", b"\x00\x00\x00\x0b", b"\x00\x00\x00\x0c"
_BINDING_TYPE = "tls-server-end-point"
# All that is printable in ASCII but the comma.
_NONCE = r"[\x21-\x2b\x2d-\x7e]+"
_MORE = r"(?:,[A-Za-z]=[^,]*)*"
_FIRST = re.compile(
    r"(?P<header>(?P<flag>[ny]|p=[A-Za-z0-9.-]+),(?P<acting>[^,]*),)"
    rf"(?P<bare>n=[^,]*,r=(?P<nonce>{_NONCE}){_MORE})"
)
_LAST = re.compile(
    rf"(?P<unproved>c=(?P<bound>[A-Za-z0-9+/=]*),r=(?P<nonce>{_NONCE}){_MORE}),p=(?P<proof>[A-Za-z0-9+/=]*)"
)


class BindingError(ValueError):
    """The client and the gate don't agree on what the exchange is bound to: somebody may stand between them."""


class Proof(NamedTuple):
    """What a client proved with: the AuthMessage, and the ClientProof."""

    exchange: bytes
    proof: bytes


def offer(binding: bytes | None) -> bytes:
    """AuthenticationSASL; with a binding to the channel, both mechanisms."""
    plus = (MECHANISM_PLUS,) if binding is not None else ()
    names = b"".join(name.encode() + b"\x00" for name in (*plus, MECHANISM))
    return message(b"R", _SASL + names + b"\x00")


def final(signature: bytes) -> bytes:
    """AuthenticationSASLFinal: the gate knows what the secret is verified by."""
    return message(b"R", _FINAL + b"v=" + base64.b64encode(signature))


class ScramServer:
    """One exchange: `read_first`, then `challenge`, then `read_last`. All of them raise MalformedError.

    `binding`: what tells the encrypted channel from others (tls-server-end-point); None where there is none.
    """

    def __init__(self, binding: bytes | None) -> None:
        self._binding = binding
        self._header = ""
        self._bare = ""
        self._nonce = ""
        self._challenge = ""

    def read_first(self, body: bytes) -> None:
        """A SASLInitialResponse. Raises BindingError, too."""
        mechanism, at = messages.read_text(body, 0)
        if mechanism != MECHANISM and (mechanism != MECHANISM_PLUS or self._binding is None):
            raise MalformedError("a SASL mechanism that was not offered")
        size, response = int.from_bytes(body[at : at + 4], "big", signed=True), body[at + 4 :]
        if size != len(response):
            raise MalformedError("a SASLInitialResponse of the wrong length")
        found = _FIRST.fullmatch(_text(response))
        if found is None:
            raise MalformedError("a SCRAM message that does not begin an exchange")
        if found["acting"]:
            raise MalformedError("a SCRAM message that names whom to act as")
        self._check_flag(found["flag"], bound=mechanism == MECHANISM_PLUS)
        self._header, self._bare, self._nonce = found["header"], found["bare"], found["nonce"]

    def _check_flag(self, flag: str, *, bound: bool) -> None:
        if bound:
            if flag != f"p={_BINDING_TYPE}":
                raise BindingError(f"only channel binding by {_BINDING_TYPE} is known here")
        elif flag == "y" and self._binding is not None:
            # It was offered; somebody must have taken it out of what the client read.
            raise BindingError("the client could bind the exchange to the channel and says that it was not offered")
        elif flag not in ("n", "y"):
            raise BindingError("the client binds the exchange to a channel, and chose a mechanism without")

    def challenge(self, salt: bytes, iterations: int, nonce: str) -> bytes:
        """AuthenticationSASLContinue, by which the client proves its secret."""
        self._nonce += nonce
        self._challenge = f"r={self._nonce},s={base64.b64encode(salt).decode()},i={iterations}"
        return message(b"R", _CONTINUE + self._challenge.encode())

    def read_last(self, body: bytes) -> Proof:
        """A SASLResponse. Raises BindingError, too."""
        found = _LAST.fullmatch(_text(body))
        if found is None:
            raise MalformedError("a SCRAM message that does not end an exchange")
        if found["nonce"] != self._nonce:
            raise MalformedError("a SCRAM message of another exchange")
        bound = self._binding if self._header.startswith("p=") and self._binding is not None else b""
        if _decoded(found["bound"]) != self._header.encode() + bound:
            raise BindingError("the exchange is bound to another channel")
        exchange = ",".join((self._bare, self._challenge, found["unproved"])).encode()
        return Proof(exchange, _decoded(found["proof"]))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedError("a SCRAM message that is not text") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("a SCRAM message that is not in base64 where it should be") from None
