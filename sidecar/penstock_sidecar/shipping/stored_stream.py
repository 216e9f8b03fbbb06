"""One stream as it stands in the spool: its segments, how far the collector has it, and how many bytes wait.

What doesn't belong: what is appended to it (`log.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from penstock_core.audit.chain import Head
from penstock_sidecar.shipping.segments import Acknowledged, Segment
from penstock_sidecar.shipping.spool_view import StreamView

# How many places are known of which the bytes before them are; with more, every other one is forgotten.
_MOST_MARKS = 4096


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream in the spool stands: `head` is the last event that is durable."""

    id: int
    head: Head
    acknowledged: int
    closed: bool

    @property
    def name(self) -> str:
        return self.head.stream

    @property
    def depth(self) -> int:
        """How many events the collector has not acknowledged."""
        return self.head.seq - self.acknowledged


@dataclass(slots=True)
class StoredStream:
    """A stream's files. All but `state`, `view` and `segments` belong to the thread that writes."""

    directory: Path
    id: int
    # What was written, and what of it is durable.
    head: Head
    durable: Head
    closed: bool = False
    acknowledged: int = 0
    segments: tuple[Segment, ...] = ()
    # Bytes of events that were written, and of those that the collector has.
    _written: int = 0
    _freed: int = 0
    # Seqs, and how many bytes were written up to them.
    _marks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def state(self) -> StreamState:
        return StreamState(self.id, self.durable, self.acknowledged, self.closed)

    @property
    def view(self) -> StreamView:
        """The same with its files, for another process; of any thread."""
        acknowledged = self.acknowledged
        # Grown before it is told of: what lies before the last event is there when that is read first.
        parts = tuple(Segment(one.path, one.stream, one.first, last=one.last, size=one.size) for one in self.segments)
        return StreamView(self.head.stream, acknowledged, parts)

    @property
    def waiting(self) -> int:
        """Bytes of events that the collector has not acknowledged."""
        return self._written - self._freed

    def grow(self, head: Head, size: int) -> None:
        """So many bytes more were written, up to that head."""
        self.head = head
        self._written += size
        self._marks.append((head.seq, self._written))
        if len(self._marks) > _MOST_MARKS:
            del self._marks[:-1:2]

    def acknowledge(self, seq: int) -> None:
        """The collector has it up to `seq`: drop the segments that hold no other events. Raises OSError."""
        seq = min(seq, self.durable.seq)
        if seq <= self.acknowledged:
            return
        self._free(seq)
        Acknowledged(self.directory, self.id).write(seq)
        kept = self.segments
        while len(kept) > 1 and kept[1].first - 1 <= seq:
            kept[0].path.unlink(missing_ok=True)
            kept = kept[1:]
        self.segments = kept

    def resume(self) -> None:
        """Begin where the process before ended: all that is there is durable, and some of it acknowledged."""
        self.durable = self.head
        self._free(min(Acknowledged(self.directory, self.id).read(), self.head.seq))

    def _free(self, seq: int) -> None:
        self.acknowledged = seq
        if seq == self.head.seq:
            self._freed, self._marks = self._written, []
        known = 0
        for place, (upto, size) in enumerate(self._marks, start=1):
            if upto > seq:
                break
            self._freed, known = size, place
        del self._marks[:known]

    def remove(self) -> None:
        """Nothing of it is needed any more. Raises OSError."""
        for segment in self.segments:
            segment.path.unlink(missing_ok=True)
        self.segments = ()
        Acknowledged(self.directory, self.id).remove()
