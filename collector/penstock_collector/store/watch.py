"""What the passing of time brings: streams that fall silent, and events old enough to be deleted.

What doesn't belong: what arrives (`intake.py`), when this runs (`penstock_collector.main`).
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store import alarms, unfinished
from penstock_collector.store.alarms import Alarm

# Deleted in one transaction, so that ingest does not wait long.
_DELETED_AT_ONCE = 5_000
_DAY = 86_400.0


def sound_silence(connection: sqlite3.Connection, heartbeat: float, now: float) -> int:
    """Raise an alarm for each open stream that has missed three heartbeats; how many are raised now.

    Once for each silence, so that a stream whose pod is gone for good can be looked at and dismissed.
    """
    silent = connection.execute(
        """SELECT id, last_seq, last_received FROM streams s WHERE closed = 0 AND last_received < ? AND NOT EXISTS (
               SELECT 1 FROM alarms a WHERE a.stream = s.id AND a.kind = ? AND a.since >= s.last_received)""",
        (now - 3 * heartbeat, Alarm.SILENT.value),
    ).fetchall()
    for stream, seq, last in silent:
        alarms.sound(connection, stream, Alarm.SILENT, seq, f"nothing heard for more than {3 * heartbeat:g} s", last)
        unfinished.unheard(connection, stream)
    return len(silent)


def dispose(connection: sqlite3.Connection, days: int, now: float) -> int:
    """Delete some of the events that are older than `days`, from the beginning of their streams; how many.

    Only a stream's beginning goes, so that what remains has no gap, and what went is noted in `disposals`. Call again
    as long as something was deleted.
    """
    deleted = 0
    for (stream,) in connection.execute("SELECT id FROM streams WHERE trimmed < last_seq ORDER BY id").fetchall():
        deleted += _dispose_of(connection, stream, now - days * _DAY, now, _DELETED_AT_ONCE - deleted)
        if deleted >= _DELETED_AT_ONCE:
            break
    return deleted


def _dispose_of(connection: sqlite3.Connection, stream: int, cutoff: float, now: float, most: int) -> int:
    name, trimmed = connection.execute("SELECT name, trimmed FROM streams WHERE id = ?", (stream,)).fetchone()
    # The first event that stays: the first that is not old enough.
    stays = connection.execute(
        "SELECT seq FROM events WHERE stream = ? AND received >= ? ORDER BY seq LIMIT 1", (stream, cutoff)
    ).fetchone()
    going = connection.execute(
        "SELECT seq, hash, id FROM events WHERE stream = ? AND seq < ? ORDER BY seq LIMIT ?",
        (stream, stays[0] if stays else 1 << 62, most),
    ).fetchall()
    if not going:
        return 0
    last_seq, last_hash, _ = going[-1]
    ids = [(row[2],) for row in going]
    connection.executemany("DELETE FROM statements WHERE id = ?", ids)
    connection.executemany("DELETE FROM logins WHERE id = ?", ids)
    connection.executemany("DELETE FROM cluster_requests WHERE id = ?", ids)
    connection.executemany("DELETE FROM events WHERE id = ?", ids)
    connection.execute("DELETE FROM quarantine WHERE stream = ? AND seq <= ?", (stream, last_seq))
    connection.execute("UPDATE streams SET trimmed = ?, trimmed_hash = ? WHERE id = ?", (last_seq, last_hash, stream))
    connection.execute(
        "INSERT INTO disposals (time, stream, first_seq, last_seq, last_hash) VALUES (?, ?, ?, ?, ?)",
        (now, name, trimmed + 1, last_seq, last_hash),
    )
    return len(going)
