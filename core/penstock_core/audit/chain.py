"""The hash chain over one stream of events: sealing, and checking what was sealed.

RFC 8785 (JSON Canonicalization Scheme) for the bytes, SHA-256 for the hash. Floats are refused, which leaves
of the RFC's number rules only the whole numbers. No storage here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from penstock_core.audit.event import VERSION, VERSIONS, Event

GENESIS = "0" * 64
# The largest whole number that every JSON reader keeps exact (RFC 8785, section 3.2.2.3).
MAX_SAFE_INTEGER = 2**53 - 1
# Far above what any event needs, far below where a reader's stack ends.
MAX_DEPTH = 16


class ChainError(ValueError):
    """An event that does not continue its chain: altered, missing, out of order or not canonical."""


def canonical(value: Event) -> bytes:
    """The RFC 8785 bytes of an event.

    Raises ChainError for floats, numbers beyond 2**53-1, keys that are not ASCII, lone surrogates and deep nesting.
    """
    _refuse_ambiguous(value, MAX_DEPTH)
    return written(value)


def written(value: Event) -> bytes:
    """The same for an event that was sealed here, and so is known to be canonical: it is not looked at again."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError as error:
        raise ChainError(f"not canonical: {error}") from None


def _refuse_ambiguous(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise ChainError("not canonical: a number is too large")
        return
    if kind is not dict and kind is not list:
        raise ChainError(f"not canonical: {kind.__name__} is not a JSON type of audit events")
    if depth == 0:
        raise ChainError(f"not canonical: nested deeper than {MAX_DEPTH} levels")
    for inner in value.values() if kind is dict else value:
        # Texts are most of what there is; the call would cost more than the look.
        if type(inner) is not str:
            _refuse_ambiguous(inner, depth - 1)
    if kind is dict:
        for key in value:
            # ASCII keys sort the same by code point, by UTF-8 and by UTF-16 unit, so that no reader can disagree.
            if type(key) is not str or not key.isascii():
                raise ChainError(f"not canonical: the key {key!r} is not ASCII text")


def digest(event: Event) -> str:
    """SHA-256 over the canonical bytes of the event without its `hash`, as 64 hex digits."""
    bare = {key: value for key, value in event.items() if key != "hash"}
    return hashlib.sha256(canonical(bare)).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream stands: the last event's seq and hash. seq 0 is a stream with no event yet."""

    stream: str
    seq: int = 0
    hash: str = GENESIS

    def seal(self, body: Event, time: str) -> tuple[Event, Head]:
        """The body as the next event of the stream (time: RFC 3339, UTC), and the head after it.

        Raises ChainError for a body that is not canonical.
        """
        event: Event = {
            **body,
            "v": VERSION,
            "stream": self.stream,
            "seq": self.seq + 1,
            "prev": self.hash,
            "time": time,
        }
        event["hash"] = digest(event)
        return event, Head(self.stream, self.seq + 1, event["hash"])

    def follow(self, event: Event) -> Head:
        """The head after an event that someone else sealed.

        Raises ChainError if it is not the very next event of this stream, or was altered.
        """
        if event.get("v") not in VERSIONS or event["v"] is True:
            raise ChainError(
                f"{self.stream}: event of version {event.get('v')!r}, not {' or '.join(map(str, VERSIONS))}"
            )
        if event.get("stream") != self.stream:
            raise ChainError(f"event of stream {event.get('stream')!r} in stream {self.stream!r}")
        if event.get("seq") != self.seq + 1:
            raise ChainError(f"{self.stream}: seq {event.get('seq')} where {self.seq + 1} was due")
        if event.get("prev") != self.hash:
            raise ChainError(f"{self.stream}: event {event['seq']} does not follow the one before it")
        if event.get("hash") != digest(event):
            raise ChainError(f"{self.stream}: event {event['seq']} was altered")
        return Head(self.stream, self.seq + 1, event["hash"])
