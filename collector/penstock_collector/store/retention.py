"""Dropping what is old, from the beginnings of streams, in portions so short that ingest hardly waits.

Only a stream's beginning goes, so that what remains has no gap. What went is declared: in the stream's row, which
exports tell of, in `disposals`, and sealed into the collector's own stream. What doesn't belong: when it is time
(`penstock_collector.retention`), what may not go (`holds.py`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from penstock_collector.store import arrivals, blocks, forms, holds, packing, readings
from penstock_collector.store.blocks import Kept
from penstock_collector.store.holds import Hold
from penstock_collector.store.room import used_bytes

# A portion, which is one transaction, takes about so long; beside the commit.
BUDGET_SECONDS = 0.01
_ROWS_AT_ONCE = 25
_PAGES_AT_ONCE = 64
# Of a file that may shrink, so much stays empty, since it will be filled again.
_EMPTY_SHARE = 0.1
_INCREMENTAL = 2
_DAY = 86_400.0


@dataclass(slots=True)
class Portion:
    """What went in one transaction, and where to go on."""

    events: int = 0
    # The stream to go on behind, by its id; None at the end.
    after: int | None = None
    # What the database holds now.
    used: int = 0
    # For the collector's own stream: `{stream, first, last, hash}` of each range.
    ranges: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class _Stream:
    id: int
    name: str
    # Where its beginning is, and the hash before it.
    trimmed: int
    hash: str | None
    held: tuple[Hold, ...]


def drop(
    connection: sqlite3.Connection,
    cutoff: float,
    after: int,
    now: float,
    why: str,
    clock: Callable[[], float] = time.monotonic,
) -> Portion:
    """Drop some of what arrived before `cutoff`, of the streams behind `after`. `why` is for the record."""
    standing = holds.standing(connection)
    end = clock() + BUDGET_SECONDS
    portion = Portion()
    while (stream := _next(connection, after, cutoff, standing)) is not None:
        done = _drop_of(connection, stream, cutoff, now, portion, lambda: clock() >= end)
        after = stream.id if done else stream.id - 1
        if clock() >= end:
            portion.after = after
            break
    arrivals.drop_before_all(connection)
    if portion.ranges:
        readings.append(connection, [{"kind": "dropped", "why": why, "ranges": portion.ranges}], now)
    portion.used = used_bytes(connection)
    return portion


def _next(connection: sqlite3.Connection, after: int, cutoff: float, standing: Sequence[Hold]) -> _Stream | None:
    row = connection.execute(
        """SELECT id, name, trimmed, trimmed_hash, database FROM streams s WHERE id > ? AND first_received < ? AND (
               trimmed < last_seq OR EXISTS (SELECT 1 FROM quarantine q WHERE q.stream = s.id)) ORDER BY id LIMIT 1""",
        (after, cutoff),
    ).fetchone()
    if row is None:
        return None
    number, name, trimmed, hash_, databases = row
    held = tuple(hold for hold in standing if hold.of_stream(name, databases))
    return _Stream(number, name, trimmed, hash_, held)


def _drop_of(
    connection: sqlite3.Connection,
    stream: _Stream,
    cutoff: float,
    now: float,
    portion: Portion,
    over: Callable[[], bool],
) -> bool:
    """Drop from one stream's beginning until time is up; whether nothing is left there that may go."""
    if any(not hold.by_time for hold in stream.held):
        return True
    first, done = stream.trimmed, False
    while not done:
        gone = _drop_some(connection, stream, cutoff)
        portion.events += gone
        done = not gone
        if over():
            break
    if stream.trimmed > first:
        _declare(connection, stream, first + 1, now)
        range_ = {"stream": stream.name, "first": first + 1, "last": stream.trimmed, "hash": stream.hash or ""}
        portion.ranges.append(range_)
    return done


def _drop_some(connection: sqlite3.Connection, stream: _Stream, cutoff: float) -> int:
    """The first events of a stream, if they may go; how many went."""
    if gone := _drop_block(connection, stream, cutoff):
        return gone
    moment = "substr(json_extract(document, '$.time'), 1, 19)" if stream.held else "''"
    rows = connection.execute(
        f"""SELECT seq, hash, id, received, {moment} FROM events WHERE stream = ? AND seq > ?
            ORDER BY seq, hash LIMIT ?""",  # noqa: S608 # of literals
        (stream.id, stream.trimmed, _ROWS_AT_ONCE + 1),
    ).fetchall()
    if not rows:
        return _drop_quarantined(connection, stream, cutoff, 1 << 62)
    going = []
    for seq, hash_, id_, received, time_ in rows[:_ROWS_AT_ONCE]:
        if received >= cutoff or any(hold.covers(time_, received) for hold in stream.held):
            break
        going.append((seq, hash_, id_))
    if not going:
        return _drop_quarantined(connection, stream, cutoff, stream.trimmed)
    _forget(connection, [row[2] for row in going])
    # Of a fork, rows of one place may stay behind: then it is not past yet.
    stays = rows[len(going)][0] if len(rows) > len(going) else None
    past = [row for row in going if row[0] != stays]
    if past:
        stream.trimmed, stream.hash = past[-1][0], past[-1][1]
        _trimmed_to(connection, stream, cutoff)
    return len(going)


def _drop_block(connection: sqlite3.Connection, stream: _Stream, cutoff: float) -> int:
    """The block that a stream begins with, if all of it may go; how many events that were.

    If a part of it may, its events become rows again, to go one by one.
    """
    row = connection.execute(
        """SELECT id, first_seq, last_seq, earliest, latest, lines FROM blocks WHERE stream = ?
           ORDER BY first_seq LIMIT 1""",
        (stream.id,),
    ).fetchone()
    if row is None or row[3] >= cutoff:
        return 0
    id_, first, last, _, latest, lines = row
    rows = connection.execute("SELECT min(seq) FROM events WHERE stream = ?", (stream.id,)).fetchone()[0]
    if rows is not None and rows < first:
        return 0
    events = blocks.read(lines)
    if latest < cutoff and not stream.held and (rows is None or rows > last):
        _forget(connection, [one.id for one in events])
        connection.execute("DELETE FROM blocks WHERE id = ?", (id_,))
        stream.trimmed, stream.hash = last, events[-1].hash
        _trimmed_to(connection, stream, cutoff)
        return len(events)
    one = events[0]
    if one.received < cutoff and not any(hold.covers(_second(one), one.received) for hold in stream.held):
        packing.loosen(connection, id_)
    return 0


def _second(event: Kept) -> str:
    return str(orjson.loads(event.document).get("time", ""))[:19]


def _forget(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    rows = (
        connection.execute("SELECT form, session_id FROM statements WHERE id = ?", (id_,)).fetchone() for id_ in ids
    )
    of = {row for row in rows if row is not None}
    for table in ("statements", "logins", "cluster_requests", "events"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids])  # noqa: S608 # of literals
    forms.let_go(connection, {form for form, _ in of}, {session for _, session in of})


def _trimmed_to(connection: sqlite3.Connection, stream: _Stream, cutoff: float) -> None:
    """What goes with events: what was in quarantine between them, and where they were."""
    _drop_quarantined(connection, stream, cutoff, stream.trimmed)
    connection.execute("DELETE FROM session_events WHERE stream = ? AND seq <= ?", (stream.id, stream.trimmed))


def _drop_quarantined(connection: sqlite3.Connection, stream: _Stream, cutoff: float, last: int) -> int:
    """Lines that are no events, up to a seq; where no events are left, they are a stream's beginning themselves."""
    rows = connection.execute(
        "SELECT id, seq, received FROM quarantine WHERE stream = ? AND seq <= ? AND received < ? ORDER BY seq LIMIT ?",
        (stream.id, last, cutoff, _ROWS_AT_ONCE),
    ).fetchall()
    going = [row for row in rows if not any(hold.covers("", row[2]) for hold in stream.held)]
    connection.executemany("DELETE FROM quarantine WHERE id = ?", [(row[0],) for row in going])
    if going and going[-1][1] > stream.trimmed:
        stream.trimmed, stream.hash = going[-1][1], None
    return len(going)


def _declare(connection: sqlite3.Connection, stream: _Stream, first: int, now: float) -> None:
    # What is missing before the new beginning is not waited for any more, or its sender would never be acknowledged.
    connection.execute(
        """UPDATE streams SET trimmed = :trimmed, trimmed_hash = :hash,
               contiguous_hash = CASE WHEN contiguous < :trimmed THEN :hash ELSE contiguous_hash END,
               contiguous = max(contiguous, :trimmed) WHERE id = :id""",
        {"trimmed": stream.trimmed, "hash": stream.hash, "id": stream.id},
    )
    latest = connection.execute(
        "SELECT id FROM disposals WHERE stream = ? AND last_seq = ? AND time > ? ORDER BY id DESC LIMIT 1",
        (stream.name, first - 1, now - _DAY),
    ).fetchone()
    if latest is not None:
        connection.execute(
            "UPDATE disposals SET time = ?, last_seq = ?, last_hash = ? WHERE id = ?",
            (now, stream.trimmed, stream.hash or "", latest[0]),
        )
        return
    connection.execute(
        "INSERT INTO disposals (time, stream, first_seq, last_seq, last_hash) VALUES (?, ?, ?, ?, ?)",
        (now, stream.name, first, stream.trimmed, stream.hash or ""),
    )


def oldest(connection: sqlite3.Connection) -> float | None:
    """When the first of what is stored arrived; None if nothing is."""
    moment = connection.execute(
        """SELECT min(moment) FROM (SELECT min(earliest) AS moment FROM blocks
           UNION ALL SELECT * FROM (SELECT received FROM events ORDER BY id LIMIT 1))"""
    ).fetchone()[0]
    return None if moment is None else float(moment)


def shrink(connection: sqlite3.Connection) -> bool:
    """Give some empty pages back to the disk, where many are; whether there is more to give.

    A file of before this was possible keeps them, and fills them again.
    """
    pages, empty, mode = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "auto_vacuum")
    )
    if mode != _INCREMENTAL or empty <= pages * _EMPTY_SHARE:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return True
