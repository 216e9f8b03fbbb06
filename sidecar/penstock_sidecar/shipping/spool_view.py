"""The spool as its shipper sees it: which events are durable, and not yet acknowledged, of which streams.

The gate tells it what is there; the events themselves are read out of the files. What doesn't belong: writing to the
spool (`log.py`), and what the shipper does with what it reads (`shipper.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock_sidecar.shipping.segments import Batch, Reader, Segment, translated


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream, with the files that hold what waits of it."""

    name: str
    # Up to which seq the collector has it.
    acknowledged: int
    segments: tuple[Segment, ...]

    @property
    def last(self) -> int:
        """The last event that is durable."""
        return max(self.acknowledged, self.segments[-1].last if self.segments else 0)


class SpoolView:
    """All streams, oldest first, as they were when they were told of last."""

    def __init__(self) -> None:
        self.streams: tuple[StreamView, ...] = ()
        self._readers: dict[str, Reader] = {}

    def update(self, streams: Sequence[StreamView]) -> None:
        """That is how they stand now."""
        self.streams = tuple(streams)
        gone = self._readers.keys() - {one.name for one in streams}
        for name in gone:
            self._readers.pop(name).close()

    def batch(self, stream: StreamView, after: int, limit: int, max_bytes: int) -> Batch | None:
        """The next events behind that seq, as far as one segment has them. Raises SpoolError."""
        reader = self._readers.setdefault(stream.name, Reader())
        try:
            return reader.batch(stream.segments, max(after, stream.acknowledged), limit, max_bytes)
        except FileNotFoundError:
            return None  # It was acknowledged meanwhile.
        except OSError as error:
            raise translated(error) from None

    def close(self) -> None:
        self.update(())
