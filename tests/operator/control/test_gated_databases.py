"""A pod asks control about the Databases that its gate was made for, and about no other."""

from __future__ import annotations

import pytest
from tests.operator.doubles import WEB_POD, Reviewer, gated, gated_pod

from penstock_operator.control.callers import CallerError
from penstock_operator.inject.annotations import InjectionRequest
from penstock_operator.inject.sidecar import DatabaseSecrets, Shape, container, databases_of


async def refusal(reviewer: Reviewer, database: str) -> tuple[int, str]:
    with pytest.raises(CallerError) as refused:
        await gated(reviewer).refuse_others(WEB_POD, database)
    return refused.value.status, str(refused.value)


async def test_a_sidecar_asks_about_its_own_and_the_api_server_is_asked_once() -> None:
    reviewer = Reviewer()
    reviewer.databases = ["shop", "billing"]
    subject = gated(reviewer)
    for name in ("shop", "billing", "shop"):
        await subject.refuse_others(WEB_POD, name)
    for _ in range(2):
        with pytest.raises(CallerError, match="the pod shop/web-1 is for billing, shop, not for staff"):
            await subject.refuse_others(WEB_POD, "staff")
    assert reviewer.looked == ["/api/v1/namespaces/shop/pods/web-1"]


def test_which_they_are_is_what_the_sidecar_was_made_with(shape: Shape) -> None:
    upstreams = [DatabaseSecrets("shop", "shop-db"), DatabaseSecrets("billing", "billing-db")]
    for made in (upstreams, upstreams[:1]):
        found = databases_of(container(shape, InjectionRequest(), made, shape.resources))
        assert found == {one.name for one in made}
    assert databases_of({"name": "penstock-proxy"}) == frozenset()


async def test_a_gateway_asks_about_those_of_its_namespace() -> None:
    reviewer = Reviewer()
    pod = gated_pod()
    pod["spec"]["containers"] = pod["spec"].pop("initContainers")
    reviewer.pod = pod
    await gated(reviewer).refuse_others(WEB_POD, "whichever")


async def test_a_pod_without_a_gate_asks_about_none() -> None:
    reviewer = Reviewer()
    reviewer.pod = {"metadata": {"uid": "u-1"}, "spec": {"containers": [{"name": "web"}]}}
    assert await refusal(reviewer, "shop") == (403, "the gate of the pod shop/web-1 is for no Database, not for shop")


async def test_one_of_the_same_name_that_came_after_it_is_another_pod() -> None:
    reviewer = Reviewer()
    reviewer.pod = gated_pod("shop") | {"metadata": {"uid": "u-2"}}
    assert await refusal(reviewer, "shop") == (403, "the pod shop/web-1 is gone")


async def test_while_the_api_server_is_away_nobody_new_is_answered_and_nothing_is_remembered() -> None:
    reviewer = Reviewer()
    subject = gated(reviewer)
    reviewer.down = True
    with pytest.raises(CallerError, match="can't be looked at now") as refused:
        await subject.refuse_others(WEB_POD, "shop")
    assert refused.value.status == 503
    reviewer.down = False
    await subject.refuse_others(WEB_POD, "shop")
