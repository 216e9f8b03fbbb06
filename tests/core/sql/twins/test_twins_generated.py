"""Noninterference of statements that nobody thought of: made up at random, decided, and run on both twins."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.core.sql.twins.speech import Speech
from tests.core.sql.twins.test_twins import RAW, view
from tests.core.sql.twins.world import Twins

from penstock_core.sql.decision import Action

# What statements come to by chance: enough of them must run, and enough of those succeed, to tell anything.
EACH = 60
BATCHES = 10
MANY = 200


def differences(twins: Twins, seeds: range) -> Counter[str]:
    governor = twins.governor()
    results: Counter[str] = Counter()
    for seed in seeds:
        text = Speech(seed).statement()
        decision = governor.decide(text, ("public",))
        if decision.action is Action.DENY:
            results["refused"] += 1
            assert decision.denial is not None
            assert "not understood (" not in decision.denial.reason, text
            continue
        left, right = (view(seen, ordered=False) for seen in twins.run(decision))
        assert left == right, f"seed {seed}: {text}\n{decision.text}"
        shown = [value for row in (*left.rows, *right.rows) for value in row if value]
        # What the statement says itself is no secret.
        secret = [raw for raw in RAW if raw.decode() not in text]
        assert not any(raw in value for value in shown for raw in secret), f"seed {seed}: {text}\n{decision.text}"
        results["ran" if left.ok else "failed"] += 1
        results["masked"] += bool(decision.masked)
    return results


@pytest.mark.parametrize("batch", range(BATCHES))
def test_made_up_statements_do_not_tell_the_twins_apart(twins18: Twins, batch: int) -> None:
    results = differences(twins18, range(batch * EACH, (batch + 1) * EACH))
    assert results["ran"] > EACH / 4
    assert results["masked"] > EACH / 8


@pytest.mark.soak
@pytest.mark.parametrize("batch", range(MANY))
def test_many_made_up_statements_do_not_tell_the_twins_apart(twins: Twins, batch: int) -> None:
    first = 1_000_000 + batch * EACH
    differences(twins, range(first, first + EACH))
