"""Which statements lack a beginning or an end."""

from __future__ import annotations

from penstock_core.audit.statement_pairs import StatementPairs


def told(*kinds: tuple[str, str]) -> StatementPairs:
    pairs = StatementPairs()
    for seq, (kind, statement) in enumerate(kinds, start=1):
        pairs.take({"kind": kind, "session": "s", "statement": statement}, seq)
    return pairs


def test_statements_that_are_whole() -> None:
    pairs = told(
        ("intent", "a"), ("heartbeat", ""), ("intent", "b"), ("outcome", "a"), ("outcome", "b"), ("statement", "c")
    )
    assert (pairs.unfinished, pairs.unbegun) == ({}, 0)


def test_a_statement_may_be_told_of_as_begun_and_then_as_a_whole() -> None:
    assert told(("intent", "a"), ("statement", "a")).unfinished == {}


def test_many_are_counted_and_some_are_named() -> None:
    pairs = told(*[("intent", str(number)) for number in range(7)], *[("outcome", f"x{number}") for number in range(7)])
    assert list(pairs.unfinished.values()) == [1, 2, 3, 4, 5, 6, 7]
    assert pairs.examples_unfinished == "seq 1, 2, 3, 4, 5, …"
    assert (pairs.unbegun, pairs.first_unbegun, pairs.examples_unbegun) == (7, 8, "seq 8, 9, 10, 11, 12, …")


def test_of_two_sessions_each_has_its_own() -> None:
    pairs = StatementPairs()
    pairs.take({"kind": "intent", "session": "s", "statement": "1"}, 1)
    pairs.take({"kind": "outcome", "session": "t", "statement": "1"}, 2)
    assert (pairs.unfinished, pairs.unbegun) == ({("s", "1"): 1}, 1)
