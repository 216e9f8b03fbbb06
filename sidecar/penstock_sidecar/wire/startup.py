"""The untyped packets a client may open with: startup, cancel, requests for TLS or GSSAPI; and anything else.

Answering them belongs to `session`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from penstock_sidecar.wire import messages

# PostgreSQL's own bound (MAX_STARTUP_PACKET_LENGTH).
LONGEST_PACKET = 10_000
_HEAD = struct.Struct(">II")
_HTTP = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"PATC", b"CONN", b"PRI ", b"TRAC")
_TLS_HANDSHAKE = 0x16


@dataclass(frozen=True, slots=True)
class SslRequest:
    """The client asks for TLS."""


@dataclass(frozen=True, slots=True)
class GssEncRequest:
    """The client asks for GSSAPI encryption."""


@dataclass(frozen=True, slots=True)
class DirectTls:
    """The client began a TLS handshake without asking first."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The client wants another session's statement cancelled."""

    pid: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Startup:
    """The client opens a session."""

    version: int
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class NotPostgres:
    """What came is no PostgreSQL packet; `reason` says what it looks like."""

    reason: str
    http: bool = False


Packet = SslRequest | GssEncRequest | DirectTls | CancelRequest | Startup | NotPostgres


class StartupReader:
    """Collects bytes until they are one packet. Then `rest` holds what followed; DirectTls leaves all of it there."""

    def __init__(self) -> None:
        self.rest = b""

    def take_rest(self) -> bytes:
        """What is there and was no packet; it is somebody else's to read now."""
        taken, self.rest = self.rest, b""
        return taken

    def feed(self, data: bytes) -> Packet | None:
        """The next packet, or None while it is not complete. Call again with b"" for one more."""
        data = self.rest = self.rest + data
        refused = _foreign(data)
        if refused is not None or len(data) < 4:
            return refused
        length = int.from_bytes(data[:4], "big")
        if not 8 <= length <= LONGEST_PACKET:
            return NotPostgres(f"not a PostgreSQL startup packet: its length is given as {length} bytes")
        if len(data) < length:
            return None
        body, self.rest = data[8:length], data[length:]
        return _packet(_HEAD.unpack_from(data)[1], body)


def _foreign(data: bytes) -> Packet | None:
    if data[:1] == bytes([_TLS_HANDSHAKE]):
        return DirectTls()
    if data[:4] in _HTTP:
        return NotPostgres("this is a PostgreSQL port, and an HTTP request came", http=True)
    return None


def _packet(code: int, body: bytes) -> Packet:
    if code == messages.SSL_REQUEST:
        return SslRequest()
    if code == messages.GSSENC_REQUEST:
        return GssEncRequest()
    if code == messages.CANCEL_REQUEST:
        if not 8 <= len(body) <= 260:
            return NotPostgres("a cancel request with a key of impossible length")
        return CancelRequest(int.from_bytes(body[:4], "big"), body[4:])
    try:
        return Startup(code, messages.read_pairs(body) if code >> 16 == 3 else {})
    except messages.MalformedError as error:
        return NotPostgres(f"a malformed startup packet: {error}")
