"""SASL OAUTHBEARER (RFC 7628) as PostgreSQL 18 speaks it, the server's side: its messages, read and written.

Whether a token is good is not decided here; which message is due when, by `penstock_sidecar.session`.
"""

from __future__ import annotations

import json
import re

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import MalformedError, message

MECHANISM = "OAUTHBEARER"
# What a client answers to a challenge: that it has read why it failed.
ACKNOWLEDGEMENT = b"\x01"
_SASL, _CONTINUE = b"\x00\x00\x00\x0a", b"\x00\x00\x00\x0b"
_PAIR = re.compile(rb"([A-Za-z]+)=([\t\r\n\x20-\x7E]*)\x01")
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


def offer() -> bytes:
    """AuthenticationSASL with this mechanism alone."""
    return message(b"R", _SASL + MECHANISM.encode() + b"\x00\x00")


def challenge(configuration: str, scope: str) -> bytes:
    """AuthenticationSASLContinue that refuses a token, and says where one is to be had."""
    found = {"status": "invalid_token"}
    if configuration:
        found |= {"openid-configuration": configuration, "scope": scope}
    return message(b"R", _CONTINUE + json.dumps(found).encode())


def read_initial(body: bytes) -> str | None:
    """The token in a SASLInitialResponse; None: it asks where to get one. Raises MalformedError."""
    mechanism, at = messages.read_text(body, 0)
    if mechanism != MECHANISM:
        raise MalformedError("a SASL mechanism that was not offered")
    size = int.from_bytes(body[at : at + 4], "big", signed=True)
    response = body[at + 4 :]
    if size != len(response):
        raise MalformedError("a SASLInitialResponse of the wrong length")
    head, separator, pairs = response.partition(b"\x01")
    binding, _, rest = head.partition(b",")
    if binding not in (b"n", b"y") or not separator:
        raise MalformedError("an OAUTHBEARER response with channel binding, or none at all")
    if rest != b",":
        raise MalformedError("an OAUTHBEARER response that names whom to act as")
    return _token(pairs)


def _token(pairs: bytes) -> str | None:
    found: dict[bytes, bytes] = {}
    at = 0
    while pair := _PAIR.match(pairs, at):
        if pair[1] in found:
            raise MalformedError("an OAUTHBEARER response that says one thing twice")
        found[pair[1]] = pair[2]
        at = pair.end()
    if pairs[at:] != b"\x01" or b"auth" not in found:
        raise MalformedError("an OAUTHBEARER response without its end, or without auth")
    if not found[b"auth"]:
        return None
    bearer = _BEARER.fullmatch(found[b"auth"])
    if bearer is None:
        raise MalformedError("an OAUTHBEARER response whose auth is no bearer token")
    return bearer[1].decode()
