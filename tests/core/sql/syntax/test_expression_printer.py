"""The fast printer of expressions: what it prints means the same, and what it does not know it says."""

from __future__ import annotations

import psycopg
import pytest
from pglast import ast, enums
from pglast.keywords import RESERVED_KEYWORDS
from tests.core.sql.syntax.test_deparse import EXPRESSIONS

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.syntax.equivalence import means
from penstock_core.sql.syntax.expression_printer import Unprintable, literal, quoted
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.printer import Printer

# Kept to pglast: rare, or long.
LEFT = {
    "XmlExpr", "XmlSerialize", "JsonObjectConstructor", "JsonFuncExpr", "JsonIsPredicate", "JsonArrayAgg",
    "JsonObjectAgg", "a rare window", "a string of bits", "a precision", "a slice", "a part of a column is set",
}  # fmt: skip


@pytest.mark.parametrize("text", [one.strip() for line in EXPRESSIONS.splitlines() for one in line.split(" | ") if one])
def test_what_it_prints_means_the_same(text: str) -> None:
    statements = parse(f"SELECT {text}")
    try:
        printed = Printer({}).statement(statements[0])
    except Unprintable as left:
        # SIMILAR TO is told by the number of its kind.
        assert str(left) in {*LEFT, str(int(enums.A_Expr_Kind.AEXPR_SIMILAR))}  # noqa: PT017 - this is what is asked
        return
    assert means(printed, statements, {})


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "(a - b) - c"),
        ("(a + 1)::int", "CAST(a + 1 AS pg_catalog.int4)"),
        ("-1", "-1"),
        ("2 ^ -1", "2 ^ (-1)"),
        ("NOT (a AND b)", "NOT (a AND b)"),
        ("(a < b) = c", "(a < b) = c"),
        ("a OPERATOR(pg_catalog.+) b", "a OPERATOR(pg_catalog.+) b"),
        ('"select"."Odd"', '"select"."Odd"'),
    ],
)
def test_an_operand_is_not_torn_apart(text: str, printed: str) -> None:
    assert Printer({}).statement(parse(f"SELECT {text}")[0]) == f"SELECT {printed}"


def test_names_stand_in_quotes_unless_they_are_plain() -> None:
    assert [quoted(one) for one in ("people", "_a1", "People", "a b", 'a"b', "1a", "ä", "", "a$")] == [
        "people", "_a1", '"People"', '"a b"', '"a""b"', '"1a"', '"ä"', '""', '"a$"',
    ]  # fmt: skip
    assert all(quoted(word) == f'"{word}"' for word in RESERVED_KEYWORDS)


def test_a_literal_is_the_same_whatever_the_settings(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("SET escape_string_warning = off")
        for setting in ("on", "off"):
            connection.execute(f"SET standard_conforming_strings = {setting}")
            for text in ("it's", "back\\slash", "\\'", "a\\'; --", "'; DROP TABLE t; --", "\\\\", "ä\n\t", ""):
                assert connection.execute(f"SELECT {literal(text)}").fetchone() == (text,)


def test_a_class_that_it_does_not_know_is_said() -> None:
    with pytest.raises(Unprintable, match="Query"):
        Printer({}).expression(ast.Query())
    with pytest.raises(Unprintable):
        Printer({}).expression(None)
