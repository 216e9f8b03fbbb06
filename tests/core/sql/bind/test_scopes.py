"""Which source or column a name means where several levels of queries have it."""

from __future__ import annotations

from penstock_core.sql.bind.scopes import MOST_COLUMNS, Scope, Source, merged, rename

PEOPLE = Source("people", ("id", "email"), schema="public")


def test_the_innermost_level_that_has_a_name_wins() -> None:
    outer = Scope([PEOPLE, Source("orders", ("id",))])
    nearer = Source("people", ("id",), schema="sales")
    inner = outer.inner([nearer])
    assert inner.find("people") == [nearer]
    assert inner.find("people", "public") == [PEOPLE]
    assert inner.find("orders") == outer.sources[1:]
    assert inner.find("nobody") == []
    assert inner.find("people", "archive") == []


def test_two_of_one_name_at_one_level_are_both_found() -> None:
    other = Source("people", ("id",), schema="sales")
    assert Scope([PEOPLE, other]).find("people") == [PEOPLE, other]


def test_beside_a_level_is_only_what_is_around_it() -> None:
    outer = Scope([PEOPLE], ctes={"w": ("a",)})
    level = outer.inner([Source("orders", ("id",))])
    assert level.beside().find("orders") == []
    assert level.beside().find("people") == [PEOPLE]
    assert level.beside().ctes == {"w": ("a",)}
    assert [len(one.sources) for one in level.beside().levels()] == [0, 1]


def test_a_source_that_joins_later_is_found_too() -> None:
    scope = Scope([PEOPLE])
    assert "note" not in scope.index.columns
    letters = Source("letters", ("note", "note"))
    scope.sources.append(letters)
    # Once, however often it has a column of that name.
    assert scope.index.columns["note"] == [letters]
    assert not scope.index.open


def test_a_source_of_unknown_columns_leaves_its_level_open() -> None:
    unknown = Source("f", None)
    assert Scope([PEOPLE, unknown]).index.open
    assert (unknown.has("a"), PEOPLE.has("a"), PEOPLE.has("id")) == (None, False, True)


def test_old_and_new_rows_are_reached_by_their_names_alone() -> None:
    old = Source("old", None, qualified_only=True)
    scope = Scope([PEOPLE, old])
    assert scope.find("old") == [old]
    assert not scope.index.open
    known = Scope([PEOPLE, Source("old", ("email",), qualified_only=True)])
    assert known.index.columns["email"] == [PEOPLE]


def test_a_join_with_an_alias_is_one_source_of_all_their_columns() -> None:
    joined = merged([PEOPLE, Source("o", ("id",))], "j")
    assert (joined.columns, joined.members[0]) == (("id", "email", "id"), PEOPLE)
    assert merged([PEOPLE, Source("f", None)], "j").columns is None
    wide = Source("w", ("c",) * MOST_COLUMNS)
    assert merged([wide, PEOPLE], "j").columns is None


def test_an_alias_names_the_first_few_columns() -> None:
    assert rename(("a", "b", "c"), ("x",)) == ("x", "b", "c")
    assert rename(None, ("x",)) is None
