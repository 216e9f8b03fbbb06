"""Whom the collector has met: each who signed in, with all their names.

What doesn't belong: which names make one person (`auth/names.py`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable


def meet(connection: sqlite3.Connection, issuer: str, subject: str, names: Iterable[str], now: float) -> None:
    """Keep all names that the provider ever gave somebody: an old one may stand in a request."""
    row = connection.execute("SELECT names FROM people WHERE issuer = ? AND subject = ?", (issuer, subject)).fetchone()
    all_ = sorted({*names, *(json.loads(row[0]) if row else ())})
    connection.execute(
        """INSERT INTO people (issuer, subject, names, latest) VALUES (?, ?, ?, ?)
           ON CONFLICT (issuer, subject) DO UPDATE SET names = excluded.names, latest = excluded.latest""",
        (issuer, subject, json.dumps(all_), now),
    )


def met(connection: sqlite3.Connection) -> list[frozenset[str]]:
    """The names of each."""
    return [frozenset(json.loads(row[0])) for row in connection.execute("SELECT names FROM people")]
