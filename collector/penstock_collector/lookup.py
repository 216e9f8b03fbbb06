"""How the trail is searched, whatever for: filters from a URL, what is there page by page, and what is new as it comes.

What doesn't belong: what there is to be found (`search.py`, `login_search.py`), HTTP and HTML. All functions take a
reading connection (`store.database.Readers`).
"""

from __future__ import annotations

import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

from penstock_collector.store.database import FOLDED

MOST_ROWS = 500
# So many matches of a text are put in the order of their time.
MOST_IN_ORDER = 50_000
_LONGEST_FILTER = 400
MOST_WORDS = 12
SHORTEST_BEGINNING = 3
_WITHOUT_SPACES = 0x2E80
# What the index takes for a word, within what people type without spaces.
_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)


class BadFilter(ValueError):
    """A filter that means nothing; the message says which."""


@dataclass(frozen=True, slots=True)
class LookedFor(ABC):
    """What is looked for; an empty field is not looked at."""

    # Of fields that have but a few values, these.
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """From a URL's query. Raises BadFilter."""
        values = {field.name: as_text(field.name, query.get(field.name, "")) for field in fields(cls)}
        for name, known in cls.choices.items():
            if values[name] and values[name] not in known:
                raise BadFilter(f"{name} is one of {', '.join(known)}, not {values[name]!r}")
        for name in ("since", "until"):
            values[name] = as_moment(name, values[name])
        match_expression(values.get("q", ""))
        return cls(**values)

    def query(self, **more: str) -> str:
        """As a URL's query, without the empty ones."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | more
        return urlencode({name: value for name, value in values.items() if value})

    @abstractmethod
    def conditions(self) -> tuple[list[str], dict[str, Any]]:
        """SQL on the table, whose name is `r`, with its values; `match` among these is for the text index."""


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


def contains(column: str, name: str, wanted: str) -> str:
    """SQL: what is wanted, the value of that name, is part of the column, in any case."""
    # SQLite's own knows that of ASCII alone, and is faster.
    folded = "lower" if wanted.isascii() else FOLDED
    return f"instr({folded}({column}), {folded}(:{name})) > 0"


def match_expression(words: str) -> str:
    """What people type, as an FTS5 query that means just that: each word quoted, and good for its beginning where that
    is long enough: short ones would have the index put together half of what it knows. Raises BadFilter.
    """
    wanted = list(dict.fromkeys(word for word in words.lower().split() if _TOKEN.search(word)))
    # Whatever begins with `orders` begins with `ord`.
    wanted = [one for one in wanted if not any(_says_more(other, one) for other in wanted)]
    if len(wanted) > MOST_WORDS:
        raise BadFilter(f"q has more than {MOST_WORDS} words")
    return " ".join('"' + word.replace('"', '""') + '"' + ("*" if _is_beginning(word) else "") for word in wanted)


def _says_more(other: str, one: str) -> bool:
    return other != one and one.isalnum() and other.isalnum() and other.startswith(one) and _is_beginning(one)


def _is_beginning(word: str) -> bool:
    """Whether it is looked for as the beginning of a word. Of scripts without spaces, a word is a whole sentence."""
    last = _TOKEN.findall(word)[-1]
    return len(last) >= SHORTEST_BEGINNING or ord(last[0]) >= _WITHOUT_SPACES


# An event that came so long after its time is shown with its arrival.
_SHOWN_LATE_SECONDS = 60.0


def came_late(time: str, received: float | None) -> bool:
    """Whether an event came noticeably later, or earlier, than it says that it happened."""
    try:
        return received is not None and abs(received - datetime.fromisoformat(time).timestamp()) > _SHOWN_LATE_SECONDS
    except (ValueError, OverflowError):
        return True


def place_path(stream: str, seq: int) -> str:
    """The page of an event."""
    return "/statements/" + "/".join(quote(part, safe="") for part in stream.split("/", 1)) + f"/{seq}"


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


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some of them, latest first."""

    records: tuple[R, ...]
    # For the next older page; None at the end.
    before: int | None
    # The state of the trail that this page shows: follow it from here.
    cursor: int
    # In the order of arrival, and not in that of time.
    by_arrival: bool = False

    @property
    def order(self) -> str:
        """For JSON."""
        return "arrival" if self.by_arrival else "time"


def cursor(connection: sqlite3.Connection) -> int:
    """The id of the latest event; ids grow for ever, also where retention deleted the latest."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """A table of the store that has a text index of its own, and how its rows are read."""

    name: str
    # Of the table as `r` and its stream as `t`.
    columns: str
    record: Callable[[sqlite3.Row], R]
    # The text index, and which of the columns says where in it a row is.
    text: str
    key: str
    # What is known of those that are shown beyond their rows.
    completed: Callable[[sqlite3.Connection, tuple[R, ...]], tuple[R, ...]] = lambda _, found: found

    def page(
        self, connection: sqlite3.Connection, filters: LookedFor, before: int | None = None, limit: int = 100
    ) -> Page[R]:
        """Those that happened before `before` (an id; None: from the latest on), by their own time, latest first.

        A text that very many match is too much to put in order: then it is that of arrival.
        """
        conditions, values = filters.conditions()
        values |= {"before": before, "limit": limit + 1}
        source, key, arrival = f"{self.name} r", "r.id", False
        if values["match"]:
            # Driven by the text index, which yields matches by arrival.
            source, key = f"{self.text} f CROSS JOIN {self.name} r ON {self.key} = f.rowid", "f.rowid"
            conditions.append(f"{self.text} MATCH :match")
            arrival = self._is_matched_by_many(connection, values)
        order = f"{key} DESC" if arrival else f"r.time DESC, {key} DESC"
        if before is not None and arrival:
            conditions.append(f"{key} < :before")
        elif before is not None:
            values["moment"] = self.moment(connection, before)
            conditions.append(f"r.time <= :moment AND (r.time < :moment OR {key} < :before)")
        where = " AND ".join(conditions) or "1"
        rows = connection.execute(
            f"""SELECT {self.columns} FROM {source} CROSS JOIN streams t ON t.id = r.stream
                WHERE {where} ORDER BY {order} LIMIT :limit""",  # noqa: S608 # conditions and columns are literals
            values,
        ).fetchall()
        found = self.completed(connection, tuple(self.record(row) for row in rows[:limit]))
        return Page(found, found[-1].id if len(rows) > limit else None, cursor(connection), by_arrival=arrival)

    def moment(self, connection: sqlite3.Connection, before: int) -> Any:
        """The time of a row; of one that is gone by now, that of the one that came before it."""
        row = connection.execute(
            f"SELECT time FROM {self.name} WHERE id <= ? ORDER BY id DESC LIMIT 1",  # noqa: S608 # of a literal
            (before,),
        ).fetchone()
        return row[0] if row is not None else None

    def _is_matched_by_many(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> bool:
        text = self.text
        found = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {text} WHERE {text} MATCH :match LIMIT :most)",  # noqa: S608 # of a literal
            {"match": values["match"], "most": MOST_IN_ORDER + 1},
        )
        return bool(found.fetchone()[0] > MOST_IN_ORDER)

    def changes(
        self, connection: sqlite3.Connection, filters: LookedFor, after: int, limit: int = 200
    ) -> NewRecords[R]:
        """Those that came or changed behind `after`; at most `limit`, the latest."""
        conditions, values = filters.conditions()
        if values["match"]:
            text = self.text
            conditions.append(f"EXISTS (SELECT 1 FROM {text} WHERE {text} MATCH :match AND rowid = {self.key})")  # noqa: S608 # of a literal
        where = " AND ".join(["r.changed > :after", *conditions])
        values |= {"after": after, "limit": limit}
        rows = connection.execute(
            f"""SELECT {self.columns} FROM {self.name} r CROSS JOIN streams t ON t.id = r.stream
                WHERE {where} ORDER BY r.changed DESC LIMIT :limit""",  # noqa: S608 # conditions and columns are literals
            values,
        ).fetchall()
        skipped = 0
        if len(rows) == limit:
            counted = connection.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {self.name} r WHERE {where} LIMIT 100000)",  # noqa: S608 # as above
                values,
            ).fetchone()[0]
            skipped = counted - limit
        found = self.completed(connection, tuple(self.record(row) for row in reversed(rows)))
        return NewRecords(found, skipped, cursor(connection))
