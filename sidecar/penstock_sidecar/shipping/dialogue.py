"""What a gate and its shipper tell each other through two pipes: JSON, a line each.

The shipper is told where to ship to, once, and how the spool stands, again and again; it tells what the collector has,
and what is wrong. What doesn't belong: when either is told (`shipper_process.py`, `shipper.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from penstock_sidecar.shipping.segments import Segment
from penstock_sidecar.shipping.spool_view import StreamView


@dataclass(frozen=True, slots=True)
class Task:
    """From where to where events go."""

    spool: Path
    url: str
    token_file: Path | None = None
    ca_file: Path | None = None

    def line(self) -> bytes:
        files = [None if path is None else str(path) for path in (self.token_file, self.ca_file)]
        return _line([str(self.spool), self.url, *files])

    @classmethod
    def read(cls, line: bytes) -> Task:
        spool, url, *files = json.loads(line)
        token_file, ca_file = (None if path is None else Path(path) for path in files)
        return cls(Path(spool), url, token_file, ca_file)


def state_line(streams: Sequence[StreamView], *, hurry: bool) -> bytes:
    """How the spool stands, and whether its gate is about to end."""
    told = [
        [one.name, one.acknowledged, [[part.stream, part.first, part.last, part.size] for part in one.segments]]
        for one in streams
    ]
    return _line([hurry, told])


def read_state(line: bytes, spool: Path) -> tuple[list[StreamView], bool]:
    """The same of a line."""
    hurry, told = json.loads(line)
    streams = []
    for name, acknowledged, parts in told:
        segments = []
        for stream, first, last, size in parts:
            segment = Segment.named(spool, stream, first)
            segment.last, segment.size = last, size
            segments.append(segment)
        streams.append(StreamView(name, acknowledged, tuple(segments)))
    return streams, hurry


@dataclass(frozen=True, slots=True)
class Beat:
    """It is there, and has the spool for itself."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Why it can't begin."""

    text: str


@dataclass(frozen=True, slots=True)
class Shipped:
    """The collector has the stream up to `seq`."""

    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why no event can be shipped; None once one arrived."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the collector does not take that event, or that stream; None once it takes all."""

    stream: str
    seq: int
    text: str | None


Report: TypeAlias = Beat | Stuck | Shipped | Trouble | Refusal
_KINDS: dict[str, type[Report]] = {one.__name__: one for one in (Beat, Stuck, Shipped, Trouble, Refusal)}


def report_line(report: Report) -> bytes:
    """What the shipper has to tell."""
    return _line([type(report).__name__, *(getattr(report, name) for name in report.__dataclass_fields__)])


def read_report(line: bytes) -> Report:
    """The same of a line."""
    kind, *values = json.loads(line)
    return _KINDS[kind](*values)


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
