"""Decisions that texts of one shape share are those that each would get alone."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, governor

from penstock_core.policy.effective import EffectivePolicy, Limit, PolicySet, Rule
from penstock_core.sql import shared_decisions
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor
from penstock_core.sql.shared_decisions import Room
from penstock_core.sql.syntax.literals import Slots

ALL = replace(MASKING, allow=frozenset({"select", "insert", "update", "delete"}))
LIMITED = replace(
    PLAIN, max_rows_returned=Limit(10, Rule("support", "guardrails.maxRowsReturned")),
    require_where=(("delete", Rule("support", "guardrails.requireWhere")),),
)  # fmt: skip


def alone(text: str, policies: PolicySet) -> Decision:
    return governor(policies).decide(text, ("public",))


def made(one: Governor) -> list[str]:
    """The texts that are decided about from now on, not found."""
    asked: list[str] = []
    decide = one._decisions._decide

    def noted(question: shared_decisions.Question) -> Decision:
        asked.append(question[0])
        return decide(question)

    one._decisions._decide = noted
    return asked


class _Forgetful(OrderedDict[shared_decisions.Question, Decision]):
    """Keeps no text, so that one that comes again is decided by its shape."""

    def __setitem__(self, question: shared_decisions.Question, decision: Decision) -> None:
        pass


SHARED = [
    "SELECT name FROM people WHERE id = {}",
    "SELECT email, {} FROM people WHERE name = 'x{}' AND id > -{} LIMIT 5",
    "INSERT INTO orders (id, note) VALUES ({}, 'n{}'), (-{}, '')",
    "UPDATE people SET name = 'n{}' WHERE id = {}",
    "DELETE FROM orders WHERE id IN ({}, {}, {})",
    "SELECT upper('{}')",
    "SELECT count(*) FROM people WHERE id = {} GROUP BY email",
    'SELECT "o"."id" FROM "orders" AS "o" WHERE "o"."note" LIKE \'%{}%\' ORDER BY "o"."id" OFFSET {}',
]


@pytest.mark.parametrize("policies", [ALL, replace(ALL, masks=()), replace(ALL, sql_text="full"), LIMITED])
@pytest.mark.parametrize("text", SHARED)
def test_a_text_of_a_known_shape_is_decided_as_alone_without_being_looked_at(text: str, policies: PolicySet) -> None:
    one = governor(policies)
    for numbers in ("123", "234"):
        assert one.decide(text.format(*numbers), ("public",)) == alone(text.format(*numbers), policies)
    asked = made(one)
    for numbers in ("456", "789", "111"):
        other = text.format(*numbers)
        assert one.decide(other, ("public",)) == alone(other, policies)
    assert asked == []


# What the value of a literal decides; each pair in one shape, decided differently.
PINNED = {
    "an always-true WHERE": ("DELETE FROM orders WHERE 1 = 1", "DELETE FROM orders WHERE 1 = 2", LIMITED),
    "a name in a string": ("SELECT 'people'::regclass", "SELECT 'orders'::regclass", ALL),
    "a setting": ("SET statement_timeout = 5", "SET statement_timeout = 0", replace(
        PLAIN, statement_timeout=Limit(1000, Rule("support", "guardrails.statementTimeout")))),
    "a setting by function": (
        "SELECT set_config('application_name', 'x', false)", "SELECT set_config('search_path', 'x', false)", ALL,
    ),
    "a place in GROUP BY": (
        "SELECT id, email FROM people GROUP BY id, 1", "SELECT id, email FROM people GROUP BY id, 2", ALL,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PINNED)
def test_what_a_literal_decides_is_decided_by_it(name: str) -> None:
    first, second, policies = PINNED[name]
    for texts in itertools.product((first, second), repeat=4):
        one = governor(policies)
        one._decisions._by_text = _Forgetful()
        for text in texts:
            assert one.decide(text, ("public",)) == alone(text, policies)


def test_values_that_decide_share_with_their_like() -> None:
    one = governor(LIMITED)
    text = "DELETE FROM orders WHERE {} = 1 AND note = 'x{}'"
    for left in (3, 1, 2):
        one.decide(text.format(left, 0), ("public",))
    asked = made(one)
    for left in (1, 2):
        for number in range(5):
            other = text.format(left, number)
            assert one.decide(other, ("public",)) == alone(other, LIMITED)
    assert asked == []


def test_without_pins_a_value_would_decide_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above can fail."""
    monkeypatch.setattr(Slots, "read", lambda slots, node: None)
    first, second, policies = PINNED["an always-true WHERE"]
    one = governor(policies)
    one.decide("DELETE FROM orders WHERE 1 = 3", ("public",))
    assert one.decide(first, ("public",)).action is Action.DENY
    assert one.decide(second, ("public",)).action is Action.DENY
    assert alone(second, policies).action is not Action.DENY


def test_what_else_decides_is_not_shared() -> None:
    one = governor(ALL)
    for number in (0, 1):
        one.decide(f"SELECT email FROM people WHERE id = {number}", ("public",))
    assert one.decide("SELECT email FROM people WHERE id = 2", None).action is Action.DENY
    assert one.decide("SELECT email FROM people WHERE id = 3", ("archive",)).relations == ("archive.people",)


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE p{0} AS SELECT name FROM people WHERE id = {0}",
        "DECLARE c{0} CURSOR FOR SELECT name FROM people WHERE id = {0}",
    ],
)
def test_what_a_text_makes_is_kept_in_its_own_words(text: str) -> None:
    one = governor(ALL)
    for number in range(3):
        made_from = text.replace("{0}", "x", 1).format(number)
        assert one.decide(made_from, ("public",)) == alone(made_from, ALL)
        assert one.decide(made_from, ("public",)).made_from == made_from


@pytest.mark.parametrize(
    "odd",
    [
        "SELECT E'\\x41', 1", "SELECT U&'d\\0061t', 1", "SELECT $t$ 'a' $t$, 1", "SELECT B'1', 1", "SELECT X'1F', 1",
        "SELECT N'a', 1", "SELECT 'a'\n'b', 1", "SELECT 'a' -- 'b'\n, 1", "SELECT /* '1' */ 1", "SELECT '$1', 1, $1",
        "SELECT 1700000000, 1", "SELECT '\1', 1", "SELECT '\x010\x01', 1", "SELECT 1_000, 1", "SELECT 0x1F, 1",
    ],
)  # fmt: skip
def test_every_way_to_quote(odd: str) -> None:
    for policies in (ALL, PLAIN):
        one = governor(policies)
        one._decisions._by_text = _Forgetful()
        for text in (odd, odd.replace("1", "2"), odd.replace("a", "b"), odd):
            assert one.decide(text, ("public",)) == alone(text, policies)
        around = "SELECT name, ({}) FROM people"
        for text in (around.format(odd), around.format(odd.replace("1", "3"))):
            assert one.decide(text, ("public",)) == alone(text, policies)


def test_digits_of_other_scripts_are_names() -> None:
    one = governor(ALL)
    assert one.decide("SELECT 'ä', 5 FROM people", ("public",)).action is Action.REWRITE
    named = "SELECT 'ä', \u0663 FROM people"
    assert one.decide(named, ("public",)) == alone(named, ALL)
    assert one.decide(named, ("public",)).action is Action.DENY


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_decisions, "CACHE_ENTRIES", 10)
    one = governor(LIMITED)
    kept = one._decisions
    for number in range(100):
        # As many shapes, as many values that decide, as many texts.
        one.decide(f"SELECT name AS n{number} FROM people WHERE id = {number}", ("public",))
        one.decide(f"SELECT name AS n{number} FROM people WHERE id = {number + 1}", ("public",))
        one.decide(f"DELETE FROM orders WHERE {number} = 1 AND id = 5", ("public",))
        assert len(kept._by_text) <= 10
        assert kept._kept == sum(1 + len(shape.kept) for shape in kept._by_shape.values())
        assert kept._kept <= 10
    for number in range(100):
        # Shapes whose texts are decided about one by one.
        one.decide(f"SELECT name AS n{number} FROM people WHERE id = 'a'\n'b'", ("public",))
        one.decide(f"SELECT name AS n{number} FROM people WHERE id = 'c'\n'd'", ("public",))
        assert kept._kept == sum(1 + len(shape.kept) for shape in kept._by_shape.values()) <= 10
    one.decide("SELECT '" + "x" * 10000 + "'", ("public",))
    assert all(len(text) <= 8192 for text, *_ in kept._by_text)


def test_large_decisions_take_no_more_room_than_there_is() -> None:
    room = Room(1 << 18)
    one, other = (Governor(EffectivePolicy("shop", ALL, None), CATALOG, KEY, room=room) for _ in range(2))

    def kept(whose: Governor) -> int:
        decisions = whose._decisions
        texts = sum(len(text) + len(found.text) for (text, *_), found in decisions._by_text.items())
        long = sum(len(text) + len(found.text) for (text, *_), found in decisions._long.items())
        shapes = sum(len("".join(map(str, rest))) for rest, *_ in decisions._by_shape)  # type: ignore[misc]
        filled = [two.decision for of in decisions._by_shape.values() for two in of.kept.values()]
        assert decisions._shape_bytes == sum(of.size for of in decisions._by_shape.values())
        return texts + long + shapes + sum(len(found.text) for found in filled)

    for number in range(40):
        columns = ", ".join(f"name AS n{number}_{place}" for place in range(80))
        for value in (1, 2, 3):
            for either in (one, other):
                either.decide(f"SELECT {columns} FROM people WHERE id = {value}", ("public",))
        one.decide(f"SELECT {columns} FROM people WHERE name = '{'x' * 9000}'", ("public",))
    assert 20_000 < kept(other) <= 1 << 17
    assert 40_000 < kept(one) <= 1 << 17
    asked = made(other)
    other.decide(f"SELECT {columns} FROM people WHERE id = 4", ("public",))
    assert asked == []
    # Whoever goes leaves room.
    del one, either
    assert room.part == 1 << 18
