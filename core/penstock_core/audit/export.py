"""The lines of an export of the trail: events as they were sealed, and what the collector says of them.

An export is JSON lines, split at line feeds only, each the canonical bytes (RFC 8785) of an object. An event is a line
as it is. All else has `export`, which no event has, so that nothing the collector passes on can be taken for an event:

    stream       stream, sender, seq, hash, trimmed. Before its events: who opened it and alone may write it, where it
                 stood (hash: null where that is not known), and up to which seq retention has deleted it
    quarantined  stream, seq, sender, reason, received, sha256, length, raw. What a sender sent to its stream and is no
                 event of it; raw is base64, and the beginning of what was long
    end          lines. The last line: how many came before it
    problem      error. The export ends early

What doesn't belong: the order of lines and what is in the store (`penstock_collector`), what is wrong (`verify.py`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from penstock_core.audit import essentials
from penstock_core.audit.chain import ChainError, canonical
from penstock_core.audit.event import Event

# Of a line in quarantine so much is kept.
MOST_RAW = 64 * 1024


@dataclass(frozen=True, slots=True)
class StreamLine:
    """What the collector says of a stream."""

    stream: str
    # "" where it was opened before senders were recorded.
    sender: str
    seq: int
    hash: str | None
    trimmed: int = 0

    def line(self) -> bytes:
        """As a line, without its end."""
        return canonical(
            {
                "export": "stream", "stream": self.stream, "sender": self.sender, "seq": self.seq, "hash": self.hash,
                "trimmed": self.trimmed,
            }
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """What came to a stream and is no event of it."""

    stream: str
    seq: int
    sender: str
    reason: str
    # Unix time in whole seconds.
    received: int
    sha256: str
    length: int
    raw: bytes

    def line(self) -> bytes:
        """As a line, without its end."""
        return canonical(
            {
                "export": "quarantined", "stream": self.stream, "seq": self.seq, "sender": self.sender,
                "reason": self.reason, "received": self.received, "sha256": self.sha256, "length": self.length,
                "raw": base64.b64encode(self.raw).decode(),
            }
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EndLine:
    """The end of an export."""

    lines: int

    def line(self) -> bytes:
        """As a line, without its end."""
        return canonical({"export": "end", "lines": self.lines})


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """Why an export ends early."""

    error: str

    def line(self) -> bytes:
        """As a line, without its end."""
        return canonical({"export": "problem", "error": self.error})


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is none of these, with the stream and seq that it names, where it does."""

    reason: str
    stream: str = ""
    seq: int = 0
    # The event, where it is one with a fault of its own.
    event: Event | None = None


Line: TypeAlias = Event | StreamLine | QuarantinedLine | EndLine | ProblemLine | BadLine


def read(line: bytes | object) -> Line:
    """What a line is. Of bytes these must be the canonical ones; anything else is what somebody has decoded already."""
    if not isinstance(line, bytes):
        return _read(line)
    try:
        value = orjson.loads(line)
    except ValueError:
        return BadLine("a line that is not JSON")
    found = _read(value)
    try:
        as_canonical = isinstance(found, BadLine) or canonical(value) == line
    except ChainError as error:
        return _bad(value, str(error))
    # Of two equal keys one reader takes the first, another the last.
    return found if as_canonical else _bad(value, "its bytes are not the canonical ones (RFC 8785)")


def _read(value: object) -> Line:
    if not isinstance(value, dict):
        return BadLine("a line that is no event")
    if "export" in value:
        return _remark(value) or BadLine("a line about the export that cannot be read")
    reason = essentials.complaint(value)
    return _bad(value, reason) if reason else value


def _bad(value: Event, reason: str) -> BadLine:
    if "export" in value:
        return BadLine(f"a line about the export: {reason}")
    if not essentials.is_name(value.get("stream")):
        return BadLine("a line that names no stream")
    seq = value.get("seq")
    return BadLine(reason, value["stream"], seq if isinstance(seq, int) and essentials.is_seq(seq) else 0, value)


def _remark(value: Event) -> Line | None:
    match value:
        case {"export": "end", "lines": lines} if essentials.is_count(lines):
            return EndLine(lines)
        case {"export": "problem", "error": str(error)}:
            return ProblemLine(error)
        case {"export": "stream"}:
            return _stream(value)
        case {"export": "quarantined"}:
            return _quarantined(value)
    return None


def _stream(value: Event) -> StreamLine | None:
    match value:
        case {"stream": stream, "sender": str(sender), "seq": seq, "hash": hash_, "trimmed": trimmed} if (
            essentials.is_name(stream) and essentials.is_count(seq) and essentials.is_count(trimmed)
            and (hash_ is None or essentials.is_hash(hash_))
        ):  # fmt: skip
            return StreamLine(stream, sender, seq, hash_, trimmed)
    return None


def _quarantined(value: Event) -> QuarantinedLine | None:
    match value:
        case {
            "stream": stream, "seq": seq, "sender": str(sender), "reason": str(reason), "received": received,
            "sha256": sha256, "length": length, "raw": str(raw),
        } if (
            essentials.is_name(stream) and essentials.is_seq(seq) and essentials.is_hash(sha256)
            and essentials.is_count(length) and essentials.is_count(received)
        ):  # fmt: skip
            try:
                as_sent = base64.b64decode(raw, validate=True)
            except (binascii.Error, ValueError):
                return None
            if len(as_sent) != min(length, MOST_RAW):
                return None
            if len(as_sent) == length and hashlib.sha256(as_sent).hexdigest() != sha256:
                return None
            return QuarantinedLine(stream, seq, sender, reason, received, sha256, length, as_sent)
    return None
