"""The nodes of masks mean the same under any search path, and no two trees share one."""

from __future__ import annotations

import psycopg
import pytest
from pglast import ast
from tests.core.sql.test_governor import text_column

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.masking import build
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.walk import below

COLUMN = text_column("Odd name")


def written(value: ast.Node) -> str:
    return deparse((ast.SelectStmt(targetList=(ast.ResTarget(val=value),)),)).removeprefix("SELECT ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (build.reference(COLUMN), '"Odd name"'),
        (build.as_text(COLUMN), 'CAST("Odd name" AS pg_catalog.text)'),
        (build.null(), "NULL"),
        (build.text("it's \\"), "E'it''s \\\\'"),
        (build.integer(7), "7"),
        (build.call("lower", build.text("A")), "pg_catalog.lower('A')"),
        (build.operator("||", build.text("a"), build.text("b")), "'a' OPERATOR(pg_catalog.||) 'b'"),
        (build.case([(build.null(), build.integer(1))], build.integer(2)), "CASE WHEN NULL THEN 1 ELSE 2 END"),
    ],
)
def test_what_it_writes(value: ast.Node, text: str) -> None:
    assert written(value) == text


def test_bytes_are_the_same_however_the_session_reads_text(postgres: EmbeddedPostgres) -> None:
    key = bytes(range(256))
    with psycopg.connect(postgres.url()) as connection:
        for setting in ("on", "off"):
            connection.execute(f"SET standard_conforming_strings = {setting}")
            connection.execute("SET bytea_output = escape")
            assert connection.execute(f"SELECT {written(build.binary(key))}".encode()).fetchone() == (key,)


def test_two_trees_share_no_node_that_is_changed() -> None:
    one, other = ({id(node) for node in below(build.reference(COLUMN))} for _ in range(2))
    kept = [build.call("lower", build.as_text(COLUMN)) for _ in range(2)]
    assert kept[0] is not kept[1]
    columns = [{id(node) for node in below(tree) if isinstance(node, ast.ColumnRef)} for tree in kept]
    assert not columns[0] & columns[1]
    assert one
    assert other
