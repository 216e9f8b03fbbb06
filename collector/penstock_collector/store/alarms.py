"""Alarms: what is wrong with a stream or the store, raised once as long as it lasts, however often it happens.

People see them by kind, and by who sends: a flood of one kind hides no other. What doesn't belong: finding out what is
wrong (`intake.py`, `watch.py`, `room.py`), telling webhooks (`penstock_collector.alarm_notices`), showing it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

# In place of a stream: the alarm is the collector's own.
OWN = 0
# So many are acknowledged in one transaction, so that ingest does not wait long.
MOST_ACKNOWLEDGED = 10_000


class Alarm(StrEnum):
    """The kinds of alarm, the worst first."""

    # Somebody runs statements in an emergency that another holder of requests gave them.
    EMERGENCY = "emergency"
    # Two different events claim one place.
    FORK = "fork"
    # An event does not follow the one before it.
    BREAK = "break"
    # A line that is no event of its stream.
    QUARANTINE = "quarantine"
    # Statements ran that the gate could not record.
    UNRECORDED = "unrecorded"
    # The sender lost events for good.
    LOST = "lost"
    # Events were dropped before their days were over, for want of room.
    DROPPED = "dropped"
    # Signed checkpoints can't be kept, or are overdue; clears when one is kept.
    CHECKPOINT = "checkpoint"
    # The disk will soon be full, or retention drop what is not old enough; clears when there is room.
    DISK = "disk"
    # Events are missing in between; clears when they come.
    GAP = "gap"
    # Events come long after their time; clears when they come in time.
    LATE = "late"
    # Events are of a time that has not come yet; clears when the clock is right.
    CLOCK = "clock"
    # Nothing is heard of a stream that is not closed; clears when something is.
    SILENT = "silent"


# These can end by themselves; the others stand until a person has looked at them.
PASSING = frozenset({Alarm.CHECKPOINT, Alarm.DISK, Alarm.GAP, Alarm.LATE, Alarm.CLOCK, Alarm.SILENT})


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that was raised, for those who show it."""

    id: int
    # "" of the collector's own.
    stream: str
    kind: Alarm
    owner: str
    first_seq: int
    last_seq: int
    count: int
    since: float
    latest: float
    detail: str

    @property
    def passes(self) -> bool:
        return self.kind in PASSING


@dataclass(frozen=True, slots=True)
class OfOwner:
    """The alarms of a kind that stand with one sender."""

    owner: str
    # How many streams, and how often it was raised in all.
    streams: int
    count: int
    since: float
    latest: float
    # The latest of them.
    examples: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """All alarms of a kind that stand, together."""

    kind: Alarm
    streams: int
    count: int
    since: float
    latest: float
    # How many senders, and those with the most.
    senders: int
    owners: tuple[OfOwner, ...]

    @property
    def passes(self) -> bool:
        return self.kind in PASSING


def sound(
    connection: sqlite3.Connection, stream: int, kind: Alarm, seq: int, detail: str, now: float, count: int = 1
) -> None:
    """Raise an alarm, or count it once more where it stands already."""
    connection.execute(
        """INSERT INTO alarms (stream, kind, owner, first_seq, last_seq, count, since, latest, detail)
           VALUES (:stream, :kind, coalesce((SELECT CASE WHEN workload <> '' THEN workload
                       ELSE substr(name, 1, instr(name || '/', '/') - 1) END FROM streams WHERE id = :stream), ''),
                   :seq, :seq, :count, :now, :now, :detail)
           ON CONFLICT (stream, kind) WHERE cleared IS NULL DO UPDATE
           SET count = count + excluded.count, last_seq = excluded.last_seq, latest = excluded.latest,
               detail = excluded.detail""",
        {"stream": stream, "kind": kind.value, "seq": seq, "count": count, "now": now, "detail": detail},
    )


def clear(connection: sqlite3.Connection, stream: int, kind: Alarm, now: float) -> None:
    """What a passing alarm tells of is over."""
    connection.execute(
        "UPDATE alarms SET cleared = ? WHERE stream = ? AND kind = ? AND cleared IS NULL", (now, stream, kind.value)
    )


def acknowledge(
    connection: sqlite3.Connection, kind: Alarm, owner: str | None, until: float, viewer: str, comment: str, now: float
) -> int:
    """A person has looked at those of a kind that were raised until then, of one sender or (None) all; how many.

    What was raised since then stands: nobody has looked at that. At most `MOST_ACKNOWLEDGED` at once.
    """
    cursor = connection.execute(
        """UPDATE alarms SET cleared = :now, cleared_by = :viewer, comment = :comment WHERE id IN (
               SELECT id FROM alarms WHERE cleared IS NULL AND kind = :kind AND (:owner IS NULL OR owner = :owner)
               AND latest <= :until LIMIT :most)""",
        {
            "kind": kind.value, "owner": owner, "until": until, "viewer": viewer, "comment": comment, "now": now,
            "most": MOST_ACKNOWLEDGED,
        },
    )  # fmt: skip
    return cursor.rowcount


def acknowledged_since(connection: sqlite3.Connection, stream: int, kind: Alarm, then: float) -> bool:
    """Whether a person has looked at one of the stream since then."""
    found = connection.execute(
        "SELECT 1 FROM alarms WHERE stream = ? AND kind = ? AND cleared >= ? AND cleared_by IS NOT NULL",
        (stream, kind.value, then),
    )
    return found.fetchone() is not None


def acknowledged_at(connection: sqlite3.Connection, stream: int, kind: Alarm, seq: int) -> bool:
    """Whether a person has looked at the one that was raised for that seq."""
    found = connection.execute(
        "SELECT 1 FROM alarms WHERE stream = ? AND kind = ? AND last_seq = ? AND cleared_by IS NOT NULL",
        (stream, kind.value, seq),
    )
    return found.fetchone() is not None


_STANDING = """SELECT a.id, coalesce(s.name, ''), a.kind, a.owner, a.first_seq, a.last_seq, a.count, a.since, a.latest,
    a.detail FROM alarms a LEFT JOIN streams s ON s.id = a.stream WHERE a.cleared IS NULL"""


def standing(
    connection: sqlite3.Connection,
    kind: str = "",
    owner: str | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[Standing]:
    """The alarms that stand, of a kind and of a sender, latest raised first; those before an id."""
    rows = connection.execute(
        f"""{_STANDING} AND (:kind = '' OR a.kind = :kind) AND (:owner IS NULL OR a.owner = :owner)
            AND (:before IS NULL OR a.id < :before) ORDER BY a.id DESC LIMIT :limit""",
        {"kind": kind, "owner": owner, "before": before, "limit": limit},
    )
    return [Standing(row[0], row[1], Alarm(row[2]), *row[3:]) for row in rows]


def cards(connection: sqlite3.Connection, owners: int = 20, examples: int = 3) -> list[Card]:
    """What stands, a card for each kind, the worst kind first; of each the senders with the most streams."""
    rows = connection.execute(
        """SELECT kind, count(*), sum(count), min(since), max(latest), count(DISTINCT owner) FROM alarms
           WHERE cleared IS NULL GROUP BY kind"""
    ).fetchall()
    found = [
        Card(Alarm(kind), streams, count, since, latest, senders, _owners(connection, kind, owners, examples))
        for kind, streams, count, since, latest, senders in rows
    ]
    order = list(Alarm)
    return sorted(found, key=lambda card: order.index(card.kind))


def _owners(connection: sqlite3.Connection, kind: str, most: int, examples: int) -> tuple[OfOwner, ...]:
    rows = connection.execute(
        """SELECT owner, count(*), sum(count), min(since), max(latest) FROM alarms WHERE cleared IS NULL AND kind = ?
           GROUP BY owner ORDER BY count(*) DESC, owner LIMIT ?""",
        (kind, most),
    ).fetchall()
    return tuple(
        OfOwner(owner, streams, count, since, latest, tuple(standing(connection, kind, owner, limit=examples)))
        for owner, streams, count, since, latest in rows
    )


@dataclass(frozen=True, slots=True)
class Past:
    """An alarm that was raised and is over."""

    id: int
    stream: str
    kind: Alarm
    owner: str
    count: int
    since: float
    cleared: float
    # Who acknowledged it, "" if it ended by itself; and in which words.
    cleared_by: str
    comment: str
    detail: str


def past(
    connection: sqlite3.Connection, limit: int, kind: str = "", owner: str | None = None, before: int | None = None
) -> list[Past]:
    """The alarms that are over, those raised last first; those before an id."""
    rows = connection.execute(
        """SELECT a.id, coalesce(s.name, ''), a.kind, a.owner, a.count, a.since, a.cleared, coalesce(a.cleared_by, ''),
               a.comment, a.detail FROM alarms a LEFT JOIN streams s ON s.id = a.stream
           WHERE a.cleared IS NOT NULL AND (:kind = '' OR a.kind = :kind) AND (:owner IS NULL OR a.owner = :owner)
             AND (:before IS NULL OR a.id < :before) ORDER BY a.id DESC LIMIT :limit""",
        {"kind": kind, "owner": owner, "before": before, "limit": limit},
    )
    return [Past(row[0], row[1], Alarm(row[2]), *row[3:]) for row in rows]


def counts(connection: sqlite3.Connection) -> dict[Alarm, int]:
    """How many alarms of each kind stand."""
    found = dict(connection.execute("SELECT kind, count(*) FROM alarms WHERE cleared IS NULL GROUP BY kind").fetchall())
    return {kind: int(found.get(kind.value, 0)) for kind in Alarm}
