"""Forms: what statements that are alike have in common, kept once; and their sessions.

What doesn't belong: what a statement has of its own (`projection.py`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass

# The row of a session by its name and its stream; none if it has no statements.
SESSION = "(SELECT id FROM sessions WHERE name = ? AND stream = ?)"


@dataclass(frozen=True, slots=True)
class Form:
    """All texts are "" where there is nothing to tell."""

    identity: str
    database: str
    decision: str
    observed: str
    # Each name between line feeds.
    verbs: str
    relations: str
    masked: str
    policy: str
    rule: str
    reason: str
    sql: str

    @property
    def digest(self) -> bytes:
        told = b"\x00".join(b"%d:%b" % (len(text), text) for text in (one.encode() for one in astuple(self)))
        return hashlib.sha256(told).digest()


def number(connection: sqlite3.Connection, form: Form) -> int:
    """The form's row; makes it if there is none."""
    digest = form.digest
    row = connection.execute("SELECT id FROM forms WHERE digest = ?", (digest,)).fetchone()
    if row is not None:
        return int(row[0])
    made = connection.execute(
        """INSERT INTO forms (digest, identity, database, decision, observed, verbs, relations, masked, policy, rule,
               reason, sql) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (digest, *astuple(form)),
    )
    return int(made.lastrowid or 0)


def of(connection: sqlite3.Connection, number_: int) -> Form:
    """The form of a row."""
    row = connection.execute(
        """SELECT identity, database, decision, observed, verbs, relations, masked, policy, rule, reason, sql
           FROM forms WHERE id = ?""",
        (number_,),
    ).fetchone()
    return Form(*row)


def session(connection: sqlite3.Connection, stream: int, name: str) -> int:
    """The row of a session that has statements; makes it if there is none."""
    key = (name, stream)
    row = connection.execute("SELECT id FROM sessions WHERE name = ? AND stream = ?", key).fetchone()
    if row is not None:
        return int(row[0])
    return int(connection.execute("INSERT INTO sessions (name, stream) VALUES (?, ?)", key).lastrowid or 0)


def let_go(connection: sqlite3.Connection, forms: Iterable[int], sessions: Iterable[int]) -> None:
    """Of these, drop what has no statements any more."""
    connection.executemany(
        "DELETE FROM forms WHERE id = ? AND NOT EXISTS (SELECT 1 FROM statements WHERE form = ?)",
        [(one, one) for one in forms],
    )
    connection.executemany(
        "DELETE FROM sessions WHERE id = ? AND NOT EXISTS (SELECT 1 FROM statements WHERE session_id = ?)",
        [(one, one) for one in sessions],
    )


def key(statement: str) -> int | str:
    """A statement's number within its session as the store has it: gates count, but anybody may send texts."""
    return int(statement) if statement.isascii() and statement.isdecimal() and _is_plain(statement) else statement


def _is_plain(digits: str) -> bool:
    return len(digits) < 16 and (digits[0] != "0" or digits == "0")
