"""Bringing what an earlier version has stored to the form of this one, before anything else is done with the store.

In short transactions, each of which leaves a store that is whole: killed at any moment, the next start goes on. What
doesn't belong: the tables themselves (`database.py`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import structlog

from penstock_collector.store import forms, moments, packing, record
from penstock_collector.store.forms import Form

_log = structlog.get_logger(__name__)

# What is done, how much of it, and of how much.
Tell: TypeAlias = Callable[[str, int, int], None]

_AT_ONCE = 2_000
_BLOCKS_AT_ONCE = 8
_TELL_SECONDS = 5.0
# The highest number that FTS5 gives a row of its data which is of all of it.
_FTS_HEADS = 10


def upgrade(connection: sqlite3.Connection, tell: Tell | None = None) -> None:
    """Do all that is left to do; `tell` hears of it after each step."""
    tell = tell or _Telling()
    for phase, what in _PHASES:
        steps = phase(connection)
        while (place := _step(connection, steps)) is not None:
            tell(what, *place)
            # Else the log of all steps would stand beside the store until the end.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class _Telling:
    """Tells the log, now and then."""

    def __init__(self) -> None:
        self._latest = float("-inf")

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._latest >= _TELL_SECONDS or done >= total:
            self._latest = now
            _log.info("bringing the audit database to this version's form", doing=what, done=done, of=total)


def _step(connection: sqlite3.Connection, steps: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
    """One transaction; where it has come to, None at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        place = next(steps, None)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return place


def _carry(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Note when events arrived and where those of sessions are, as is done since for each that comes."""
    while row := connection.execute("SELECT done, until FROM carrying WHERE done < until").fetchone():
        done, until = row
        events = connection.execute(
            """SELECT e.id, e.stream, e.session, e.statement, e.kind, e.seq, e.received, e.seq > s.contiguous
               FROM events e JOIN streams s ON s.id = e.stream WHERE e.id > ? AND e.id <= ? ORDER BY e.id LIMIT ?""",
            (done, until, _AT_ONCE),
        ).fetchall()
        latest = connection.execute("SELECT received FROM arrivals ORDER BY id DESC LIMIT 1").fetchone()
        received = None if latest is None else latest[0]
        for id_, stream, session, statement, kind, seq, moment, is_early in events:
            if moment != received:
                received = moment
                connection.execute("INSERT INTO arrivals (id, received) VALUES (?, ?)", (id_, moment))
            if session and (kind not in record.OF_STATEMENTS or (kind == "outcome" and is_early)):
                record.remember(connection, stream, session, statement, kind, seq)
        done = events[-1][0] if events else until
        connection.execute("UPDATE carrying SET done = ?", (done,))
        yield done, until


def _pack(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Pack what has settled, stream by stream."""
    if connection.execute("SELECT 1 FROM carrying").fetchone() is None:
        return
    total = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    packed = 0
    for stream, settled in connection.execute("SELECT id, contiguous FROM streams ORDER BY id").fetchall():
        while some := packing.pack(connection, stream, settled, most=_BLOCKS_AT_ONCE):
            packed += some
            yield packed, total
    connection.execute("DELETE FROM carrying")
    yield total, total


def _move(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Move statements to where those are that are alike."""
    former = "former_statements"
    if not _is_there(connection, former):
        return
    last = connection.execute(f"SELECT max(id) FROM {former}").fetchone()[0]  # noqa: S608 # a literal
    columns = Form._fields
    while rows := connection.execute(
        f"""SELECT id, changed, stream, seq, session, statement, time, outcome_seq, result, rows, bytes, duration_us,
                   sqlstate, request, unknown, {", ".join(columns)} FROM {former} ORDER BY id LIMIT ?""",  # noqa: S608 # literals
        (_AT_ONCE,),
    ).fetchall():
        for row in rows:
            id_, changed, stream, seq, session, statement, time_, *own = row[: -len(columns)]
            moved = (
                id_, changed, stream, seq, forms.session(connection, stream, session), forms.key(statement),
                _moment(time_), forms.number(connection, Form(*row[-len(columns):])), *own,
            )  # fmt: skip
            connection.execute(
                """INSERT INTO statements (id, changed, stream, seq, session_id, statement, time, form, outcome_seq,
                       result, rows, bytes, duration_us, sqlstate, request, unknown)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                moved,
            )
        connection.execute(f"DELETE FROM {former} WHERE id <= ?", (rows[-1][0],))  # noqa: S608 # a literal
        yield rows[-1][0], last
    connection.execute(f"DROP TABLE {former}")  # It is empty by now.
    if last is not None:
        yield last, last


def _drop_former_text(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Drop the text index of each statement, which that of their forms replaces."""
    if not _is_there(connection, "statements_text"):
        return
    for table in ("statements_text_data", "statements_text_docsize"):
        # Below are the two rows that say how the rest is to be read; without them, the table can't even be dropped.
        rest = f"FROM {table} WHERE id > {_FTS_HEADS}"
        total = connection.execute(f"SELECT count(*) {rest}").fetchone()[0]
        left = total
        while left:
            connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id {rest} ORDER BY id DESC LIMIT ?)",  # noqa: S608 # literals
                (_AT_ONCE,),
            )
            left = max(0, left - _AT_ONCE)
            yield total - left, total
    connection.execute("DROP TABLE statements_text")


def _drop_former_index(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Drop what nobody looks for any more: of events that are packed, it has nothing left."""
    if _is_there(connection, "events_statement"):
        connection.execute("DROP INDEX events_statement")
    yield from ()


def _is_there(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None


def _moment(time_: str) -> int:
    # What the first versions took in had not been looked at so closely.
    try:
        return moments.counted(time_)
    except ValueError:
        return 0


_PHASES = (
    (_carry, "noting when events arrived"),
    (_pack, "packing events"),
    (_drop_former_text, "dropping the former text index"),
    (_move, "moving statements"),
    (_drop_former_index, "dropping a former index"),
)
