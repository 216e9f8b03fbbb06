"""Part (d): statements made up at random about the attacked world: the queries and writes of `speech.py`, and what goes
by the order of rows, by settings and by DDL.

Masks there are the same for each row, so that rows are compared in their order. What tells the twins apart is made
shorter before it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from tests.core.sql.twins.speech import NUMBER, Speech
from tests.noninterference.bulk import Bulk, found
from tests.noninterference.tally import Tally
from tests.noninterference.twins import Twins

PART = "generated"
_SAID_SECONDS = 20
TABLES = {
    "users": (("email", "name", "note"), ("id", "tenant", "salary")),
    "staff": (("ssn", "note"), ("id", "tenant", "salary", "cap")),
    "orders": (("state", "note"), ("id", "user_id")),
    "plain": (("note",), ("id", "tenant", "n")),
    "human": (("ssn", "email", "note"), ("id", "tenant")),
    "creature": (("note",), ("id", "tenant")),
    "range_parts": (("note",), ("id", "tenant", "pay")),
    "list_parts": (("secret", "note"), ("id", "tenant")),
    "by_rank": ((), ("id", "tenant", "r")),
    "by_pay": (("note",), ("id", "tenant")),
    "v_shown": (("ssn", "note"), ("id", "salary")),
    "v_plain": (("note",), ("id",)),
    "user_ids": (("note",), ("id", "tenant")),
    "part_ids": ((), ("id", "tenant")),
    "checked": (("note",), ("id", "salary", "cap", "floor")),
    "only_unique": (("email", "note"), ("id",)),
    "measured": (("note",), ("id",)),
    "changing": (("txt",), ("id",)),
    "counted": ((), ("tenant", "n")),
    "sales": (("region", "state", "line"), ("id", "amount")),
    "sale_parts": (("region",), ("id", "n")),
}
TARGETS = {
    "users": ("note", "name", "tenant"), "staff": ("note", "tenant", "cap"), "plain": ("note", "n"), "human": ("note",),
    "creature": ("note", "tenant"), "range_parts": ("note", "tenant"), "checked": ("note", "cap", "floor"),
    "only_unique": ("note",), "measured": ("note",), "orders": ("state",),
}  # fmt: skip
_SETTINGS = (
    "SET search_path = other, public", "SET extra_float_digits = -15", "SET bytea_output = 'escape'",
    "SET DateStyle = 'German'", "SET TimeZone = 'Asia/Tokyo'", "SET IntervalStyle = 'iso_8601'",
    "SET work_mem = '64kB'", "SET enable_seqscan = off", "SET enable_indexscan = off",
    "SET LOCAL statement_timeout = '9s'", "RESET ALL",
)  # fmt: skip


class WideSpeech(Speech):
    """Says besides what depends on order, on settings, and on tables and views of the speaker's own."""

    kinds: tuple[str, ...] = (
        *Speech.kinds, "limited", "limited", "aggregated", "distinct_on", "windowed", "returned", "setting",
        "temporary", "view", "cursor", "prepared", "ddl",
    )  # fmt: skip

    def __init__(self, seed: int) -> None:
        super().__init__(seed, TABLES, TARGETS)

    def _limited(self) -> str:
        tail = self._dice.choice(
            ["LIMIT 1", "LIMIT 3", "OFFSET 2", "FETCH FIRST 2 ROWS ONLY", "LIMIT 2 FOR UPDATE SKIP LOCKED"]
        )
        clause, sources = self._sources([])
        columns = ", ".join(self._value(sources, 1) for _ in range(self._dice.randint(1, 2)))
        return f"SELECT {columns} FROM {clause}{self._where(sources)} {tail}"

    def _aggregated(self) -> str:
        clause, sources = self._sources([])
        call = self._dice.choice(
            [
                "array_agg({})",
                "string_agg(({})::text, ',')",
                "json_agg({})",
                "(array_agg({}))[1]",
                "jsonb_object_agg(({})::text, 1)",
            ]
        ).format(self._number(sources, 1))
        return f"SELECT {call} FROM {clause}{self._where(sources)}"

    def _distinct_on(self) -> str:
        source, named = self._source()
        number = self._column([named], NUMBER) or "1"
        return f"SELECT DISTINCT ON ({number}) {number}, {self._value([named], 1)} FROM {source}{self._where([named])}"

    def _windowed(self) -> str:
        source, named = self._source()
        call = self._dice.choice(["row_number()", "rank()", "lag({})", "first_value({})", "sum({})", "array_agg({})"])
        number = self._number([named], 0)
        over = self._dice.choice(["", f"ORDER BY {number}", f"PARTITION BY {number}", "ROWS UNBOUNDED PRECEDING"])
        return (
            f"SELECT {call.format(number)} OVER ({over}), {self._value([named], 0)} FROM {source}{self._where([named])}"
        )

    def _returned(self) -> str:
        inner = self._dice.choice([self._update, self._delete])()
        if "RETURNING" not in inner:
            inner += " RETURNING id"
        return f"WITH w AS ({inner}) SELECT * FROM w LIMIT 1"

    def _setting(self) -> str:
        return f"{self._dice.choice(_SETTINGS)}; {self.statement()}"

    def _temporary(self) -> str:
        return f"CREATE TEMP TABLE own AS {self._select()}; SELECT * FROM own"

    def _view(self) -> str:
        kind = self._dice.choice(["VIEW", "TEMP VIEW", "MATERIALIZED VIEW"])
        return f"CREATE {kind} own AS {self._select()}; SELECT * FROM own"

    def _cursor(self) -> str:
        return f"DECLARE c CURSOR FOR {self._limited().removesuffix(' FOR UPDATE SKIP LOCKED')}; FETCH 2 FROM c"

    def _prepared(self) -> str:
        return f"PREPARE p AS {self._select()}; EXECUTE p; DEALLOCATE p"

    def _ddl(self) -> str:
        table = self._dice.choice(sorted(TARGETS))
        texts, numbers = TABLES[table]
        column = self._dice.choice([*texts, *numbers])
        change = self._dice.choice(
            [
                f"ALTER TABLE {table} ADD COLUMN fresh int", f"CREATE INDEX ON {table} ({column})",
                f"ALTER TABLE {table} ADD CHECK ({column} IS NOT NULL)", f"CREATE UNIQUE INDEX ON {table} ({column})",
                f"ALTER TABLE {table} RENAME COLUMN {column} TO fresh", f"ALTER TABLE {table} DROP COLUMN {column}",
                f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text", f"COMMENT ON TABLE {table} IS 'x'",
            ]
        )  # fmt: skip
        return f"{change}; {self._limited()}"


def run(twins: Twins, first: int, tally: Tally, say: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Make statements up and ask them until the time has come."""
    bulk = Bulk(twins, "maker")
    said = time.monotonic()
    for at in count(first):
        over = ended()
        if over or time.monotonic() - said > _SAID_SECONDS:
            said = time.monotonic()
            say(f"{PART}: {at - first} statements")
        if over:
            break
        text = WideSpeech(at).statement()
        verdict = bulk.judge(text)
        tally.count(PART, twins.version, verdict.outcome)
        if verdict.outcome == "leaked":
            tally.find(found(PART, bulk, text, verdict, twins.version))
    bulk.close()
