"""Each rule about errors, and about equal values, is needed: with any of them switched off, the corpus tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql.twins.order_errors_corpus import LOOKING, REFUSED, SAME, TELLING
from tests.core.sql.twins.order_errors_seen import courses
from tests.core.sql.twins.order_world import LEAKING, POLICY, make_order_twins
from tests.core.sql.twins.test_order_mutations import Patch, becomes, gives
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.masking import order_completion, order_errors, order_failures, order_hazards, order_writes
from penstock_core.sql.masking.order_errors import ErrorOrder
from penstock_core.sql.masking.order_failures import Failures
from penstock_core.sql.masking.order_hazards import OrderHazards
from penstock_core.sql.masking.order_keys import Level

_Order: Any = order_writes._StatementOrder
_Expression: Any = order_failures._Expression


def judged(**parts: Any) -> Callable[[Patch], None]:
    """Views are judged as if they were like that."""
    judge = order_hazards._judge
    # Not by what was found of them before.
    return becomes(order_hazards, "_judged", lambda *args: replace(judge(*args), **parts))


def leaves(**parts: Any) -> Callable[[Patch], None]:
    """Relations are read as if they were like that."""
    original = OrderHazards.leaf
    return becomes(OrderHazards, "leaf", lambda *args, **only: replace(original(*args, **only), **parts))


def all_is_asked_of_all(patch: Patch) -> None:
    original = _Expression.fails
    patch.setattr(_Expression, "fails", lambda self, node, *, guarded: original(self, node, guarded=False))


def any_condition_is_a_sources_own(patch: Patch) -> None:
    original = order_errors.select
    patch.setattr(
        order_errors, "select", lambda level, condition, failures: _selected(original, level, condition, failures)
    )


def _selected(original: Any, level: Level, condition: Any, failures: Failures) -> None:
    kept, level.nullable = level.nullable, set()
    original(level, condition, failures)
    level.nullable = kept


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "what may fail": gives(Failures, "may_fail", False),
    "what is asked of some rows": all_is_asked_of_all,
    "late outputs": gives(ErrorOrder, "_put_late", True),
    "outputs that are sorted by": gives(order_errors, "_is_key", False),
    "fences": gives(ErrorOrder, "_fence"),
    "errors told alike": becomes(_Order, "mixes", ""),
    "ways of changes to fail": gives(order_writes, "fails_in_ways", False),
    "values that move": gives(order_writes, "refuse_collisions"),
    "conditions beside joins": gives(order_writes, "refuse_early_ends"),
    "errors of what is read for changes": gives(_Order, "_close_errors"),
    "lowest values by an index": gives(order_errors, "_seeks_first", False),
    "windows": gives(order_errors, "_has_windows", False),
    "sets in outputs": gives(order_errors, "multiplies", False),
    "views that fail": judged(fails=False),
    "views of joins that fail": judged(fails_openly=False),
    "columns that are computed": leaves(failing=frozenset()),
    "sources of outer joins": any_condition_is_a_sources_own,
    "values that look different": gives(order_completion, "chooses_among_equals", False),
    "rows that look different": gives(order_completion, "_all_alike", True),
    "types that look different": gives(order_completion, "is_alike", True),
}


@pytest.fixture(scope="module")
def failing_twins18(postgres: EmbeddedPostgres) -> Twins:
    return make_order_twins(postgres, "error_mutation")


@pytest.fixture(scope="module")
def usual(failing_twins18: Twins) -> dict[str, Decision]:
    """What is decided while every rule is on; of what gives the same, what it gave."""
    governor, plain = failing_twins18.governor(POLICY), failing_twins18.governor(LEAKING)
    decided = {text: governor.decide(text, ("public",)) for text in (*TELLING.values(), *LOOKING.values())}
    return decided | {text: plain.decide(text, ("public",)) for text in SAME.values()}


def failures(twins: Twins, usual: dict[str, Decision]) -> Iterator[str]:
    """Statements that go wrong; lazily, since one is enough. What is decided as usual goes well."""
    governor = twins.governor(POLICY)
    for name, text in REFUSED.items():
        if governor.decide(text, ("public",)).action is not Action.DENY:
            yield f"{name}: not refused"
    for name, text in {**TELLING, **LOOKING}.items():
        decision = governor.decide(text, ("public",))
        if decision.action is Action.DENY:
            yield f"{name}: refused"
        elif decision != usual[text]:
            left, right = courses(twins, decision)
            if left != right or left.sqlstate.startswith(("0A", "42")):
                yield f"{name}: {left} {right}"
    for name, text in SAME.items():
        rows, plain = (twins.run(one)[0].rows for one in (governor.decide(text, ("public",)), usual[text]))
        if sorted(rows, key=repr) != sorted(plain, key=repr):
            yield f"{name}: {rows}"


def test_with_every_rule_nothing_goes_wrong(failing_twins18: Twins, usual: dict[str, Decision]) -> None:
    assert list(failures(failing_twins18, usual)) == []


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_corpus_notices_a_rule_about_errors_that_is_missing(
    failing_twins18: Twins, usual: dict[str, Decision], monkeypatch: Patch, rule: str
) -> None:
    MUTATIONS[rule](monkeypatch)
    assert next(failures(failing_twins18, usual), None) is not None
