"""What is asked about tables and columns, in SQL that the gate passes to anybody, and what its rows mean.

What is masked is asked of the gate itself (`EXPLAIN (PENSTOCK)`), so that this server needs no policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from penstock_agents.tools.results import Approval, Limited, Masked, TableColumn, TableName

MOST_TABLES = 200
_LONGEST_COMMENT = 200
TABLES = f"""
SELECT n.nspname, c.relname, c.relkind, pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
  AND ($1::text = '' OR n.nspname = $1::text)
ORDER BY n.nspname, c.relname LIMIT {MOST_TABLES + 1}
"""  # noqa: S608 # a constant
COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_catalog.col_description(a.attrelid, a.attnum)
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT pg_catalog.pg_get_constraintdef(k.oid)
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relname = $2::text AND k.contype IN ('p', 'u', 'f', 'c')
ORDER BY k.contype DESC, k.conname
"""

Kind = Literal["table", "partitioned table", "view", "materialized view", "foreign table", "other"]
_KINDS: Mapping[str, Kind] = {
    "r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table",
}  # fmt: skip

Row = Sequence[bytes | None]


def decision_about(sql: str) -> str:
    """The question to the gate what it would do with a statement."""
    return f"EXPLAIN (PENSTOCK) {sql}"


def whole(schema: str, table: str) -> str:
    """A statement that reads all of a table."""
    return f"SELECT * FROM {_quoted(schema)}.{_quoted(table)}"  # noqa: S608 # of names in quotes


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables(rows: Iterable[Row]) -> list[TableName]:
    """Of the rows of `TABLES`."""
    return [
        TableName(table_schema=schema, name=name, kind=_KINDS.get(kind, "other"), comment=comment[:_LONGEST_COMMENT])
        for schema, name, kind, comment in map(_texts, rows)
    ]


def columns(rows: Iterable[Row], told: Decided, schema: str, table: str) -> list[TableColumn]:
    """Of the rows of `COLUMNS`, and of what the gate tells of reading them."""
    return [
        TableColumn(
            name=name, type=kind, nullable=not_null != "t", comment=comment[:_LONGEST_COMMENT],
            masked=told.masks.get(f"{schema}.{table}.{name}"), tags=told.tags.get(f"{schema}.{table}.{name}", []),
        )
        for name, kind, not_null, comment in map(_texts, rows)
    ]  # fmt: skip


def texts(rows: Iterable[Row]) -> list[str]:
    """Of rows of one column."""
    return [_texts(row)[0] for row in rows]


class Decided:
    """What the gate told of one statement: rows of item, value, meaning and rule."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._told = [(item, value, meaning, rule) for item, value, meaning, rule in map(_texts, rows)]
        self.masks = {one.column: one.mask for one in self.masked}
        self.tags: dict[str, list[str]] = {}
        for _, value, meaning, _ in self._of("tagged"):
            self.tags.setdefault(value, []).append(meaning)

    def _of(self, item: str) -> Iterator[tuple[str, str, str, str]]:
        return (row for row in self._told if row[0] == item)

    @property
    def allowed(self) -> bool:
        return any(value == "allowed" for _, value, _, _ in self._of("decision"))

    @property
    def reason(self) -> tuple[str, str, str]:
        """Why it is refused, what to do instead, and by which rule."""
        return next(((value, meaning, rule) for _, value, meaning, rule in self._of("reason")), ("", "", ""))

    def values(self, item: Literal["verb", "relation", "filtered"]) -> list[str]:
        return [value for _, value, _, _ in self._of(item)]

    @property
    def masked(self) -> list[Masked]:
        return [Masked(column=value, mask=meaning, rule=rule) for _, value, meaning, rule in self._of("masked")]

    @property
    def approvals(self) -> list[Approval]:
        return [Approval(rule=rule, condition=meaning) for _, _, meaning, rule in self._of("may be held")]

    @property
    def limits(self) -> list[Limited]:
        return [Limited(at_most=value, of=meaning, rule=rule) for _, value, meaning, rule in self._of("at most")]


def _texts(row: Row) -> list[str]:
    return [(value or b"").decode("utf-8", "replace") for value in row]
