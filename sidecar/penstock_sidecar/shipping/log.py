"""The spool as a log: the current stream grows by one write a group of appends, older ones only wait to be shipped.

A write that fails leaves nothing: the file is cut to where it was. What doesn't belong: threads, futures and the event
loop (`spool.py`), opening and repairing (`opening.py`). Everything here may block, and is called by one thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock_core.audit.chain import ChainError, Head
from penstock_sidecar.shipping.errors import EventRefused, SpoolBroken, SpoolError, SpoolFull
from penstock_sidecar.shipping.joining import joined
from penstock_sidecar.shipping.sealing import ENDINGS, Entry, begun_and_ended, seal
from penstock_sidecar.shipping.segments import Header, Segment, sync_directory, translated, write_all, write_durably
from penstock_sidecar.shipping.spool_view import StreamView
from penstock_sidecar.shipping.stored_stream import StoredStream, StreamState
from penstock_sidecar.shipping.whole_statement import Statement

# Kept free for the outcome of each intent that was accepted, and for the events that end a stream.
_ROOM_PER_OUTCOME = 1024
_ROOM_FOR_ENDING = 64 * 1024
# What a statement of ordinary length takes.
_ROOM_PER_STATEMENT = 4 * 1024
# How large a segment gets: what is dropped at once, and what the disk holds beyond what waits.
_LARGEST_SEGMENT = 4 << 20
# How long somebody may have removed the file before that is noticed.
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class _Draft:
    """What a write will have changed once it is done."""

    head: Head
    used: int
    outstanding: set[Statement]
    closed: bool
    lines: list[bytes] = field(default_factory=list)


class SpoolLog:
    """The streams in one directory, of which the last one grows."""

    def __init__(
        self, directory: Path, older: Sequence[StoredStream], number: int, stream: str, max_bytes: int
    ) -> None:
        """Begin that stream, under a number that no file has. Raises SpoolError."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = min(_LARGEST_SEGMENT, max_bytes // 8)
        self._older = list(older)
        self._current = StoredStream(directory, number, Head(stream), Head(stream))
        self._outstanding: set[Statement] = set()
        self._descriptor = -1
        self._written = 0
        self._looked = 0.0
        try:
            self._begin_segment()
        except OSError as error:
            raise translated(error) from None

    @property
    def current(self) -> StreamState:
        return self._current.state

    @property
    def used(self) -> int:
        """Bytes of events waiting to be shipped."""
        return self._current.waiting + sum(one.waiting for one in self._older)

    @property
    def has_room(self) -> bool:
        """Whether a statement of ordinary length would be taken."""
        return self.used + _ROOM_PER_STATEMENT <= self._limit_for_new(len(self._outstanding) + 1)

    @property
    def dirty(self) -> bool:
        """Whether something was written that is not durable yet."""
        return self._current.durable is not self._current.head

    def streams(self) -> tuple[StreamState, ...]:
        """All streams that have something to ship or still grow, oldest first."""
        return (*(one.state for one in self._older), self._current.state)

    def views(self) -> tuple[StreamView, ...]:
        """All streams and their files as they stand; of any thread."""
        return tuple(one.view for one in (*self._older, self._current))

    def commit(self, entries: Sequence[Entry]) -> list[SpoolError | None]:
        """Write entries, and make them durable if anybody waits for one of them.

        Returns for each entry None or why it was left out. Raises SpoolError if nothing of it was written.
        """
        whole = joined(entries)
        draft, results = self._drafted(whole)
        if whole is not entries and any(results):
            # What is refused of one entry must not be on record in another, nor take its intent along.
            draft, results = self._drafted(entries)
        if draft.lines:
            awaited = any(entry.awaited for entry, result in zip(entries, results, strict=True) if result is None)
            try:
                self._write(draft, sync=awaited)
            except OSError as error:
                raise translated(error) from None
        return results

    def _drafted(self, entries: Sequence[Entry]) -> tuple[_Draft, list[SpoolError | None]]:
        current = self._current
        draft = _Draft(current.head, self.used, set(self._outstanding), current.closed)
        return draft, [self._draft(draft, entry) for entry in entries]

    def _draft(self, draft: _Draft, entry: Entry) -> SpoolError | None:
        """Seal one entry onto the draft, or leave the draft as it is and tell why."""
        if draft.closed:
            return EventRefused(f"audit stream {draft.head.stream} is closed")
        begun, ended = begun_and_ended(entry.bodies)
        if strays := ended - begun - draft.outstanding:
            # Their intents were refused, perhaps a moment ago: there would be room, and nothing to tell the end of.
            entry = entry.without_ends_of(strays)
        try:
            head, lines = seal(draft.head, entry)
        except ChainError as error:
            return EventRefused(f"audit event cannot be recorded: {error}")
        size = sum(map(len, lines)) + len(lines)
        kinds = entry.kinds
        outstanding = (draft.outstanding | begun) - ended
        limit = self._max_bytes if kinds <= ENDINGS else self._limit_for_new(len(outstanding))
        if draft.used + size > limit:
            return SpoolFull(
                f"audit spool is full ({draft.used} of {self._max_bytes} bytes wait for the collector): no room for "
                + "/".join(sorted(kinds))
            )
        draft.lines += lines
        draft.head = head
        draft.used += size
        draft.outstanding = outstanding
        draft.closed = "close" in kinds
        return None

    def _limit_for_new(self, outstanding_after: int) -> int:
        ending = min(_ROOM_FOR_ENDING, self._max_bytes // 8)
        return self._max_bytes - ending - _ROOM_PER_OUTCOME * outstanding_after

    def _write(self, draft: _Draft, *, sync: bool) -> None:
        current = self._current
        data = b"\n".join(draft.lines) + b"\n"
        if current.head.seq >= current.segments[-1].first and self._written + len(data) > self._segment_bytes:
            self.sync()
            self._begin_segment()
        # Each call beside the event loop waits for its turn again, so that what is awaited takes as few as can be.
        at_once = sync and not self.dirty
        if at_once:
            self._look()
        try:
            if at_once:
                write_durably(self._descriptor, data, self._written)
            else:
                write_all(self._descriptor, data, self._written)
        except OSError:
            self._cut(self._written)
            raise
        self._written += len(data)
        self._outstanding = draft.outstanding
        current.grow(draft.head, len(data))
        current.closed = draft.closed
        if at_once:
            self._synced()
        elif sync:
            self.sync()

    def sync(self) -> None:
        """Make durable all that was written. Raises SpoolBroken: what of it is on the disk is not known then."""
        if not self.dirty:
            return
        self._look()
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise SpoolBroken(f"audit spool cannot be synced: {error.strerror}") from None
        self._synced()

    def _synced(self) -> None:
        current = self._current
        segment = current.segments[-1]
        segment.size, segment.last = self._written, current.head.seq
        current.durable = current.head

    def _look(self) -> None:
        """Raises SpoolBroken for a file that has lost its name: it would be written and synced all the same."""
        now = time.monotonic()
        if now < self._looked + _LOOK_SECONDS:
            return
        try:
            names = os.fstat(self._descriptor).st_nlink
        except OSError as error:
            raise SpoolBroken(f"audit spool cannot be read: {error.strerror}") from None
        if not names:
            raise SpoolBroken(f"audit spool: {self._current.segments[-1].path} was removed while it was in use")
        self._looked = now

    def _cut(self, size: int) -> None:
        """Leave nothing of a write that failed."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise SpoolBroken(f"audit spool cannot be written: {error.strerror}") from None

    def _begin_segment(self) -> None:
        current = self._current
        segment = Segment.named(self._directory, current.id, current.head.seq + 1)
        header = Header(current.head, frozenset(self._outstanding)).line()
        descriptor = os.open(segment.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, header, 0)
            os.fsync(descriptor)
            sync_directory(self._directory)
        except OSError:
            os.close(descriptor)
            segment.path.unlink(missing_ok=True)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._written = descriptor, len(header)
        segment.size = len(header)
        current.segments = (*current.segments, segment)

    def acknowledge(self, acknowledged: Mapping[str, int]) -> None:
        """Drop what the collector has. Raises SpoolError."""
        try:
            for stream in (*self._older, self._current):
                stream.acknowledge(acknowledged.get(stream.head.stream, 0))
            for stream in self._older:
                if not stream.state.depth:
                    stream.remove()
        except OSError as error:
            raise translated(error) from None
        self._older = [stream for stream in self._older if stream.state.depth]

    def close(self) -> None:
        """Close the files; what is in them stays."""
        os.close(self._descriptor)
