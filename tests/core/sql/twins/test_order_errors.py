"""Errors, and values that are equal and look different, tell nothing of the order of masked values."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.core.sql.twins.order_errors_corpus import ALIKE, AS_BEFORE, LOOKING, REFUSED, SAME, TELLING
from tests.core.sql.twins.order_errors_seen import Course, courses
from tests.core.sql.twins.order_world import LEAKING, POLICY, make_order_twins
from tests.core.sql.twins.world import Mode, Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.decision import Action


@pytest.fixture(scope="session", params=["postgres", "postgres16", "postgres15"])
def failing_twins(request: pytest.FixtureRequest) -> Twins:
    """Each server in turn."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return make_order_twins(server, "failing")


def went(twins: Twins, text: str, policy: EffectivePolicy = POLICY, mode: Mode = "simple") -> tuple[Course, Course]:
    decision = twins.governor(policy).decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    return courses(twins, decision, mode)


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("name", [*TELLING, *LOOKING, *ALIKE])
def test_the_twins_fail_alike(failing_twins: Twins, name: str, mode: Mode) -> None:
    left, right = went(failing_twins, {**TELLING, **LOOKING, **ALIKE}[name], mode=mode)
    assert left == right
    assert not left.sqlstate or name not in LOOKING
    assert not left.sqlstate.startswith(("0A", "42")), left


@pytest.mark.parametrize("name", [*TELLING, *LOOKING])
def test_each_would_tell_if_errors_were_left_open(failing_twins: Twins, name: str) -> None:
    left, right = went(failing_twins, {**TELLING, **LOOKING}[name], LEAKING)
    assert left != right


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_fail_gives_what_it_gave(failing_twins: Twins, name: str) -> None:
    decision, plain = (failing_twins.governor(policy).decide(SAME[name], ("public",)) for policy in (POLICY, LEAKING))
    assert decision.text != plain.text
    left, right = failing_twins.run(decision)
    as_before, _ = failing_twins.run(plain)
    assert left.ok, left.message
    assert left == right
    assert (left.columns, sorted(left.rows, key=repr)) == (as_before.columns, sorted(as_before.rows, key=repr))


@pytest.mark.parametrize("name", AS_BEFORE)
def test_what_ends_in_one_way_stays_as_it_is(failing_twins: Twins, name: str) -> None:
    decision, as_before = (
        failing_twins.governor(policy).decide(AS_BEFORE[name], ("public",)) for policy in (POLICY, LEAKING)
    )
    assert decision.action is not Action.DENY, decision.denial
    assert decision == as_before


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_fail_by_the_order_is_refused(failing_twins: Twins, name: str) -> None:
    decision = failing_twins.governor(POLICY).decide(REFUSED[name], ("public",))
    assert decision.denial is not None
    assert "depend on the order" in decision.denial.reason
    assert failing_twins.governor(LEAKING).decide(REFUSED[name], ("public",)).denial is None
