"""Packing: lines that have settled go from rows into blocks, when enough of a stream have; and back, to be dropped.

A line has settled when everything before it in its stream has come. What doesn't belong: a block's bytes (`blocks.py`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence

import orjson

from penstock_collector.store import blocks
from penstock_collector.store.blocks import Kept

# A block has so many events, or fewer if they are large.
BLOCK_EVENTS = 256
_BLOCK_BYTES = 256 * 1024
# One look at quiet streams, which is one transaction, takes about so long.
_BUDGET_SECONDS = 0.02


def pack(
    connection: sqlite3.Connection, stream: int, settled: int, *, most: int | None = None, least: int | None = None
) -> int:
    """Pack what fills blocks, or makes blocks of at least `least` events, up to a seq; how many events.

    No more than `most` blocks are made at a time.
    """
    packed, made = 0, 0
    while (most is None or made < most) and (events := _next(connection, stream, settled, least or BLOCK_EVENTS)):
        _store(connection, stream, events)
        packed += len(events)
        made += 1
    return packed


def pack_quiet(
    connection: sqlite3.Connection, heard: float, after: int, clock: Callable[[], float] = time.monotonic
) -> tuple[int, int | None]:
    """Pack all that has settled of streams that nothing is heard of since `heard`: of some of those behind `after`.

    How many events, and the stream to go on behind; None at the end.
    """
    end, packed = clock() + _BUDGET_SECONDS, 0
    while clock() < end:
        row = connection.execute(
            """SELECT id, contiguous, last_received < ? FROM streams WHERE id > ? ORDER BY id LIMIT 1""", (heard, after)
        ).fetchone()
        if row is None:
            return packed, None
        after, settled, is_quiet = row
        if is_quiet:
            packed += pack(connection, after, settled, least=1)
    return packed, after


def _next(connection: sqlite3.Connection, stream: int, settled: int, least: int) -> list[Kept]:
    """The events of the next block; none while they are too few."""
    row = connection.execute(
        "SELECT last_seq FROM blocks WHERE stream = ? ORDER BY first_seq DESC LIMIT 1", (stream,)
    ).fetchone()
    last = 0 if row is None else int(row[0])
    first = connection.execute("SELECT min(seq) FROM events WHERE stream = ? AND seq > ?", (stream, last)).fetchone()[0]
    if first is None or settled - first + 1 < least:
        return []
    rows = connection.execute(
        """SELECT id, seq, received, broken, document FROM events WHERE stream = ? AND seq > ? AND seq <= ?
           ORDER BY seq, id LIMIT ?""",
        (stream, last, settled, BLOCK_EVENTS),
    ).fetchall()
    if len(rows) < least:
        return []
    events: list[Kept] = []
    size = 0
    for id_, seq, received, broken, document in rows:
        size += len(document)
        if events and size > _BLOCK_BYTES:
            break
        events.append(Kept(id_, seq, received, bool(broken), document))
    return events


def _store(connection: sqlite3.Connection, stream: int, events: Sequence[Kept]) -> None:
    arrivals = [one.received for one in events]
    connection.execute(
        """INSERT INTO blocks (stream, first_seq, last_seq, earliest, latest, events, lines)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            stream,
            events[0].seq,
            events[-1].seq,
            min(arrivals),
            max(arrivals),
            len(events),
            blocks.written(events),
        ),
    )
    connection.executemany("DELETE FROM events WHERE id = ?", [(one.id,) for one in events])


def loosen(connection: sqlite3.Connection, block: int) -> None:
    """Make rows of a block again, as they were."""
    stream, lines = connection.execute("SELECT stream, lines FROM blocks WHERE id = ?", (block,)).fetchone()
    for one in blocks.read(lines):
        event = orjson.loads(one.document)
        session, statement = (
            "" if (value := event.get(name)) is None else str(value) for name in ("session", "statement")
        )
        connection.execute(
            """INSERT INTO events (id, stream, seq, hash, kind, session, statement, received, broken, document)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                one.id, stream, one.seq, event["hash"], event["kind"], session, statement, one.received, one.broken,
                one.document,
            ),
        )  # fmt: skip
    connection.execute("DELETE FROM blocks WHERE id = ?", (block,))
