"""What statements that write to filtered tables become."""

from __future__ import annotations

import pytest
from tests.core.sql.test_governor import KEY, table

from penstock_core.policy.effective import EffectivePolicy, PolicySet, RowFilter, Rule
from penstock_core.sql.catalog.model import Catalog, Column
from penstock_core.sql.governor import Governor

INT4, INT2, TEXT, INT4S = 23, 21, 25, 1007


def column(name: str, kind: str, sql: str = "") -> Column:
    return Column(name, f"pg_catalog.{kind}", f"pg_catalog.{kind}", sql or f"pg_catalog.{kind}", "N")


ORDERS = table("public", "orders", "id")
COLUMNS = (column("id", "int4"), column("tenant", "int4"), column("code", "varchar", "pg_catalog.varchar(2)"),
           column("made", "timestamptz"))  # fmt: skip
WORLD = Catalog(
    relations={ORDERS.key: type(ORDERS)("public", "orders", "r", COLUMNS, primary_key=("id",))},
    type_names={
        INT4: ("pg_catalog", "int4"),
        INT2: ("pg_catalog", "int2"),
        TEXT: ("pg_catalog", "text"),
        INT4S: ("pg_catalog", "_int4"),
    },
)
FILTER = RowFilter(("public", "orders"), "tenant = 5 AND code <> 'x'", Rule("p", "rowFilters[0]"))
POLICIES = PolicySet(("p",), frozenset({"select", "insert", "update", "delete"}), row_filters=(FILTER,))
THERE = "orders.tenant OPERATOR(pg_catalog.=) 5 AND orders.code OPERATOR(pg_catalog.<>) 'x'"
GOVERNOR = Governor(EffectivePolicy("shop", POLICIES, None, 1), WORLD, KEY)


def sent(text: str, types: tuple[int, ...] = ()) -> str:
    decision = GOVERNOR.decide(text, ("public",), frozenset(), types)
    assert decision.denial is None, decision.denial
    return plain(decision.text)


def plain(text: str) -> str:
    return text.translate(str.maketrans("", "", '()"'))


def test_conditions_that_tell_nothing_stand_beside_the_filter_and_use_indexes() -> None:
    assert sent("DELETE FROM orders WHERE id = $1 AND 10 / id > 2") == plain(
        f"DELETE FROM public.orders WHERE {THERE} AND id = $1 AND CASE WHEN {THERE} THEN 10 / id > 2 ELSE NULL END"
    )
    assert sent("DELETE FROM orders AS o").startswith("DELETE FROM public.orders AS o WHERE o.tenant OPERATOR")


@pytest.mark.parametrize("types", [(), (0,), (705,), (INT4,), (INT2,)])
def test_a_cast_of_a_parameter_that_fits_stands_beside_it(types: tuple[int, ...]) -> None:
    assert "CASE" not in sent("DELETE FROM orders WHERE id = $1::int", types)
    many = tuple(INT4S if one == INT4 else one for one in types if one != INT2)
    assert "CASE" not in sent("DELETE FROM orders WHERE id = ANY ($1::int[])", many)
    # The fence of what is read holds only those rows, too.
    read = sent("SELECT 1 FROM orders WHERE id = $1::int AND 10 / id > 2", types)
    assert "OFFSET 0" in read
    assert read.index("id = CAST$1") < read.index("OFFSET 0")


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("DELETE FROM orders WHERE id = $1::int", (TEXT,)),
        ("DELETE FROM orders WHERE id = $1::int2", (INT4,)),
        ("DELETE FROM orders WHERE id = $1::int AND code = $1", ()),
        ("DELETE FROM orders WHERE id = $1::int", (9999,)),
        ("DELETE FROM orders WHERE id = ANY ($1::int[])", (TEXT,)),
        ("DELETE FROM orders WHERE id = ANY ($1::int[])", (INT4,)),
        ("PREPARE p (text) AS DELETE FROM orders WHERE id = $1::int", ()),
    ],
)
def test_one_that_may_fail_is_asked_of_rows_that_are_there(text: str, types: tuple[int, ...]) -> None:
    decision = GOVERNOR.decide(text, ("public",), frozenset(), types)
    assert decision.denial is not None or "CASE WHEN" in decision.text
    assert decision.denial is None or 9999 in types


@pytest.mark.parametrize(
    ("part", "alone"),
    [
        ("date_part('year', made)", True),
        ("date_part('x', made)", False),
        ("date_part('day', now())", False),
        ("id + 1", False),
        ("$1", True),
        ("tenant", True),
    ],
)
def test_what_fails_for_all_rows_is_asked_of_rows_that_are_there(part: str, alone: bool) -> None:
    assert ("CASE" not in sent(f"DELETE FROM orders WHERE id = {part}")) is alone


def test_new_values_are_checked_as_they_are_stored() -> None:
    got = sent("UPDATE orders SET code = $1, made = NULL WHERE id = $2")
    checked = "CASE WHEN orders.tenant OPERATORpg_catalog.= 5 AND CAST$1 AS pg_catalog.varchar2 OPERATORpg_catalog.<>"
    assert checked in got
    assert "THEN CAST$1 AS pg_catalog.varchar ELSE" in got
    assert "a row of which a row filter leaves nothing: ', orders.tableoid" in got


def test_each_new_row_is_checked() -> None:
    got = sent("INSERT INTO orders VALUES (1, $1, 'a'), (2, 5, $2)")
    assert got.startswith("INSERT INTO public.orders id, tenant, code VALUES")
    assert got.count("THEN CAST") == 2
    assert "CAST$1 AS pg_catalog.int4 OPERATORpg_catalog.= 5" in got


def test_texts_that_differ_in_literals_are_checked_each_by_its_own() -> None:
    for tenant in range(1, 6):
        got = sent(f"INSERT INTO orders VALUES (1, {tenant}, 'a')")
        assert got.count(f"CAST{tenant} AS pg_catalog.int4") == 1
        assert sent(f"UPDATE orders SET tenant = {tenant} WHERE id = {tenant}").count(f"CAST{tenant} AS") == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("INSERT INTO orders (id, tenant) VALUES (1, 5)", "its new value can't be checked (it is left to its default)"),
        ("INSERT INTO orders OVERRIDING USER VALUE VALUES (1, 5, 'a')", "stores others than those that are given"),
        ("INSERT INTO orders SELECT * FROM orders", "the rows are given by *"),
        ("INSERT INTO orders VALUES (1, 5, 'a'), (1, 5)", "the rows are not of one length"),
        ("INSERT INTO orders (tenant[1], code) VALUES (1, 'a')", "only a part of a column is given"),
        ("UPDATE orders SET code = (SELECT 'a')", "a query gives its new value"),
        ("UPDATE orders SET tenant = unnest(ARRAY[5])", "unnest gives its new value"),
        ("UPDATE orders SET (tenant, code) = ROW (5, 'a')", "its new value is not written beside it"),
        ("UPDATE orders SET code = current_setting('TimeZone')", "current_setting gives its new value"),
        ("DELETE FROM orders WHERE CURRENT OF c", "has no place for the row filter of public.orders"),
    ],
)
def test_what_can_not_be_checked_is_refused(text: str, words: str) -> None:
    denial = GOVERNOR.decide(text, ("public",)).denial
    assert denial is not None
    assert words in denial.reason


def test_a_filter_that_looks_at_no_column_lets_none_be_inserted() -> None:
    filters = (RowFilter(("public", "orders"), "false", Rule("p", "rowFilters[0]")),)
    policies = PolicySet(("p",), POLICIES.allow, row_filters=filters)
    governor = Governor(EffectivePolicy("shop", policies, None, 1), WORLD, KEY)
    denial = governor.decide("INSERT INTO orders (id) VALUES (1)", ("public",)).denial
    assert denial is not None
    assert "looks at no column" in denial.reason
    assert "WHERE FALSE" in governor.decide("DELETE FROM orders", ("public",)).text.upper()


def test_types_are_told_apart_where_rows_are_filtered_alone() -> None:
    """One governor: the type that one client declares is not another's."""
    for types, guarded in (((INT4,), False), ((TEXT,), True), ((), False), ((TEXT,), True)):
        assert ("CASE" in sent("DELETE FROM orders WHERE id = $1::int", types)) is guarded
