"""The spool's SQLite file: streams of sealed events until the collector has them, written by one thread.

What doesn't belong: threads, futures and the event loop (`spool.py`), opening and repairing (`spool_opening.py`).
Everything here may block.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from penstock_core.audit.chain import ChainError, Head, written
from penstock_core.audit.event import Event
from penstock_core.audit.form import EventBody
from penstock_core.audit.size import MAX_BODY, fit
from penstock_sidecar.shipping.errors import EventRefused, SpoolBroken, SpoolError, SpoolFull

# An event's row id is its stream's number and its seq, so that one B-tree holds the streams one after the other.
_SEQ_BITS = 40
# Kept free for the outcome of each intent that was accepted, and for the events that end a stream.
_ROOM_PER_OUTCOME = 1024
_ROOM_FOR_ENDING = 64 * 1024
# What a statement of ordinary length takes.
_ROOM_PER_STATEMENT = 4 * 1024
# These tell how something that was accepted ended, so they may use the room that is kept free.
_ENDINGS = frozenset({"outcome", "loss", "close"})

# Where an event is in a group's bytes, as one number: the lower bits are its length (far more than it may have).
_LENGTH_BITS = 24

# A statement by its session and its number in it.
Statement: TypeAlias = tuple[Any, Any]

SCHEMA = """
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events (id INTEGER PRIMARY KEY, line BLOB NOT NULL);
-- The intents whose outcome is still to come, so that a crash leaves none without one: [session, statement] as JSON.
CREATE TABLE intents (stream INTEGER NOT NULL, statement TEXT NOT NULL, PRIMARY KEY (stream, statement)) WITHOUT ROWID;
"""


# All that a transaction stores, as one statement: at each step of SQLite's the interpreter's lock is given away and has
# to be won again from a busy event loop, which costs more than the storing. It belongs to the connection, not the file.
_STORING = """
CREATE TEMP VIEW storing AS SELECT 0 AS stream, 0 AS seq, '' AS hash, 0 AS closed,
    0 AS first, x'' AS lines, '' AS places, '' AS begun, '' AS ended;
CREATE TEMP TRIGGER store INSTEAD OF INSERT ON storing BEGIN
    INSERT INTO events (id, line)
        SELECT NEW.first + key, substr(NEW.lines, value >> 24, value & 16777215) FROM json_each(NEW.places);
    INSERT OR IGNORE INTO intents (stream, statement) SELECT NEW.stream, value FROM json_each(NEW.begun);
    DELETE FROM intents WHERE stream = NEW.stream AND statement IN (SELECT value FROM json_each(NEW.ended));
    UPDATE streams SET seq = NEW.seq, hash = NEW.hash, closed = NEW.closed WHERE id = NEW.stream;
END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one append brings: bodies that become durable together or not at all."""

    bodies: Sequence[Event]
    when: datetime

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(str(body.get("kind")) for body in self.bodies)

    @property
    def only_ends(self) -> bool:
        """Whether it only tells how something ended that was accepted before."""
        return self.kinds <= _ENDINGS


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream in the file stands."""

    id: int
    head: Head
    acknowledged: int
    closed: bool

    @property
    def name(self) -> str:
        return self.head.stream

    @property
    def depth(self) -> int:
        """How many events the collector has not acknowledged."""
        return self.head.seq - self.acknowledged


@dataclass(slots=True)
class _Draft:
    """What a transaction will have changed once it commits."""

    head: Head
    used: int
    outstanding: set[Statement]
    closed: bool
    rows: list[tuple[int, bytes]] = field(default_factory=list)
    begun: set[Statement] = field(default_factory=set)
    ended: set[Statement] = field(default_factory=set)


class SpoolFile:
    """The file, with one current stream that grows and older ones that only wait to be shipped."""

    def __init__(self, connection: sqlite3.Connection, current: StreamState, max_bytes: int) -> None:
        self._connection = connection
        connection.executescript(_STORING)
        self._max_bytes = max_bytes
        self._older = {state.id: state for state in load_streams(connection) if state.id != current.id}
        self._current = current
        self._outstanding = set(outstanding(connection, current.id))
        self._used = int(connection.execute("SELECT coalesce(sum(length(line)), 0) FROM events").fetchone()[0])

    @property
    def current(self) -> StreamState:
        return self._current

    @property
    def used(self) -> int:
        """Bytes of events waiting to be shipped."""
        return self._used

    @property
    def has_room(self) -> bool:
        """Whether a statement of ordinary length would be taken."""
        return self._used + _ROOM_PER_STATEMENT <= self._limit_for_new(len(self._outstanding) + 1)

    def streams(self) -> tuple[StreamState, ...]:
        """All streams that have something to ship or still grow, oldest first."""
        return (*(self._older[id_] for id_ in sorted(self._older)), self._current)

    def commit(self, entries: Sequence[Entry], acknowledged: Mapping[str, int]) -> list[SpoolError | None]:
        """Make entries durable and drop what was acknowledged, in one transaction.

        Returns for each entry None or why it was left out. Raises SpoolError if nothing of it was committed.
        """
        draft = _Draft(self._current.head, self._used, set(self._outstanding), self._current.closed)
        try:
            if acknowledged:
                self._connection.execute("BEGIN IMMEDIATE")
            states, freed = self._forget(acknowledged)
            draft.used -= freed
            results = [self._draft(draft, entry) for entry in entries]
            self._store(draft)
            if acknowledged:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise translated(error) from None
        self._used, self._outstanding = draft.used, draft.outstanding
        self._take_over(states)
        self._current = replace(self._current, head=draft.head, closed=draft.closed)
        return results

    def _draft(self, draft: _Draft, entry: Entry) -> SpoolError | None:
        """Seal one entry onto the draft, or leave the draft as it is and tell why."""
        if draft.closed:
            return EventRefused(f"audit stream {draft.head.stream} is closed")
        try:
            head, sealed = seal(draft.head, entry)
        except ChainError as error:
            return EventRefused(f"audit event cannot be recorded: {error}")
        size = sum(len(line) for _, line in sealed)
        kinds = entry.kinds
        begun = {statement_of(body) for body in entry.bodies if body.get("kind") == "intent"}
        ended = {statement_of(body) for body in entry.bodies if body.get("kind") == "outcome"}
        outstanding_after = (draft.outstanding | begun) - ended
        limit = self._max_bytes if kinds <= _ENDINGS else self._limit_for_new(len(outstanding_after))
        if draft.used + size > limit:
            return SpoolFull(
                f"audit spool is full ({draft.used} of {self._max_bytes} bytes wait for the collector): no room for "
                + "/".join(sorted(kinds))
            )
        draft.rows += [(row_id(self._current.id, seq), line) for seq, line in sealed]
        draft.head = head
        draft.used += size
        draft.outstanding = outstanding_after
        draft.begun |= begun
        draft.ended |= ended
        draft.closed = "close" in kinds
        return None

    def _limit_for_new(self, outstanding_after: int) -> int:
        ending = min(_ROOM_FOR_ENDING, self._max_bytes // 8)
        return self._max_bytes - ending - _ROOM_PER_OUTCOME * outstanding_after

    def _store(self, draft: _Draft) -> None:
        if not draft.rows:
            return
        # Those that ended in the same transaction are left out: nobody can ever find them without their outcome.
        begun, ended = draft.begun - draft.ended, draft.ended - draft.begun
        start, places = 1, []
        for _, line in draft.rows:
            places.append(start << _LENGTH_BITS | len(line))
            start += len(line)
        self._connection.execute(
            "INSERT INTO storing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._current.id, draft.head.seq, draft.head.hash, draft.closed,
                draft.rows[0][0], b"".join(line for _, line in draft.rows), json.dumps(places),
                json.dumps([json.dumps(key) for key in begun]), json.dumps([json.dumps(key) for key in ended]),
            ),
        )  # fmt: skip

    def _forget(self, acknowledged: Mapping[str, int]) -> tuple[list[StreamState], int]:
        """Delete what the collector has; the streams' new states and the bytes that were freed."""
        states, freed = [], 0
        for state in self.streams():
            upto = min(acknowledged.get(state.name, 0), state.head.seq)
            if upto <= state.acknowledged:
                continue
            bounds = (row_id(state.id, state.acknowledged + 1), row_id(state.id, upto))
            freed += self._scalar("SELECT coalesce(sum(length(line)), 0) FROM events WHERE id BETWEEN ? AND ?", bounds)
            self._connection.execute("DELETE FROM events WHERE id BETWEEN ? AND ?", bounds)
            self._connection.execute("UPDATE streams SET acknowledged = ? WHERE id = ?", (upto, state.id))
            if state.id != self._current.id and upto == state.head.seq:
                self._connection.execute("DELETE FROM streams WHERE id = ?", (state.id,))
            states.append(replace(state, acknowledged=upto))
        return states, freed

    def _take_over(self, states: Sequence[StreamState]) -> None:
        for state in states:
            if state.id == self._current.id:
                self._current = state
            elif state.depth:
                self._older[state.id] = state
            else:
                del self._older[state.id]

    def _scalar(self, sql: str, values: tuple[int, ...]) -> int:
        return int(self._connection.execute(sql, values).fetchone()[0])

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise translated(error) from None

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._connection.close()


def seal(head: Head, entry: Entry) -> tuple[Head, list[tuple[int, bytes]]]:
    """Each body sealed as the next event: the head after them, their seqs and canonical lines. Raises ChainError."""
    time = timestamp(entry.when)
    sealed = []
    for body in entry.bodies:
        if isinstance(body, EventBody):
            line, hash_ = body.form.seal(body, head, time)
            after = Head(head.stream, head.seq + 1, hash_)
        else:
            event, after = head.seal(body, time)
            line = written(event)
        if len(line) > MAX_BODY:
            event, after = head.seal(fit(dict(body)), time)
            line = written(event)
        head = after
        sealed.append((head.seq, line))
    return head, sealed


def timestamp(when: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the form of `time` in events."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def row_id(stream: int, seq: int) -> int:
    """Where an event is in the table of events."""
    return (stream << _SEQ_BITS) | seq


def statement_of(body: Event) -> Statement:
    """What joins an intent and its outcome within a stream."""
    return body.get("session"), body.get("statement")


def unknown_outcome(statement: Statement) -> Event:
    """The outcome of an intent whose real one was lost with the process."""
    session, number = statement
    return {"kind": "outcome", "session": session, "statement": number, "result": "unknown"}


def load_streams(connection: sqlite3.Connection) -> list[StreamState]:
    """All streams in the file, oldest first."""
    rows: Iterator[Any] = connection.execute(
        "SELECT id, name, seq, hash, acknowledged, closed FROM streams ORDER BY id"
    )
    return [StreamState(row[0], Head(row[1], row[2], row[3]), row[4], bool(row[5])) for row in rows]


def outstanding(connection: sqlite3.Connection, stream: int) -> list[Statement]:
    """A stream's intents that no outcome followed yet."""
    return [
        tuple(json.loads(row[0]))
        for row in connection.execute("SELECT statement FROM intents WHERE stream = ?", (stream,))
    ]


def store_head(connection: sqlite3.Connection, stream: int, head: Head, *, closed: bool) -> None:
    """Note where a stream stands, in the transaction that brought it there."""
    connection.execute(
        "UPDATE streams SET seq = ?, hash = ?, closed = ? WHERE id = ?", (head.seq, head.hash, closed, stream)
    )


def lines(
    connection: sqlite3.Connection, state: StreamState, after: int, limit: int, max_bytes: int
) -> list[tuple[int, bytes]]:
    """Up to `limit` events of a stream behind seq `after`, and no more than `max_bytes` unless the first is larger."""
    # In one step, as they are stored; and no event has a line break in it.
    first, count, text = connection.execute(
        """
        SELECT min(id), count(*), CAST(group_concat(CAST(line AS TEXT), char(10)) AS BLOB) FROM (
            SELECT id, line, sum(length(line) + 1) OVER (ORDER BY id) AS size FROM (
                SELECT id, line FROM events WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?
            ) ORDER BY id
        ) WHERE size <= ? OR size = length(line) + 1
        """,
        (row_id(state.id, after + 1), row_id(state.id + 1, 0) - 1, limit, max_bytes),
    ).fetchone()
    if not count:
        return []
    seq = first & ((1 << _SEQ_BITS) - 1)
    return list(enumerate(text.split(b"\n"), start=seq))


def translated(error: sqlite3.Error) -> SpoolError:
    """SQLite's error as ours: a full disk passes, anything else needs somebody."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return SpoolFull("audit spool cannot grow: the disk is full")
    return SpoolBroken(f"audit spool cannot be written: {error}")
