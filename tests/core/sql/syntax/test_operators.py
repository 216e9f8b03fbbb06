"""What an operator is called."""

from __future__ import annotations

import pytest
from pglast import ast, parse_sql

from penstock_core.sql.syntax.operators import operator_of


@pytest.mark.parametrize(
    ("text", "name"), [("1 = 2", "="), ("1 OPERATOR(pg_catalog.<>) 2", "<>"), ("a IN (1)", "="), ("- a", "-")]
)
def test_its_name_is_without_its_schema(text: str, name: str) -> None:
    (statement,) = parse_sql(f"SELECT {text}")
    assert operator_of(statement.stmt.targetList[0].val) == name


def test_without_a_name_it_has_none() -> None:
    assert operator_of(ast.A_Expr()) == ""
