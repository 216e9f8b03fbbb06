"""What a line of a batch is: a sealed event of its stream, or something that must not pass for one.

What doesn't belong: what happens to either (`store/intake.py`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from penstock_core.audit import essentials
from penstock_core.audit.chain import ChainError, canonical, digest
from penstock_core.audit.event import Event
from penstock_core.audit.export import MOST_RAW
from penstock_core.audit.schema import complaint
from penstock_core.audit.size import MAX_EVENT


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event that is what its own hash says."""

    seq: int
    event: Event
    document: str

    @property
    def hash(self) -> str:
        return str(self.event["hash"])

    @property
    def kind(self) -> str:
        return str(self.event["kind"])

    def text(self, name: str) -> str:
        """A field as text for the store's columns; "" where there is none."""
        value = self.event.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is no event of the stream, and why."""

    reason: str
    raw: bytes
    sha256: str
    length: int
    # What it says of itself, where that can be read.
    claimed_seq: int | None = None


def read_batch(body: bytes, stream: str) -> list[Sealed | Bad]:
    """The lines of an NDJSON body, in order. An end that is no whole line was cut off on the way, and is left out."""
    whole, _, _ = body.rpartition(b"\n")
    return [read_line(line, stream) for line in whole.split(b"\n") if line.strip()]


def read_line(line: bytes, stream: str) -> Sealed | Bad:
    """One line, checked as far as it can be without the events before it."""
    if len(line) > MAX_EVENT:
        return _bad(f"longer than {MAX_EVENT} bytes", line)
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return _bad("not JSON", line)
    if not isinstance(event, dict):
        return _bad("not a JSON object", line)
    seq = event.get("seq")
    if not isinstance(seq, int) or not essentials.is_seq(seq):
        return _bad("no usable seq", line)
    elsewhere = "of another stream" if event.get("stream") != stream else ""
    if wrong := essentials.complaint(event) or elsewhere or complaint(event):
        return _bad(wrong, line, seq)
    try:
        if digest(event) != event["hash"]:
            return _bad("altered: its hash is not that of its content", line, seq)
        return Sealed(seq, event, canonical(event).decode())
    except ChainError as error:
        return _bad(str(error), line, seq)


def _bad(reason: str, line: bytes, seq: int | None = None) -> Bad:
    return Bad(reason, line[:MOST_RAW], hashlib.sha256(line).hexdigest(), len(line), seq)
