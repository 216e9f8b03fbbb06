"""Looking for statements: the filters, the same for history and for what happens now, and the queries.

What doesn't belong: HTTP and HTML. All functions take a reading connection (`store.database.Readers`).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from penstock_collector.store.projection import split
from penstock_core.audit.chain import MAX_SAFE_INTEGER

MOST_ROWS = 500
_LONGEST_FILTER = 400
_WORD = re.compile(r"\w", re.UNICODE)
_DECISIONS = ("allow", "rewrite", "deny")


class BadFilter(ValueError):
    """A filter that means nothing; the message says which."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; an empty field is not looked at."""

    # Part of the identity's name, in any case.
    identity: str = ""
    # allow, rewrite or deny.
    decision: str = ""
    verb: str = ""
    # `schema.table`, or `table` in any schema.
    relation: str = ""
    stream: str = ""
    session: str = ""
    # The request that it was held by, or that gave the access by which it ran.
    request: str = ""
    # Words that must all be found; each may be the beginning of a word.
    q: str = ""
    # RFC 3339; from including, to excluding.
    since: str = ""
    until: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Filters:
        """From a URL's query. Raises BadFilter."""
        values = {field.name: as_text(field.name, query.get(field.name, "")) for field in fields(cls)}
        if values["decision"] and values["decision"] not in _DECISIONS:
            raise BadFilter(f"decision is one of {', '.join(_DECISIONS)}, not {values['decision']!r}")
        for name in ("since", "until"):
            values[name] = as_moment(name, values[name])
        return cls(**values)

    def query(self, **more: str) -> str:
        """As a URL's query, without the empty ones."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | more
        return urlencode({name: value for name, value in values.items() if value})

    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on `statements s`, except for `q`, which each query applies in its own way."""
        wanted = {
            "identity": "instr(lower(s.identity), lower(:identity)) > 0",
            "decision": "s.decision = :decision",
            "request": "s.request = :request",
            "verb": "instr(s.verbs, char(10) || lower(:verb) || char(10)) > 0",
            "relation": "instr(s.relations, :relation_key) > 0",
            "stream": "s.stream = (SELECT id FROM streams WHERE name = :stream)",
            "session": "s.session = :session",
            "since": "s.time >= :since",
            "until": "s.time < :until",
        }
        conditions = [sql for name, sql in wanted.items() if getattr(self, name)]
        values: dict[str, Any] = {name: getattr(self, name) for name in wanted}
        values["relation_key"] = ("\n" if "." in self.relation else ".") + self.relation + "\n"
        values["match"] = match_expression(self.q)
        return conditions, values


def as_text(name: str, value: str) -> str:
    """A filter's value. Raises BadFilter."""
    value = value.replace("\x00", "").strip()
    if len(value) > _LONGEST_FILTER:
        raise BadFilter(f"{name} is longer than {_LONGEST_FILTER} characters")
    return value


def as_moment(name: str, value: str) -> str:
    """A time as events have it: UTC with microseconds, so that text compares as time does."""
    if not value:
        return ""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # At either end of the calendar, UTC may be beyond it.
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter(f"{name} is a time such as 2026-11-25T09:00:00Z, not {value!r}") from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def match_expression(words: str) -> str:
    """What people type, as an FTS5 query that means just that: each word quoted, and good for its beginning."""
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words.split() if _WORD.search(word))


def place_path(stream: str, seq: int) -> str:
    """The page of an event."""
    return "/statements/" + "/".join(quote(part, safe="") for part in stream.split("/", 1)) + f"/{seq}"


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A statement as it is shown: its intent, and its outcome if there is one yet."""

    id: int
    changed: int
    stream: str
    seq: int
    session: str
    statement: str
    time: str
    identity: str
    database: str
    decision: str
    observed: str
    verbs: tuple[str, ...]
    relations: tuple[str, ...]
    masked: tuple[str, ...]
    policy: str
    rule: str
    reason: str
    sql: str
    outcome_seq: int | None
    result: str | None
    rows: int | None
    bytes: int | None
    duration_us: int | None
    sqlstate: str | None
    # The request for approval that it was held by, or that gave the access by which it ran; "" if there is none.
    request: str

    @property
    def path(self) -> str:
        """The statement's own page."""
        return place_path(self.stream, self.seq)

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_COLUMNS = """s.id, s.changed, t.name, s.seq, s.session, s.statement, s.time, s.identity, s.database, s.decision,
    s.observed, s.verbs, s.relations, s.masked, s.policy, s.rule, s.reason, s.sql, s.outcome_seq, s.result, s.rows,
    s.bytes, s.duration_us, s.sqlstate, s.request"""
_LISTS = (11, 12, 13)


def _statement(row: sqlite3.Row) -> StatementRecord:
    values: list[Any] = [split(value) if index in _LISTS else value for index, value in enumerate(row)]
    return StatementRecord(*values)


@dataclass(frozen=True, slots=True)
class Page:
    """Some statements, latest first."""

    statements: tuple[StatementRecord, ...]
    # For the next older page; None at the end.
    before: int | None
    # The state of the trail that this page shows: follow it from here.
    cursor: int


def cursor(connection: sqlite3.Connection) -> int:
    """The id of the latest event; ids grow for ever, also where retention deleted the latest."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def history(connection: sqlite3.Connection, filters: Filters, before: int | None = None, limit: int = 100) -> Page:
    """Statements older than `before` (an id; None: from the latest on), latest first."""
    conditions, values = filters.conditions()
    source, key = "statements s", "s.id"
    if values["match"]:
        # Driven by the text index, which yields matches latest first.
        source, key = "statements_text f CROSS JOIN statements s ON s.id = f.rowid", "f.rowid"
        conditions.append("statements_text MATCH :match")
    if before is not None:
        conditions.append(f"{key} < :before")
    where = " AND ".join(conditions) or "1"
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM {source} JOIN streams t ON t.id = s.stream
            WHERE {where} ORDER BY {key} DESC LIMIT :limit""",  # noqa: S608 # conditions are from the table above
        values | {"before": before, "limit": limit + 1},
    ).fetchall()
    found = tuple(_statement(row) for row in rows[:limit])
    return Page(found, found[-1].id if len(rows) > limit else None, cursor(connection))


class Record(Protocol):
    """What is shown as a row, and changes."""

    @property
    def id(self) -> int: ...

    @property
    def changed(self) -> int: ...

    def document(self) -> dict[str, object]:
        """For JSON."""
        ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class NewRecords(Generic[R]):
    """What happened behind a cursor, oldest first."""

    records: tuple[R, ...]
    # How many more there were than are given here (the oldest are left out).
    skipped: int
    cursor: int


def changes(
    connection: sqlite3.Connection, filters: Filters, after: int, limit: int = 200
) -> NewRecords[StatementRecord]:
    """Statements that came or got their outcome behind `after`; at most `limit`, the latest."""
    conditions, values = filters.conditions()
    if values["match"]:
        conditions.append("EXISTS (SELECT 1 FROM statements_text WHERE statements_text MATCH :match AND rowid = s.id)")
    where = " AND ".join(["s.changed > :after", *conditions])
    values |= {"after": after, "limit": limit}
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM statements s JOIN streams t ON t.id = s.stream
            WHERE {where} ORDER BY s.changed DESC LIMIT :limit""",  # noqa: S608 # conditions are from the table above
        values,
    ).fetchall()
    skipped = 0
    if len(rows) == limit:
        counted = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM statements s WHERE {where} LIMIT 100000)",  # noqa: S608 # as above
            values,
        ).fetchone()[0]
        skipped = counted - limit
    return NewRecords(tuple(_statement(row) for row in reversed(rows)), skipped, cursor(connection))


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is known of one place in a stream."""

    stream: str
    seq: int
    # The events there (several after a fork), and those of their statement, as documents; which are broken.
    events: tuple[str, ...]
    related: tuple[str, ...]
    broken: bool
    session: str | None
    statement: StatementRecord | None
    previous: StatementRecord | None
    next: StatementRecord | None
    # Why a line at this place is in quarantine, if one is.
    quarantined: tuple[str, ...]

    @property
    def before_path(self) -> str:
        """The page of the event before."""
        return place_path(self.stream, self.seq - 1)


def detail(connection: sqlite3.Connection, stream: str, seq: int) -> Detail | None:
    """What stands at a place; None where nothing is known of it."""
    row = connection.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()
    if row is None:
        return None
    number = int(row[0])
    if seq > MAX_SAFE_INTEGER:
        return None
    events = connection.execute(
        "SELECT id, document, broken, session, statement, kind FROM events WHERE stream = ? AND seq = ? ORDER BY id",
        (number, seq),
    ).fetchall()
    reasons = connection.execute("SELECT reason FROM quarantine WHERE stream = ? AND seq = ?", (number, seq)).fetchall()
    if not events and not reasons:
        return None
    first = events[0] if events else None
    session, statement = (first["session"], first["statement"]) if first else ("", "")
    related = connection.execute(
        """SELECT document FROM events WHERE stream = ? AND session = ? AND statement = ? AND seq <> ?
           AND statement <> '' ORDER BY seq LIMIT 20""",
        (number, session, statement, seq),
    ).fetchall()
    begun = connection.execute(
        """SELECT document FROM events WHERE stream = ? AND session = ? AND statement = ''
           AND kind IN ('login', 'session') AND session <> '' ORDER BY seq LIMIT 1""",
        (number, session),
    ).fetchone()
    return Detail(
        stream,
        seq,
        tuple(event["document"] for event in events),
        tuple(found["document"] for found in related),
        any(event["broken"] for event in events),
        begun["document"] if begun else None,
        _one(connection, "s.stream = ? AND s.session = ? AND s.statement = ?", (number, session, statement)),
        _one(connection, "s.stream = ? AND s.session = ? AND s.seq < ?", (number, session, seq), "DESC"),
        _one(connection, "s.stream = ? AND s.session = ? AND s.seq > ?", (number, session, seq)),
        tuple(reason[0] for reason in reasons),
    )


def _one(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...], order: str = "ASC"
) -> StatementRecord | None:
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM statements s JOIN streams t ON t.id = s.stream
            WHERE {where} ORDER BY s.seq {order} LIMIT 1""",  # noqa: S608 # both are literals of this file
        values,
    ).fetchone()
    return _statement(row) if row is not None else None


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as it is listed: its head, and how it does."""

    name: str
    database: str
    version: str
    seq: int
    hash: str | None
    last_seq: int
    last_time: str
    last_received: float
    closed: bool
    trimmed: int


def streams(connection: sqlite3.Connection, limit: int = 500) -> list[StreamRow]:
    """The streams, latest heard of first."""
    rows = connection.execute(
        """SELECT name, database, version, contiguous AS seq, contiguous_hash AS hash, last_seq, last_time,
               last_received, closed, trimmed FROM streams ORDER BY last_received DESC LIMIT ?""",
        (limit,),
    )
    return [StreamRow(**dict(row) | {"closed": bool(row["closed"])}) for row in rows]


# Where an event or line is in an export: stream, seq, and a number that tells those of one seq apart.
Place: TypeAlias = tuple[str, int, int]
_QUARANTINED = 1 << 62


def export(connection: sqlite3.Connection, stream: str, after: Place, limit: int = 1000) -> list[tuple[Place, str]]:
    """Events in the order of an export, behind a place: the place and the document of each.

    `stream` limits it to one; "" is all. Lines in quarantine that are JSON are given as they came, so that whoever
    verifies the export sees for himself what is wrong with them.
    """
    name, seq, id_ = after
    values = {"stream": stream, "name": name, "seq": seq, "id": id_, "limit": limit, "quarantined": _QUARANTINED}
    events = connection.execute(
        """SELECT t.name, e.seq, e.id, e.document FROM streams t CROSS JOIN events e ON e.stream = t.id
           WHERE (:stream = '' OR t.name = :stream)
             AND t.name >= :name AND (t.name > :name OR (e.seq, e.id) > (:seq, :id))
           ORDER BY t.name, e.seq, e.id LIMIT :limit""",
        values,
    )
    lines = connection.execute(
        """SELECT t.name, q.seq, q.id + :quarantined, q.raw
           FROM streams t CROSS JOIN quarantine q ON q.stream = t.id
           WHERE (:stream = '' OR t.name = :stream) AND length(q.raw) = q.length AND q.claimed_seq IS NOT NULL
             AND t.name >= :name AND (t.name > :name OR (q.seq, q.id + :quarantined) > (:seq, :id))
           ORDER BY t.name, q.seq, q.id LIMIT :limit""",
        values,
    )
    found = [((row[0], int(row[1]), int(row[2])), str(row[3])) for row in events]
    # Whoever sent such a line may have sent any bytes; none of them may end the export, or begin another line in it.
    found += [((row[0], int(row[1]), int(row[2])), row[3].decode(errors="replace")) for row in lines]
    return sorted(found)[:limit]
