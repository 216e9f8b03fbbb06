"""Two trees, or a tree and the parser's JSON, are the same where they mean the same, and nowhere else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pglast import ast, enums
from tests.core.sql.syntax.test_deparse import STATEMENTS, standing_in
from tests.core.sql.twins.corpus import PASS

from penstock_core.sql.syntax.equivalence import is_unset, means, same
from penstock_core.sql.syntax.parse import parse


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a", "SELECT b"),
        ("SELECT a FROM t", "SELECT a FROM ONLY t"),
        ("SELECT 'a'", "SELECT 'b'"),
        ("SELECT ''", "SELECT NULL"),
        ("SELECT 1", "SELECT '1'"),
        ("SELECT a, b", "SELECT b, a"),
        ("SELECT a UNION SELECT b", "SELECT a UNION ALL SELECT b"),
        ("SELECT count(a)", "SELECT count(DISTINCT a)"),
        ("SELECT public.f()", "SELECT f()"),
        ("SELECT NOT a", "SELECT a"),
        ("SELECT a ORDER BY b", "SELECT a ORDER BY b DESC"),
        ("SELECT a AND b", "SELECT a OR b"),
        ("SELECT true", "SELECT false"),
        ("SELECT a = b", "SELECT a OPERATOR(pg_catalog.=) b"),
        ("ALTER TABLE t ADD COLUMN a int DEFAULT 1", "ALTER TABLE t ADD COLUMN a int DEFAULT 2"),
        ("ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t DROP COLUMN a"),
        ("ALTER TABLE t ALTER a TYPE text USING b", "ALTER TABLE t ALTER a TYPE text"),
        ("ALTER TABLE t ADD CHECK (a > 0)", "ALTER TABLE t ADD CHECK (a > 1)"),
        ("ALTER DOMAIN d ADD CHECK (value > 0)", "ALTER DOMAIN d ADD CHECK (value > 1)"),
    ],
)
def test_what_means_something_else_is_not_the_same(one: str, other: str) -> None:
    (left,), (right,) = parse(one), parse(other)
    assert not same(left, right)
    assert not means(other, (left,), {})
    assert not means(one, (right,), {})
    assert means(one, (left,), {})
    assert same(left, parse(f"  {one} -- there")[0])


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("SELECT a FROM {} AS t", "t"),
        ("SELECT a FROM ONLY {} AS t", ""),
        ("SELECT a FROM s.{} AS t", ""),
        ("SELECT a FROM {} AS t (b)", ""),
        ("SELECT a FROM {}", ""),
        ("SELECT a FROM {} AS other", ""),
        ("SELECT a FROM other AS t", ""),
        ("SELECT a FROM (SELECT 1) AS t", ""),
        ("SELECT a FROM {} AS t TABLESAMPLE system (1)", ""),
    ],
)
def test_only_a_plain_relation_under_the_alias_stands_for_a_subquery(text: str, alias: str) -> None:
    statements, known = standing_in("SELECT a FROM x")
    names = dict.fromkeys(known, "stand_in")
    assert means(text.format("stand_in"), statements, names) is bool(alias)


@pytest.mark.parametrize(("text", "next_text"), list(pairwise(PASS.values())))
def test_what_the_parser_says_in_json_is_what_its_trees_say(text: str, next_text: str) -> None:
    trees, others = parse(text), parse(next_text)
    assert means(text, trees, {})
    assert means(text, others, {}) is (len(trees) == len(others) and all(map(same, trees, others)))


@pytest.mark.parametrize("text", [line for line in STATEMENTS.splitlines() if line])
def test_the_parsers_json_of_every_kind_of_statement_is_understood(text: str) -> None:
    assert means(text, parse(text), {})


@pytest.mark.parametrize("text", ["not SQL", "SELECT '\ud800'", "SELECT 1 FROM"])
def test_what_is_no_text_means_nothing(text: str) -> None:
    assert not means(text, parse("SELECT 1"), {})


def test_a_field_that_says_nothing_is_unset() -> None:
    assert all(map(is_unset, (None, False, 0, (), "\0", enums.SortByDir.SORTBY_DEFAULT)))
    assert not any(map(is_unset, ("", "x", 1, True, (ast.A_Star(),), enums.SortByDir.SORTBY_DESC)))
    assert same(ast.Boolean(boolval=False), ast.Boolean())
    assert not same(ast.Boolean(boolval=True), ast.Boolean())
    assert not same(ast.Integer(ival=1), ast.Float(fval="1"))
