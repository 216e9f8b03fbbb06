"""The check of one stream of an export, event by event.

Memory grows with unfinished statements and with what was noted elsewhere, not with events. What doesn't belong:
reading lines (`export.py`), all streams together (`verify.py`).
"""

from __future__ import annotations

from penstock_core.audit import essentials
from penstock_core.audit.chain import GENESIS, ChainError, Head, digest
from penstock_core.audit.conformity import deviations
from penstock_core.audit.event import Event
from penstock_core.audit.export import BadLine, QuarantinedLine, StreamLine
from penstock_core.audit.promises import StreamPromises
from penstock_core.audit.report import Fault, Finding, StreamReport
from penstock_core.audit.statement_pairs import StatementPairs

_EXPORT = "the export itself"


class StreamCheck:
    """The state of checking one stream."""

    def __init__(self, stream: str, promises: StreamPromises | None = None) -> None:
        self.report = StreamReport(stream)
        self._promised = promises or StreamPromises()
        # Of what was promised: what was seen, and at which places anything was.
        self._kept: set[tuple[int, str]] = set()
        self._filled: set[int] = set()
        # Hashes seen at the last seq (several after a fork), and at the one before it.
        self._at_last: set[str] = set()
        self._before_last: set[str] = set()
        self._first_prev = ""
        self._pairs = StatementPairs()
        self._says_trimmed = 0

    def describe(self, line: StreamLine) -> None:
        """What the collector says of the stream, before its events."""
        report = self.report
        if report.sender and line.sender != report.sender:
            self._found(Fault.SENDER, 0, f"opened by {report.sender} and by {line.sender or 'nobody'}, says the export")
        report.sender = report.sender or line.sender
        self._says_trimmed = max(self._says_trimmed, line.trimmed)
        # A head that is said behind what it is the head of can't be held against it any more.
        if line.hash is not None and line.seq > report.last_seq:
            self._promised.add(Head(report.stream, line.seq, line.hash), _EXPORT)

    def quarantined(self, line: QuarantinedLine) -> None:
        """A line that the stream's sender sent, and that is no event of it."""
        said = f"at seq {line.seq}, {line.sender or 'its sender'} sent what is no event of it: {line.reason}"
        self._found(Fault.QUARANTINED, line.seq, said)

    def malformed(self, line: BadLine) -> None:
        """A line that names this stream, and is no event."""
        report, seq = self.report, line.seq
        if not seq:
            self._found(Fault.MALFORMED, report.last_seq, f"a line after seq {report.last_seq}: {line.reason}")
            return
        self._found(Fault.MALFORMED, seq, f"event {seq}: {line.reason}")
        report.events += 1
        if seq >= report.last_seq and line.event is not None:
            hash_ = line.event.get("hash")
            # What follows it may have been sealed on it all the same: go on from there.
            self._advance(seq, "", hash_ if isinstance(hash_, str) and essentials.is_hash(hash_) else "", sealed=False)

    def take(self, event: Event) -> None:
        """The next event, whose fields are what they should be."""
        report = self.report
        seq, hash_, prev = int(event["seq"]), str(event["hash"]), str(event["prev"])
        report.events += 1
        if seq < report.last_seq:
            self._found(Fault.REORDERED, seq, f"event {seq} comes after event {report.last_seq}")
            return
        if not self._is_sealed(event, seq):
            # Its own hash is not to be trusted, yet what follows it was sealed on that hash: go on from there.
            self._advance(seq, prev, hash_, sealed=False)
            return
        if seq == report.last_seq:
            if hash_ in self._at_last:
                return  # The same event twice: a resend, harmless.
            self._found(Fault.FORK, seq, f"two different events have seq {seq}")
        self._advance(seq, prev, hash_, sealed=True)
        for said in deviations(event):
            self._found(Fault.NOT_AS_DEFINED, seq, f"event {seq}: {said}")
        self._note_kind(event, seq)

    def _is_sealed(self, event: Event, seq: int) -> bool:
        try:
            intact: bool = digest(event) == event["hash"]
        except ChainError as error:
            self._found(Fault.MALFORMED, seq, f"event {seq}: {error}")
            return False
        if not intact:
            self._found(Fault.ALTERED, seq, f"event {seq} was altered after it was sealed")
        return intact

    def _advance(self, seq: int, prev: str, hash_: str, *, sealed: bool) -> None:
        """Check that `prev` is a hash of the event before, unless it is known not to matter, and move on."""
        report = self.report
        if not report.first_seq:
            report.first_seq = seq
            self._first_prev = prev if sealed else ""
            if seq == 1 and prev != GENESIS and sealed:
                self._found(Fault.BREAK, seq, "event 1 does not begin a chain")
            self._before_last, self._at_last = set(), {hash_}
        elif seq == report.last_seq:
            if self._before_last and prev not in self._before_last and sealed:
                self._found(Fault.BREAK, seq, f"event {seq} does not follow event {seq - 1}")
            self._at_last.add(hash_)
        else:
            if seq > report.last_seq + 1:
                missing = f"{report.last_seq + 1}" + ("" if seq == report.last_seq + 2 else f" to {seq - 1}")
                self._found(Fault.GAP, report.last_seq + 1, f"seq {missing} missing")
                self._before_last = set()
            else:
                if prev not in self._at_last and sealed:
                    self._found(Fault.BREAK, seq, f"event {seq} does not follow event {seq - 1}")
                self._before_last = self._at_last
            self._at_last = {hash_}
        report.last_seq, report.last_hash = seq, hash_
        if seq in self._promised.heads:
            self._filled.add(seq)
            if sealed and hash_ in self._promised.heads[seq]:
                self._kept.add((seq, hash_))

    def _note_kind(self, event: Event, seq: int) -> None:
        report, kind = self.report, event["kind"]
        if seq == 1:
            report.opened = kind == "open"
            if not report.opened:
                self._found(Fault.NEVER_OPENED, 1, f"the stream was never opened: its first event is of kind {kind}")
        if report.closed:
            self._found(Fault.AFTER_CLOSE, seq, f"event {seq} comes after the stream was closed")
        if kind == "close":
            report.closed = True
        elif kind == "loss":
            self._found(Fault.LOSS, seq, _loss(event))
        else:
            self._pairs.take(event, seq)

    def finish(self, *, partial: bool) -> StreamReport:
        """The report; `partial`: the stream may begin late."""
        report = self.report
        self._check_beginning(partial=partial)
        self._check_promises(partial=partial)
        if report.first_seq == 1 and not report.opened and Fault.NEVER_OPENED not in report.found.counts:
            report.notes.append("no open event")
        if report.events and not report.closed and not report.own:
            report.notes.append("no close event: the stream still runs, or its end is not in this export")
        self._check_pairs()
        report.findings.sort(key=lambda finding: finding.seq)
        return report

    def _check_beginning(self, *, partial: bool) -> None:
        report, promised = self.report, self._promised
        if promised.sender and report.sender and promised.sender != report.sender:
            self._found(Fault.SENDER, 0, f"opened by {promised.sender}, and by {report.sender} as the export has it")
        missing = report.first_seq - 1 if report.first_seq else max(promised.heads, default=0)
        if partial or missing <= 0:
            return
        signed = promised.trimmed is not None
        trimmed = promised.trimmed if promised.trimmed is not None else self._says_trimmed
        if missing <= trimmed:
            says = "as a checkpoint has it" if signed else "says the export, which nobody has signed"
            self._found(Fault.RETENTION, 0, f"seq 1 to {missing} were deleted by retention, {says}")
        elif report.first_seq:
            newer = "; by retention, says the export: use newer checkpoints" if missing <= self._says_trimmed else ""
            self._found(
                Fault.START, report.first_seq, f"begins at seq {report.first_seq}; what was before is missing{newer}"
            )

    def _check_promises(self, *, partial: bool) -> None:
        report, heads = self.report, self._promised.heads
        ahead = [seq for seq in heads if seq > report.last_seq]
        if not report.first_seq:
            trimmed = self._promised.trimmed if self._promised.trimmed is not None else self._says_trimmed
            ahead = [seq for seq in ahead if seq > trimmed]
        if ahead:
            seq = max(ahead)
            by = _by(heads[seq])
            ends = f"ends at seq {report.last_seq}" if report.last_seq else "is not there"
            self._found(Fault.CUT_TAIL, report.last_seq, f"{ends}, yet {seq} was reached, as {by} has it")
        # What the export says of itself vouches for nothing.
        noted = [seq for seq, hashes in heads.items() if set(hashes.values()) != {_EXPORT}]
        covered = not noted or bool(ahead)
        for seq, hashes in heads.items():
            if report.first_seq <= seq <= report.last_seq:
                covered = covered or seq in noted
                self._check_promise(seq, hashes)
            elif seq == report.first_seq - 1 and self._first_prev:
                covered = covered or seq in noted
                if self._first_prev not in hashes:
                    first = report.first_seq
                    self._found(Fault.FORK, first, f"event {first} does not follow event {seq} as {_by(hashes)} has it")
        if partial and not covered and report.first_seq:
            said = f"begins at seq {report.first_seq}; what was noted ends at seq {max(noted)} and can't vouch for it"
            self._found(Fault.NOT_COVERED, report.first_seq, said)

    def _check_promise(self, seq: int, hashes: dict[str, str]) -> None:
        if seq not in self._filled:
            return  # Its place is in a gap, which was found.
        for hash_, by in hashes.items():
            if (seq, hash_) not in self._kept:
                self._found(Fault.FORK, seq, f"event {seq} is not the one that {by} has")

    def _check_pairs(self) -> None:
        """Ends of statements without their beginning, and the other way round, where nothing else accounts for them."""
        report, pairs = self.report, self._pairs
        # What is missing, altered or twice there takes others along.
        explained = bool(report.found.counts) or report.first_seq > 1
        if pairs.unbegun:
            said = f"{pairs.unbegun} outcomes without intent ({pairs.examples_unbegun})"
            if explained:
                report.notes.append(said)
            else:
                self._found(Fault.OUTCOME_WITHOUT_INTENT, pairs.first_unbegun, said)
        report.unfinished = pairs.unfinished
        if unfinished := pairs.unfinished:
            said = f"{len(unfinished)} intents without outcome ({pairs.examples_unfinished})"
            if explained or not report.closed:
                report.notes.append(said)
            else:
                self._found(Fault.INTENT_WITHOUT_OUTCOME, min(unfinished.values()), f"{said}, and the stream is closed")

    def _found(self, fault: Fault, seq: int, message: str) -> None:
        self.report.found.add(Finding(self.report.stream, fault, seq, message))


def _by(hashes: dict[str, str]) -> str:
    return next(iter(hashes.values()))


def _loss(event: Event) -> str:
    cause = event.get("cause")
    why = f": {cause}" if isinstance(cause, str) and cause else ""
    times = [event.get(name) for name in ("fromTime", "toTime")]
    when = f" from {times[0]} to {times[1]}" if all(map(essentials.is_time, times)) else ""
    count = event.get("count")
    what = f"{count} statements ran unrecorded" if essentials.is_count(count) else "events were lost"
    return f"{what}{when}{why}"
