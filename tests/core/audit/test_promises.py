"""What was noted of streams elsewhere."""

from __future__ import annotations

from penstock_core.audit.chain import Head
from penstock_core.audit.promises import Promises


def test_heads_are_kept_by_stream_and_place() -> None:
    promises = Promises.of_heads([Head("a/1", 3, "aa"), Head("b/1", 1, "bb"), Head("a/1", 4, "cc")], "ada")
    assert promises.of("a/1").heads == {3: {"aa": "ada"}, 4: {"cc": "ada"}}
    assert promises.of("c/1").heads == {}


def test_two_that_say_different_things_are_both_kept_and_the_first_speaks_for_the_same() -> None:
    promises = Promises.of_heads([Head("a/1", 3, "aa")], "ada")
    promises.of("a/1").add(Head("a/1", 3, "bb"), "bea")
    promises.of("a/1").add(Head("a/1", 3, "aa"), "bea")
    assert promises.of("a/1").heads == {3: {"aa": "ada", "bb": "bea"}}


def test_a_stream_without_events_promises_nothing() -> None:
    assert Promises.of_heads([Head("a/1")]).of("a/1").heads == {}
