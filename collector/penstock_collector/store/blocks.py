"""Blocks: lines of one stream that have settled, together and compressed. They come back byte for byte.

Lines of one stream are much alike, so a block of them takes an eighth of their room. What doesn't belong: which lines
go into one and when (`packing.py`), finding events wherever they are (`record.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
import zstandard

# The first byte of a block says how the rest is to be read.
_FORM = b"\x01"
_LEVEL = 3
# Far above what is ever put into one: a file that was meddled with shall not fill the memory.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """An event of the record: its number by arrival, when that was, and its line."""

    id: int
    seq: int
    received: float
    # Whether its `prev` is not the hash of the event before it.
    broken: bool
    document: str

    @property
    def hash(self) -> str:
        return str(orjson.loads(self.document)["hash"])


def written(events: Sequence[Kept]) -> bytes:
    """The events as a block."""
    about = [
        [one.id for one in events],
        [one.seq for one in events],
        [one.received for one in events],
        [index for index, one in enumerate(events) if one.broken],
    ]
    # No line has a line feed: they are canonical JSON.
    text = b"\n".join([orjson.dumps(about), *(one.document.encode() for one in events)])
    return _FORM + zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(text)


def read(block: bytes) -> list[Kept]:
    """The events of a block. Raises sqlite3.DatabaseError if it was damaged."""
    try:
        if block[:1] != _FORM:
            raise ValueError("its form is not known")
        text = zstandard.ZstdDecompressor().decompress(block[1:], max_output_size=_MOST_BYTES)
        about, *lines = text.split(b"\n")
        ids, seqs, received, broken = orjson.loads(about)
        marked = set(broken)
        return [
            Kept(id_, seq, moment, index in marked, line.decode())
            for index, (id_, seq, moment, line) in enumerate(zip(ids, seqs, received, lines, strict=True))
        ]
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a block of events is damaged: {error}") from None


def holding(connection: sqlite3.Connection, stream: int, seq: int) -> list[Kept]:
    """The events of the block that a place lies in; none if it lies in none."""
    row = connection.execute(
        "SELECT last_seq, lines FROM blocks WHERE stream = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1",
        (stream, seq),
    ).fetchone()
    return read(row[1]) if row is not None and row[0] >= seq else []


def behind(connection: sqlite3.Connection, stream: int, seq: int) -> Iterator[list[Kept]]:
    """Blocks with something at or behind a place, in order."""
    while True:
        row = connection.execute(
            """SELECT last_seq, lines FROM blocks WHERE stream = :stream AND first_seq >= coalesce((
                   SELECT first_seq FROM blocks WHERE stream = :stream AND first_seq <= :seq
                   ORDER BY first_seq DESC LIMIT 1), 0) AND last_seq >= :seq ORDER BY first_seq LIMIT 1""",
            {"stream": stream, "seq": seq},
        ).fetchone()
        if row is None:
            return
        yield read(row[1])
        seq = int(row[0]) + 1
