"""Statements, as people look for them: made from intents, completed by outcomes, in whatever order those arrive; or
from events that tell both.

What doesn't belong: the record itself (`intake.py`); everything here can be rebuilt from it.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from penstock_collector.store.lines import Sealed


def project(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed) -> None:
    """Bring what an event tells into the table of statements. `id_` is its id in `events`."""
    if line.kind == "intent":
        _insert(connection, id_, stream, line)
        # Behind a gap, an outcome may have come before its intent.
        early = connection.execute(
            """SELECT id, document FROM events
               WHERE stream = ? AND session = ? AND statement = ? AND kind = 'outcome' ORDER BY id LIMIT 1""",
            (stream, line.text("session"), line.text("statement")),
        ).fetchone()
        if early is not None:
            _complete(connection, id_, id_, json.loads(early[1]))
    elif line.kind == "statement":
        _insert(connection, id_, stream, line, line.event)
    elif line.kind == "outcome":
        intent = connection.execute(
            """SELECT id FROM events WHERE stream = ? AND session = ? AND statement = ? AND kind = 'intent'
               ORDER BY id DESC LIMIT 1""",
            (stream, line.text("session"), line.text("statement")),
        ).fetchone()
        if intent is not None:
            _complete(connection, int(intent[0]), id_, line.event)


def _insert(
    connection: sqlite3.Connection, id_: int, stream: int, line: Sealed, outcome: dict[str, Any] | None = None
) -> None:
    event = line.event
    identity = event.get("identity")
    name = identity.get("name") if isinstance(identity, dict) else identity
    connection.execute(
        """INSERT INTO statements (id, changed, stream, seq, session, statement, time, identity, database, decision,
               observed, verbs, relations, masked, policy, rule, reason, sql, request, outcome_seq, result, rows, bytes,
               duration_us, sqlstate)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            id_,
            id_,
            stream,
            line.seq,
            line.text("session"),
            line.text("statement"),
            line.text("time"),
            "" if name is None else str(name),
            line.text("database"),
            line.text("decision"),
            line.text("observed"),
            joined(event.get("verbs")),
            joined(event.get("relations")),
            joined(event.get("masked")),
            line.text("policy"),
            line.text("rule"),
            line.text("reason"),
            line.text("sql"),
            _request(event),
            *((None,) * 6 if outcome is None else _ended(outcome)),
        ),
    )


def _ended(outcome: dict[str, Any]) -> tuple[object, ...]:
    """What an outcome tells, as columns."""
    return (
        outcome.get("seq"),
        str(outcome.get("result", "")),
        _whole(outcome.get("rows")),
        _whole(outcome.get("bytes")),
        _whole(outcome.get("durationUs")),
        str(outcome.get("sqlstate") or ""),
    )


def _complete(connection: sqlite3.Connection, statement: int, changed: int, outcome: dict[str, Any]) -> None:
    done = connection.execute(
        """UPDATE statements SET changed = ?, outcome_seq = ?, result = ?, rows = ?, bytes = ?, duration_us = ?,
               sqlstate = ? WHERE id = ? AND outcome_seq IS NULL""",
        (changed, *_ended(outcome), statement),
    )
    if done.rowcount and (request := _request(outcome)):
        connection.execute("UPDATE statements SET request = ? WHERE id = ?", (request, statement))
    if done.rowcount and outcome.get("rule"):
        _name_rule(connection, statement, outcome)


def _name_rule(connection: sqlite3.Connection, statement: int, outcome: dict[str, Any]) -> None:
    """A limit that the statement went beyond while it ran, which its intent could not name."""
    columns = "sql, relations, identity, policy, rule, reason"
    connection.execute(
        f"INSERT INTO statements_text (statements_text, rowid, {columns})"  # noqa: S608 - names of columns
        f" SELECT 'delete', id, {columns} FROM statements WHERE id = ?",
        (statement,),
    )
    told = [str(outcome.get(name) or "") for name in ("policy", "rule", "reason")]
    connection.execute("UPDATE statements SET policy = ?, rule = ?, reason = ? WHERE id = ?", (*told, statement))
    connection.execute(
        f"INSERT INTO statements_text (rowid, {columns}) SELECT id, {columns} FROM statements WHERE id = ?",  # noqa: S608
        (statement,),
    )


def _request(event: dict[str, Any]) -> str:
    """The request that the event names in its `approvals`, or by which its `access` lasts, "" if it names none."""
    found = [one for field in ("approvals", "access") if isinstance(event.get(field), list) for one in event[field]]
    named = [one.get("request") for one in found if isinstance(one, dict)]
    return next((name for name in named if isinstance(name, str)), "")


def joined(value: object) -> str:
    """A list of names as one column, each between line feeds (no name has one: the event is what counts)."""
    if not isinstance(value, list) or not value:
        return ""
    return "\n" + "\n".join(str(part).replace("\n", " ") for part in value) + "\n"


def split(column: str) -> tuple[str, ...]:
    """The names that `joined` put together."""
    return tuple(column.strip("\n").split("\n")) if column else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
