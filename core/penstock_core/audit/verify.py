"""Checks an export of the audit trail offline, with nothing but the events themselves.

What it proves: no event inside a stream was altered, removed, added or moved after it was sealed. What no chain can
prove alone: that the end was not cut off, or the whole stream rewritten. For that, give `heads` that were noted
elsewhere (the collector's `/v1/streams`, a checkpoint). Reading files and fetching exports belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from penstock_core.audit.chain import GENESIS, ChainError, Head, digest
from penstock_core.audit.event import OWN, VERSIONS, Event


class Fault(StrEnum):
    """What can be wrong with a stream."""

    MALFORMED = "malformed"
    ALTERED = "altered"
    GAP = "gap"
    FORK = "fork"
    BREAK = "break"
    ORDER = "order"
    START = "start"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault and where it is."""

    stream: str
    fault: Fault
    seq: int
    message: str

    def __str__(self) -> str:
        return f"{self.stream or '(no stream)'}: {self.fault}: {self.message}"


@dataclass(slots=True)
class StreamReport:
    """What was found in one stream."""

    stream: str
    first_seq: int = 0
    last_seq: int = 0
    last_hash: str = GENESIS
    events: int = 0
    opened: bool = False
    closed: bool = False
    findings: list[Finding] = field(default_factory=list)
    # (session, statement) → seq, of each intent that no outcome follows.
    unfinished: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What is missing without being a sign of tampering: a stream that still runs has these too."""
        notes = []
        if not self.opened:
            notes.append("no open event")
        # The collector's own goes on for as long as there is a collector.
        if not self.closed and not self.stream.startswith(OWN):
            notes.append("no close event: the stream still runs, or its end is not in this export")
        if self.unfinished:
            seqs = sorted(self.unfinished.values())
            shown = ", ".join(map(str, seqs[:5])) + (", …" if len(seqs) > 5 else "")
            notes.append(f"{len(seqs)} intents without outcome (seq {shown})")
        return notes


@dataclass(frozen=True, slots=True)
class Report:
    """The result over all streams of an export."""

    streams: tuple[StreamReport, ...]
    # Of lines that belong to no stream.
    stray: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.stray, *(finding for stream in self.streams for finding in stream.findings))

    @property
    def intact(self) -> bool:
        return not self.findings


def verify(events: Iterable[object], heads: Mapping[str, Head] | None = None, *, partial: bool = False) -> Report:
    """Check events in the order of an export: each stream's by rising seq, streams one after the other or mixed.

    `heads` are known states of streams that the export must reach. `partial` allows streams that begin after seq 1
    (an export of a time range, or one after retention has removed the oldest).
    """
    checks: dict[str, _StreamCheck] = {}
    stray: list[Finding] = []
    for number, event in enumerate(events, start=1):
        if not isinstance(event, dict) or not isinstance(event.get("stream"), str):
            stray.append(Finding("", Fault.MALFORMED, 0, f"event {number} of the export is not an audit event"))
            continue
        stream = event["stream"]
        if stream not in checks:
            checks[stream] = _StreamCheck(StreamReport(stream), (heads or {}).get(stream))
        checks[stream].take(event)
    for stream, head in (heads or {}).items():
        if stream not in checks:
            checks[stream] = _StreamCheck(StreamReport(stream), head)
    return Report(tuple(check.finish(partial=partial) for check in checks.values()), tuple(stray))


@dataclass(slots=True)
class _StreamCheck:
    """The state of checking one stream; memory grows only with unfinished statements and findings."""

    report: StreamReport
    known: Head | None
    # Hashes seen at the last seq (several after a fork), and at the one before it.
    at_last: set[str] = field(default_factory=set)
    before_last: set[str] = field(default_factory=set)
    known_seen: bool = False

    def take(self, event: Event) -> None:
        report = self.report
        seq = event.get("seq")
        # `True == 1` in Python, so bool is named.
        if not isinstance(seq, int) or isinstance(seq, bool) or seq < 1:
            self._found(Fault.MALFORMED, report.last_seq, f"an event after seq {report.last_seq} has seq {seq!r}")
            return
        report.events += 1
        if seq < report.last_seq:
            self._found(Fault.ORDER, seq, f"event {seq} comes after event {report.last_seq}")
            return
        hash_ = event.get("hash") if isinstance(event.get("hash"), str) else ""
        if not self._check_seal(event, seq):
            # Its own hash is not to be trusted, yet what follows it was sealed on that hash: go on from there.
            self._advance(seq, event.get("prev"), str(hash_), check_link=False)
            return
        if seq == report.last_seq:
            if hash_ in self.at_last:
                return  # The same event twice: a resend, harmless.
            self._found(Fault.FORK, seq, f"two different events have seq {seq}")
        self._advance(seq, event.get("prev"), str(hash_), check_link=True)
        self._note_kind(event, seq)
        if self.known is not None and seq == self.known.seq and hash_ == self.known.hash:
            self.known_seen = True

    def _check_seal(self, event: Event, seq: int) -> bool:
        if event.get("v") not in VERSIONS or event["v"] is True:
            known = " or ".join(map(str, VERSIONS))
            self._found(Fault.MALFORMED, seq, f"event {seq} has version {event.get('v')!r}, not {known}")
            return False
        try:
            intact = digest(event) == event.get("hash")
        except ChainError as error:
            self._found(Fault.MALFORMED, seq, f"event {seq}: {error}")
            return False
        if not intact:
            self._found(Fault.ALTERED, seq, f"event {seq} was altered after it was sealed")
        return intact

    def _advance(self, seq: int, prev: object, hash_: str, *, check_link: bool) -> None:
        """Check that `prev` is a hash of the event before, unless it is known not to matter, and move on."""
        report = self.report
        if not report.first_seq:
            report.first_seq = seq
            if seq == 1 and prev != GENESIS and check_link:
                self._found(Fault.BREAK, seq, "event 1 does not begin a chain")
            self.before_last, self.at_last = set(), {hash_}
        elif seq == report.last_seq:
            if self.before_last and prev not in self.before_last and check_link:
                self._found(Fault.BREAK, seq, f"event {seq} does not follow event {seq - 1}")
            self.at_last.add(hash_)
        else:
            if seq > report.last_seq + 1:
                missing = f"{report.last_seq + 1}" + ("" if seq == report.last_seq + 2 else f" to {seq - 1}")
                self._found(Fault.GAP, report.last_seq + 1, f"seq {missing} missing")
                self.before_last = set()
            else:
                if prev not in self.at_last and check_link:
                    self._found(Fault.BREAK, seq, f"event {seq} does not follow event {seq - 1}")
                self.before_last = self.at_last
            self.at_last = {hash_}
        report.last_seq, report.last_hash = seq, hash_

    def _note_kind(self, event: Event, seq: int) -> None:
        report = self.report
        statement = (str(event.get("session", "")), str(event.get("statement", "")))
        match event.get("kind"):
            case "open" if seq == 1:
                report.opened = True
            case "close":
                report.closed = True
            case "intent":
                report.unfinished[statement] = seq
            case "outcome":
                report.unfinished.pop(statement, None)
        if report.closed and event.get("kind") != "close":
            self._found(Fault.BREAK, seq, f"event {seq} comes after the stream was closed")

    def finish(self, *, partial: bool) -> StreamReport:
        report, known = self.report, self.known
        if report.first_seq > 1 and not partial:
            self._found(Fault.START, report.first_seq, f"begins at seq {report.first_seq}; what was before is missing")
        if known is not None and not self.known_seen and known.seq:
            if report.last_seq < known.seq:
                self._found(Fault.CUT, report.last_seq, f"ends at seq {report.last_seq}, yet {known.seq} was reached")
            elif report.first_seq <= known.seq:
                self._found(Fault.FORK, known.seq, f"event {known.seq} is not the one that was noted")
        report.findings.sort(key=lambda finding: finding.seq)
        return report

    def _found(self, fault: Fault, seq: int, message: str) -> None:
        self.report.findings.append(Finding(self.report.stream, fault, seq, message))


def lines(report: Report) -> Iterator[str]:
    """The report for people, one line each, whatever names the events bring along."""
    for line in _lines(report):
        yield "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _lines(report: Report) -> Iterator[str]:
    for finding in report.stray:
        yield str(finding)
    for stream in report.streams:
        state = "intact" if not stream.findings else f"{len(stream.findings)} faults"
        yield f"{stream.stream}: {stream.events} events, seq {stream.first_seq} to {stream.last_seq}, {state}"
        for finding in stream.findings:
            yield f"  {finding.fault}: {finding.message}"
        for note in stream.notes:
            yield f"  note: {note}"
