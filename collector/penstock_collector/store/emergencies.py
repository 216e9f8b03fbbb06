"""Emergencies that the trail tells of: those of a cluster, whose requests its API server keeps.

One alarm for each request: when a gate says that it has heard of the emergency, or else when the first statement by it
is taken in. An emergency that this collector holds has an alarm of its own, until it is reviewed (`access.py`). What
doesn't belong: raising alarms (`alarms.py`), telling webhooks (`penstock_collector.approvals`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.lines import Sealed
from penstock_core.audit.event import BEGINS


@dataclass(frozen=True, slots=True)
class ToldEmergency:
    """What a gate's trail says of an emergency."""

    # Whose stream says so: the gate's name, or its pod's uid.
    owner: str
    request: str
    policy: str
    who: str
    database: str
    # Until when it lasts; "" if that was not told.
    until: str

    @property
    def detail(self) -> str:
        """As the alarm has it."""
        return f"{self.who} broke the glass: policy {self.policy}, request {self.request}"


def note(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed, now: float) -> list[ToldEmergency]:
    """What an event says of emergencies that are another's to review, and that nothing told of before."""
    if line.kind == "emergency":
        return _sounded(connection, stream, line, [line.event], now)
    if line.kind not in BEGINS or not line.event.get("access"):
        return []
    found = []
    for one in _broken(line.event["access"]):
        # Of a statement after the first, an alarm was raised already, and may have been looked at since.
        before = connection.execute(
            "SELECT 1 FROM statements WHERE request = ? AND id < ? LIMIT 1", (str(one.get("request", "")), id_)
        )
        if before.fetchone() is None:
            found.append(one)
    return _sounded(connection, stream, line, found, now)


def _sounded(
    connection: sqlite3.Connection, stream: int, line: Sealed, found: list[dict[str, Any]], now: float
) -> list[ToldEmergency]:
    told = []
    for one in found:
        emergency = _read(connection, stream, line, one)
        if not emergency.request or _known(connection, emergency):
            continue
        alarms.sound(connection, stream, Alarm.EMERGENCY, line.seq, emergency.detail, now)
        told.append(emergency)
    return told


def _known(connection: sqlite3.Connection, emergency: ToldEmergency) -> bool:
    """Whether it is this collector's own, or there was an alarm of it: each gate of a Database tells of it."""
    own = connection.execute("SELECT 1 FROM requests WHERE name = ?", (emergency.request,))
    if own.fetchone() is not None:
        return True
    sounded = "SELECT 1 FROM alarms WHERE kind = ? AND detail = ? LIMIT 1"
    return connection.execute(sounded, (Alarm.EMERGENCY.value, emergency.detail)).fetchone() is not None


def _read(connection: sqlite3.Connection, stream: int, line: Sealed, one: dict[str, Any]) -> ToldEmergency:
    (name,) = connection.execute("SELECT name FROM streams WHERE id = ?", (stream,)).fetchone()
    identity = line.event.get("identity")
    who = identity.get("name") if isinstance(identity, dict) else identity
    told = {
        field: value if isinstance(value := one.get(field), str) else "" for field in ("request", "policy", "until")
    }
    return ToldEmergency(
        owner=str(name).partition("/")[0], who=str(who or "nobody"), database=line.text("database"), **told
    )


def _broken(access: Any) -> list[dict[str, Any]]:
    found = access if isinstance(access, list) else []
    return [one for one in found if isinstance(one, dict) and one.get("breakGlass") is True]
