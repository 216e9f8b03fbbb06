"""Opening the spool: making its directory, ending what a killed process left, keeping aside what can't be trusted.

An unfinished last line is what a crash leaves, and cut off. Anything else that is wrong is damage: it is kept under
another name, and told of by a `loss` event; what comes before it is shipped. What doesn't belong: what happens to the
spool once it is open (`log.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from penstock_core.audit.chain import ChainError, Head
from penstock_core.audit.event import Event
from penstock_sidecar.shipping.errors import SpoolBroken, SpoolError
from penstock_sidecar.shipping.log import SpoolLog
from penstock_sidecar.shipping.sealing import Entry, begun_and_ended, seal, timestamp, unknown_outcome
from penstock_sidecar.shipping.segments import (
    VERSION,
    Acknowledged,
    Header,
    Segment,
    segments_in,
    sync_directory,
    translated,
    write_all,
)
from penstock_sidecar.shipping.stored_stream import StoredStream
from penstock_sidecar.shipping.whole_statement import Statement

_FORMAT = "penstock audit spool"
_KEPT = re.compile(r"damaged-[^-]*-(\d+)-\d+\.log")
_LOST_PROCESS = "the process ended without closing this stream"


@dataclass(frozen=True, slots=True)
class OpenedSpool:
    """An open spool, the lock that keeps other processes out, and what was found on the way."""

    log: SpoolLog
    lock: int
    # The events that tell of damage in the new stream.
    losses: list[Event]


@dataclass(slots=True)
class _Found:
    """What a stream's segments hold that can be trusted."""

    stream: StoredStream
    outstanding: set[Statement] = field(default_factory=set)
    # What is wrong behind it, and the files that this was kept as.
    damage: str = ""
    kept: list[str] = field(default_factory=list)


class _Damaged(Exception):
    """From there on a segment can't be trusted."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def open_spool(directory: Path, stream: str, max_bytes: int, now: datetime) -> OpenedSpool:
    """Open or make the directory and begin `stream` in it. Raises SpoolBroken and SpoolFull, with one line."""
    lock = _lock(directory)
    try:
        _check_format(directory)
        return _open_locked(directory, stream, max_bytes, now, lock)
    except OSError as error:
        os.close(lock)
        raise SpoolBroken(f"audit spool {directory} cannot be opened: {error.strerror}") from None
    except BaseException:
        os.close(lock)
        raise


def _open_locked(directory: Path, stream: str, max_bytes: int, now: datetime, lock: int) -> OpenedSpool:
    older: list[StoredStream] = []
    losses: list[Event] = []
    damaged = _damaged_before(directory)
    for number, segments in segments_in(directory).items():
        found = _load(directory, number, segments, now)
        if found.stream.head.stream == stream:
            raise SpoolBroken(
                f"audit spool {directory} has a stream {stream} already; each start needs a name of its own"
            )
        if found.damage:
            losses.append(_loss(found, now))
        elif not found.stream.closed and found.stream.head.seq and number not in damaged:
            # Behind damage something else may have been recorded, and shipped, under the next number.
            _end(found, now)
        if found.stream.state.depth:
            older.append(found.stream)
        else:
            found.stream.remove()
    number = max((*damaged, *_damaged_before(directory), *(one.id for one in older)), default=0) + 1
    return OpenedSpool(SpoolLog(directory, older, number, stream, max_bytes), lock, losses)


def waits(directory: Path) -> bool:
    """Whether a spool that nobody has open holds events that the collector has not. Raises OSError."""
    for number, segments in segments_in(directory).items():
        last = segments[-1].first - 1 + segments[-1].path.read_bytes().count(b"\n") - 1
        if last > Acknowledged(directory, number).read():
            return True
    return False


def _damaged_before(directory: Path) -> set[int]:
    """The numbers of the streams of which something was kept aside."""
    names = (_KEPT.fullmatch(path.name) for path in directory.iterdir())
    return {int(name[1]) for name in names if name is not None}


def _lock(directory: Path) -> int:
    """One process at a time; the kernel releases the lock however the process ends."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise SpoolBroken(f"audit spool {directory} is a file: give the path of a directory") from None
    except OSError as error:
        raise SpoolBroken(f"audit spool {directory} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SpoolBroken(f"audit spool {directory} is in use by another process") from None
    return descriptor


def _check_format(directory: Path) -> None:
    """Take a directory that is empty or a spool's own. Raises OSError and SpoolBroken."""
    path = directory / "format"
    expected = f"{_FORMAT} {VERSION}\n"
    try:
        written = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        written = ""
    if not written:
        # Empty where the process was killed before a word of it was on the disk.
        strangers = [one.name for one in directory.iterdir() if one.name not in ("lock", "format")]
        if strangers:
            raise SpoolBroken(
                f"audit spool {directory} cannot be made: it holds other files, {strangers[0]} among them"
            )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, expected.encode(), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(directory)
        sync_directory(directory.parent)
    elif written != expected:
        version = written.removeprefix(_FORMAT).strip()
        raise SpoolBroken(f"audit spool {directory} has version {version[:20]}; this program knows {VERSION}")
    elif not os.access(directory, os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        raise SpoolBroken(f"audit spool {directory} cannot be written: Permission denied")


def _load(directory: Path, number: int, segments: Sequence[Segment], now: datetime) -> _Found:
    """What can be trusted of a stream. Raises OSError."""
    nobody = Head(f"?/{number}")
    stream = StoredStream(directory, number, nobody, nobody)
    found = _Found(stream)
    for place, segment in enumerate(segments):
        data = segment.path.read_bytes()
        try:
            _take(found, segment, data, first=place == 0)
        except _Damaged as damage:
            last = place + 1 == len(segments)
            if last and b"\n" not in data[damage.offset :]:
                _cut(segment, damage.offset)
            else:
                found.damage = f"stream {stream.head.stream} behind event {stream.head.seq}: {damage}"
                found.kept = _keep_aside(found, segment, data, damage.offset, segments[place + 1 :], now)
            break
    stream.resume()
    return found


def _take(found: _Found, segment: Segment, data: bytes, *, first: bool) -> None:
    """Add a segment's events to what was found. Raises _Damaged."""
    stream = found.stream
    ends = data.find(b"\n") + 1
    try:
        if not ends:
            raise ValueError("its first line is not whole")
        header = Header.read(data[:ends], segment.first)
    except ValueError as error:
        raise _Damaged(f"{segment.path.name}: {error}", 0) from None
    if not first and header.head != stream.head:
        raise _Damaged(f"{segment.path.name} does not follow what is before it", 0)
    if first:
        stream.head = header.head
    found.outstanding = set(header.outstanding)
    segment.size, segment.last = ends, segment.first - 1
    stream.segments = (*stream.segments, segment)
    offset = ends
    for line in data[ends:].split(b"\n")[:-1]:
        _follow(found, line, offset)
        offset += len(line) + 1
        segment.size, segment.last = offset, stream.head.seq
    if offset < len(data):
        raise _Damaged("its last line is not whole", offset)


def _follow(found: _Found, line: bytes, offset: int) -> None:
    stream = found.stream
    try:
        event = json.loads(line)
        head = stream.head.follow(event)
    except (ChainError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _Damaged(str(error), offset) from None
    begun, ended = begun_and_ended([event])
    found.outstanding = (found.outstanding | begun) - ended
    stream.grow(head, len(line) + 1)
    stream.closed = event["kind"] == "close"


def _cut(segment: Segment, offset: int) -> None:
    """A crash left a part of a line there, which nobody was told of."""
    if not offset:
        segment.path.unlink()
        return
    descriptor = os.open(segment.path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_aside(
    found: _Found, segment: Segment, data: bytes, offset: int, later: Sequence[Segment], now: datetime
) -> list[str]:
    """Keep what is wrong under other names: a copy of the segment, which is cut, and the segments behind it."""
    kept = [segment.path.with_name(f"damaged-{now:%Y%m%dT%H%M%S.%fZ}-{one.path.name}") for one in (segment, *later)]
    if offset:
        kept[0].write_bytes(data)
        _cut(segment, offset)
    else:
        segment.path.rename(kept[0])
    for one, name in zip(later, kept[1:], strict=True):
        one.path.rename(name)
    sync_directory(found.stream.directory)
    return [name.name for name in kept]


def _loss(found: _Found, now: datetime) -> Event:
    return {
        "kind": "loss",
        "toTime": timestamp(now),
        "cause": f"spool damaged ({found.damage}), kept as {', '.join(found.kept)}",
    }


def _end(found: _Found, now: datetime) -> None:
    """Give each intent an outcome, and the stream its close, as its process did not. Raises SpoolError."""
    stream = found.stream
    segment = stream.segments[-1]
    bodies = [unknown_outcome(key) for key in sorted(found.outstanding, key=repr)]
    head, lines = seal(stream.head, Entry([*bodies, {"kind": "close", "reason": _LOST_PROCESS}], now))
    data = b"\n".join(lines) + b"\n"
    try:
        descriptor = os.open(segment.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(descriptor, data, segment.size)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, segment.size)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unended(translated(error), stream) from None
    stream.grow(head, len(data))
    stream.durable, stream.closed = head, True
    segment.size, segment.last = segment.size + len(data), head.seq


def _unended(error: SpoolError, stream: StoredStream) -> SpoolError:
    return type(error)(f"{error} (stream {stream.head.stream}, which its process did not end)")
