"""Approvals are used once, by the very statement that they are for, and by the policies that they were given under."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.operator.control.requests import (
    ASKING,
    BOTH,
    OTHER_POD,
    POD,
    Clock,
    RequestServer,
    asking,
)
from tests.operator.control.requests_holder.conftest import look, waiting
from tests.operator.doubles import SHOP, WEB, change

from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_guard import POLICY
from penstock_operator.control.requests_holder import RequestsHolder, UnavailableError
from penstock_operator.objects import DATABASES, POLICIES


async def test_what_two_rules_hold_has_two_requests_and_runs_once_both_are_approved(
    holder: RequestsHolder, server: RequestServer
) -> None:
    first = await holder.ask(POD, asking(**BOTH))
    deletes, erasures = first.of_rules or ()
    assert (first.standing, [one.approval for one in (deletes, erasures)]) == ("waiting", ["deletes", "erasures"])
    approvers = [one["spec"]["heldBy"]["approvers"] for one in server.objects.values()]
    assert approvers == [["dba", "owners"], ["privacy"]]
    server.decide(deletes.request)
    again = await holder.ask(OTHER_POD, asking(OTHER_POD, **BOTH))
    assert (again.standing, again.request) == ("waiting", erasures.request)
    assert [one.standing for one in again.of_rules or ()] == ["approved", "waiting"]
    assert server.calls == ["POST", "POST"], "nothing is used"
    server.decide(erasures.request, by="olga")
    used = await holder.ask(POD, asking(**BOTH))
    assert [(one.standing, one.decided_by) for one in used.of_rules or ()] == [("granted", "bea"), ("granted", "olga")]
    assert all(one["status"]["consumedAt"] for one in server.objects.values())
    assert (await holder.ask(POD, asking(**BOTH))).standing == "waiting"


async def test_two_approvals_are_used_by_one_of_many_that_ask_at_once(
    server: RequestServer, policies: Policies, clock: Clock
) -> None:
    """Replicas that don't know of each other; both see the approvals before either has used one."""
    one, other = server.holder(policies, clock), server.holder(policies, clock, watching=False)
    for made in (await one.ask(POD, asking(**BOTH))).of_rules or ():
        server.decide(made.request)
    other.kept.replace(server.listed(), server.revision)
    turned = asking(heldBy=BOTH["alsoHeldBy"][0], alsoHeldBy=[ASKING["heldBy"]])
    answers = await asyncio.gather(
        *(holder.ask(POD, what) for holder in (one, other) for what in (asking(**BOTH), turned))
    )
    assert sorted(one.standing for one in answers) == ["granted", "waiting", "waiting", "waiting"]


async def test_an_approval_that_was_written_meanwhile_is_used_all_the_same(
    server: RequestServer, policies: Policies, clock: Clock
) -> None:
    """By whoever wrote beside it: the first is used by then, and would be lost."""
    holder = server.holder(policies, clock)
    asked = await holder.ask(POD, asking(**BOTH))
    for made in asked.of_rules or ():
        server.decide(made.request)
    server.watching.clear()
    server.touch((asked.of_rules or ())[1].request)
    assert (await holder.ask(POD, asking(**BOTH))).standing == "granted"


async def test_none_of_two_is_used_where_an_approver_has_a_part_in_one(
    holder: RequestsHolder, server: RequestServer
) -> None:
    deletes, erasures = (await holder.ask(POD, asking(**BOTH))).of_rules or ()
    server.decide(deletes.request)
    server.decide(erasures.request, by="oidc:STRASSE")
    refused = await holder.ask(POD, asking(**BOTH))
    assert (refused.standing, "has a part in the request" in refused.comment) == ("refused", True)
    assert server.calls == ["POST", "POST"]


async def test_an_approval_is_used_once(holder: RequestsHolder, server: RequestServer) -> None:
    name = await waiting(holder)
    server.decide(name)
    seen = await look(holder, name)
    assert seen is not None
    assert (seen.standing, seen.decided_by) == ("granted", "bea")
    assert server.objects[name]["status"].get("consumedAt") is None, "a look uses nothing"
    granted = await holder.ask(POD, asking())
    assert (granted.standing, granted.request, granted.decided_by) == ("granted", name, "bea")
    assert server.objects[name]["status"]["consumedAt"] == "2030-03-17T17:46:40.000000Z"
    again = await waiting(holder)
    assert again != name
    over = await look(holder, name)
    assert over is not None
    assert (over.standing, "was approved and used" in over.comment) == ("refused", True)


def numbered(policies: Policies, shop: Any, number: int) -> None:
    """The operator has numbered what is in effect."""
    topic = policies.topic("shop", "shop")
    assert topic is not None
    shop.database["status"] = {"policyGeneration": number, "policyDigest": topic.digest}
    change(policies, DATABASES, SHOP, shop.database, 150)


async def test_an_approval_is_worth_nothing_by_other_policies_that_come_by_the_same_number(
    holder: RequestsHolder, server: RequestServer, policies: Policies, shop: Any
) -> None:
    """As where two change while the operator is away: it numbers what it finds, control had counted both."""
    numbered(policies, shop, 1)
    for number, allow in ((2, ["select", "delete"]), (3, ["select", "delete", "update"])):
        shop.policy["spec"]["allow"] = allow
        change(policies, POLICIES, WEB, shop.policy, 160)
        assert policies.latest(SHOP).bundle.generation == number
        server.decide(await waiting(holder, heldBy=ASKING["heldBy"] | {"policyGeneration": number}))
    approved = set(server.objects)
    numbered(policies, shop, 2)
    assert policies.latest(SHOP).bundle.generation == 2
    assert await waiting(holder, heldBy=ASKING["heldBy"] | {"policyGeneration": 2}) not in approved


@pytest.mark.parametrize("then", ["before", "after"])
async def test_policies_that_change_while_an_approval_is_used_grant_nothing(
    holder: RequestsHolder, server: RequestServer, policies: Policies, shop: Any, monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:  # fmt: skip
    """While whoever asks waits for others, or for the API server: a gate may hear of it later than control."""
    server.decide(await waiting(holder))
    written = server._answer

    def answer(method: str, name: str, body: dict[str, Any]) -> Any:
        if then == "after" and method == "PATCH":
            shop.policy["spec"]["allow"] = ["select", "delete", "update"]
            change(policies, POLICIES, WEB, shop.policy, 160)
        return written(method, name, body)

    monkeypatch.setattr(server, "_answer", answer)
    if then == "before":
        first = asyncio.create_task(holder.ask(POD, asking(statement={"sql": "DELETE FROM other"})))
        second = asyncio.create_task(holder.ask(POD, asking()))
        await asyncio.sleep(0)
        shop.policy["spec"]["allow"] = ["select", "delete", "update"]
        change(policies, POLICIES, WEB, shop.policy, 160)
        await first
        answered = await second
    else:
        answered = await holder.ask(POD, asking())
    assert (answered.standing, "the policies are of generation 2" in answered.comment) == ("refused", True)
    # Whatever became of the approval, by these policies it is worth nothing.
    again = await holder.ask(POD, asking(heldBy=ASKING["heldBy"] | {"policyGeneration": 2}))
    assert again.standing == "waiting"


async def test_an_approval_is_not_used_once_nobody_keeps_to_who_decides(
    holder: RequestsHolder, server: RequestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.decide(await waiting(holder))
    written = server._answer

    def answer(method: str, name: str, body: dict[str, Any]) -> Any:
        holder._guard.take(POLICY, None)
        return written(method, name, body)

    monkeypatch.setattr(server, "_answer", answer)
    with pytest.raises(UnavailableError, match="is not there"):
        await holder.ask(POD, asking())


@pytest.mark.parametrize("kept", [True, False])
async def test_a_name_that_comes_again_takes_over_no_approval(
    server: RequestServer, policies: Policies, clock: Clock, kept: bool
) -> None:
    """Deleted and made anew by somebody, or put back by a restore: the approval was another object's."""
    first = server.holder(policies, clock)
    name = await waiting(first)
    server.decide(name)
    lagging = server.holder(policies, clock, watching=False)
    made = server.objects[name]
    server.delete(name)
    server.revision = int(made["metadata"]["resourceVersion"]) - 1 if kept else server.revision
    anew = {**made, "metadata": {**made["metadata"], "uid": "uid-of-another"}}
    server._write(name, {key: value for key, value in anew.items() if key != "status"})
    assert (await lagging.ask(POD, asking())).standing == "waiting"
    assert "consumedAt" not in (server.objects[name].get("status") or {})


async def test_a_request_that_says_something_else_by_now_grants_nothing(
    server: RequestServer, policies: Policies, clock: Clock
) -> None:
    """As whoever may write etcd, or the definition of the resource, could have it."""
    first = server.holder(policies, clock)
    name = await waiting(first)
    server.decide(name)
    lagging = server.holder(policies, clock, watching=False)
    document = server.objects[name]
    altered = {**document["spec"], "statement": {"sql": "DELETE FROM customers"}}
    server._write(name, {**document, "spec": altered})
    assert (await lagging.ask(POD, asking())).standing == "waiting"
    assert "consumedAt" not in server.objects[name]["status"]


@pytest.mark.parametrize("watching", [True, False])
async def test_of_replicas_that_are_asked_at_once_one_grants(
    server: RequestServer, policies: Policies, clock: Clock, watching: bool
) -> None:
    """Also where none of them has seen yet what the other did."""
    first = server.holder(policies, clock)
    name = await waiting(first)
    server.decide(name)
    replicas = [server.holder(policies, clock, watching=watching) for _ in range(5)]
    server.watching = server.watching if watching else []
    answers = await asyncio.gather(*(one.ask(POD, asking()) for one in replicas for _ in range(4)))
    assert [one.standing for one in answers].count("granted") == 1
    assert {one.request for one in answers if one.standing == "waiting"} == set(server.objects) - {name}
    assert len(server.objects) == 2


async def test_nothing_is_granted_after_the_end(holder: RequestsHolder, server: RequestServer, clock: Clock) -> None:
    name = await waiting(holder)
    server.decide(name)
    clock.now += 3600
    seen = await look(holder, name)
    assert seen is not None
    assert (seen.standing, "has expired" in seen.comment) == ("refused", True)
    assert await waiting(holder) != name


async def test_an_approver_by_another_spelling_of_the_requester_grants_nothing(
    holder: RequestsHolder, server: RequestServer
) -> None:
    for by in ("STRASSE", "oidc:straße", "https://id.example#Straße"):
        name = await waiting(holder, statement={"sql": f"DELETE FROM orders -- {by}"})
        server.decide(name, by=by)
        refused = await holder.ask(POD, asking(statement={"sql": f"DELETE FROM orders -- {by}"}))
        assert refused.standing == "refused"
        assert "has a part in the request" in refused.comment
        assert server.objects[name]["status"].get("consumedAt") is None


async def test_without_an_api_server_there_is_no_grant(holder: RequestsHolder, server: RequestServer) -> None:
    server.down = True
    with pytest.raises(UnavailableError, match="can't be kept now: the API server can't be reached"):
        await holder.ask(POD, asking())
    server.down = False
    name = await waiting(holder)
    server.decide(name)
    server.down = True
    with pytest.raises(UnavailableError):
        await holder.ask(POD, asking())
    server.down = False
    assert (await holder.ask(POD, asking())).standing == "granted"


async def test_an_approval_whose_use_was_not_confirmed_is_not_granted(
    holder: RequestsHolder, server: RequestServer
) -> None:
    name = await waiting(holder)
    server.decide(name)
    server.answers_lost = True
    with pytest.raises(UnavailableError):
        await holder.ask(POD, asking())
    server.answers_lost = False
    assert server.objects[name]["status"]["consumedAt"], "the server had taken it"
    assert await waiting(holder) != name
