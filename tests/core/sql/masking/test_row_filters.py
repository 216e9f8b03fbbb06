"""Which rows of which relations policies leave out, and in which words the rest is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table, text_column

from penstock_core.policy.effective import EffectivePolicy, Mask, PolicySet, RowFilter, Rule
from penstock_core.sql.catalog.model import Catalog, Relation, RelationName
from penstock_core.sql.masking.filter_values import NotSteady
from penstock_core.sql.masking.findings import misfits
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.masking.row_filters import RowFilters, compiled, row_filters

ORDERS = table("public", "orders", "id", "region", "state")
NUMBERED = replace(
    ORDERS,
    columns=(
        *ORDERS.columns,
        replace(text_column("n"), type_name="pg_catalog.int4", base_type="pg_catalog.int4", type_sql="pg_catalog.int4"),
        replace(
            text_column("ok"), type_name="pg_catalog.bool", base_type="pg_catalog.bool", type_sql="pg_catalog.bool"
        ),
    ),
)
ONE = ("public", "orders")


def catalog(*relations: Relation) -> Catalog:
    return Catalog(relations={one.key: one for one in relations})


def filters(*pairs: tuple[RelationName, str]) -> list[RowFilter]:
    return [RowFilter(key, where, Rule("p", f"rowFilters[{at}]")) for at, (key, where) in enumerate(pairs)]


def over(world: Catalog, *pairs: tuple[RelationName, str]) -> RowFilters:
    return row_filters(filters(*pairs), world, {})


WRITTEN = {
    "region = 'eu'": "region OPERATOR(pg_catalog.=) 'eu'",
    "orders.region != 'eu'": "region OPERATOR(pg_catalog.<>) 'eu'",
    "region IN ('eu', 'uk')": "(region OPERATOR(pg_catalog.=) 'eu') OR (region OPERATOR(pg_catalog.=) 'uk')",
    "region NOT IN ('eu')": "NOT (region OPERATOR(pg_catalog.=) 'eu')",
    "region = ANY (ARRAY['eu'])": "region OPERATOR(pg_catalog.=) 'eu'",
    "n BETWEEN 1 AND 2": "(n OPERATOR(pg_catalog.>=) 1) AND (n OPERATOR(pg_catalog.<=) 2)",
    "n NOT BETWEEN 1 AND 2": "NOT ((n OPERATOR(pg_catalog.>=) 1) AND (n OPERATOR(pg_catalog.<=) 2))",
    "n > -5": "n OPERATOR(pg_catalog.>) (-5)",
    "region LIKE 'e%'": "region OPERATOR(pg_catalog.~~) 'e%'",
    "region NOT ILIKE 'e%'": "region OPERATOR(pg_catalog.!~~*) 'e%'",
    "region IS NOT DISTINCT FROM 'eu'": (
        "((region OPERATOR(pg_catalog.=) 'eu') IS TRUE) OR ((region IS NULL) AND ('eu' IS NULL))"
    ),
    "region IS DISTINCT FROM state": (
        "NOT (((region OPERATOR(pg_catalog.=) state) IS TRUE) OR ((region IS NULL) AND (state IS NULL)))"
    ),
    "ok": "ok",
    "NOT ok OR ok IS NOT TRUE": "(NOT ok) OR (ok IS NOT TRUE)",
    "region IS NULL AND state IS NOT NULL": "(region IS NULL) AND (state IS NOT NULL)",
    "true": "true",
    "region = 'eu' -- or so": "region OPERATOR(pg_catalog.=) 'eu'",
}


@pytest.mark.parametrize("where", WRITTEN)
def test_conditions_mean_the_same_under_any_search_path(where: str) -> None:
    assert compiled(where, NUMBERED, catalog(NUMBERED), {}) == WRITTEN[where]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("region =", "syntax error"),
        ("true) OR (true); (SELECT 1", "no condition"),
        ("true) UNION (SELECT 1", "no condition"),
        ("true) LIMIT (1", "no condition"),
        ("region", "column region is no condition"),
        ("1", "is no condition"),
        ("id IN (SELECT id FROM people)", "may not be used"),
        ("EXISTS (SELECT 1)", "may not be used"),
        ("n IN ()", "syntax error"),
        ("region = ANY (ARRAY[]::text[])", "may not be used"),
        ("region = $1", "may not be used"),
        ("region = current_user", "may not be used"),
        ("n / 2 = 1", "may not be used"),
        ("region ~ '^e'", "may not be used"),
        ("region OPERATOR(public.=) 'eu'", "may not be used"),
        ("(n, n) = (1, 2)", "may not be used"),
        ("ctid = '(0,1)'", "has no column ctid"),
        ("people.region = 'eu'", "has no column people.region"),
    ],
)
def test_what_could_fail_or_depends_on_a_session_is_refused(where: str, words: str) -> None:
    with pytest.raises(NotSteady, match="(?s)" + words.replace("(", r"\(")):
        compiled(where, NUMBERED, catalog(NUMBERED), {})


def test_all_filters_of_a_table_hold() -> None:
    found = over(catalog(ORDERS), (ONE, "region = 'eu'"), (ONE, "state = 'x' OR state = 'y'"))
    assert found.conditions == {
        ONE: "(region OPERATOR(pg_catalog.=) 'eu') AND ((state OPERATOR(pg_catalog.=) 'x') OR (state"
        " OPERATOR(pg_catalog.=) 'y'))"
    }


def test_partitions_and_children_are_filtered_as_the_whole_is() -> None:
    child = replace(ORDERS, name="child", parents=(ONE,))
    grandchild = replace(ORDERS, name="grandchild", parents=(("public", "child"),))
    found = over(catalog(ORDERS, child, grandchild), (ONE, "region = 'eu'"))
    assert set(found.conditions) == {ONE, child.key, grandchild.key}
    assert found.unreadable == {}


def test_a_whole_is_not_read_past_the_filter_of_a_part() -> None:
    child = replace(ORDERS, name="child", parents=(ONE,))
    found = over(catalog(ORDERS, child), (child.key, "region = 'eu'"))
    assert set(found.conditions) == {child.key}
    assert found.unreadable[ONE] == "it holds the rows of public.child, of which a policy filters some"
    # Nor past a further one.
    both = over(catalog(ORDERS, child), (ONE, "region = 'eu'"), (child.key, "state = 'x'"))
    assert set(both.conditions) == {child.key}
    assert set(both.unreadable) == {ONE}


def test_views_and_what_is_stored_of_them_are_not_read_past_a_filter() -> None:
    view = replace(table("public", "view", "id"), kind="v", sources=frozenset({ONE}), definition="SELECT 1")
    stored = replace(table("public", "stored", "id"), kind="m", sources=frozenset({ONE}))
    over_view = replace(view, name="over", sources=frozenset({view.key}))
    over_stored = replace(view, name="over_stored", sources=frozenset({stored.key}))
    policies = PolicySet(("p",), frozenset({"select"}), row_filters=tuple(filters((ONE, "region = 'eu'"))))
    governed = govern(policies, catalog(ORDERS, view, stored, over_view, over_stored))
    assert set(governed.unreadable) == {view.key, stored.key, over_view.key, over_stored.key}
    assert governed.written_out == {view.key, over_view.key}
    assert governed.filters.relations == {ONE, *governed.unreadable}
    assert governed.unreadable[view.key] == "it reads public.orders, of which a policy filters the rows"
    assert governed.masked
    # One that is stored may have a filter of its own.
    assert set(over(catalog(ORDERS, stored), (ONE, "region = 'eu'"), (stored.key, "id = 'x'")).conditions) == {
        ONE, stored.key,
    }  # fmt: skip


def test_a_filter_that_can_not_be_carried_out_leaves_nothing_to_be_read() -> None:
    found = over(catalog(ORDERS), (ONE, "region = 'eu'"), (ONE, "nothing = 1"))
    assert found.conditions == {}
    reason = "the row filter of policy p (rowFilters[1]) can't be carried out: public.orders has no column nothing"
    assert found.unreadable == {ONE: reason}
    view = replace(ORDERS, kind="v")
    assert "is no table" in over(catalog(view), (ONE, "region = 'eu'")).unreadable[ONE]
    masked = {("public", "orders", "region"): Mask("redact", Rule("p", "masks[0]"))}
    assert "is masked" in row_filters(filters((ONE, "region = 'eu'")), catalog(ORDERS), masked).unreadable[ONE]


def test_authors_are_told_what_is_wrong_with_a_filter() -> None:
    wrong = filters((("public", "gone"), "true"), (ONE, "n = 1"))
    policies = PolicySet(("p",), frozenset({"select"}), row_filters=tuple(wrong))
    assert misfits(EffectivePolicy("shop", policies, None), catalog(ORDERS)) == (
        "the row filter of policy p (rowFilters[0]) is for public.gone, which does not exist",
        "the row filter of policy p (rowFilters[1]) can't be carried out, so public.orders can't be read: public.orders"
        " has no column n",
    )
