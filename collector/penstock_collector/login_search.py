"""Looking for logins: the filters, the same for history and for what happens now, and the queries.

What doesn't belong: HTTP and HTML, statements (`search.py`). All functions take a reading connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from penstock_collector.search import BadFilter, NewRecords, as_moment, as_text, cursor, match_expression, place_path

_OUTCOMES = ("accepted", "refused")


@dataclass(frozen=True, slots=True)
class LoginFilters:
    """What is looked for; an empty field is not looked at."""

    # Part of the identity's name, or of what a refused token claims, in any case.
    identity: str = ""
    outcome: str = ""
    # The beginning of the client's address.
    address: str = ""
    stream: str = ""
    session: str = ""
    # Words that must all be found; each may be the beginning of a word.
    q: str = ""
    # RFC 3339; from including, to excluding.
    since: str = ""
    until: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> LoginFilters:
        """From a URL's query. Raises BadFilter."""
        values = {field.name: as_text(field.name, query.get(field.name, "")) for field in fields(cls)}
        if values["outcome"] and values["outcome"] not in _OUTCOMES:
            raise BadFilter(f"outcome is one of {', '.join(_OUTCOMES)}, not {values['outcome']!r}")
        for name in ("since", "until"):
            values[name] = as_moment(name, values[name])
        return cls(**values)

    def query(self, **more: str) -> str:
        """As a URL's query, without the empty ones."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | more
        return urlencode({name: value for name, value in values.items() if value})

    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on `logins l`, except for `q`."""
        wanted = {
            "identity": "instr(lower(l.identity || char(10) || l.claimed), lower(:identity)) > 0",
            "outcome": "l.outcome = :outcome",
            "address": "substr(l.address, 1, length(:address)) = :address",
            "stream": "l.stream = (SELECT id FROM streams WHERE name = :stream)",
            "session": "l.session = :session",
            "since": "l.time >= :since",
            "until": "l.time < :until",
        }
        values: dict[str, Any] = {name: getattr(self, name) for name in wanted}
        return [sql for name, sql in wanted.items() if values[name]], values | {"match": match_expression(self.q)}


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A login as it is shown; of a refused one, several that were alike."""

    id: int
    changed: int
    stream: str
    seq: int
    session: str
    time: str
    outcome: str
    # Verified; "" if it was not.
    identity: str
    # What a refused token says: asserted.
    claimed: str
    address: str
    username: str
    application: str
    dbname: str
    database: str
    reason: str
    sqlstate: str
    policy: str
    count: int
    # None as long as its session goes on.
    ended: str | None
    end_reason: str | None
    statements: int | None
    duration_us: int | None

    @property
    def path(self) -> str:
        """The page of its event."""
        return place_path(self.stream, self.seq)

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_COLUMNS = """l.id, l.changed, t.name, l.seq, l.session, l.time, l.outcome, l.identity, l.claimed, l.address,
    l.username, l.application, l.dbname, l.database, l.reason, l.sqlstate, l.policy, l.count, l.ended, l.end_reason,
    l.statements, l.duration_us"""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Some logins, latest first."""

    logins: tuple[LoginRecord, ...]
    # For the next older page; None at the end.
    before: int | None
    # The state of the trail that this page shows: follow it from here.
    cursor: int


def logins(
    connection: sqlite3.Connection, filters: LoginFilters, before: int | None = None, limit: int = 100
) -> LoginPage:
    """Logins older than `before` (an id; None: from the latest on), latest first."""
    conditions, values = filters.conditions()
    source, key = "logins l", "l.id"
    if values["match"]:
        # Driven by the text index, which yields matches latest first.
        source, key = "logins_text f CROSS JOIN logins l ON l.id = f.rowid", "f.rowid"
        conditions.append("logins_text MATCH :match")
    if before is not None:
        conditions.append(f"{key} < :before")
    where = " AND ".join(conditions) or "1"
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM {source} JOIN streams t ON t.id = l.stream
            WHERE {where} ORDER BY {key} DESC LIMIT :limit""",  # noqa: S608 # conditions are from the table above
        values | {"before": before, "limit": limit + 1},
    ).fetchall()
    found = tuple(LoginRecord(*row) for row in rows[:limit])
    return LoginPage(found, found[-1].id if len(rows) > limit else None, cursor(connection))


def changes(
    connection: sqlite3.Connection, filters: LoginFilters, after: int, limit: int = 200
) -> NewRecords[LoginRecord]:
    """Logins that came, or whose sessions ended, behind `after`; at most `limit`, the latest."""
    conditions, values = filters.conditions()
    if values["match"]:
        conditions.append("EXISTS (SELECT 1 FROM logins_text WHERE logins_text MATCH :match AND rowid = l.id)")
    where = " AND ".join(["l.changed > :after", *conditions])
    values |= {"after": after, "limit": limit}
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM logins l JOIN streams t ON t.id = l.stream
            WHERE {where} ORDER BY l.changed DESC LIMIT :limit""",  # noqa: S608 # conditions are from the table above
        values,
    ).fetchall()
    skipped = 0
    if len(rows) == limit:
        counted = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM logins l WHERE {where} LIMIT 100000)",  # noqa: S608 # as above
            values,
        ).fetchone()[0]
        skipped = counted - limit
    return NewRecords(tuple(LoginRecord(*row) for row in reversed(rows)), skipped, cursor(connection))
