"""Statements that never told how they ended: unknown, and why, once their session or gate is over or not heard of.

An outcome that comes all the same counts. What doesn't belong: statements that did tell (`projection.py`).
"""

from __future__ import annotations

import sqlite3

from penstock_collector.store.forms import SESSION
from penstock_collector.store.lines import Sealed

_GATE_ENDED = "its gate ended"
_UNHEARD = "nothing is heard of its gate"
_LONGEST = 200


def note(connection: sqlite3.Connection, id_: int, stream: int, line: Sealed) -> None:
    """What an event tells of statements that run. `id_` is its id in `events`."""
    if line.kind == "session" and line.text("event") == "end" and line.text("session"):
        _give_up(connection, stream, line.text("session"), _ended(line.text("reason")), id_)
    elif line.kind == "close":
        connection.execute(
            """UPDATE statements SET result = 'unknown', unknown = ?, changed = ?
               WHERE stream = ? AND outcome_seq IS NULL AND result IS NULL""",
            (_GATE_ENDED, id_, stream),
        )
    elif line.kind == "intent":
        # Behind a gap, the end may have come before it.
        ended = connection.execute(
            "SELECT end_reason FROM logins WHERE stream = ? AND session = ? AND ended IS NOT NULL",
            (stream, line.text("session")),
        ).fetchone()
        closed = connection.execute("SELECT closed FROM streams WHERE id = ?", (stream,)).fetchone()[0]
        if ended is not None or closed:
            why = _ended(ended[0] or "") if ended is not None else _GATE_ENDED
            _give_up(connection, stream, line.text("session"), why, id_)


def _ended(reason: str) -> str:
    return f"its session ended{f': {reason[:_LONGEST]}' if reason and reason != _GATE_ENDED else ''}"


def _give_up(connection: sqlite3.Connection, stream: int, session: str, why: str, id_: int) -> None:
    connection.execute(
        f"""UPDATE statements SET result = 'unknown', unknown = ?, changed = ?
            WHERE stream = ? AND session_id = {SESSION} AND outcome_seq IS NULL AND result IS NULL""",  # noqa: S608 # a literal
        (why, id_, stream, session, stream),
    )


def unheard(connection: sqlite3.Connection, stream: int) -> None:
    """Nothing is heard of a stream, perhaps for ever."""
    connection.execute(
        """UPDATE statements SET result = 'unknown', unknown = ?
           WHERE stream = ? AND outcome_seq IS NULL AND result IS NULL""",
        (_UNHEARD, stream),
    )


def heard(connection: sqlite3.Connection, stream: int) -> None:
    """It is heard of again: what ran may run still."""
    connection.execute(
        f"""UPDATE statements SET result = NULL, unknown = ''
            WHERE stream = ? AND unknown = '{_UNHEARD}' AND outcome_seq IS NULL""",  # noqa: S608 # as the index has it
        (stream,),
    )
