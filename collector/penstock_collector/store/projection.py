"""Statements, as people look for them: made from intents, completed by outcomes, in whatever order those arrive; or
from events that tell both.

What doesn't belong: the record itself (`intake.py`); everything here can be rebuilt from it.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from penstock_collector.store import forms, moments, record
from penstock_collector.store.forms import SESSION, Form
from penstock_collector.store.lines import Sealed


def project(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed) -> None:
    """Bring what an event tells into the table of statements. `id_` is its id in `events`."""
    if line.kind == "intent":
        _insert(connection, id_, stream, line)
        # Behind a gap, an outcome may have come before its intent.
        session, statement = line.text("session"), line.text("statement")
        for early in record.of_session(connection, stream, session, "outcome", statement=statement):
            _complete(connection, id_, id_, json.loads(early.document))
    elif line.kind == "statement":
        _insert(connection, id_, stream, line, line.event)
    elif line.kind == "outcome":
        intent = connection.execute(
            f"""SELECT id FROM statements WHERE stream = ? AND session_id = {SESSION} AND statement = ?
                AND outcome_seq IS NULL ORDER BY id DESC LIMIT 1""",  # noqa: S608 # a literal
            (stream, line.text("session"), stream, forms.key(line.text("statement"))),
        ).fetchone()
        if intent is not None:
            _complete(connection, int(intent[0]), id_, line.event)
        else:
            record.remember(connection, stream, line.text("session"), line.text("statement"), line.kind, line.seq)


def _insert(
    connection: sqlite3.Connection, id_: int, stream: int, line: Sealed, outcome: dict[str, Any] | None = None
) -> None:
    event = line.event
    identity = event.get("identity")
    name = identity.get("name") if isinstance(identity, dict) else identity
    form = Form(
        identity="" if name is None else str(name),
        database=line.text("database"),
        decision=line.text("decision"),
        observed=line.text("observed"),
        verbs=joined(event.get("verbs")),
        relations=joined(event.get("relations")),
        masked=joined(event.get("masked")),
        policy=line.text("policy"),
        rule=line.text("rule"),
        reason=line.text("reason"),
        sql=line.text("sql"),
    )
    connection.execute(
        """INSERT INTO statements (id, changed, stream, seq, session_id, statement, time, form, request, outcome_seq,
               result, rows, bytes, duration_us, sqlstate)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            id_,
            id_,
            stream,
            line.seq,
            forms.session(connection, stream, line.text("session")),
            forms.key(line.text("statement")),
            moments.counted(line.text("time")),
            forms.number(connection, form),
            _requests(event),
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
    if done.rowcount and (request := _requests(outcome)):
        connection.execute("UPDATE statements SET request = ? WHERE id = ?", (request, statement))
    if done.rowcount and outcome.get("rule"):
        _name_rule(connection, statement, outcome)


def _name_rule(connection: sqlite3.Connection, statement: int, outcome: dict[str, Any]) -> None:
    """A limit that the statement went beyond while it ran, which its intent could not name."""
    former = connection.execute("SELECT form FROM statements WHERE id = ?", (statement,)).fetchone()[0]
    policy, rule, reason = (str(outcome.get(name) or "") for name in ("policy", "rule", "reason"))
    form = forms.of(connection, former)._replace(policy=policy, rule=rule, reason=reason)
    connection.execute("UPDATE statements SET form = ? WHERE id = ?", (forms.number(connection, form), statement))
    forms.let_go(connection, [former], [])


def _requests(event: dict[str, Any]) -> str:
    """The requests that the event names in its `approvals`, or by which its `access` lasts, as one column: each
    between line feeds where there are several, so that one alone is found by its index.
    """
    found = [one for field in ("approvals", "access") if isinstance(event.get(field), list) for one in event[field]]
    named = [one.get("request") for one in found if isinstance(one, dict)]
    names = list(dict.fromkeys(name for name in named if isinstance(name, str) and name))
    return joined(names) if len(names) > 1 else "".join(names)


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
