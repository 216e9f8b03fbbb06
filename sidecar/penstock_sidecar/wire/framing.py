"""Where typed messages begin and end in a stream of bytes, without touching those that nobody looks at.

A scanner takes chunks as they come and answers with the bytes that may go on, and the spots in them that are worth a
look. Rows and COPY data are hopped over, never copied one by one; a message larger than a chunk goes on in pieces.
What a message means belongs to `session`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

# A NamedTuple without its constructor in Python: there is one for each message.
_new = tuple.__new__
_HEADER = struct.Struct(">BI").unpack_from
# How much of a large message is gathered before one looks at its beginning.
PREFIX = 8192


class Look(IntEnum):
    """How much of a message is looked at."""

    # Not a type that may come from this side: the stream is broken.
    UNKNOWN = 0
    # Nothing: its bytes go on.
    HOP = 1
    # That it came; its bytes go on as they come.
    NOTICE = 2
    # Its first bytes: a large one is reported with what is there, and the rest goes on (or is dropped on request).
    PREFIX = 3
    # All of it, up to the scanner's limit. A larger one is reported incomplete and the rest is dropped (or kept on
    # request).
    WHOLE = 4
    # All of it, and it can only be small.
    SMALL = 5


class Spot(NamedTuple):
    """One message in a scanned chunk: chunk[start:end], its body from start + 5. Incomplete: cut off at `end`."""

    kind: int
    start: int
    end: int
    complete: bool


class BrokenStreamError(Exception):
    """The bytes are no messages that may come from this side; the text is fit for an error line."""


def _table(looks: Mapping[Look, bytes]) -> bytes:
    table = bytearray(256)
    for look, kinds in looks.items():
        for kind in kinds:
            table[kind] = look
    return bytes(table)


FROM_CLIENT = _table({
    Look.HOP: b"d",
    Look.PREFIX: b"BF",
    Look.WHOLE: b"QP",
    Look.SMALL: b"DECSHXcfp",
})  # fmt: skip
FROM_SERVER = _table({
    Look.HOP: b"DdcKRVv",
    Look.NOTICE: b"TtnGHW123sI",
    Look.PREFIX: b"AENS",
    Look.SMALL: b"CZ",
})  # fmt: skip
# The same, with a look at each row.
FROM_SERVER_BY_ROW = _table({
    Look.HOP: b"dcKRVv",
    Look.NOTICE: b"TtnGHW123sI",
    Look.PREFIX: b"DAENS",
    Look.SMALL: b"CZ",
})  # fmt: skip


class Scanner:
    """One direction of one connection."""

    def __init__(self, table: bytes, *, limit: int = 16 << 20, small: int = 65536) -> None:
        self._table = table
        self._limit = limit
        self._small = small
        # Of those whose beginning is looked at, how much is gathered.
        self.prefix = PREFIX
        # Bytes of a message that is still passing by, and whether they are dropped.
        self._passing = 0
        self._dropping = False
        # An incomplete message that has to be complete before it is looked at: its pieces and how many bytes it takes.
        self._parts: list[bytes] = []
        self._gathered = 0
        self._wanted = 0
        # What was hopped over in the chunk that was scanned last: of each run its kind, where it begins, how many.
        self.rows: list[tuple[int, int, int]] = []

    def look_by(self, table: bytes) -> None:
        """From the next chunk on, look at the kinds of messages that this table says."""
        self._table = table

    def drop_rest(self) -> None:
        """Drop what is still to come of the incomplete message that was reported last."""
        self._dropping = self._passing > 0

    def keep_rest(self) -> None:
        """Let pass what is still to come of the incomplete message that was reported last."""
        self._dropping = False

    @property
    def passing(self) -> bool:
        """Whether a message that was reported incomplete still has bytes to come: nothing may be put between them."""
        return self._passing > 0

    @property
    def inside(self) -> bool:
        """Whether the stream is in the middle of a message."""
        return bool(self._passing or self._parts)

    def scan(self, data: bytes) -> tuple[bytes, list[Spot]]:
        """The bytes that may go on now, and the spots in them, in order. Raises BrokenStreamError."""
        if self.rows:
            self.rows.clear()
        if self._parts:
            self._parts.append(data)
            self._gathered += len(data)
            if self._gathered < self._wanted:
                return b"", []
            data = b"".join(self._parts)
            self._parts.clear()
        spots: list[Spot] = []
        pos = 0
        if self._passing:
            data, pos = self._pass_by(data)
        pos = self._walk(data, pos, spots)
        if pos == len(data):
            return data, spots
        rest = data[pos:]
        self._parts.append(rest)
        self._gathered = len(rest)
        return data[:pos], spots

    def _pass_by(self, data: bytes) -> tuple[bytes, int]:
        taken = min(self._passing, len(data))
        self._passing -= taken
        if not self._dropping:
            return data, taken
        if not self._passing:
            self._dropping = False
        return data[taken:], 0

    def _walk(self, data: bytes, pos: int, spots: list[Spot]) -> int:
        """Hop from header to header; returns where the bytes that can't go on yet begin."""
        size = len(data)
        table = self._table
        last = size - 5
        while pos <= last:
            kind, length = _HEADER(data, pos)
            look = table[kind]
            end = pos + 1 + length
            if length < 4 or look == 0:
                raise BrokenStreamError(_complaint(kind, length, look))
            if look == 1:
                # Rows come by the thousand, one after the other.
                row, begin, rows = kind, pos, 1
                while end <= last:
                    pos = end
                    kind, length = _HEADER(data, pos)
                    if kind != row or length < 4:
                        break
                    end = pos + 1 + length
                    rows += 1
                self.rows.append((row, begin, rows))
                if end > size:
                    self._passing = end - size
                    return size
                pos = end
                continue
            if end <= size and (look != 4 or length <= self._limit):
                spots.append(_new(Spot, (kind, pos, end, True)))
                pos = end
                continue
            if not self._cut(Spot(kind, pos, min(end, size), False), end, look):
                self._wanted = end - pos if look != 3 else min(end - pos, self.prefix)
                return pos
            spots.append(Spot(kind, pos, min(end, size), False))
            if end > size:
                return size
            pos = end
        if pos < size:
            self._wanted = 5
            if table[data[pos]] == 0:
                raise BrokenStreamError(_complaint(data[pos], 4, 0))
        return pos

    def _cut(self, spot: Spot, end: int, look: int) -> bool:
        """Whether an incomplete message is reported as it is, the rest passing by."""
        length = end - spot.start
        if look == 5 and length > self._small:
            raise BrokenStreamError(f"a message {chr(spot.kind)!r} of {length} bytes")
        dropped = look == 4 and length > self._limit
        if look == 2 or dropped or (look == 3 and spot.end - spot.start >= self.prefix):
            self._passing = end - spot.end
            self._dropping = dropped and self._passing > 0
            return True
        return False


def _complaint(kind: int, length: int, look: int) -> str:
    name = repr(chr(kind)) if 32 < kind < 127 else f"0x{kind:02x}"
    if look == 0:
        return f"a message of type {name}, which is not of this protocol"
    return f"a message of type {name} with the impossible length {length}"
