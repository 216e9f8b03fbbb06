"""The order of rows tells nothing of masked values: by indexes, partitions, clustering or what comes of them."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.core.sql.twins.order_corpus import ALLOWED, DETERMINED, EQUAL, LEAKING, REFUSED, SINCE, UNTOUCHED
from tests.core.sql.twins.order_world import LEAKING as LEAKING_POLICY
from tests.core.sql.twins.order_world import POLICY, make_order_twins
from tests.core.sql.twins.world import Mode, Seen, Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.decision import Action


@pytest.fixture(scope="session", params=["postgres", "postgres16", "postgres15"])
def order_twins(request: pytest.FixtureRequest) -> Twins:
    """Each server in turn."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return make_order_twins(server)


@pytest.fixture(scope="session", params=["postgres", "postgres16", "postgres15"])
def untouched_twins(request: pytest.FixtureRequest) -> Twins:
    """Each server in turn, with databases that nothing writes to: rows that come and go make other plans cheaper."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return make_order_twins(server, "untouched")


def known(twins: Twins, name: str) -> bool:
    return twins.catalog.server_version >= SINCE.get(name, 0) * 10000


def shown(twins: Twins, text: str, policy: EffectivePolicy = POLICY, mode: Mode = "simple") -> tuple[Seen, Seen]:
    decision = twins.governor(policy).decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    return twins.run(decision, mode)


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("name", [*LEAKING, *EQUAL])
def test_the_twins_answer_in_the_same_order(order_twins: Twins, name: str, mode: Mode) -> None:
    left, right = shown(order_twins, {**LEAKING, **EQUAL}[name], mode=mode)
    assert left.ok == known(order_twins, name), left.message
    assert left == right


@pytest.mark.parametrize("name", LEAKING)
def test_each_would_tell_if_order_were_left_open(untouched_twins: Twins, name: str) -> None:
    if known(untouched_twins, name):
        left, right = shown(untouched_twins, LEAKING[name], LEAKING_POLICY)
        assert left.ok, left.message
        assert left != right


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_tells_nothing_stays_as_it_is(order_twins: Twins, name: str) -> None:
    decision, as_before = (
        order_twins.governor(policy).decide(UNTOUCHED[name], ("public",)) for policy in (POLICY, LEAKING_POLICY)
    )
    assert decision.action is not Action.DENY, decision.denial
    assert decision.text == as_before.text
    if "$1" not in decision.text:
        left, right = order_twins.run(decision)
        assert left.ok, left.message
        assert sorted(left.rows, key=repr) == sorted(right.rows, key=repr)


@pytest.mark.parametrize("name", DETERMINED)
def test_what_is_determined_stays_what_it_is(order_twins: Twins, name: str) -> None:
    left, right = shown(order_twins, DETERMINED[name])
    plain, _ = shown(order_twins, DETERMINED[name], LEAKING_POLICY)
    assert left.ok, left.message
    assert left == right
    assert (left.columns, sorted(left.rows, key=repr)) == (plain.columns, sorted(plain.rows, key=repr))
    if "RETURNING" not in DETERMINED[name]:
        assert left == plain


@pytest.mark.parametrize("name", REFUSED)
def test_where_nothing_can_be_completed_it_is_refused(order_twins: Twins, name: str) -> None:
    decision = order_twins.governor(POLICY).decide(REFUSED[name], ("public",))
    assert decision.action is Action.DENY
    assert decision.denial is not None
    assert "not understood (" not in decision.denial.reason


@pytest.mark.parametrize("name", ALLOWED)
def test_a_view_that_decides_for_itself_is_read(order_twins: Twins, name: str) -> None:
    left, right = shown(order_twins, ALLOWED[name])
    assert left.ok
    assert left == right
