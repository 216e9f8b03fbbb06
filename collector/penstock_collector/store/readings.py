"""The stream of readings: who searched, opened, exported, followed, signed in, decided. Sealed like a gate's stream.

What doesn't belong: when one is recorded (`penstock_collector.readings`, `web/security.py`), who may see them.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import Event

_DELETED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class ReadingRecord:
    """A reading as it is shown."""

    seq: int
    time: str
    who: str
    action: str
    document: str

    @property
    def event(self) -> Event:
        """All that is on record."""
        found: Event = json.loads(self.document)
        return found


def append(connection: sqlite3.Connection, bodies: Sequence[Event], now: float) -> None:
    """Seal these behind what is there, within the transaction that is open. Raises ChainError."""
    head = head_of(connection)
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if head.seq == 0:
        bodies = [{"kind": "open"}, *bodies]
    for body in bodies:
        event, head = head.seal(body, time)
        connection.execute(
            "INSERT INTO readings (seq, hash, received, who, action, document) VALUES (?, ?, ?, ?, ?, ?)",
            (
                head.seq, head.hash, now, _who(body), str(body.get("action", "")), canonical(event).decode(),
            ),
        )  # fmt: skip
    connection.execute("UPDATE readings_head SET seq = ?, hash = ?", (head.seq, head.hash))


def _who(body: Event) -> str:
    by: Any = body.get("by")
    return str(by.get("name", "")) if isinstance(by, dict) else ""


def head_of(connection: sqlite3.Connection) -> Head:
    """Where the stream stands."""
    stream, seq, hash_ = connection.execute("SELECT stream, seq, hash FROM readings_head").fetchone()
    return Head(stream, seq, hash_)


def listed(
    connection: sqlite3.Connection, who: str = "", action: str = "", before: int | None = None, limit: int = 100
) -> list[ReadingRecord]:
    """Readings of somebody, or of one kind, older than `before`, latest first."""
    rows = connection.execute(
        """SELECT seq, document, who, action FROM readings
           WHERE action <> '' AND (:who = '' OR who = :who) AND (:action = '' OR action = :action)
             AND (:before IS NULL OR seq < :before) ORDER BY seq DESC LIMIT :limit""",
        {"who": who, "action": action, "before": before, "limit": limit},
    )
    return [ReadingRecord(row[0], str(json.loads(row[1]).get("time", "")), row[2], row[3], row[1]) for row in rows]


def dispose(connection: sqlite3.Connection, cutoff: float, now: float) -> int:
    """Delete some of those recorded before `cutoff`, from the beginning; how many. Call again after some."""
    rows = connection.execute(
        "SELECT seq, hash, received FROM readings ORDER BY seq LIMIT ?", (_DELETED_AT_ONCE,)
    ).fetchall()
    going = list(itertools.takewhile(lambda row: row[2] < cutoff, rows))
    if not going:
        return 0
    trimmed = connection.execute("SELECT trimmed FROM readings_head").fetchone()[0]
    last_seq, last_hash, _ = going[-1]
    connection.execute("DELETE FROM readings WHERE seq <= ?", (last_seq,))
    connection.execute("UPDATE readings_head SET trimmed = ?", (last_seq,))
    connection.execute(
        "INSERT INTO disposals (time, stream, first_seq, last_seq, last_hash) VALUES (?, ?, ?, ?, ?)",
        (now, head_of(connection).stream, trimmed + 1, last_seq, last_hash),
    )
    return len(going)
