"""Alarms: what is wrong with a stream, raised once as long as it lasts, however often it happens.

What doesn't belong: finding out what is wrong (`intake.py`, `watch.py`), showing it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum


class Alarm(StrEnum):
    """The kinds of alarm."""

    # Events are missing in between; clears when they come.
    GAP = "gap"
    # The sender lost events for good.
    LOST = "lost"
    # Two different events claim one place.
    FORK = "fork"
    # An event does not follow the one before it.
    BREAK = "break"
    # A line that is no event of its stream.
    QUARANTINE = "quarantine"
    # Nothing is heard of a stream that is not closed; clears when something is.
    SILENT = "silent"
    # Somebody runs statements in an emergency that another holder of requests gave them.
    EMERGENCY = "emergency"


# These can end by themselves; the others stand until a person has looked at them.
PASSING = frozenset({Alarm.GAP, Alarm.SILENT})


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that was raised, for those who show it."""

    id: int
    stream: str
    kind: Alarm
    first_seq: int
    last_seq: int
    count: int
    since: float
    latest: float
    detail: str

    @property
    def passes(self) -> bool:
        return self.kind in PASSING


def sound(connection: sqlite3.Connection, stream: int, kind: Alarm, seq: int, detail: str, now: float) -> None:
    """Raise an alarm, or count it once more where it stands already."""
    connection.execute(
        """INSERT INTO alarms (stream, kind, first_seq, last_seq, since, latest, detail) VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (stream, kind) WHERE cleared IS NULL DO UPDATE
           SET count = count + 1, last_seq = excluded.last_seq, latest = excluded.latest, detail = excluded.detail""",
        (stream, kind.value, seq, seq, now, now, detail),
    )


def clear(connection: sqlite3.Connection, stream: int, kind: Alarm, now: float) -> None:
    """What a passing alarm tells of is over."""
    connection.execute(
        "UPDATE alarms SET cleared = ? WHERE stream = ? AND kind = ? AND cleared IS NULL", (now, stream, kind.value)
    )


def dismiss(connection: sqlite3.Connection, alarm: int, viewer: str, now: float) -> bool:
    """A person has looked at it. False if no such alarm stands."""
    cursor = connection.execute(
        "UPDATE alarms SET cleared = ?, cleared_by = ? WHERE id = ? AND cleared IS NULL", (now, viewer, alarm)
    )
    return cursor.rowcount == 1


def standing(connection: sqlite3.Connection, limit: int = 200) -> list[Standing]:
    """The alarms that stand, latest first."""
    rows = connection.execute(
        """SELECT a.id, s.name, a.kind, a.first_seq, a.last_seq, a.count, a.since, a.latest, a.detail
           FROM alarms a JOIN streams s ON s.id = a.stream WHERE a.cleared IS NULL ORDER BY a.latest DESC LIMIT ?""",
        (limit,),
    )
    return [Standing(row[0], row[1], Alarm(row[2]), *row[3:]) for row in rows]


@dataclass(frozen=True, slots=True)
class Past:
    """An alarm that was raised and is over."""

    stream: str
    kind: Alarm
    count: int
    since: float
    cleared: float
    # Who acknowledged it, "" if it ended by itself.
    cleared_by: str
    detail: str


def past(connection: sqlite3.Connection, limit: int) -> list[Past]:
    """The alarms that are over, those that ended last first."""
    rows = connection.execute(
        """SELECT s.name, a.kind, a.count, a.since, a.cleared, coalesce(a.cleared_by, ''), a.detail
           FROM alarms a JOIN streams s ON s.id = a.stream WHERE a.cleared IS NOT NULL
           ORDER BY a.cleared DESC, a.id DESC LIMIT ?""",
        (limit,),
    )
    return [Past(row[0], Alarm(row[1]), *row[2:]) for row in rows]


def counts(connection: sqlite3.Connection) -> dict[Alarm, int]:
    """How many alarms of each kind stand."""
    found = dict(connection.execute("SELECT kind, count(*) FROM alarms WHERE cleared IS NULL GROUP BY kind").fetchall())
    return {kind: int(found.get(kind.value, 0)) for kind in Alarm}
