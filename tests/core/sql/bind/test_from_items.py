"""What each item of FROM brings, what it sees, and where it stands in the tree."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound, found

from penstock_core.sql.bind import from_items
from penstock_core.sql.bind.name_resolution import Ambiguous
from penstock_core.sql.bind.references import (
    ColumnRead,
    FromLevel,
    OperatorUse,
    RelationRead,
    Sample,
    Unbound,
    UnknownColumn,
    UnknownSource,
    WholeRow,
)


def test_a_relation_brings_its_columns_under_its_alias() -> None:
    (read,) = found("SELECT 1 FROM people AS p (key)", RelationRead)
    assert (read.source.name, read.source.columns, read.source.schema) == ("p", ("key", "email", "name"), "")
    (plain,) = found("SELECT 1 FROM public.people", RelationRead)
    assert (plain.source.name, plain.source.schema) == ("people", "public")
    assert bound("SELECT 1 FROM people").relations == {("public", "people")}


def test_what_is_put_in_its_place_goes_where_it_stands() -> None:
    text = "SELECT 1 FROM letters, people JOIN orders ON true"
    places = [(one.item.relname, one.source.place) for one in found(text, RelationRead)]
    assert all(place is not None for _, place in places)
    for name, place in places:
        assert place is not None
        there = getattr(place.owner, place.field)
        item = there if place.position is None else there[place.position]
        assert item.relname == name


def test_a_table_of_with_hides_a_relation_but_for_its_schema() -> None:
    hidden = "WITH people AS (SELECT 1 AS one) SELECT {} FROM {}"
    assert found(hidden.format("one", "people"), RelationRead) == []
    assert found(hidden.format("email", "people"), UnknownColumn)
    assert len(found(hidden.format("email", "public.people"), RelationRead)) == 1


def test_an_unknown_relation_is_told_and_could_have_any_column() -> None:
    (read,) = found("SELECT anything FROM nowhere", RelationRead)
    assert (read.resolved, read.source.columns) == (None, None)
    (told,) = found("SELECT 1 FROM people", RelationRead, path=None)
    assert isinstance(told.resolved, Ambiguous)


def test_only_lateral_items_see_those_to_their_left() -> None:
    query = "SELECT 1 FROM people p, {} (SELECT p.id) s"
    assert [one.name for one in found(query.format(""), UnknownSource)] == ["p"]
    assert found(query.format("LATERAL"), UnknownSource) == []
    assert found("SELECT 1 FROM people p, upper(p.name) u", UnknownSource) == []
    assert found("SELECT 1 FROM upper(p.name) u, people p", UnknownSource)


def test_the_condition_of_a_join_sees_the_two_alone() -> None:
    assert found("SELECT 1 FROM letters x, people p JOIN orders o ON o.id = p.id", UnknownSource) == []
    unseen = found("SELECT 1 FROM letters x, people p JOIN orders o ON o.id = x.id", UnknownSource)
    assert [one.name for one in unseen] == ["x"]


def test_a_merged_column_is_read_on_both_sides_and_compared() -> None:
    text = "SELECT 1 FROM people JOIN orders USING (id)"
    assert [(one.name, one.owners[0].name) for one in found(text, ColumnRead)] == [("id", "people"), ("id", "orders")]
    assert [one.names for one in found(text, OperatorUse)] == [("=",)]


def test_a_natural_join_reads_whatever_columns_there_are() -> None:
    sources = [one.source.name for one in found("SELECT 1 FROM people NATURAL JOIN orders", WholeRow)]
    assert sources == ["people", "orders"]
    # Which ones are merged is not known, so neither is the order of `*`.
    assert found("SELECT two FROM (SELECT * FROM people NATURAL JOIN orders) s", UnknownColumn) == []
    assert found("SELECT two FROM (SELECT * FROM people CROSS JOIN orders) s", UnknownColumn)


def test_a_join_with_an_alias_hides_what_it_joins() -> None:
    joined = "SELECT {} FROM (people JOIN orders ON true) j"
    assert [one.owners[0].name for one in found(joined.format("j.email"), ColumnRead)] == ["j"]
    assert [one.name for one in found(joined.format("people.email"), UnknownSource)] == ["people"]
    renamed = "SELECT x FROM (pg_class JOIN people ON true) j (x)"
    assert [one.source.name for one in found(renamed, WholeRow)] == ["pg_class"]


def test_an_alias_of_using_has_the_merged_columns_alone() -> None:
    text = "SELECT {} FROM people JOIN orders USING (id) AS u"
    assert [one.owners[0].name for one in found(text.format("u.id"), ColumnRead)][-1] == "u"
    assert found(text.format("u.email"), UnknownColumn)


def test_functions_bring_what_only_the_server_knows() -> None:
    assert found("SELECT anything FROM generate_series(1, 2) g", UnknownColumn) == []
    assert found("SELECT anything FROM json_to_record('{}') AS r (a int)", UnknownColumn) == []


def test_a_sample_is_told_with_what_it_is_of() -> None:
    (sample,) = found("SELECT 1 FROM people p TABLESAMPLE system (upper('1')::int)", Sample)
    assert sample.source.relation is not None
    assert sample.source.relation.name == "people"


def test_a_level_of_one_needs_no_telling_apart() -> None:
    assert found("SELECT 1 FROM people", FromLevel) == []
    (level,) = found("SELECT 1 FROM people, orders, letters", FromLevel)
    assert [one.name for one in level.sources] == ["people", "orders", "letters"]


@pytest.mark.parametrize(("count", "ends"), [(3, False), (4, True)])
def test_no_statement_keeps_the_gate_busy_with_sources(monkeypatch: pytest.MonkeyPatch, count: int, ends: bool) -> None:
    monkeypatch.setattr(from_items, "_MOST_SOURCES", 3)
    text = "SELECT 1 FROM " + ", ".join(f"people p{n}" for n in range(count))
    assert bool(found(text, Unbound)) is ends
