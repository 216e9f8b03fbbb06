"""Finding events of the record, whether they are rows still or in a block already.

What doesn't belong: how blocks are read (`blocks.py`), an export of all of them (`export.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson

from penstock_collector.store import blocks, forms
from penstock_collector.store.blocks import Kept
from penstock_collector.store.forms import SESSION
from penstock_collector.store.lines import Sealed
from penstock_core.audit.event import BEGINS, ENDS

_COLUMNS = "id, seq, received, broken, document"
# What a statement's own row leads to.
OF_STATEMENTS = frozenset({*BEGINS, *ENDS})
# So many places are looked at for one thing.
_MOST = 20


def at(connection: sqlite3.Connection, stream: int, seq: int) -> list[Kept]:
    """The events at a place: several after a fork, in the order of their arrival."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND seq = ?",  # noqa: S608 # a literal
        (stream, seq),
    ).fetchall()
    loose = [_kept(row) for row in rows]
    packed = [one for one in blocks.holding(connection, stream, seq) if one.seq == seq]
    return sorted([*loose, *packed], key=lambda one: one.id)


def documents(connection: sqlite3.Connection, stream: int, seqs: Iterable[int]) -> dict[int, str]:
    """The lines at these places, the first of each after a fork."""
    found: dict[int, str] = {}
    block: list[Kept] = []
    for seq in sorted(set(seqs)):
        row = connection.execute(
            "SELECT document FROM events WHERE stream = ? AND seq = ? ORDER BY id LIMIT 1", (stream, seq)
        ).fetchone()
        if row is not None:
            found[seq] = str(row[0])
            continue
        if not block or block[-1].seq < seq:
            block = blocks.holding(connection, stream, seq)
        packed = next((one.document for one in block if one.seq == seq), None)
        if packed is not None:
            found[seq] = packed
    return found


def hashes(connection: sqlite3.Connection, stream: int, seqs: Iterable[int], settled: int) -> dict[int, set[str]]:
    """The hashes that are stored, by seq. Nothing behind `settled` is in a block."""
    found: dict[int, set[str]] = {}
    block: dict[int, list[Kept]] = {}
    # By place and not as a range: a batch may be spread over a wide one.
    for seq in sorted(set(seqs)):
        rows = connection.execute("SELECT hash FROM events WHERE stream = ? AND seq = ?", (stream, seq)).fetchall()
        there = {str(row[0]) for row in rows}
        if seq <= settled:
            if seq not in block:
                block = {}
                for one in blocks.holding(connection, stream, seq):
                    block.setdefault(one.seq, []).append(one)
            there |= {one.hash for one in block.get(seq, ())}
        if there:
            found[seq] = there
    return found


def note_place(connection: sqlite3.Connection, stream: int, line: Sealed) -> None:
    """Remember where an event of a session is, if no statement's row leads to it."""
    if line.kind not in OF_STATEMENTS and line.text("session"):
        remember(connection, stream, line.text("session"), line.text("statement"), line.kind, line.seq)


def remember(connection: sqlite3.Connection, stream: int, session: str, statement: str, kind: str, seq: int) -> None:
    """Remember where an event of a session is."""
    connection.execute(
        "INSERT OR IGNORE INTO session_events (stream, session, statement, kind, seq) VALUES (?, ?, ?, ?, ?)",
        (stream, session, statement, kind, seq),
    )


def of_session(
    connection: sqlite3.Connection, stream: int, session: str, kind: str, *, statement: str = "", after: int = 0
) -> list[Kept]:
    """Events of a kind that a session had behind a seq, in the order of their places; the first of them."""
    if not session:
        return []
    places = connection.execute(
        """SELECT seq FROM session_events WHERE stream = ? AND session = ? AND statement = ? AND kind = ? AND seq > ?
           ORDER BY seq LIMIT ?""",
        (stream, session, statement, kind, after, _MOST),
    ).fetchall()
    return _those(connection, stream, [int(row[0]) for row in places], session, statement, {kind})


def has_later(connection: sqlite3.Connection, stream: int, session: str, kind: str, seq: int) -> bool:
    """Whether a session has an event of a kind behind a seq, by its place alone."""
    later = connection.execute(
        """SELECT 1 FROM session_events WHERE stream = ? AND session = ? AND statement = '' AND kind = ? AND seq > ?
           LIMIT 1""",
        (stream, session, kind, seq),
    )
    return later.fetchone() is not None


def of_statement(connection: sqlite3.Connection, stream: int, session: str, statement: str, seq: int) -> list[Kept]:
    """All events of the statement that has one at a place, in the order of their places."""
    if not statement:
        return []
    row = connection.execute(
        f"""SELECT seq, outcome_seq FROM statements WHERE session_id = {SESSION} AND statement = ? AND seq <= ?
            ORDER BY seq DESC LIMIT 1""",  # noqa: S608 # a literal
        (session, stream, forms.key(statement), seq),
    ).fetchone()
    others = connection.execute(
        "SELECT seq FROM session_events WHERE stream = ? AND session = ? AND statement = ? ORDER BY seq LIMIT ?",
        (stream, session, statement, _MOST),
    ).fetchall()
    places = {int(place) for place in (*(row or ()), *(other[0] for other in others)) if place is not None}
    return _those(connection, stream, sorted({*places, seq}), session, statement)


def _those(
    connection: sqlite3.Connection,
    stream: int,
    places: list[int],
    session: str,
    statement: str,
    kinds: set[str] | None = None,
) -> list[Kept]:
    """The events at these places that are of the session and statement: a fork has others there."""
    found = []
    for one in (event for seq in places for event in at(connection, stream, seq)):
        event = orjson.loads(one.document)
        named = ("" if (value := event.get(name)) is None else str(value) for name in ("session", "statement"))
        if (*named,) == (session, statement) and (kinds is None or event.get("kind") in kinds):
            found.append(one)
    return found


def _kept(row: Any) -> Kept:
    return Kept(int(row[0]), int(row[1]), float(row[2]), bool(row[3]), str(row[4]))
