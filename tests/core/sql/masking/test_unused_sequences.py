"""What shows of a sequence of a masked column is what it had when it was made, by whatever names it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pglast import ast, parse_sql

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.unused_sequences import column, state_of
from penstock_core.sql.syntax.deparse import deparse

HIDDEN = {("numbers", "pg_sequence"), ("numbers", 'it\'s "odd"')}


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres.url()) as opened:
        opened.execute("CREATE SCHEMA numbers")
        for name, start in (("pg_sequence", 7), ('it\'s "odd"', 8), ("plain", 9)):
            quoted = '"' + name.replace('"', '""') + '"'
            opened.execute(f"CREATE SEQUENCE numbers.{quoted} START {start}")
            opened.execute("SELECT nextval(%s), nextval(%s)", [f"numbers.{quoted}"] * 2)
        yield opened
        opened.rollback()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("pg_get_sequence_data('numbers.plain')", (10, True)),
        ("pg_get_sequence_data('numbers.pg_sequence')", (7, False)),
        ('pg_get_sequence_data(\'numbers."it\'\'s ""odd"""\'::regclass)', (8, False)),
    ],
)
def test_the_function_tells_of_others_alone(
    connection: psycopg.Connection[tuple[object, ...]], call: str, expected: tuple[object, ...]
) -> None:
    assert connection.execute(_rewritten(f"SELECT last_value, is_called FROM {call} AS d")).fetchall() == [expected]


def test_names_in_the_argument_mean_what_they_meant(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Though what it is joined with has columns of these names, too."""
    text = _rewritten(
        "SELECT last_value FROM (SELECT 'numbers.pg_sequence'::regclass AS seqrelid, 'numbers.plain'::regclass AS oid)"
        " AS mine, pg_get_sequence_data(oid) AS d"
    )
    assert connection.execute(text).fetchall() == [(10,)]


@pytest.mark.parametrize("name", ["pg_sequence", 'it\'s "odd"'])
def test_the_sequence_itself_shows_as_new(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    sequence = Relation("numbers", name, "S", ())
    targets = tuple(ast.ResTarget(val=column(sequence, one)) for one in ("last_value", "log_cnt", "is_called"))
    source = ast.RangeVar(schemaname="numbers", relname=name, inh=True, relpersistence="p")
    shown = connection.execute(deparse((ast.SelectStmt(targetList=targets, fromClause=(source,)),))).fetchone()
    assert shown == (7 if name == "pg_sequence" else 8, 0, False)
    assert column(sequence, "other") is None


def _rewritten(text: str) -> str:
    (statement,) = (one.stmt for one in parse_sql(text))
    *others, item = statement.fromClause
    statement.fromClause = (*others, state_of(item.functions[0][0], item.alias, HIDDEN))
    return deparse((statement,))
