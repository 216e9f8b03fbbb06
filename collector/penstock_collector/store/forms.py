"""Forms: what statements that are alike have in common, kept once; and their sessions.

What doesn't belong: what a statement has of its own (`projection.py`).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

# The row of a session by its name and its stream; none if it has no statements.
SESSION = "(SELECT id FROM sessions WHERE name = ? AND stream = ?)"


class Form(NamedTuple):
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
    def digest(self) -> int:
        """Eight bytes that hardly any other form has."""
        told = "\x00".join(self).encode()
        return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), signed=True)


_COLUMNS = ", ".join(Form._fields)
_INSERT = f"INSERT INTO forms ({_COLUMNS}, digest) VALUES ({'?, ' * len(Form._fields)}?)"  # noqa: S608 # literals


def number(connection: sqlite3.Connection, form: Form) -> int:
    """The form's row; makes it if there is none."""
    digest = form.digest
    for id_, *columns in connection.execute(f"SELECT id, {_COLUMNS} FROM forms WHERE digest = ?", (digest,)):  # noqa: S608 # literals
        if (*columns,) == form:
            return int(id_)
    return int(connection.execute(_INSERT, (*form, digest)).lastrowid or 0)


def of(connection: sqlite3.Connection, number_: int) -> Form:
    """The form of a row."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM forms WHERE id = ?",  # noqa: S608 # literals
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
