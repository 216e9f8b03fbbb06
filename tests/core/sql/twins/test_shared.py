"""Texts that share a decision get the one that each would get alone: over all corpora, whatever their literals are."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.core.sql.syntax.test_literals import described
from tests.core.sql.twins import order_corpus
from tests.core.sql.twins.corpus import DENY, PASS, TOLD
from tests.core.sql.twins.order_world import POLICY as ORDER_POLICY
from tests.core.sql.twins.order_world import make_order_twins
from tests.core.sql.twins.world import POLICY, Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.bind.name_resolution import MadeName
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor
from penstock_core.sql.shared_decisions import Question, Room, SharedDecisions, _OfShape
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.shapes import Shape, shape_of

STRINGS = (
    "''", "'x'", "'1'", "'it''s'", "'t'", "'off'", "'2030-01-01'", "'%a_'", "'public.u'", "'search_path'", "'\"'",
)  # fmt: skip
NUMBERS = ("0", "1", "2", "7", "100", "2147483647")
LONG_NUMBERS = ("2147483648", "9223372036854775807")
DECIMALS = ("0.0", "1.5", "100.25")
LIKE = {"s": STRINGS, "i": NUMBERS, "l": LONG_NUMBERS, "d": DECIMALS}
EACH = 4
# What else decides, beside the text.
_OTHERWISE = (("public",), frozenset[str](), (), frozenset[MadeName]())
CORPUS = {**PASS, **TOLD, **DENY}
ORDER = {
    **order_corpus.ALLOWED, **order_corpus.DETERMINED, **order_corpus.EQUAL, **order_corpus.LEAKING,
    **order_corpus.REFUSED, **order_corpus.UNTOUCHED,
}  # fmt: skip


@pytest.fixture(scope="module")
def order_twins(postgres: EmbeddedPostgres) -> Twins:
    return make_order_twins(postgres, "shared_order")


def others(text: str, shape: Shape) -> list[str]:
    """Texts of the same shape with other literals; the same ones each time."""
    chance = random.Random(text)
    found = []
    for _ in range(EACH):
        parts = list(shape.rest[2:])
        parts[1::2] = [
            chance.choice((*LIKE[kind], one)) for kind, one in zip(shape.rest[3::2], shape.literals, strict=True)
        ]
        found.append("".join(map(str, parts)))
    return [one for one in found if (again := shape_of(one)) is not None and again.rest == shape.rest]


def with_shapes(corpus: dict[str, str]) -> list[str]:
    return [name for name, text in corpus.items() if shape_of(text) is not None]


def check(governor: Governor, text: str) -> None:
    shape = shape_of(text)
    assert shape is not None
    for first in (text, *others(text, shape)[:1]):
        shared = of_known_shape(governor, shape)
        for other in (first, *others(text, shape), text):
            question: Question = (other, *_OTHERWISE)
            decision = shared.decision(question)
            assert decision == of_known_shape(governor, shape).decision(question)
            assert meaning(decision) == meaning(governor._decide(question))


def of_known_shape(governor: Governor, shape: Shape) -> SharedDecisions:
    """Where a text of the shape was decided about, and the next is decided about for all others."""
    shared = SharedDecisions(governor._decide, governor.policy.sql_text, Room(16 << 20))
    shared._by_shape[(shape.rest, *_OTHERWISE)] = _OfShape()
    return shared


def meaning(decision: Decision) -> object:
    """A decision with the trees of its text: without slots, literals are printed in another spelling."""
    # `-0` is printed as `0`, and so it is on record as `$1` or `-$1`.
    parts = tuple(replace(part, rewritten=part.rewritten.replace("-$", "$")) for part in decision.parts)
    return replace(decision, text="", parts=parts), described(parse(decision.text))


@pytest.mark.parametrize("name", with_shapes(CORPUS))
def test_of_the_twins_corpus(twins18: Twins, name: str) -> None:
    check(twins18.governor(POLICY), CORPUS[name])


@pytest.mark.parametrize("name", with_shapes(ORDER))
def test_of_the_corpus_of_orders(order_twins: Twins, name: str) -> None:
    check(order_twins.governor(ORDER_POLICY), ORDER[name])
