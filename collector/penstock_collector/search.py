"""Looking for statements: the filters, the same for history and for what happens now, and the queries.

What doesn't belong: HTTP and HTML. All functions take a reading connection (`store.database.Readers`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from penstock_collector.form_search import Wanted, latest
from penstock_collector.lookup import LookedFor, Page, Table, came_late, contains, cursor, match_expression, place_path
from penstock_collector.statement_links import Links, ends_of, links
from penstock_collector.store import record
from penstock_collector.store.arrivals import RECEIVED
from penstock_collector.store.forms import SESSION
from penstock_collector.store.moments import counted, told
from penstock_collector.store.projection import split
from penstock_core.audit.chain import MAX_SAFE_INTEGER
from penstock_core.audit.event import BEGINS


@dataclass(frozen=True, slots=True)
class Filters(LookedFor):
    """What is looked for of statements."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"decision": ("allow", "rewrite", "deny")}

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
    # Words that must all be found; each of three letters or more may be the beginning of a word.
    q: str = ""
    # RFC 3339; from including, to excluding.
    since: str = ""
    until: str = ""

    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on `statements_told r`, except for `q`, which each query applies in its own way."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        values["relation_key"] = ("\n" if "." in self.relation else ".") + self.relation + "\n"
        values["match"] = match_expression(self.q)
        for name in ("since", "until"):
            values[name] = counted(values[name]) if values[name] else None
        return [*self._of_form(), *self._of_each()], values

    def wanted(self) -> Wanted:
        """The same, by forms."""
        _, values = self.conditions()
        narrow = bool(self.session or self.request)
        return Wanted(self._of_form(), self._of_each(), values, is_narrow=narrow)

    def _of_form(self) -> list[str]:
        conditions = {"identity": contains("r.identity", "identity", self.identity), **_OF_FORM}
        return [sql for name, sql in conditions.items() if getattr(self, name)]

    def _of_each(self) -> list[str]:
        return [sql for name, sql in _OF_EACH.items() if getattr(self, name)]


_OF_FORM = {
    "decision": "r.decision = :decision",
    "verb": "instr(r.verbs, char(10) || lower(:verb) || char(10)) > 0",
    "relation": "instr(r.relations, :relation_key) > 0",
}
_OF_EACH = {
    # One of several stands between line feeds. What has none is not in the index.
    "request": """r.id IN (SELECT id FROM statements WHERE request <> '' AND (request = :request
        OR (request >= char(10) AND request < char(11) AND instr(request, char(10) || :request || char(10)) > 0)))""",
    "stream": "r.stream = (SELECT id FROM streams WHERE name = :stream)",
    "session": "r.session_id IN (SELECT id FROM sessions WHERE name = :session)",
    "since": "r.time >= :since",
    "until": "r.time < :until",
}


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
    # The requests for approval that it was held by, or that gave the access by which it ran.
    requests: tuple[str, ...]
    # Of one that told no outcome, why none is to be expected.
    unknown: str
    # When it arrived; Unix time.
    received: float | None
    # How the transaction ended that it ran in: commit, rollback, prepared, unknown; "" where no event tells: it ended
    # as the statement did, or goes on.
    transaction_end: str = ""

    @property
    def late(self) -> bool:
        """Whether its arrival is worth showing beside its time."""
        return came_late(self.time, self.received)

    @property
    def path(self) -> str:
        """The statement's own page."""
        return place_path(self.stream, self.seq)

    def document(self) -> dict[str, object]:
        """For JSON. `request` is the first of them, for who knows of no more."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**told, "request": next(iter(self.requests), "")}


_COLUMNS = f"""r.id, r.changed, t.name, r.seq, r.session, r.statement, r.time, r.identity, r.database, r.decision,
    r.observed, r.verbs, r.relations, r.masked, r.policy, r.rule, r.reason, r.sql, r.outcome_seq, r.result, r.rows,
    r.bytes, r.duration_us, r.sqlstate, r.request,
    CASE WHEN r.outcome_seq IS NULL THEN r.unknown ELSE '' END,
    {RECEIVED}"""
_LISTS = (11, 12, 13, 24)


_TIME = 6


def _statement(row: sqlite3.Row) -> StatementRecord:
    values: list[Any] = [split(value) if index in _LISTS else value for index, value in enumerate(row)]
    values[_TIME] = told(values[_TIME])
    return StatementRecord(*values)


def _with_ends(connection: sqlite3.Connection, found: tuple[StatementRecord, ...]) -> tuple[StatementRecord, ...]:
    """The same, each with how its transaction ended: what was `ok` may be rolled back by now."""
    ends: dict[str, dict[int, str]] = {}
    for stream in {one.stream for one in found}:
        row = connection.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()
        places = [
            (one.session, one.outcome_seq) for one in found if one.stream == stream and one.outcome_seq is not None
        ]
        ends[stream] = {} if row is None else ends_of(connection, int(row[0]), places)
    return tuple(
        replace(one, transaction_end=end) if (end := ends[one.stream].get(one.outcome_seq or 0, "")) else one
        for one in found
    )


@dataclass(frozen=True, slots=True)
class _Statements(Table[StatementRecord]):
    """Statements, which are found by their forms: what all of one form have in common is looked at once."""

    def page(
        self, connection: sqlite3.Connection, filters: LookedFor, before: int | None = None, limit: int = 100
    ) -> Page[StatementRecord]:
        """Those that happened before `before`, latest first, always in the order of their time."""
        wanted = filters.wanted() if isinstance(filters, Filters) else None
        if wanted is None or not (wanted.of_form or wanted.values["match"]):
            return super(_Statements, self).page(connection, filters, before, limit)
        place = None if before is None else (self.moment(connection, before), before)
        found = latest(connection, wanted, place, limit + 1)
        rows = {
            row[0]: self.record(row)
            for row in connection.execute(
                f"""SELECT {self.columns} FROM {self.name} r CROSS JOIN streams t ON t.id = r.stream
                    WHERE r.id IN (SELECT value FROM json_each(?))""",  # noqa: S608 # columns are literals
                (json.dumps(found[:limit]),),
            )
        }
        records = self.completed(connection, tuple(rows[id_] for id_ in found[:limit]))
        return Page(records, records[-1].id if len(found) > limit else None, cursor(connection))


STATEMENTS = _Statements("statements_told", _COLUMNS, _statement, text="forms_text", key="r.form", completed=_with_ends)


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
    links: Links

    @property
    def told(self) -> dict[str, Any]:
        """What the statement's intent tells besides; of fields that are what they should be."""
        events = [json.loads(document) for document in (*self.events, *self.related)]
        intent: dict[str, Any] = next((event for event in events if event.get("kind") in BEGINS), {})
        masks = intent.get("masks")
        given = {name: intent.get(name) for name in ("hint", "rewritten")}
        texts = {name: value if isinstance(value, str) else "" for name, value in given.items()}
        listed = [one for one in masks if isinstance(one, dict)] if isinstance(masks, list) else []
        return {**texts, "masks": listed}

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
    events = record.at(connection, number, seq)
    reasons = connection.execute("SELECT reason FROM quarantine WHERE stream = ? AND seq = ?", (number, seq)).fetchall()
    if not events and not reasons:
        return None
    first = json.loads(events[0].document) if events else {}
    session, statement = ("" if (value := first.get(name)) is None else str(value) for name in ("session", "statement"))
    related = [one for one in record.of_statement(connection, number, session, statement, seq) if one.seq != seq]
    begun = [one for kind in ("login", "session") for one in record.of_session(connection, number, session, kind)[:1]]
    return Detail(
        stream,
        seq,
        tuple(event.document for event in events),
        tuple(found.document for found in related),
        any(event.broken for event in events),
        min(begun, key=lambda one: one.seq).document if begun else None,
        _one(connection, "r.statement = ? AND r.seq <= ?", (session, number, statement, seq), "DESC"),
        _one(connection, "r.seq < ?", (session, number, seq), "DESC"),
        _one(connection, "r.seq > ?", (session, number, seq)),
        tuple(reason[0] for reason in reasons),
        links(connection, stream, number, (found.document for found in (*events, *related))),
    )


def _one(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...], order: str = "ASC"
) -> StatementRecord | None:
    """Of a session, whose name and stream `values` begin with."""
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM statements_told r CROSS JOIN streams t ON t.id = r.stream
            WHERE r.session_id = {SESSION} AND {where} ORDER BY r.seq {order} LIMIT 1""",  # noqa: S608 # both are literals of this file
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


_STREAMS = """SELECT name, database, version, contiguous AS seq, contiguous_hash AS hash, last_seq, last_time,
    last_received, closed, trimmed FROM streams"""


def streams(connection: sqlite3.Connection, limit: int = 500) -> list[StreamRow]:
    """The streams, latest heard of first."""
    rows = connection.execute(f"{_STREAMS} ORDER BY last_received DESC LIMIT ?", (limit,))
    return [StreamRow(**dict(row) | {"closed": bool(row["closed"])}) for row in rows]


def streams_behind(connection: sqlite3.Connection, name: str, limit: int) -> list[StreamRow]:
    """The streams behind a name, by their names: page by page, all of them."""
    rows = connection.execute(f"{_STREAMS} WHERE name > ? ORDER BY name LIMIT ?", (name, limit))
    return [StreamRow(**dict(row) | {"closed": bool(row["closed"])}) for row in rows]


def stream_count(connection: sqlite3.Connection) -> int:
    """How many there are."""
    return int(connection.execute("SELECT count(*) FROM streams").fetchone()[0])
