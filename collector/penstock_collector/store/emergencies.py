"""Emergencies that the trail tells of: those of a cluster, whose requests its API server keeps.

One alarm for each request, when its first statement is taken in. An emergency that this collector holds has an alarm of
its own, until it is reviewed (`access.py`). What doesn't belong: raising alarms (`alarms.py`).
"""

from __future__ import annotations

import sqlite3
from typing import Any

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.lines import Sealed


def note(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed, now: float) -> None:
    """A statement ran while access lasted: whether it is the first of an emergency that is another's to review."""
    for one in _broken(line.event.get("access")):
        request = str(one.get("request", ""))
        held = connection.execute("SELECT 1 FROM requests WHERE name = ?", (request,)).fetchone()
        before = connection.execute("SELECT 1 FROM statements WHERE request = ? AND id < ? LIMIT 1", (request, id_))
        if held is None and before.fetchone() is None:
            identity = line.event.get("identity")
            who = identity.get("name") if isinstance(identity, dict) else identity
            detail = f"{who} broke the glass: policy {one.get('policy')}, request {request}"
            alarms.sound(connection, stream, Alarm.EMERGENCY, line.seq, detail, now)


def _broken(access: Any) -> list[dict[str, Any]]:
    found = access if isinstance(access, list) else []
    return [one for one in found if isinstance(one, dict) and one.get("breakGlass") is True]
