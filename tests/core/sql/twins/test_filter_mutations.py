"""Each rule about filtered rows is needed: with any one of them switched off, the corpus tells of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql.twins.filtered_world import POLICY, make_filtered_twins
from tests.core.sql.twins.test_filtered import READS, REFUSED
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.authorize import write_targets
from penstock_core.sql.catalog.overview import Overview
from penstock_core.sql.decision import Action
from penstock_core.sql.masking import masked_columns, order_errors, row_filters
from penstock_core.sql.masking.order_hazards import OrderHazards
from penstock_core.sql.masking.substitution import Substitutions

Patch = pytest.MonkeyPatch
_hazards = masked_columns.order_hazards


def unfiltered(patch: Patch) -> None:
    patch.setattr(Substitutions, "_where", lambda self, relation: None)


def in_any_order(patch: Patch) -> None:
    def hazards(*known: Any, filtered: Any, **chosen: Any) -> OrderHazards:
        return replace(_hazards(*known, **chosen), filtered=frozenset(filtered))

    patch.setattr(masked_columns, "order_hazards", hazards)


def failing_alike(patch: Patch) -> None:
    """Errors that rows make are told as one, but told."""
    original = OrderHazards.leaf
    patch.setattr(
        OrderHazards, "leaf", lambda self, *of, **chosen: replace(original(self, *of, **chosen), filtered=False)
    )


def not_fenced(patch: Patch) -> None:
    patch.setattr(order_errors.ErrorOrder, "_fence", lambda *_: None)


def alone(patch: Patch) -> None:
    """Partitions are not filtered."""
    patch.setattr(Overview, "family", lambda self, relation: {relation.key: relation})


@pytest.fixture(scope="module")
def twins(postgres: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres, "filter_mutations")


def differs(twins: Twins, text: str) -> bool:
    decision = twins.governor(POLICY).decide(text, ("public",))
    if decision.action is Action.DENY:
        return False
    left, right = twins.run(decision)
    return left != right


@pytest.mark.parametrize(
    ("mutation", "name"),
    [
        (unfiltered, "all"),
        (in_any_order, "the first"),
        (failing_alike, "a pattern that is none, counted"),
        (not_fenced, "a pattern that is none"),
        (alone, "partitions one by one"),
    ],
)
def test_a_rule_that_is_missing_is_noticed(
    twins: Twins, mutation: Callable[[Patch], None], name: str, monkeypatch: Patch
) -> None:
    assert not differs(twins, READS[name])
    mutation(monkeypatch)
    assert differs(twins, READS[name])


@pytest.mark.parametrize(
    ("owner", "rule", "value", "name"),
    [
        (write_targets, "refuse_filtered", None, "inserting"),
        (write_targets, "refuse_referring", None, "what refers to one"),
        (row_filters, "_showing", {}, "a view"),
    ],
)
def test_so_is_one_that_refuses(twins: Twins, owner: Any, rule: str, value: Any, name: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(owner, rule, lambda *_: value)
    assert twins.governor(POLICY).decide(REFUSED[name][0], ("public",)).action is not Action.DENY
