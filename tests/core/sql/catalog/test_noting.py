"""A mapping that notes what of it was looked at, in whatever way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock_core.sql.catalog.noting import Noting


def noting() -> Noting[str, int]:
    return Noting({"a": 1, "b": 2})


def test_what_is_asked_for_is_noted_also_if_it_is_not_there() -> None:
    one = noting()
    assert (one["a"], one.get("c"), one.get("d", 4), "b" in one, "e" in one) == (1, None, 4, True, False)
    assert one.noted == {"a": 1, "c": None, "d": None, "b": 2, "e": None}
    assert one.known
    one.begin()
    assert one.noted == {}


@pytest.mark.parametrize("way", [list, lambda one: one.keys(), lambda one: one.values(), lambda one: one.items()])
def test_who_goes_through_all_of_it_is_noted_too(way: Callable[[Any], Any]) -> None:
    one = noting()
    way(one)
    assert not one.known
