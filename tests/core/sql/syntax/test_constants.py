"""A constant is told where it is written out, and nowhere else."""

from __future__ import annotations

import pytest
from pglast import ast

from penstock_core.sql.syntax.constants import constant
from penstock_core.sql.syntax.parse import parse


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("'x'", "x"), ("''", ""), ("E'a\\nb'", "a\nb"), ("7", "7"), ("0", "0"), ("true", "on"), ("false", "off"),
        ("'x'::text", "x"), ("CAST('x' AS app.t)", "x"), ("('x'::text)::varchar(1)", "x"),
        ("NULL", None), ("1.5", None), ("B'1'", None), ("$1", None), ("a", None), ("'a' || 'b'", None),
        ("lower('x')", None),
        ("-1", "-1"), ("(SELECT 'x')", None), ("ARRAY['x']", None),
    ],
)  # fmt: skip
def test_what_is_written_out(value: str, told: str | None) -> None:
    (select,) = parse(f"SELECT {value}")
    assert isinstance(select, ast.SelectStmt)
    assert constant((select.targetList or ())[0].val) == told


def test_nothing_is_no_constant() -> None:
    assert constant(None) is None
