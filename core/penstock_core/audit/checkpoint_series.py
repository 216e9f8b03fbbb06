"""Checkpoints together: what they promise of the streams, and whether any of them is missing or contradicts another.

What doesn't belong: one of them (`checkpoint.py`), reading files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from penstock_core.audit.chain import GENESIS, Head
from penstock_core.audit.checkpoint import Checkpoint, CheckpointError, StreamHead, line_hash, read
from penstock_core.audit.promises import Promises
from penstock_core.audit.report import Fault, Finding, Findings, Series


@dataclass(slots=True)
class Checkpoints:
    """What checkpoints come to."""

    promises: Promises = field(default_factory=Promises)
    series: list[Series] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)

    def fault(self, message: str) -> None:
        """Note what is wrong with them."""
        self.found.add(Finding("", Fault.CHECKPOINT, 0, message))


def gather(
    files: Iterable[tuple[str, bytes]], keys: Sequence[Ed25519PublicKey], *, partial: bool = False
) -> Checkpoints:
    """What the files, each a name and its bytes, come to. `partial`: the first ones may be gone."""
    gathered = Checkpoints()
    by_collector: dict[str, dict[int, tuple[str, Checkpoint]]] = {}
    for name, content in files:
        line = content.removesuffix(b"\n")
        try:
            checkpoint = read(line, keys)
        except CheckpointError as error:
            gathered.fault(f"{name}: {error}")
            continue
        numbered = by_collector.setdefault(checkpoint.collector, {})
        known = numbered.setdefault(checkpoint.number, (line_hash(line), checkpoint))
        if known[0] != line_hash(line):
            gathered.fault(f"{name}: there is another checkpoint {checkpoint.number} of {checkpoint.collector}")
    for collector, numbered in sorted(by_collector.items()):
        _Reading(gathered, collector).go(numbered, partial=partial)
    return gathered


class _Reading:
    """The checkpoints of one collector, in their order."""

    def __init__(self, gathered: Checkpoints, collector: str) -> None:
        self._gathered = gathered
        self._collector = collector
        self._latest: dict[str, StreamHead] = {}

    def go(self, numbered: dict[int, tuple[str, Checkpoint]], *, partial: bool) -> None:
        before, prev = 0, GENESIS
        for number in sorted(numbered):
            hash_, checkpoint = numbered[number]
            begins_late = not before and number > 1 and partial and checkpoint.complete
            if number != before + 1 and not begins_late:
                missing = f"{before + 1}" + ("" if number == before + 2 else f" to {number - 1}")
                self._fault(f"checkpoints {missing} are missing")
            elif not begins_late and checkpoint.prev != prev:
                self._fault(f"checkpoint {number} does not follow checkpoint {before}")
            for head in checkpoint.streams:
                self._take(head, number)
            before, prev = number, hash_
        first, last = min(numbered), max(numbered)
        self._gathered.series.append(Series(self._collector, first, last, numbered[last][1].time))

    def _take(self, head: StreamHead, number: int) -> None:
        by = f"checkpoint {number}"
        known = self._latest.get(head.stream)
        if known is not None and (head.seq < known.seq or head.trimmed < known.trimmed):
            self._fault(f"{by} has {head.stream} at seq {head.seq}, and one before it had seq {known.seq}")
        if known is not None and known.sender and head.sender != known.sender:
            self._fault(f"{by} has {head.stream} opened by {head.sender}, and one before it by {known.sender}")
        self._latest[head.stream] = head
        promised = self._gathered.promises.of(head.stream)
        promised.add(Head(head.stream, head.seq, head.hash), by)
        promised.sender = promised.sender or head.sender
        promised.trimmed = max(promised.trimmed or 0, head.trimmed)

    def _fault(self, message: str) -> None:
        self._gathered.fault(f"{self._collector}: {message}")
