"""Which constraints the rows break as the gate shows them to this identity, so that a dump of them would not restore.

The rows themselves are asked, constraint by constraint, through the gate: so nothing has to be known of policies and
masks, and a constraint that masked values keep to is no reason to refuse. Not asked are exclusion constraints and
foreign keys over periods; the unique indexes of materialized views, whose rows are computed anew in the copy; and the
bounds of partitions: where the key is masked, a partition can't be read. What doesn't belong: running programs
(`programs.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# Tables with rows of their own: partitions and children stand for themselves.
_TABLES = """
WITH RECURSIVE t AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
), above AS (
    SELECT oid AS type, oid AS domain FROM pg_type WHERE typtype = 'd'
    UNION SELECT a.type, b.oid FROM above a JOIN pg_type d ON d.oid = a.domain
    JOIN pg_type b ON b.oid = d.typbasetype AND b.typtype = 'd'
)
"""
_COLUMNS = """
(SELECT json_agg(format('%I', a.attname) ORDER BY u.place) FROM unnest(NUMBERS) WITH ORDINALITY AS u (number, place)
 JOIN pg_attribute a ON a.attrelid = RELATION AND a.attnum = u.number)
"""


def _columns(numbers: str, relation: str) -> str:
    return _COLUMNS.replace("NUMBERS", numbers).replace("RELATION", relation)


# Each gives one JSON document for each constraint.
CATALOG_QUERIES = tuple(
    _TABLES + query
    for query in (
        "SELECT json_build_object('kind', 'table', 'table', name) FROM t",
        """
        SELECT json_build_object('kind', 'not null', 'table', t.name, 'columns', json_agg(format('%I', a.attname)))
        FROM t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped AND a.attgenerated = '' GROUP BY t.name
        """,
        """
        SELECT json_build_object('kind', 'check', 'table', t.name, 'name', k.conname,
            'holds', pg_get_expr(k.conbin, k.conrelid))
        FROM t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype = 'c' AND k.convalidated
        """,
        """
        SELECT json_build_object('kind', 'domain', 'table', t.name, 'name', k.conname,
            'column', format('%I', a.attname), 'holds', pg_get_expr(k.conbin, 0))
        FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN above ON above.type = a.atttypid JOIN pg_constraint k ON k.contypid = above.domain
        WHERE k.contype = 'c' AND k.convalidated AND a.attgenerated = ''
        """,
        """
        SELECT json_build_object('kind', 'unique', 'table', t.name, 'name', x.relname,
            'nulls', NOT i.indnullsnotdistinct, 'where', pg_get_expr(i.indpred, i.indrelid),
            'keys', (SELECT json_agg(pg_get_indexdef(i.indexrelid, n, true) ORDER BY n)
                     FROM generate_series(1, i.indnkeyatts::int) AS n))
        FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indisunique AND i.indisvalid
        """,
        r"""
        SELECT json_build_object('kind', 'foreign key', 'table', t.name, 'name', k.conname,
            'columns', MINE, 'others', THEIRS,
            'other', (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
                      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = k.confrelid))
        FROM t JOIN pg_constraint k ON k.conrelid = t.oid
        WHERE k.contype = 'f' AND k.convalidated AND pg_get_constraintdef(k.oid) !~ '^FOREIGN KEY \((.*, )?PERIOD '
          AND NOT EXISTS (
            SELECT FROM pg_constraint w WHERE w.oid = k.conparentid AND w.conrelid = k.conrelid)
        """.replace("MINE", _columns("k.conkey", "k.conrelid")).replace("THEIRS", _columns("k.confkey", "k.confrelid")),
    )
)


@dataclass(frozen=True, slots=True)
class Question:
    """A query that answers true if rows break the constraint."""

    table: str
    # The constraint in words; empty where it is only asked whether the table can be read.
    about: str
    sql: str


def questions(documents: Iterable[str]) -> Iterator[Question]:
    """What to ask, from the lines that the queries of the catalog gave."""
    for document in documents:
        yield from _QUESTIONS[(found := json.loads(document))["kind"]](found)


def _table(found: dict[str, Any]) -> Iterator[Question]:
    yield Question(found["table"], "", _any(f"ONLY {found['table']} WHERE false"))


def _not_null(found: dict[str, Any]) -> Iterator[Question]:
    for column in found["columns"]:
        yield Question(found["table"], f"NOT NULL of {column}", _rows(found, f"{column} IS NULL"))


def _check(found: dict[str, Any]) -> Iterator[Question]:
    yield Question(found["table"], f"check {found['name']}", _rows(found, f"NOT ({found['holds']})"))


def _domain(found: dict[str, Any]) -> Iterator[Question]:
    # In the check of a domain, VALUE is the value; here, a column of that name.
    values = f"SELECT {found['column']} AS value FROM ONLY {found['table']}"  # noqa: S608 # names are quoted by the server
    yield Question(
        found["table"],
        f"check {found['name']} of the domain of {found['column']}",
        _any(f"({values}) AS v WHERE NOT ({found['holds']})"),
    )


def _unique(found: dict[str, Any]) -> Iterator[Question]:
    keys = [f"({key})" for key in found["keys"]]
    conditions = [f"({found['where']})"] if found["where"] else []
    if found["nulls"]:
        conditions += [f"{key} IS NOT NULL" for key in keys]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = f"ONLY {found['table']}{where} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    yield Question(found["table"], f"unique {found['name']}", _any(rows))


def _foreign_key(found: dict[str, Any]) -> Iterator[Question]:
    pairs = list(zip(found["columns"], found["others"], strict=True))
    alike = " AND ".join(f"other.{other} = mine.{column}" for column, other in pairs)
    there = f"{found['other']} AS other WHERE {alike}"
    given = "".join(f" AND mine.{column} IS NOT NULL" for column, _ in pairs)
    yield Question(
        found["table"],
        f"foreign key {found['name']}",
        _any(f"ONLY {found['table']} AS mine WHERE NOT {_exists(there)}{given}"),
    )


def _rows(found: dict[str, Any], condition: str) -> str:
    return _any(f"ONLY {found['table']} WHERE {condition}")


def _any(rows: str) -> str:
    return f"SELECT {_exists(rows)}"


def _exists(rows: str) -> str:
    return f"EXISTS (SELECT FROM {rows})"


_QUESTIONS = {
    "table": _table,
    "not null": _not_null,
    "check": _check,
    "domain": _domain,
    "unique": _unique,
    "foreign key": _foreign_key,
}
