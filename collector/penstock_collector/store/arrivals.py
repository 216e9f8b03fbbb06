"""When events arrived, by their numbers: a batch arrives at one moment, so that one row tells of all its events.

What doesn't belong: the order of arrival, which the numbers themselves are.
"""

from __future__ import annotations

import sqlite3

# Of a row `r`, whose id is that of its event.
RECEIVED = "(SELECT a.received FROM arrivals a WHERE a.id <= r.id ORDER BY a.id DESC LIMIT 1)"


def begin(connection: sqlite3.Connection, now: float) -> None:
    """What is stored from here on arrives now."""
    connection.execute(
        """INSERT OR REPLACE INTO arrivals (id, received)
           VALUES (1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), ?)""",
        (now,),
    )


def drop_before_all(connection: sqlite3.Connection) -> None:
    """Forget what tells of nothing that is there."""
    connection.execute(
        """DELETE FROM arrivals WHERE id < (SELECT max(id) FROM arrivals WHERE id <= (
               SELECT min(id) FROM (SELECT min(id) AS id FROM statements UNION ALL SELECT min(id) FROM logins)))"""
    )
