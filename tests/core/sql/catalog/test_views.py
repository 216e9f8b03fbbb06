"""Views completed with what they read and show, whatever order the catalog lists them in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table

from penstock_core.sql.catalog.model import ColumnName, Relation, RelationName, Routine
from penstock_core.sql.catalog.views import with_views

PEOPLE = table("public", "people", "id", "email")
CHILD = replace(table("public", "child", "id", "email", "salary"), parents=(PEOPLE.key,))


def view(name: str, *columns: str) -> Relation:
    return replace(table("public", name, *columns), kind="v")


def completed(definitions: dict[str, str], sources: dict[str, str], *views: Relation) -> dict[str, Relation]:
    """By name, the views after they were completed."""
    defined = [replace(one, definition=definitions[one.name]) for one in views]
    relations = {one.key: one for one in (PEOPLE, CHILD, *defined)}
    reads: dict[RelationName, tuple[frozenset[ColumnName], frozenset[RelationName]]] = {
        ("public", name): (frozenset(), frozenset({("public", sources[name])})) for name in definitions
    }
    finished, _ = with_views(relations, reads, {})
    return {name: finished["public", name] for name in definitions}


def shown(relation: Relation) -> dict[str, set[str]]:
    return {one.name: {f"{table}.{column}" for _, table, column in one.derives_from} for one in relation.columns}


def test_each_column_says_what_it_shows_and_the_view_what_chooses_its_rows() -> None:
    (one,) = completed(
        {"v": "SELECT id, lower(email) AS mail FROM public.people WHERE email IS NOT NULL"},
        {"v": "people"},
        view("v", "id", "mail"),
    ).values()
    assert shown(one) == {"id": {"people.id"}, "mail": {"people.email"}}
    assert one.filters == {("public", "people", "email")}
    assert one.reads == {("public", "people", "id"), ("public", "people", "email")}
    assert one.sources == {PEOPLE.key}


@pytest.mark.parametrize("listed", [("inner", "outer"), ("outer", "inner")])
def test_what_may_fail_in_a_view_may_fail_in_the_view_over_it(listed: tuple[str, str]) -> None:
    texts = {
        "inner": "SELECT 1 / length(email) AS ratio FROM public.people",
        "outer": "SELECT ratio FROM public.inner",
    }
    sources = {"inner": "people", "outer": "inner"}
    found = completed({name: texts[name] for name in listed}, sources, view("inner", "ratio"), view("outer", "ratio"))
    assert [found[name].columns[0].fallible for name in ("inner", "outer")] == [True, True]


def test_two_views_that_read_each_other_are_both_completed() -> None:
    found = completed(
        {"one": "SELECT id FROM public.other", "other": "SELECT id FROM public.one"},
        {"one": "other", "other": "one"},
        view("one", "id"),
        view("other", "id"),
    )
    assert shown(found["one"]) == {"id": {"other.id"}}
    assert shown(found["other"]) == {"id": {"one.id"}}


def test_a_definition_that_is_not_understood_shows_all_of_its_sources_and_their_children() -> None:
    (one,) = completed({"v": "this is not SQL"}, {"v": "people"}, view("v", "n")).values()
    everything = {"people.id", "people.email", "child.id", "child.email", "child.salary"}
    assert shown(one) == {"n": everything}
    assert {f"{table}.{column}" for _, table, column in one.filters} == everything
    assert one.columns[0].fallible


def test_what_was_completed_stays_until_what_was_looked_at_changes() -> None:
    definition = "SELECT own.f(id) AS one, email FROM public.people"
    seen = replace(view("v", "one", "email"), definition=definition)
    relations = {one.key: one for one in (PEOPLE, CHILD, seen)}
    reads: dict[RelationName, tuple[frozenset[ColumnName], frozenset[RelationName]]] = {
        seen.key: (frozenset(), frozenset({PEOPLE.key}))
    }
    steady = {("own", "f"): (Routine("own", "f", "f", "sql", volatility="i"),)}
    first, notes = with_views(relations, reads, steady)
    again, notes = with_views({**relations, CHILD.key: replace(CHILD)}, reads, {**steady}, notes)
    assert again[seen.key] is first[seen.key]
    unsteady = {("own", "f"): (Routine("own", "f", "f", "sql", volatility="v"),)}
    for changed, functions, others in (
        ({PEOPLE.key: replace(PEOPLE)}, steady, reads),
        ({seen.key: replace(seen)}, steady, reads),
        ({}, unsteady, reads),
        ({}, {}, reads),
        ({}, steady, {seen.key: (frozenset({(*PEOPLE.key, "id")}), frozenset({PEOPLE.key}))}),
    ):
        found, _ = with_views({**relations, **changed}, others, functions, notes)
        assert found[seen.key] is not first[seen.key]


def test_what_was_not_understood_is_completed_anew_each_time() -> None:
    """It shows whatever is in the children of what it reads."""
    odd = replace(view("v", "n"), definition="this is not SQL")
    reads: dict[RelationName, tuple[frozenset[ColumnName], frozenset[RelationName]]] = {
        odd.key: (frozenset(), frozenset({PEOPLE.key}))
    }
    found, notes = with_views({one.key: one for one in (PEOPLE, odd)}, reads, {})
    assert shown(found[odd.key]) == {"n": {"people.id", "people.email"}}
    found, _ = with_views({one.key: one for one in (PEOPLE, CHILD, odd)}, reads, {}, notes)
    assert "child.salary" in shown(found[odd.key])["n"]
