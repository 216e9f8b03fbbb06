"""What a check of the trail found: findings by stream, the verdict, and both as JSON.

What doesn't belong: finding it (`verify.py`), showing it to people (`penstock_cli.verify_view`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from penstock_core.audit.chain import GENESIS
from penstock_core.audit.event import OWN

# Of one fault in one stream so many are kept; of the others it is told how many there are.
MOST_ALIKE = 100


class Fault(StrEnum):
    """What can be wrong with a stream, or missing from it."""

    # A line that is no event, or an event with a field that cannot be.
    MALFORMED = "malformed"
    # An event with a kind, a field or a value that its version does not define, or without one that it always has.
    NOT_AS_DEFINED = "not-as-defined"
    # Its content is not what its hash was made of.
    ALTERED = "altered"
    # Events in between are missing.
    GAP = "gap"
    # Two events claim one place, or another event stands where one was noted.
    FORK = "fork"
    # An event does not follow the one before it.
    BREAK = "break"
    # An event comes after a later one.
    REORDERED = "reordered"
    # The beginning is missing.
    START = "start"
    # The end is missing.
    CUT_TAIL = "cut-tail"
    NEVER_OPENED = "never-opened"
    AFTER_CLOSE = "after-close"
    OUTCOME_WITHOUT_INTENT = "outcome-without-intent"
    INTENT_WITHOUT_OUTCOME = "intent-without-outcome"
    # The stream's sender sent what is no event of it.
    QUARANTINED = "quarantined"
    # The stream is said to be another sender's.
    SENDER = "sender"
    # The checkpoints themselves are not what their key signed, or some are missing.
    CHECKPOINT = "checkpoint"
    # Statements ran unrecorded, says the trail.
    LOSS = "loss"
    # The beginning was deleted by retention, says the collector.
    RETENTION = "retention"
    # Nothing of what was noted elsewhere is in this part of the stream.
    NOT_COVERED = "not-covered"

    @property
    def declared(self) -> bool:
        """Whether it is no fault: something is missing, and that is said."""
        return self in _DECLARED


_DECLARED = frozenset({Fault.LOSS, Fault.RETENTION, Fault.NOT_COVERED})


class Verdict(StrEnum):
    """How it stands, from best to worst."""

    INTACT = "intact"
    # No fault, and not everything is there.
    INCOMPLETE = "incomplete"
    FAULTY = "faulty"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault and where it is."""

    stream: str
    fault: Fault
    seq: int
    message: str

    def __str__(self) -> str:
        return f"{self.stream or '(no stream)'}: {self.fault}: {self.message}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "fault": self.fault.value, "declared": self.fault.declared, "stream": self.stream, "seq": self.seq,
            "message": self.message,
        }  # fmt: skip


@dataclass(slots=True)
class Findings:
    """Findings about one thing; of many that are alike, the first are kept and the others counted."""

    kept: list[Finding] = field(default_factory=list)
    counts: dict[Fault, int] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Keep or count one more."""
        self.counts[finding.fault] = count = self.counts.get(finding.fault, 0) + 1
        if count <= MOST_ALIKE:
            self.kept.append(finding)

    @property
    def left_out(self) -> dict[Fault, int]:
        """How many of each fault were counted and not kept."""
        return {fault: count - MOST_ALIKE for fault, count in self.counts.items() if count > MOST_ALIKE}

    @property
    def faults(self) -> int:
        """How many there are that nobody declared."""
        return sum(count for fault, count in self.counts.items() if not fault.declared)

    @property
    def verdict(self) -> Verdict:
        """What these come to."""
        if not self.counts:
            return Verdict.INTACT
        return Verdict.FAULTY if self.faults else Verdict.INCOMPLETE


@dataclass(slots=True)
class StreamReport:
    """What was found in one stream."""

    stream: str
    # Who opened it, as the collector says; "" where it does not.
    sender: str = ""
    first_seq: int = 0
    last_seq: int = 0
    last_hash: str = GENESIS
    events: int = 0
    opened: bool = False
    closed: bool = False
    # (session, statement) → seq, of each intent that no outcome follows.
    unfinished: dict[tuple[str, str], int] = field(default_factory=dict)
    found: Findings = field(default_factory=Findings)
    notes: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        return self.found.kept

    @property
    def verdict(self) -> Verdict:
        return self.found.verdict

    @property
    def own(self) -> bool:
        """Whether it is the collector's own, which goes on for as long as there is a collector."""
        return self.stream.startswith(OWN)

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "stream": self.stream, "sender": self.sender, "verdict": self.verdict.value, "events": self.events,
            "firstSeq": self.first_seq, "lastSeq": self.last_seq, "lastHash": self.last_hash, "opened": self.opened,
            "closed": self.closed, "findings": [finding.document() for finding in self.findings],
            "leftOut": {fault.value: count for fault, count in sorted(self.found.left_out.items())},
            "notes": self.notes,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """The checkpoints of one collector that an export was held against."""

    collector: str
    first: int
    last: int
    last_time: str

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {"collector": self.collector, "first": self.first, "last": self.last, "lastTime": self.last_time}


@dataclass(frozen=True, slots=True)
class Report:
    """The result over all streams of an export."""

    streams: tuple[StreamReport, ...]
    # Of lines that belong to no stream, of the export as a whole, and of what it was held against.
    stray: Findings = field(default_factory=Findings)
    checkpoints: tuple[Series, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.stray.kept, *(finding for stream in self.streams for finding in stream.findings))

    @property
    def faults(self) -> int:
        """How many there are that nobody declared."""
        return self.stray.faults + sum(stream.found.faults for stream in self.streams)

    @property
    def verdict(self) -> Verdict:
        verdicts = {self.stray.verdict, *(stream.verdict for stream in self.streams)}
        return next(one for one in (Verdict.FAULTY, Verdict.INCOMPLETE, Verdict.INTACT) if one in verdicts)

    @property
    def intact(self) -> bool:
        return self.verdict is Verdict.INTACT

    def document(self) -> dict[str, Any]:
        """For programs (docs/verify.md)."""
        return {
            "verdict": self.verdict.value, "faults": self.faults,
            "findings": [finding.document() for finding in self.stray.kept],
            "streams": [stream.document() for stream in self.streams],
            "checkpoints": [series.document() for series in self.checkpoints],
        }  # fmt: skip
