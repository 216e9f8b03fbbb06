"""How the effects of several functions add up: what either may do, both may do together."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.function_effects import NOTHING, FunctionEffects

ALL = FunctionEffects(
    unknown="public.f can't be analysed",
    native=True,
    hazards=("function pg_sleep",),
    reads=frozenset({("public", "t")}),
    writes=(Write(("public", "t"), frozenset({"delete"})),),
    verbs=frozenset({"delete"}),
    calls=frozenset({("public", "f")}),
    sequences=frozenset({("public", "s")}),
    keeps=True,
    sets=frozenset({"app.tenant"}),
    row_fields=frozenset({"a"}),
    row_assigned=frozenset({"b"}),
    row_whole=True,
    row_compared=True,
    row_replaced=True,
    vouched=True,
    unbounded=True,
)


def test_the_example_sets_every_field() -> None:
    for one in fields(FunctionEffects):
        assert getattr(ALL, one.name) != getattr(NOTHING, one.name), one.name


@pytest.mark.parametrize("name", [one.name for one in fields(FunctionEffects)])
def test_none_is_lost_whichever_comes_first(name: str) -> None:
    assert getattr(NOTHING.and_also(ALL), name) == getattr(ALL, name)
    assert getattr(ALL.and_also(NOTHING), name) == getattr(ALL, name)


def test_nothing_and_nothing_is_nothing() -> None:
    assert NOTHING.and_also(NOTHING) == NOTHING


def test_what_is_known_to_be_native_is_so_only_if_all_that_is_unknown_is() -> None:
    native, other = FunctionEffects(unknown="a", native=True), FunctionEffects(unknown="b")
    assert not native.and_also(other).native
    assert not other.and_also(native).native
    assert native.and_also(replace(native, unknown="c")).native
    # One of which all is known takes nothing away.
    assert native.and_also(replace(NOTHING, hazards=("x",))).native


def test_hazards_are_told_once_and_in_order() -> None:
    one, other = FunctionEffects(hazards=("b", "a")), FunctionEffects(hazards=("b",))
    assert one.and_also(other).hazards == ("a", "b")


def test_what_a_triggers_function_calls_has_no_row_and_keeps_the_rest() -> None:
    found = ALL.without_row()
    assert (found.row_fields, found.row_assigned) == (frozenset(), frozenset())
    assert (found.row_whole, found.row_compared, found.row_replaced) == (False, False, False)
    assert (found.reads, found.writes, found.unknown, found.vouched) == (ALL.reads, ALL.writes, ALL.unknown, True)
