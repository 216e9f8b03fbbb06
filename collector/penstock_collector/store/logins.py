"""Logins, as people look for them: made from the events that tell of one, completed by the end of its session.

What doesn't belong: the record itself (`intake.py`), looking for them (`penstock_collector.login_search`); everything
here can be rebuilt from the record.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from penstock_collector.store import record
from penstock_collector.store.lines import Sealed

# Gates before the kind `login` told of them by the kind `session`.
_FORMER = {"start": "accepted", "refused": "refused"}
_GATE_ENDED = "its gate ended"
_OUTCOMES = frozenset({"accepted", "refused"})


def project(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed) -> None:
    """Bring what an event tells of a login into the table. `id_` is its id in `events`."""
    outcome = _outcome(line)
    if outcome:
        _insert(connection, id_, stream, line, outcome)
        # Behind a gap, the end may have come before the beginning.
        for event in record.of_session(connection, stream, line.text("session"), "session"):
            _end(connection, stream, json.loads(event.document), id_)
    elif line.kind == "session":
        _end(connection, stream, line.event, id_)
    elif line.kind == "close":
        # A gate that was killed told of no ends; the next one closed its stream.
        connection.execute(
            """UPDATE logins SET ended = ?, end_reason = ?, changed = ? WHERE stream = ? AND outcome = 'accepted'
               AND ended IS NULL""",
            (line.text("time"), _GATE_ENDED, id_, stream),
        )


def _outcome(line: Sealed) -> str:
    """How the login that an event tells of ended; "" if it tells of none."""
    if line.kind == "login":
        outcome = line.text("outcome")
        return outcome if outcome in _OUTCOMES else ""
    return _FORMER.get(line.text("event"), "") if line.kind == "session" else ""


def _insert(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed, outcome: str) -> None:
    event = line.event
    client, asserted, identity = (_part(event, name) for name in ("client", "asserted", "identity"))
    count = event.get("count")
    connection.execute(
        """INSERT INTO logins (id, changed, stream, seq, session, time, outcome, identity, claimed, address, username,
               application, dbname, database, reason, sqlstate, policy, count)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            id_,
            id_,
            stream,
            line.seq,
            line.text("session"),
            line.text("time"),
            outcome,
            _text(identity, "name"),
            _claimed(asserted),
            _text(client, "addr") or _listed(event.get("addresses")),
            _text(client, "user"),
            _text(client, "application"),
            _text(client, "database"),
            line.text("database"),
            line.text("reason"),
            line.text("sqlstate"),
            line.text("policy"),
            count if isinstance(count, int) and not isinstance(count, bool) else 1,
        ),
    )


def _end(connection: sqlite3.Connection, stream: int, event: dict[str, Any], changed: int) -> None:
    """The first end of an accepted login's session counts."""
    if event.get("event") != "end" or not event.get("session"):
        return
    connection.execute(
        """UPDATE logins SET changed = ?, ended = ?, end_reason = ?, statements = ?, duration_us = ?
           WHERE stream = ? AND session = ? AND outcome = 'accepted' AND ended IS NULL""",
        (
            changed,
            str(event.get("time", "")),
            _text(event, "reason"),
            _whole(event.get("statements")),
            _whole(event.get("durationUs")),
            stream,
            str(event["session"]),
        ),
    )


def _claimed(asserted: dict[str, Any]) -> str:
    """What a refused token says of itself, in a few words: `bot for mallory (https://issuer.example)`."""
    subject, actor, issuer = (_text(asserted, name) for name in ("subject", "actor", "issuer"))
    who = " for ".join(name for name in (actor, subject) if name)
    return " ".join(part for part in (who, f"({issuer})" if issuer else "") if part)


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _text(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _listed(value: object) -> str:
    return ", ".join(one for one in value if isinstance(one, str)) if isinstance(value, list) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
