"""Legal holds: what they cover is not dropped while they stand. They stay on record when they are released.

What doesn't belong: dropping (`retention.py`), who may set one (`penstock_collector.web.holds`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

# Beyond it, holds would make each look at an event slow.
MOST_STANDING = 200
_SECOND = len("2026-11-25T09:00:00")
_COLUMNS = "id, stream, database, since, until, reason, set_at, set_by, released_at, coalesce(released_by, '')"


class NoHold(ValueError):
    """Such a hold is not set; the message says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. Of stream, database, since and until, all that are given have to be met."""

    id: int
    stream: str
    # Of its streams: those that serve it.
    database: str
    # As events have times; since and until are within.
    since: str
    until: str
    reason: str
    set_at: float
    set_by: str
    released_at: float | None
    released_by: str

    @property
    def standing(self) -> bool:
        return self.released_at is None

    @property
    def by_time(self) -> bool:
        """Whether it is a part of a stream alone."""
        return bool(self.since or self.until)

    def of_stream(self, stream: str, databases: str) -> bool:
        """Whether it covers the stream, or some of it. `databases` as a stream tells of them, with commas between."""
        return self.stream in ("", stream) and self.database in ("", *_names(databases))

    def covers(self, time: str, received: float) -> bool:
        """Whether it covers an event of such a stream: by its own time or by that of its arrival."""
        arrival = datetime.fromtimestamp(received, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return any(self._within(moment[:_SECOND]) for moment in (time, arrival) if moment)

    def _within(self, moment: str) -> bool:
        return self.since[:_SECOND] <= moment and (not self.until or moment <= self.until[:_SECOND])

    def words(self) -> str:
        """What it covers, in words."""
        parts = [
            f"stream {self.stream}" if self.stream else "",
            f"database {self.database}" if self.database else "",
            f"from {self.since}" if self.since else "",
            f"to {self.until}" if self.until else "",
        ]
        return ", ".join(part for part in parts if part)


def _names(databases: str) -> set[str]:
    return {name.strip() for name in databases.split(",")}


def place(
    connection: sqlite3.Connection,
    *,
    stream: str,
    database: str,
    since: str,
    until: str,
    reason: str,
    by: str,
    now: float,
) -> Hold:
    """Set one. Raises NoHold: one with a name that is mistyped would hold nothing, and nobody would know."""
    if len(standing(connection)) >= MOST_STANDING:
        raise NoHold(f"{MOST_STANDING} holds stand; release one that is over")
    streams = connection.execute("SELECT name, database FROM streams").fetchall()
    if stream and stream not in (name for name, _ in streams):
        raise NoHold("no such stream is known; name it as the page Streams does")
    if database and not any(database in _names(served) for _, served in streams):
        raise NoHold("no stream of such a database is known; name it as the page Streams does")
    cursor = connection.execute(
        """INSERT INTO holds (stream, database, since, until, reason, set_at, set_by) VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (stream, database, since, until, reason, now, by),
    )
    return Hold(int(cursor.lastrowid or 0), stream, database, since, until, reason, now, by, None, "")


def release(connection: sqlite3.Connection, hold: int, by: str, now: float) -> Hold | None:
    """It covers nothing any more; None if no such hold stands."""
    found = next((one for one in standing(connection) if one.id == hold), None)
    if found is not None:
        connection.execute("UPDATE holds SET released_at = ?, released_by = ? WHERE id = ?", (now, by, hold))
    return found


def standing(connection: sqlite3.Connection) -> list[Hold]:
    """Those that stand, in the order in which they were set."""
    return _read(connection.execute(f"SELECT {_COLUMNS} FROM holds WHERE released_at IS NULL ORDER BY id"))  # noqa: S608 # of a literal


def listed(connection: sqlite3.Connection, limit: int) -> list[Hold]:
    """All that ever were, those that stand first, the latest of each first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM holds ORDER BY released_at IS NOT NULL, id DESC LIMIT ?",  # noqa: S608 # of a literal
        (limit,),
    )
    return _read(rows)


def page(connection: sqlite3.Connection, limit: int, before: int | None = None) -> list[Hold]:
    """All that ever were, latest first; those before an id."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM holds WHERE :before IS NULL OR id < :before ORDER BY id DESC LIMIT :limit",  # noqa: S608 # of a literal
        {"before": before, "limit": limit},
    )
    return _read(rows)


def _read(rows: Iterable[sqlite3.Row]) -> list[Hold]:
    return [Hold(*row) for row in rows]
