"""The messages of PostgreSQL's protocol 3: their type bytes, how we write those we send, how we read those we look at.

Where one message ends and the next begins is `framing.py`; what a message means for a session belongs to `session`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

PROTOCOL_3_0 = 3 << 16
# The newest minor version that we speak to clients; it differs from 3.0 only in the length of cancel keys.
PROTOCOL_3_2 = (3 << 16) | 2
SSL_REQUEST = (1234 << 16) | 5679
GSSENC_REQUEST = (1234 << 16) | 5680
CANCEL_REQUEST = (1234 << 16) | 5678

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">cI")
_SHORT = struct.Struct(">H")

SYNC = b"S\x00\x00\x00\x04"
FLUSH = b"H\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
AUTHENTICATION_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
AUTHENTICATION_CLEARTEXT = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
# A fatal TLS alert, handshake_failure: what a client that starts with TLS at once can read.
TLS_REFUSED = b"\x15\x03\x03\x00\x02\x02\x28"


class MalformedError(ValueError):
    """A message that does not hold what its type says; the text is fit for an error line."""


class ErrorFields(NamedTuple):
    """The fields of an ErrorResponse or NoticeResponse that we read or write."""

    severity: str
    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    position: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""
    # Read, never written: where the error comes from.
    where: str = ""
    internal_query: str = ""
    internal_position: str = ""
    file: str = ""


class BindHead(NamedTuple):
    """The head of a Bind message. `parameters` is None where the message was too large to look so far."""

    portal: str
    statement: str
    parameters: int | None
    # Where the portal's and statement's names end, from the start of the body.
    names_end: int


def message(kind: bytes, body: bytes) -> bytes:
    """Any typed message."""
    return _HEAD.pack(kind, len(body) + 4) + body


def _text(value: str) -> bytes:
    return value.encode() + b"\x00"


def startup(parameters: Mapping[str, str], version: int = PROTOCOL_3_0) -> bytes:
    """A StartupMessage."""
    body = b"".join(_text(name) + _text(value) for name, value in parameters.items()) + b"\x00"
    return _LENGTH.pack(len(body) + 8) + _LENGTH.pack(version) + body


def ssl_request() -> bytes:
    """The request for TLS."""
    return _LENGTH.pack(8) + _LENGTH.pack(SSL_REQUEST)


def cancel_request(pid: int, key: bytes) -> bytes:
    """The request to cancel what another session runs."""
    return _LENGTH.pack(12 + len(key)) + _LENGTH.pack(CANCEL_REQUEST) + _LENGTH.pack(pid) + key


def query(text: str) -> bytes:
    """A Query message."""
    return message(b"Q", _text(text))


def parse(name: str, text: str, oids: bytes = b"\x00\x00") -> bytes:
    """A Parse message; `oids` is the tail of another Parse: the count of parameter types and the types."""
    return message(b"P", _text(name) + _text(text) + oids)


def bind(portal: str, statement: str) -> bytes:
    """A Bind without parameters, all results as text."""
    return message(b"B", _text(portal) + _text(statement) + b"\x00\x00\x00\x00\x00\x00")


def bind_with(portal: str, statement: str, given: bytes) -> bytes:
    """A Bind with parameters as another had them (`parameters_of`), all results as text."""
    return message(b"B", _text(portal) + _text(statement) + given + b"\x00\x00")


def parameters_of(body: bytes, head: BindHead) -> bytes:
    """The formats and values of the parameters in a Bind message that is complete. Raises MalformedError."""
    at = head.names_end
    try:
        at += 2 + 2 * _SHORT.unpack_from(body, at)[0]
        count = _SHORT.unpack_from(body, at)[0]
        at += 2
        for _ in range(count):
            at += 4 + max(0, int.from_bytes(body[at : at + 4], "big", signed=True))
    except struct.error:
        at = len(body) + 1
    if at > len(body):
        raise MalformedError("a Bind message that ends early")
    return body[head.names_end : at]


def with_parameter(body: bytes, head: BindHead, value: bytes) -> tuple[bytes | None, bytes]:
    """The one parameter of a Bind message that is complete, and its body with another value in that place; None where
    it has not one, or no value. Raises MalformedError.
    """
    given = parameters_of(body, head)
    formats = 2 + 2 * _SHORT.unpack_from(given)[0]
    length = int.from_bytes(given[formats + 2 : formats + 6], "big", signed=True)
    if head.parameters != 1 or length < 0:
        return None, body
    start = head.names_end + formats + 2
    changed = body[:start] + _LENGTH.pack(len(value)) + value + body[start + 4 + length :]
    return body[start + 4 : start + 4 + length], changed


def execute(portal: str, rows: int = 0) -> bytes:
    """An Execute message; 0 rows: all of them."""
    return message(b"E", _text(portal) + _LENGTH.pack(rows))


def describe_statement(name: str) -> bytes:
    """A Describe message for a prepared statement."""
    return message(b"D", b"S" + _text(name))


def describe_portal(name: str) -> bytes:
    """A Describe message for a portal."""
    return message(b"D", b"P" + _text(name))


def close_statement(name: str) -> bytes:
    """A Close message for a prepared statement."""
    return message(b"C", b"S" + _text(name))


def close_portal(name: str) -> bytes:
    """A Close message for a portal."""
    return message(b"C", b"P" + _text(name))


def password(value: bytes) -> bytes:
    """A PasswordMessage."""
    return message(b"p", value + b"\x00")


def error_response(fields: ErrorFields) -> bytes:
    """An ErrorResponse."""
    return message(b"E", _fields(fields))


def notice_response(fields: ErrorFields) -> bytes:
    """A NoticeResponse."""
    return message(b"N", _fields(fields))


def _fields(fields: ErrorFields) -> bytes:
    # A zero byte would end the field; texts that quote a client may hold one.
    fields = ErrorFields(*(value.replace("\x00", " ") for value in fields))
    parts = [
        b"S" + _text(fields.severity), b"V" + _text(fields.severity),
        b"C" + _text(fields.sqlstate), b"M" + _text(fields.message),
    ]  # fmt: skip
    optional = zip(b"DHPstcn", fields[3:10], strict=True)
    parts += [bytes([kind]) + _text(value) for kind, value in optional if value]
    return b"".join(parts) + b"\x00"


def ready(status: bytes = b"I") -> bytes:
    """A ReadyForQuery."""
    return message(b"Z", status)


def backend_key(pid: int, key: bytes) -> bytes:
    """A BackendKeyData."""
    return message(b"K", _LENGTH.pack(pid) + key)


def parameter_status(name: str, value: str) -> bytes:
    """A ParameterStatus."""
    return message(b"S", _text(name) + _text(value))


def negotiate_protocol_version(version: int, unknown: Iterable[str]) -> bytes:
    """A NegotiateProtocolVersion: the version spoken, and the options of the client that are not."""
    options = list(unknown)
    body = _LENGTH.pack(version) + _LENGTH.pack(len(options)) + b"".join(map(_text, options))
    return message(b"v", body)


def read_text(body: bytes, start: int) -> tuple[str, int]:
    """The zero-terminated text that begins at `start`, and where the next field begins. Raises MalformedError."""
    end = body.find(b"\x00", start)
    if end <= start:
        if end == start:
            return "", end + 1
        raise MalformedError("a text in the message has no end")
    try:
        return body[start:end].decode(), end + 1
    except UnicodeDecodeError:
        raise MalformedError("a name in the message is not UTF-8") from None


def read_parse(body: bytes, complete: bool) -> tuple[str, bytes, bytes]:
    """The name and text of a Parse message, and its tail: the count of parameter types and the types.

    Where it is not complete, the text is what there is of it and the tail is empty. Raises MalformedError.
    """
    name, at = read_text(body, 0)
    end = body.find(b"\x00", at)
    if not complete:
        return name, body[at:] if end < 0 else body[at:end], b"\x00\x00"
    oids = body[end + 1 :]
    if end < 0 or len(oids) < 2 or len(oids) != 2 + 4 * _SHORT.unpack_from(oids)[0]:
        raise MalformedError("a Parse message of the wrong length")
    return name, body[at:end], oids


def declared_types(oids: bytes) -> tuple[int, ...]:
    """The OIDs in the tail of a Parse message; empty where none is declared."""
    return struct.unpack_from(f">{(len(oids) - 2) // 4}I", oids, 2) if len(oids) > 2 and any(oids[2:]) else ()


def read_target(body: bytes) -> tuple[bytes, str]:
    """What a Describe or Close message is about: S for a statement or P for a portal, and its name."""
    kind = body[:1]
    name, end = read_text(body, 1)
    if kind not in (b"S", b"P") or end != len(body):
        raise MalformedError("a Describe or Close of neither a statement nor a portal")
    return kind, name


def read_bind(body: bytes, complete: bool) -> BindHead:
    """What a Bind message is for. Raises MalformedError."""
    portal, at = read_text(body, 0)
    statement, names_end = read_text(body, at)
    try:
        at = names_end + 2 + 2 * _SHORT.unpack_from(body, names_end)[0]
        count = _SHORT.unpack_from(body, at)[0]
    except struct.error:
        if complete:
            raise MalformedError("a Bind message that ends early") from None
        count = None
    return BindHead(portal, statement, count, names_end)


def read_execute(body: bytes) -> tuple[str, int]:
    """The portal of an Execute message, and how many rows are asked for; 0: all. Raises MalformedError."""
    name, at = read_text(body, 0)
    if len(body) != at + 4:
        raise MalformedError("an Execute message of the wrong length")
    return name, max(0, int.from_bytes(body[at:], "big", signed=True))


def row(*values: bytes) -> bytes:
    """A DataRow of these values."""
    return message(b"D", _SHORT.pack(len(values)) + b"".join(_LENGTH.pack(len(one)) + one for one in values))


def read_row(body: bytes) -> list[bytes | None]:
    """The values of a DataRow, as they were sent. Raises MalformedError."""
    values: list[bytes | None] = []
    try:
        at = _SHORT.size
        for _ in range(_SHORT.unpack_from(body)[0]):
            length = int.from_bytes(body[at : at + 4], "big", signed=True)
            start, at = at + 4, at + 4 + max(length, 0)
            values.append(None if length < 0 else body[start:at])
    except struct.error:
        at = -1
    if at != len(body):
        raise MalformedError("a DataRow of the wrong length")
    return values


def read_error(body: bytes) -> ErrorFields:
    """The fields of an ErrorResponse or NoticeResponse, also of one that was cut off."""
    values: dict[str, str] = {}
    for part in body.split(b"\x00"):
        if part:
            values.setdefault(chr(part[0]), part[1:].decode(errors="replace"))
    return ErrorFields(
        values.get("V") or values.get("S", "ERROR"), values.get("C", "XX000"), values.get("M", ""),
        *(values.get(kind, "") for kind in "DHPstcnWqpF"),
    )  # fmt: skip


def read_pairs(body: bytes) -> dict[str, str]:
    """The names and values of a StartupMessage, after its version. Raises MalformedError."""
    pairs: dict[str, str] = {}
    at = 0
    while True:
        name, at = read_text(body, at)
        if not name:
            break
        pairs[name], at = read_text(body, at)
    if at != len(body):
        raise MalformedError("the startup packet goes on after its end")
    return pairs
