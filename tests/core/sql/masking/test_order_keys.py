"""What tells the rows of a query apart: keys, and what its conditions pin or tie together."""

from __future__ import annotations

from typing import Any

import pytest
from pglast import ast

from penstock_core.sql.masking import order_keys
from penstock_core.sql.masking.order_keys import Level, NotTold, Rows
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

TYPES = {"id": "int4", "ref": "int8", "text": "text", "price": "float8", "cost": "numeric"}


def rows(name: str, key: str = "id", **more: Any) -> Rows:
    return Rows(name, tuple(TYPES), key=tuple(key.split()), types=TYPES, **more)


def value(text: str) -> Any:
    (select,) = parse(f"SELECT {text}")
    assert isinstance(select, ast.SelectStmt)
    return (select.targetList or ())[0].val


def level(*sources: Rows, where: str = "true") -> Level:
    found = Level(list(sources))
    found.condition(value(where))
    return found


def order(found: Level) -> str:
    """What has to be sorted by, in words."""
    return ", ".join(
        deparse((ast.SelectStmt(targetList=(ast.ResTarget(val=one.node),)),))[7:] for one in found.order(())
    )


def test_each_sources_key_unless_one_follows_from_another() -> None:
    assert order(level(rows("a"))) == "a.id"
    assert order(level(rows("a"), rows("b"))) == "a.id, b.id"
    assert order(level(rows("a"), rows("b"), where="b.id = a.ref")) == "a.id"
    assert order(level(rows("a"), rows("b", "id ref"), where="b.id = a.ref")) == "a.id, b.id, b.ref"
    assert order(level(rows("a", ""))) == "ROW(a.*)"


def test_what_a_condition_pins() -> None:
    for where in (
        "a.id = 7",
        "7 = a.id",
        "a.id = $1",
        "a.id = 7::int8",
        "a.text = 'x' AND a.id OPERATOR(pg_catalog.=) 7",
    ):
        assert order(level(rows("a"), where=where)) == "", where


@pytest.mark.parametrize(
    "where",
    [
        "a.id > 7",
        "a.id = 7 OR true",
        "NOT a.id = 7",
        "a.id = NULL",
        "a.id = 7::text",
        "a.id OPERATOR(app.=) 7",
        "a.id = f(7)",
    ],
)
def test_what_pins_nothing(where: str) -> None:
    assert order(level(rows("a"), where=where)) == "a.id"


def test_only_columns_that_compare_alike_are_tied() -> None:
    assert order(level(rows("a"), rows("b"), where="b.id = a.text")) == "a.id, b.id"
    assert order(level(rows("a"), rows("b"), where="b.id = a.id")) == "a.id"


def test_an_outer_joins_condition_holds_its_inner_side_alone() -> None:
    outer, inner = rows("a"), rows("b")
    found = Level([outer, inner])
    found.condition(value("a.id = 7 AND b.id = a.ref"), into=[inner])
    assert [one.name for one in found.apart(())] == ["a"]


def test_whose_column_a_name_is() -> None:
    found = level(rows("a"), Rows("b", ("other", "id")))
    assert found.owner(value("other")) == (found.sources[1], "other")
    assert found.owner(value("a.id")) == (found.sources[0], "id")
    # Not surely one's, or no plain column.
    assert [found.owner(value(one)) for one in ("id", "s.a.id", "a.nothing", "a.*", "1")] == [None] * 5
    assert level(Rows("c", ("x", "x"))).owner(value("x")) is None
    assert level(Rows("d", None)).owner(value("x")) is None


def test_rows_without_a_name_or_with_anothers_can_not_be_sorted_by() -> None:
    for sources in ((rows(""),), (rows("a"), rows("a"))):
        with pytest.raises(NotTold):
            level(*sources).order(())


def test_of_very_many_sources_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_keys, "_MOST_SOURCES", 2)
    with pytest.raises(NotTold):
        level(rows("a"), rows("b"), rows("c")).order(())


def test_a_cursors_row_is_one() -> None:
    (update,) = parse("UPDATE a SET id = 1 WHERE CURRENT OF c")
    found = Level([rows("a")])
    found.condition(update.whereClause)  # type: ignore[attr-defined]  # an UPDATE
    assert found.sources[0].single


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a.id", "int4"), ("1", "int4"), ("1.5", "numeric"), ("a.id + 1", "int4"), ("a.id + a.ref", "numeric"),
        ("a.id + 1.5", "numeric"), ("coalesce(a.id, NULL)", "int4"), ("CASE WHEN true THEN 1 ELSE a.id END", "int4"),
        ("sum(a.cost)", "numeric"), ("count(*)", "int8"), ("length(a.text)", "int4"), ("a.text::int8", "int8"),
        ("a.price", "float8"), ("a.price + 1", None), ("f(a.id)", None), ("NULL", None), ("sqrt(a.id)", None),
        ("a.id || 'x'", None), ("CASE WHEN true THEN 1 ELSE a.price END", None), ("'{1}'::int[]", None),
    ],
)  # fmt: skip
def test_types_as_far_as_they_matter(text: str, kind: str | None) -> None:
    assert level(rows("a")).type_of(value(text)) == kind
