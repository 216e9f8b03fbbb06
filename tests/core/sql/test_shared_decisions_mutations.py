"""Each rule by which texts share a decision is needed: with any of them switched off, a conversation tells of it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql import test_shared_decisions as sharing
from tests.core.sql.syntax import test_literals as slots
from tests.core.sql.syntax import test_shapes as shapes

from penstock_core.sql import shared_decisions
from penstock_core.sql.shared_decisions import Room, SharedDecisions
from penstock_core.sql.syntax import literals
from penstock_core.sql.syntax import shapes as shape
from penstock_core.sql.syntax.literals import Slots, Template

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def gives(owner: Any, name: str, value: Any = None) -> Mutation:
    """That function gives this, whatever it is asked."""
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: value)


def is_now(owner: Any, name: str, value: Any) -> Mutation:
    return lambda patch: patch.setattr(owner, name, value)


def only(*odd: str) -> Mutation:
    """Of what makes a text odd, that alone does not count."""
    return is_now(shape, "_ODD", tuple(one for one in shape._ODD if one not in odd))


def no_prefixes(patch: Patch) -> None:
    pattern: str = shape._WORD.pattern
    for rule in (r"(?<![\w&]')", r"|(?<=[\w&]')"):
        assert rule in pattern
        pattern = pattern.replace(rule, "")
    patch.setattr(shape, "_WORD", re.compile(pattern))


def shared_whatever_is_made(patch: Patch) -> None:
    decide = SharedDecisions._slotted

    def slotted(self: Any, question: Any, of: Any, known: Any) -> Any:
        one = self._decide
        self._decide = lambda asked: replace(one(asked), made_from="", priced="")
        try:
            return decide(self, question, of, known)
        finally:
            self._decide = one

    patch.setattr(SharedDecisions, "_slotted", slotted)


def by_the_text_alone(patch: Patch) -> None:
    by_shape = SharedDecisions._by_its_shape
    patch.setattr(
        SharedDecisions,
        "_by_its_shape",
        lambda self, question, of: by_shape(self, (question[0], ("public",), *question[2:]), of),
    )


def another_kind(patch: Patch) -> None:
    kind = literals.kind_of
    patch.setattr(shape, "kind_of", lambda literal: "i" if kind(literal) == "l" else kind(literal))


MUTATIONS: dict[str, Mutation] = {
    "who reads a value pins it": gives(Slots, "read"),
    "what became no constant is pinned": lambda patch: patch.setattr(
        Slots, "pin_all", lambda self: self._nodes.clear()
    ),
    "signs": gives(literals, "_place_of", (-1, False)),
    "marks in place of values": gives(Slots, "mark"),
    "texts that were printed without marks": lambda patch: patch.setattr(
        Slots, "template", lambda self, text: self._written.get(text, Template(text.replace("%", "%%"), ()))
    ),
    "what a text makes": shared_whatever_is_made,
    "what else decides": by_the_text_alone,
    "the server's own scanner": gives(shared_decisions, "is_sound", True),
    "numbers by their size": another_kind,
    "escapes": only("\\", "\0"),
    "dollar quotes": is_now(shape, "_DOLLAR_QUOTE", re.compile(r"(?!)")),
    "comments to the end of the line": only("--"),
    "comments": only("/*"),
    "prefixes of strings": no_prefixes,
    "names in quotes": is_now(shape, "_with_names", lambda words: words),
    "letters that are not ASCII": gives(shape, "_is_encodable", True),
    "a bound for texts": is_now(shared_decisions, "CACHE_TEXT", 1 << 30),
    "room": is_now(Room, "part", 1 << 40),
    "a bound for decisions": gives(SharedDecisions, "_count"),
}


def cases(function: Any) -> Iterator[dict[str, Any]]:
    """What a test function is called with, of its parameters."""
    axes = []
    for mark in getattr(function, "pytestmark", ()):
        if mark.name != "parametrize":
            return
        names = mark.args[0] if isinstance(mark.args[0], tuple) else (mark.args[0],)
        rows = [row if len(names) > 1 else (row,) for row in mark.args[1]]
        axes.append([dict(zip(names, row, strict=True)) for row in rows])
    for combined in itertools.product(*axes):
        yield {name: value for one in combined for name, value in one.items()}


def told() -> Iterator[str]:
    """The conversations that do not go as they should."""
    for module in (slots, shapes, sharing):
        for name, one in vars(module).items():
            if not name.startswith("test_"):
                continue
            for case in cases(one):
                takes = one.__code__.co_varnames[: one.__code__.co_argcount]
                with pytest.MonkeyPatch.context() as patch:
                    given = {**case, **({"monkeypatch": patch} if "monkeypatch" in takes else {})}
                    if set(given) != set(takes):
                        continue
                    try:
                        one(**given)
                    except BaseException as error:  # whatever tells
                        if isinstance(error, KeyboardInterrupt):
                            raise
                        yield f"{name} {case}"


def test_nothing_is_told_where_nothing_is_switched_off() -> None:
    assert list(told()) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_switched_off_is_noticed(name: str, monkeypatch: Patch) -> None:
    MUTATIONS[name](monkeypatch)
    assert next(told(), "")
