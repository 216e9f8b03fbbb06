"""The spool's files: a directory of segments, each a part of one stream, and reading events out of them.

    format                      what this is, and its version
    lock                        held by the one process that writes
    lock-shipper                held by the one process that ships
    000001-000000000001.log     stream 1 from seq 1: a header line, then a canonical line for each event
    000001.acknowledged         up to which seq the collector has stream 1
    damaged-…                   what could not be trusted at a start, kept for somebody to look at

Segments are appended to, and dropped whole. A header names the stream, the segment's first seq, the hash before it and
the statements that had begun and not ended by then. What doesn't belong: writing events (`log.py`), opening and
repairing (`opening.py`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock_core.audit.chain import Head
from penstock_sidecar.shipping.errors import SpoolBroken, SpoolError, SpoolFull
from penstock_sidecar.shipping.whole_statement import Statement

VERSION = 2
_NAME = re.compile(r"(\d{6,12})-(\d{12,})\.log")
# The kernel's words for "no room": of the disk, of a quota, of the largest file.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# And for flags of a write that it, or the file system, does not know.
_UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass(slots=True)
class Segment:
    """One file, and how far it is durable."""

    path: Path
    stream: int
    first: int
    # Bytes and events that are durable: nobody reads beyond.
    size: int = 0
    last: int = 0

    @classmethod
    def named(cls, directory: Path, stream: int, first: int) -> Segment:
        return cls(directory / f"{stream:06d}-{first:012d}.log", stream, first, last=first - 1)

    @classmethod
    def at(cls, path: Path) -> Segment | None:
        """The segment of that name; None for any other file."""
        match = _NAME.fullmatch(path.name)
        return None if match is None else cls(path, int(match[1]), int(match[2]), last=int(match[2]) - 1)


@dataclass(frozen=True, slots=True)
class Header:
    """A segment's first line."""

    head: Head
    outstanding: frozenset[Statement] = frozenset()

    def line(self) -> bytes:
        fields = {
            "spool": VERSION, "stream": self.head.stream, "first": self.head.seq + 1, "prev": self.head.hash,
            "outstanding": sorted(map(list, self.outstanding), key=repr),
        }  # fmt: skip
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes, first: int) -> Header:
        """Raises ValueError for what is no header of a segment that begins with that seq."""
        fields: Any = json.loads(line)
        if not isinstance(fields, dict) or fields.get("spool") != VERSION or fields.get("first") != first:
            raise ValueError("not the header of this segment")
        stream, prev, outstanding = fields.get("stream"), fields.get("prev"), fields.get("outstanding")
        if not (isinstance(stream, str) and isinstance(prev, str) and isinstance(outstanding, list)):
            raise ValueError("not the header of a segment")
        if not all(isinstance(one, list) and len(one) == 2 for one in outstanding):
            raise ValueError("not the header of a segment")
        return cls(Head(stream, first - 1, prev), frozenset((one[0], one[1]) for one in outstanding))


def segments_in(directory: Path) -> dict[int, list[Segment]]:
    """All segments by the numbers of their streams, both in order. Raises OSError."""
    found: dict[int, list[Segment]] = {}
    for path in directory.iterdir():
        segment = Segment.at(path)
        if segment is not None:
            found.setdefault(segment.stream, []).append(segment)
    return {stream: sorted(found[stream], key=lambda one: one.first) for stream in sorted(found)}


class Acknowledged:
    """How far the collector has a stream, kept for the next start. Where that is lost, events are sent twice."""

    def __init__(self, directory: Path, stream: int) -> None:
        self._path = directory / f"{stream:06d}.acknowledged"

    def read(self) -> int:
        try:
            text = self._path.read_bytes().strip()
        except OSError:
            return 0
        return int(text) if text.isdigit() and len(text) == 20 else 0

    def write(self, seq: int) -> None:
        # Over what was there, so that nothing else is needed where the disk is full.
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, f"{seq:020d}\n".encode(), 0)
            finally:
                os.close(descriptor)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream that follow each other, as their segment has them: a line each."""

    first: int
    last: int
    data: bytes

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(slots=True)
class Reader:
    """Reads one stream's events in their order; it knows where it stands, so that going on costs no search."""

    _segment: Segment | None = None
    _descriptor: int = -1
    _next: int = 0
    _offset: int = 0

    def batch(self, segments: Sequence[Segment], after: int, limit: int, max_bytes: int) -> Batch | None:
        """Up to `limit` events behind seq `after`, and no more than `max_bytes` unless the first is larger.

        Of one segment at most. Raises OSError.
        """
        segment = next((one for one in reversed(segments) if one.first <= after + 1), None)
        if segment is None or segment.last <= after or limit < 1:
            return None
        if self._next != after + 1 or self._segment is None or self._segment.path != segment.path:
            self._seek(segment, after + 1)
        self._segment = segment
        data = self._read(limit, max_bytes)
        return Batch(after + 1, self._next - 1, data)

    def _seek(self, segment: Segment, seq: int) -> None:
        self.close()
        self._descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        # The header is no event.
        self._segment, self._next, self._offset = segment, segment.first - 1, 0
        self._read(1, 1)
        while self._next < seq:
            self._read(seq - self._next, 1 << 20)

    def _read(self, limit: int, max_bytes: int) -> bytes:
        """At least one line, of those that are durable."""
        segment = self._segment
        if segment is None:
            return b""
        data = os.pread(self._descriptor, min(max_bytes, segment.size - self._offset), self._offset)
        while b"\n" not in data:
            at = self._offset + len(data)
            more = os.pread(self._descriptor, min(1 << 16, segment.size - at), at)
            if not more:
                raise OSError(errno.EIO, f"{segment.path.name} ends before its last event")
            data += more
        ends = data.find(b"\n") if len(data) > max_bytes else data.rfind(b"\n")
        data = data[: ends + 1]
        count = data.count(b"\n")
        if count > limit:
            data = b"\n".join(data.split(b"\n", limit)[:limit]) + b"\n"
            count = limit
        self._next += count
        self._offset += len(data)
        return data

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._segment, self._descriptor, self._next = None, -1, 0


def translated(error: OSError) -> SpoolError:
    """The system's error as ours: a full disk passes, anything else needs somebody."""
    if error.errno in _FULL:
        return SpoolFull("audit spool cannot grow: the disk is full")
    return SpoolBroken(f"audit spool cannot be written: {error.strerror or error}")


def sync_directory(directory: Path) -> None:
    """Make new and gone names of files durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Raises OSError, where only a part of it may be written."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        offset += count
        view = view[count:]


def write_durably(descriptor: int, data: bytes, offset: int) -> None:
    """The same, and what was written is on the disk: by one call, where the file system can (pwritev(2), RWF_DSYNC)."""
    try:
        count = os.pwritev(descriptor, (data,), offset, os.RWF_DSYNC)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        count = 0
    if count < len(data):
        write_all(descriptor, data[count:], offset + count)
        os.fdatasync(descriptor)
