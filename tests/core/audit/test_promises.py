"""What was noted of streams elsewhere."""

from __future__ import annotations

from penstock_core.audit.chain import Head
from penstock_core.audit.promises import Promises


def test_heads_are_kept_by_stream_and_place() -> None:
    promises = Promises()
    for head in (Head("a/1", 3, "aa"), Head("b/1", 1, "bb"), Head("a/1", 4, "cc")):
        promises.of(head.stream).add(head, "ada")
    assert promises.of("a/1").heads == {3: {"aa": "ada"}, 4: {"cc": "ada"}}
    assert promises.of("c/1").heads == {}


def test_two_that_say_different_things_are_both_kept_and_the_first_speaks_for_the_same() -> None:
    noted = Promises().of("a/1")
    for hash_, by in (("aa", "ada"), ("bb", "bea"), ("aa", "bea")):
        noted.add(Head("a/1", 3, hash_), by)
    assert noted.heads == {3: {"aa": "ada", "bb": "bea"}}


def test_a_stream_without_events_promises_nothing() -> None:
    noted = Promises().of("a/1")
    noted.add(Head("a/1"), "ada")
    assert noted.heads == {}
