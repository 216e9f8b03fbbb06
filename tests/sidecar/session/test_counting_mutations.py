"""Each rule of the limits is needed: with any of them switched off, a conversation tells of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.sidecar.session import test_changes_counted as changes
from tests.sidecar.session import test_counting as rows
from tests.sidecar.session import test_pricing as costs

from penstock_sidecar.session import counted_pipeline, measuring, pricing
from penstock_sidecar.session.client_pipeline import ClientPipeline
from penstock_sidecar.session.counted_answers import CountedAnswers
from penstock_sidecar.session.counting import Counted
from penstock_sidecar.session.evidence import Evidence
from penstock_sidecar.session.in_flight import Tally
from penstock_sidecar.wire import framing

pytestmark = pytest.mark.interpreted

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def gives(owner: Any, name: str, value: Any = None) -> Mutation:
    """That function gives this, whatever it is asked."""
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: value)


def a_tally_of_its_own(patch: Patch) -> None:
    patch.setattr(counted_pipeline, "tally_of", lambda *_: Tally())


def ends_amid_the_data(patch: Patch) -> None:
    patch.setattr(framing.Scanner, "passing", False)


def the_end_at_once(patch: Patch) -> None:
    patch.setattr(CountedAnswers, "hold", lambda _, answer, size: answer)


def priced_without_parameters(patch: Patch) -> None:
    asking = pricing.asking
    patch.setattr(
        counted_pipeline.pricing, "asking", lambda nobody, decision, _: asking(nobody, decision, pricing.Parameters())
    )


def every_figure(patch: Patch) -> None:
    excess = pricing.excess
    patch.setattr(pricing, "excess", lambda limit, cost, *, masked: excess(limit, cost, masked=False))


def the_last_cost(patch: Patch) -> None:
    patch.setattr(pricing, "read", lambda row: max(map(float, pricing._COST.findall(row)), default=None))


def sums(patch: Patch) -> None:
    patch.setattr(measuring, "changed", lambda before, after: sum(after.values()) - sum(before.values()))


def no_rule(patch: Patch) -> None:
    outcome = Evidence.outcome

    def without(self: Any, running: Any, *rest: Any) -> Any:
        running.refused = None
        return outcome(self, running, *rest)

    patch.setattr(Evidence, "outcome", without)


MUTATIONS: dict[str, Mutation] = {
    "how many were changed": gives(measuring, "changed", 0),
    "one table by another": sums,
    "the limit of changed rows": gives(Counted, "excess"),
    "that the end waits": the_end_at_once,
    "what a portal came to": a_tally_of_its_own,
    "data that passes by": ends_amid_the_data,
    "the limit of costs": gives(pricing, "excess"),
    "the parameters of what costs": priced_without_parameters,
    "estimates where something is masked": every_figure,
    "the cost of the whole plan": the_last_cost,
    "what can't be asked about": gives(Counted, "asked_for", False),
    "the rule in the trail": no_rule,
    "tags": lambda patch: patch.setattr(Counted, "completed", lambda _, tag: tag),
    "what is skipped": gives(Counted, "owns", True),
    "ways that messages wait": gives(ClientPipeline, "resume"),
}
CONVERSATIONS = [
    (module, name)
    for module in (changes, rows, costs)
    for name, one in vars(module).items()
    if name.startswith("test_") and not getattr(one, "pytestmark", ())
]


def told() -> list[str]:
    """The conversations that do not go as they should."""
    wrong = []
    for module, name in CONVERSATIONS:
        try:
            getattr(module, name)()
        except Exception:  # whatever tells
            wrong.append(name)
    wrong += [str(case) for case in _TABLES if measuring.changed(*case[:2]) != case[2]]
    return wrong


_TABLES: list[tuple[dict[int, int], dict[int, int], int]] = [({1: 9}, {1: 4, 2: 3}, 3), ({}, {1: 2, 2: 3}, 5)]


def test_nothing_is_told_where_nothing_is_switched_off() -> None:
    assert told() == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_switched_off_is_noticed(name: str, monkeypatch: Patch) -> None:
    MUTATIONS[name](monkeypatch)
    assert told()
