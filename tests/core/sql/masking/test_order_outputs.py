"""What a query gives, as far as orders need it: its columns, which of them are a key, and what groups sort by."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import ast

from penstock_core.sql.masking.order_keys import Level, NotTold, Rows
from penstock_core.sql.masking.order_outputs import counted, group_order, outputs, renamed, sorted_cells
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

T = Rows("t", ("id", "a"), key=("id",), types={"id": "int4", "a": "text"})
U = Rows("u", ("id", "b"), key=("id",), types={"id": "int4", "b": "text"})


def select(text: str) -> ast.SelectStmt:
    (one,) = parse(text)
    assert isinstance(one, ast.SelectStmt)
    return one


def given(text: str, *sources: Rows) -> Rows:
    return outputs(select(text), Level(list(sources or (T,))), hazard=False, single=False)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("SELECT id, a", ("id",)),
        ("SELECT id AS key, a", ("key",)),
        ("SELECT *", ("id",)),
        ("SELECT a", ()),
        ("SELECT id + 1 AS id", ()),
        ("SELECT DISTINCT id", ()),
        ("SELECT id, unnest(a)", ()),
        ("SELECT id, public.mine(a)", ()),
        ("SELECT id, upper(a)", ("id",)),
        ("SELECT a, count(*) GROUP BY a", ("a",)),
        ("SELECT count(*) GROUP BY a", ()),
        ("SELECT a, count(*) GROUP BY upper(a), a", ()),
        ("SELECT id, id", ()),
    ],
)
def test_the_key_is_one_where_it_shows(text: str, key: tuple[str, ...]) -> None:
    assert given(text).key == key


def test_of_two_sources_both_keys_have_to_show() -> None:
    assert given("SELECT t.id, u.id AS other, b", T, U).key == ("id", "other")
    assert given("SELECT t.id, b", T, U).key == ()


def test_types_of_outputs_are_those_of_columns() -> None:
    assert given("SELECT id, a AS b, 1 AS one, public.mine(a) AS m").types == {"id": "int4", "b": "text", "one": "int4"}


def test_without_sources_there_is_one_row() -> None:
    def single(text: str) -> bool:
        return outputs(select(text), Level([]), hazard=False, single=False).single

    assert single("SELECT 1")
    assert not single("SELECT generate_series(1, 2)")
    assert not single("SELECT public.mine()")


def test_an_alias_gives_other_names() -> None:
    found = renamed(T, [ast.String(sval="key")])
    assert (found.columns, found.key, found.types) == (("key", "a"), ("key",), {"key": "int4", "a": "text"})
    # Two of one name can't be told apart.
    assert renamed(T, [ast.String(sval="a")]).key == ()
    assert renamed(T, None) is T


def test_what_the_client_sorts_by() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name in sorted_cells(select(text), Level([T]))}

    assert names("SELECT id, a ORDER BY 2, id") == {"a", "id"}
    assert names("SELECT upper(a) AS id ORDER BY id") == set()
    assert names("SELECT a AS x ORDER BY x") == {"a"}
    assert names("SELECT DISTINCT ON (a) id ORDER BY upper(a)") == {"a"}
    # By an operator that may take different values for the same.
    assert names("SELECT a ORDER BY a USING <") == set()


def test_a_number_counts_where_it_surely_is_that_column() -> None:
    def of(text: str, number: int) -> int | None:
        found: list[Any] = list(select(text).targetList or ())
        return counted(ast.A_Const(isnull=False, val=ast.Integer(ival=number)), found)

    assert [of("SELECT a, b", number) for number in (0, 1, 2, 3)] == [None, 1, 2, None]
    assert of("SELECT *, b", 2) is None


def order(text: str, *, places: bool = True) -> str:
    found = select(text)
    found.sortClause = tuple(group_order(found, Level([T]), places=places))
    return " ".join(deparse((found,)).split(" ORDER BY ")[1].split())


def test_groups_are_told_apart_by_what_they_are_made_of() -> None:
    assert order("SELECT count(*) GROUP BY a, id") == "t.a, t.id"
    assert order("SELECT upper(a), count(*) GROUP BY 1") == "1"
    assert order("SELECT upper(a) AS x GROUP BY x") == "x"
    assert order("SELECT upper(a) AS x GROUP BY x", places=False) == "upper(a)"
    # A column comes before an output of that name in GROUP BY, behind it in ORDER BY.
    assert order("SELECT upper('x') AS a GROUP BY a") == "t.a"
    assert order("SELECT a GROUP BY ROLLUP (a)") == "t.a, GROUPING(t.a)"


@pytest.mark.parametrize(
    ("text", "places"),
    [("SELECT a GROUP BY 1", False), ("SELECT a GROUP BY ROLLUP (1)", True), ("SELECT *, 1 GROUP BY 2", True)],
)
def test_a_number_that_can_not_be_repeated_is_told(text: str, places: bool) -> None:
    with pytest.raises(NotTold):
        order(text, places=places)
