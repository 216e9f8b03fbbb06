"""What was noted of streams elsewhere, and an export has to keep: where each stood, who opened it, what was deleted.

What doesn't belong: where the notes come from (`checkpoint.py`, a saved answer of the collector), holding an export to
them (`stream_check.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock_core.audit.chain import Head


@dataclass(slots=True)
class StreamPromises:
    """What was noted of one stream."""

    # By seq, each hash that is said to stand there, and who says so.
    heads: dict[int, dict[str, str]] = field(default_factory=dict)
    # "" where nobody said.
    sender: str = ""
    # Up to here events were deleted by retention; None where only the export says so.
    trimmed: int | None = None

    def add(self, head: Head, by: str) -> None:
        """Note where the stream stood."""
        if head.seq:
            self.heads.setdefault(head.seq, {}).setdefault(head.hash, by)


@dataclass(slots=True)
class Promises:
    """What was noted, by stream."""

    streams: dict[str, StreamPromises] = field(default_factory=dict)

    def of(self, stream: str) -> StreamPromises:
        """Those of a stream, to be added to."""
        return self.streams.setdefault(stream, StreamPromises())
