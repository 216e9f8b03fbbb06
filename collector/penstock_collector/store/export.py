"""Reading the record for an export: of each stream what is known of it, its events, and what was quarantined.

What doesn't belong: what the lines look like (`penstock_core.audit.export`), sending them (`web/exporting.py`).
"""

from __future__ import annotations

import sqlite3
from typing import Any, TypeAlias

from penstock_collector.store import blocks
from penstock_core.audit.event import OWN
from penstock_core.audit.export import QuarantinedLine, StreamLine

# Where a line is in an export: stream, seq, and a number that tells those of one seq apart.
Place: TypeAlias = tuple[str, int, int]
BEGINNING: Place = ("", 0, 0)
_QUARANTINED = 1 << 62
# Events are at 1 at the earliest.
_OF_STREAM = 0


def portion(connection: sqlite3.Connection, stream: str, after: Place, limit: int = 1000) -> list[tuple[Place, bytes]]:
    """Lines in the order of an export, behind a place: the place and the bytes of each.

    `stream` limits it to one; "" is all. What is in quarantine is wrapped, so that it can't pass for an event of the
    stream that it names.
    """
    name, seq, id_ = after
    values = {"stream": stream, "name": name, "seq": seq, "id": id_, "limit": limit, "quarantined": _QUARANTINED}
    parts = (_streams, _events, _packed, _quarantined)
    found = [line for part in parts for line in part(connection, values)]
    return sorted(found)[:limit]


def _streams(connection: sqlite3.Connection, values: dict[str, Any]) -> list[tuple[Place, bytes]]:
    rows = connection.execute(
        """SELECT name, sender, contiguous, contiguous_hash, trimmed FROM streams
           WHERE (:stream = '' OR name = :stream) AND name > :name ORDER BY name LIMIT :limit""",
        values,
    )
    return [((row[0], _OF_STREAM, 0), StreamLine(*row).line()) for row in rows]


def _events(connection: sqlite3.Connection, values: dict[str, Any]) -> list[tuple[Place, bytes]]:
    rows = connection.execute(
        """SELECT t.name, e.seq, e.id, e.document FROM streams t CROSS JOIN events e ON e.stream = t.id
           WHERE (:stream = '' OR t.name = :stream)
             AND t.name >= :name AND (t.name > :name OR (e.seq, e.id) > (:seq, :id))
           ORDER BY t.name, e.seq, e.id LIMIT :limit""",
        values,
    )
    return [((row[0], int(row[1]), int(row[2])), str(row[3]).encode()) for row in rows]


def _packed(connection: sqlite3.Connection, values: dict[str, Any]) -> list[tuple[Place, bytes]]:
    """Events that are in blocks: of as many blocks as give `limit` lines."""
    rows = connection.execute(
        """SELECT t.name, b.lines FROM streams t CROSS JOIN blocks b ON b.stream = t.id
           WHERE (:stream = '' OR t.name = :stream)
             AND t.name >= :name AND (t.name > :name OR b.last_seq >= :seq)
           ORDER BY t.name, b.first_seq""",
        values,
    )
    after = (values["name"], values["seq"], values["id"])
    found: list[tuple[Place, bytes]] = []
    for name, lines in rows:
        placed = (((name, one.seq, one.id), one.document.encode()) for one in blocks.read(lines))
        found += [line for line in placed if line[0] > after]
        if len(found) >= values["limit"]:
            break
    return found


def _quarantined(connection: sqlite3.Connection, values: dict[str, Any]) -> list[tuple[Place, bytes]]:
    rows = connection.execute(
        """SELECT t.name, q.seq, q.id, t.sender, q.reason, q.received, q.sha256, q.length, q.raw
           FROM streams t CROSS JOIN quarantine q ON q.stream = t.id
           WHERE (:stream = '' OR t.name = :stream)
             AND t.name >= :name AND (t.name > :name OR (q.seq, q.id + :quarantined) > (:seq, :id))
           ORDER BY t.name, q.seq, q.id LIMIT :limit""",
        values,
    )
    return [
        (
            (row[0], int(row[1]), int(row[2]) + _QUARANTINED),
            QuarantinedLine(row[0], row[1], row[3], row[4], int(row[5]), row[6], row[7], bytes(row[8])).line(),
        )
        for row in rows
    ]


def own_stream(connection: sqlite3.Connection) -> StreamLine:
    """What is to be said of the collector's own stream, which tells who read what."""
    row = connection.execute("SELECT stream, seq, hash, trimmed FROM readings_head").fetchone()
    return StreamLine(row[0], OWN.rstrip(":"), int(row[1]), row[2] if row[1] else None, int(row[3]))


def own_portion(connection: sqlite3.Connection, after: int, limit: int = 1000) -> list[tuple[int, bytes]]:
    """Seq and bytes of its events behind a seq, in order."""
    rows = connection.execute("SELECT seq, document FROM readings WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [(int(row[0]), str(row[1]).encode()) for row in rows]
