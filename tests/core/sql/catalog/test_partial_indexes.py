"""What a partial index is certain to leave out: by single values, and by columns that a row leaves out."""

from __future__ import annotations

import pytest

from penstock_core.sql.catalog.model import Column, Condition
from penstock_core.sql.catalog.partial_indexes import conditions, excludes, left_out_by_default


def column(base: str, category: str = "S", collation: str | None = None) -> Column:
    name = base if "." in base else f"pg_catalog.{base}"
    return Column("c", name, name, name, category, collation=collation)


TEXT, VARCHAR, INT, BOOL = column("text"), column("varchar"), column("int4", "N"), column("bool", "B")
MOOD, CITEXT, OTHER = column("public.mood", "E"), column("public.citext"), column("text", collation="public.odd")


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ("(c IS NULL)", Condition("c", frozenset(), is_null=True)),
        ("(c IS NOT NULL)", Condition("c", None)),
        ("c", Condition("c", frozenset({"true"}))),
        ("(NOT c)", Condition("c", frozenset({"false"}))),
        ("(c = 'open'::text)", Condition("c", frozenset({"open"}))),
        ("((c)::text = 'open'::text)", Condition("c", frozenset({"open"}))),
        ("(c = 5)", Condition("c", frozenset({"5"}))),
        ("(c = 'calm'::public.mood)", Condition("c", frozenset({"calm"}))),
        ("(c < '5'::text)", Condition("c", None)),
        ("(c <> 'x'::text)", Condition("c", None)),
        ("(c = ANY (ARRAY['a'::text, 'b'::text]))", Condition("c", frozenset({"a", "b"}))),
        ("((c)::text = ANY ((ARRAY['a'::character varying])::text[]))", Condition("c", frozenset({"a"}))),
        ("(c = ANY (ARRAY['a'::text, NULL::text]))", Condition("c", None)),
    ],
)
def test_conditions_on_single_columns_are_read(predicate: str, found: Condition) -> None:
    assert conditions(predicate) == (found,)
    assert conditions(f"(({predicate}) AND (lower(d) = 'x'::text))") == (found,)
    # One of several that may do is none.
    assert conditions(f"(({predicate}) OR (d = 1))") == ()


@pytest.mark.parametrize(
    "predicate",
    [
        "(lower(c) = 'x'::text)", "(c OPERATOR(public.=) 'x'::text)", "((c)::character varying(2) = 'ab'::text)",
        "((c)::integer = 5)", "((c COLLATE public.odd) = 'x'::text)", "(c = d)", "(c ~~ 'a%'::text)", "(1 = 1)",
        "(NOT (c = 'x'::text))", "(c = lower('X'::text))", "(c = ('x'::character varying(1))::text)", "((t.*) IS NULL)",
    ],
)  # fmt: skip
def test_what_is_not_understood_leaves_nothing_out(predicate: str) -> None:
    assert [one for one in conditions(predicate) if one.column] == []


@pytest.mark.parametrize(
    ("values", "of", "given", "out"),
    [
        (("open",), TEXT, "paid", True), (("open",), TEXT, "open", False), (("open",), VARCHAR, "open  ", False),
        (("a", "b"), TEXT, "c", True), (("a", "b"), TEXT, "b", False), (("5",), INT, "6", True),
        (("5",), INT, "05", False), (("5",), INT, "x", False), (("true",), BOOL, "off", True),
        (("true",), BOOL, "Yes", False), (("false",), BOOL, "t", True), (("calm",), MOOD, "cross", True),
        # Equal though they look different, or so they may be.
        (("open",), CITEXT, "OPEN", False), (("open",), OTHER, "OPEN", False), (("a",), column("bpchar"), "a ", False),
        (("1.0",), column("numeric", "N"), "1", False),
    ],
)  # fmt: skip
def test_a_constant_of_another_value_is_outside(values: tuple[str, ...], of: Column, given: str, out: bool) -> None:
    assert excludes(Condition("c", frozenset(values)), of, given) == out
    assert not excludes(Condition("c", frozenset(values)), of, None)
    assert not excludes(Condition("c", None), of, given)
    assert excludes(Condition("c", frozenset(), is_null=True), of, given)


@pytest.mark.parametrize(
    ("predicate", "defaults", "out"),
    [
        ("(c = 'open'::text)", {"c": None}, True), ("(c > 'a'::text)", {"c": None}, True),
        ("(c IS NOT NULL)", {"c": None}, True), ("(c IS NULL)", {"c": None}, False),
        ("(c = 'open'::text)", {"c": "'new'::text"}, True), ("(c = 'open'::text)", {"c": "'open'::text"}, False),
        ("(c = 'open'::text)", {"c": "lower('X'::text)"}, False), ("(c > 'a'::text)", {"c": "'A'::text"}, False),
        ("(c = 'open'::text)", {}, False), ("(c = 'open'::text)", {"d": None}, False),
        # NULL may be written, too.
        ("(c IS NULL)", {"c": "'x'::text"}, False),
        ("(c = 'ab'::text)", {"c": "'abc'::character varying(2)"}, False),
    ],
)  # fmt: skip
def test_a_column_left_out(predicate: str, defaults: dict[str, str | None], out: bool) -> None:
    found = left_out_by_default(conditions(predicate), defaults, {"c": TEXT})
    assert found == (frozenset({"c"}) if out else frozenset())
