"""Each field of each message that a client may send: who checks it, or why nobody has to. What is not here is refused.

A table for people and for the test that holds the code against it: a kind of message that the framing lets in, a field
that a reader skips, or a check that is not there any more is noticed. The checks themselves are where it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# checked: by the code named. server: its value has a meaning to the server alone, which refuses a wrong one. inert:
# whatever it holds, it changes neither what runs nor what may be read.
Claim = Literal["checked", "server", "inert"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    name: str
    claim: Claim
    # The function that checks it (module in this package:name), or the reason why none has to.
    by: str


def _checked(name: str, by: str) -> Field:
    return Field(name, "checked", by)


def _server(name: str, why: str) -> Field:
    return Field(name, "server", why)


def _inert(name: str, why: str) -> Field:
    return Field(name, "inert", why)


_DATA = "data of the COPY whose statement was decided about; outside of one the server ignores it"
_FORMATS = "text or binary (the server knows no other): input and output functions of the same types, which are checked"

# Untyped packets, which open a connection.
OPENING: dict[str, tuple[Field, ...]] = {
    "SSLRequest": (_checked("code", "encryption:Encryption.answer"),),
    "GSSENCRequest": (_checked("code", "encryption:Encryption.answer"),),
    "CancelRequest": (_checked("process and key", "beginning:Beginning._open"),),
    "StartupMessage": (
        _checked("version", "opening:accept"),
        _checked("user", "opening:accept"),
        _checked("database", "opening:accept"),
        _checked("replication", "opening:accept"),
        _checked("options", "opening:_options"),
        _checked("_pq_.*", "opening:accept"),
        _checked("any other: a setting", "opening:permitted"),
        _checked("bytes behind the last", "beginning:Beginning._open"),
    ),
}

# By type byte: the message's name and its fields, in order.
MESSAGES: dict[bytes, tuple[str, tuple[Field, ...]]] = {
    b"Q": ("Query", (_checked("text", "client_side:ClientSide._query"),)),
    b"P": (
        "Parse",
        (
            _checked("statement", "client_side:ClientSide._parse"),
            _checked("text", "client_side:ClientSide._parse"),
            _checked("count of parameter types", "client_side:ClientSide._parse"),
            _checked("parameter types", "flow:Flow.decide"),
        ),
    ),
    b"B": (
        "Bind",
        (
            _checked("portal", "client_side:ClientSide._bind"),
            _checked("statement", "client_side:ClientSide._bind"),
            _inert("parameter formats", _FORMATS),
            _server("count of parameters", "another count than the statement's is an error (08P01)"),
            _inert(
                "parameters",
                "values of types that Parse declared or that the text leads to; both are checked. The token of a "
                "context is taken out (context_pipeline.py)",
            ),
            _inert("result formats", _FORMATS),
            _server("bytes behind the last", "an error (08P01)"),
        ),
    ),
    b"E": (
        "Execute",
        (
            _checked("portal", "client_side:ClientSide._execute"),
            _checked("most rows", "counting:Counted.start"),
        ),
    ),
    b"D": (
        "Describe",
        (
            _checked("statement or portal", "client_side:ClientSide._describe"),
            _checked("name", "client_side:ClientSide._describe"),
        ),
    ),
    b"C": (
        "Close",
        (
            _checked("statement or portal", "client_side:ClientSide._close"),
            _checked("name", "client_side:ClientSide._close"),
        ),
    ),
    b"S": ("Sync", ()),
    b"H": ("Flush", ()),
    b"X": ("Terminate", ()),
    b"F": (
        "FunctionCall",
        (
            _checked("function", "fastpath:statement"),
            _inert("argument formats", "the functions that may be called take numbers and bytes of large objects"),
            _inert("arguments", "likewise; whether the identity may do what they do is decided by the function"),
            _inert("result format", "text or binary"),
            _server("bytes behind the last", "an error (08P01)"),
        ),
    ),
    b"d": ("CopyData", (_inert("data", _DATA),)),
    b"c": ("CopyDone", ()),
    b"f": ("CopyFail", (_inert("reason", "the client's own words, which the server says back to it"),)),
    # PasswordMessage and SASL answers: while a token is asked for (`machine.py`), never in a session.
    b"p": ("PasswordMessage", (_checked("everything", "client_side:ClientSide._password"),)),
}
# Those have no field: a byte in one is refused.
EMPTY = frozenset(kind[0] for kind, (_, fields) in MESSAGES.items() if not fields)
