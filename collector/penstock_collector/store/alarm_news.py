"""What of the alarms webhooks were not told yet; noted as told in the transaction that keeps the notices.

What doesn't belong: raising and acknowledging (`alarms.py`), wording (`penstock_collector.approvals.alarm_notices`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from penstock_collector.store.alarms import PASSING, Alarm

_NAMED = 5
_STANDS, _ENDED, _ACKNOWLEDGED = (
    "cleared IS NULL",
    "cleared IS NOT NULL AND cleared_by IS NULL",
    "cleared_by IS NOT NULL",
)


@dataclass(frozen=True, slots=True)
class News:
    """Alarms of a kind of which one thing is to be told."""

    streams: int
    since: float
    # The senders with the most of them, of how many.
    senders: tuple[str, ...]
    all_senders: int
    # Who acknowledged them.
    by: str = ""


def kinds(connection: sqlite3.Connection) -> list[Alarm]:
    """The kinds of which something may be new."""
    # Those that were over before anybody could be told of them are nothing to tell.
    connection.executemany(
        f"UPDATE alarms SET told = 2 WHERE told = 0 AND {_ENDED} AND kind = ?",  # noqa: S608 # of a literal
        [(kind.value,) for kind in PASSING],
    )
    return [Alarm(row[0]) for row in connection.execute("SELECT DISTINCT kind FROM alarms WHERE told < 2")]


def raised(connection: sqlite3.Connection, kind: Alarm) -> list[News]:
    """Those that stand, and nobody was told of."""
    return _take(connection, f"told = 0 AND {_STANDS}", kind, 1)


def over(connection: sqlite3.Connection, kind: Alarm) -> list[News]:
    """Those that have ended by themselves since somebody was told of them."""
    return _take(connection, f"told = 1 AND {_ENDED}", kind, 2)


def acknowledged(connection: sqlite3.Connection, kind: Alarm) -> list[News]:
    """Those that somebody has looked at; of each person by themselves."""
    where = f"told < 2 AND {_ACKNOWLEDGED}"
    rows = connection.execute(f"SELECT DISTINCT cleared_by FROM alarms WHERE {where} AND kind = ?", (kind.value,))  # noqa: S608 # of literals
    found = []
    for (who,) in rows.fetchall():
        found += _take(connection, f"{where} AND cleared_by = :who", kind, 2, who)
    return found


def _take(connection: sqlite3.Connection, where: str, kind: Alarm, told: int, who: str = "") -> list[News]:
    values = {"kind": kind.value, "told": told, "who": who, "named": _NAMED}
    streams, since, senders = connection.execute(
        f"SELECT count(*), min(since), count(DISTINCT owner) FROM alarms WHERE {where} AND kind = :kind",  # noqa: S608 # of literals
        values,
    ).fetchone()
    if not streams:
        return []
    named = connection.execute(
        f"""SELECT owner FROM alarms WHERE {where} AND kind = :kind
            GROUP BY owner ORDER BY count(*) DESC, owner LIMIT :named""",  # noqa: S608 # as above
        values,
    ).fetchall()
    connection.execute(f"UPDATE alarms SET told = :told WHERE {where} AND kind = :kind", values)  # noqa: S608 # as above
    return [News(streams, since, tuple(row[0] for row in named), senders, who)]
