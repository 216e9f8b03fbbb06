"""Requests are made once, used once, told to whom they are of, and deleted when they are over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.operator.control.requests import (
    ASKING,
    BOTH,
    NOW,
    OTHER_POD,
    POD,
    Clock,
    RequestServer,
    asking,
    policies_of,
)
from tests.operator.doubles import SHOP, WEB, change

from penstock_core.approvals import room
from penstock_core.approvals.asking import Answered
from penstock_core.token_review import Pod
from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control import requests_holder
from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_guard import POLICY
from penstock_operator.control.requests_holder import RequestsHolder, UnavailableError
from penstock_operator.objects import DATABASES, POLICIES


@pytest.fixture
def server() -> RequestServer:
    return RequestServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policies(shop: Any) -> Policies:
    return policies_of(shop)


@pytest.fixture
def holder(server: RequestServer, policies: Policies, clock: Clock) -> RequestsHolder:
    return server.holder(policies, clock)


async def waiting(holder: RequestsHolder, pod: Pod = POD, **changes: Any) -> str:
    answered = await holder.ask(pod, asking(pod, **changes))
    assert answered.standing == "waiting", answered
    return answered.request


async def look(holder: RequestsHolder, name: str, seconds: float = 0, pod: Pod = POD) -> Answered | None:
    return await holder.look(pod, name, seconds, asyncio.Event())


async def test_the_first_question_makes_a_request_and_later_ones_find_it(
    holder: RequestsHolder, server: RequestServer
) -> None:
    names = {await waiting(holder) for _ in range(3)}
    assert len(names) == 1
    (document,) = server.objects.values()
    assert document["spec"]["heldBy"]["approvers"] == ["dba", "owners"]
    assert document["spec"]["expiresAt"] == "2030-03-17T18:46:40.000000Z"
    assert document["metadata"]["labels"]["penstock.dev/service-account"] == "web"
    assert server.calls == ["POST"], "what is known is not asked for"
    assert {await waiting(holder, OTHER_POD)} == names, "a retry may come from another replica of the workload"


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


async def test_ten_thousand_questions_are_one_write(holder: RequestsHolder, server: RequestServer) -> None:
    names = await asyncio.gather(*(waiting(holder) for _ in range(10_000)))
    assert len(set(names)) == 1
    assert server.calls == ["POST"]


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


async def test_replicas_that_are_asked_at_once_make_one_request(
    server: RequestServer, policies: Policies, clock: Clock
) -> None:
    replicas = [server.holder(policies, clock, watching=False) for _ in range(5)]
    answers = await asyncio.gather(*(waiting(one) for one in replicas))
    assert set(answers) == set(server.objects)
    assert len(server.objects) == 1


async def test_a_name_that_another_statement_has_is_passed_over(holder: RequestsHolder, server: RequestServer) -> None:
    name = await waiting(holder)
    server.delete(name)
    other = {"statement": {"sql": "DELETE FROM customers"}}
    taken = await waiting(holder, **other)
    # As if the names of two questions had come out the same, and this replica had not seen the other one yet.
    server.objects[name] = server.objects.pop(taken)
    server.objects[name]["metadata"]["name"] = name
    holder.kept.forget(("shop", taken))
    assert await waiting(holder) not in {name, taken}
    assert await waiting(holder, **other) == name


async def test_a_denial_lasts_as_long_as_the_request_would_have(
    holder: RequestsHolder, server: RequestServer, clock: Clock
) -> None:
    name = await waiting(holder)
    server.decide(name, "denied")
    denied = await holder.ask(POD, asking())
    assert (denied.standing, denied.request) == ("denied", name)
    clock.now += 3601
    assert await waiting(holder) != name


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


async def test_a_look_waits_for_a_decision(holder: RequestsHolder, server: RequestServer) -> None:
    name = await waiting(holder)
    looking = [asyncio.create_task(look(holder, name, 20)) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in looking)
    server.decide(name)
    for seen in await asyncio.wait_for(asyncio.gather(*looking), 2):
        assert seen is not None
        assert seen.standing == "granted"
    assert holder.kept._waiting == {}


async def test_a_look_ends_with_its_time_with_the_request_and_with_the_process(
    holder: RequestsHolder, server: RequestServer, clock: Clock
) -> None:
    name = await waiting(holder)
    seen = await look(holder, name, 0.05)
    assert seen is not None
    assert seen.standing == "waiting"
    stopping = asyncio.Event()
    ending = asyncio.create_task(holder.look(POD, name, 20, stopping))
    gone = asyncio.create_task(look(holder, name, 20))
    await asyncio.sleep(0.02)
    stopping.set()
    ended = await asyncio.wait_for(ending, 2)
    assert ended is not None
    assert ended.standing == "waiting"
    server.delete(name)
    assert await asyncio.wait_for(gone, 2) is None
    clock.now += 3599.9
    again = await waiting(holder)
    expiring = asyncio.create_task(look(holder, again, 20))
    await asyncio.sleep(0.02)
    assert not expiring.done()
    expiring.cancel()


async def test_a_request_that_another_replica_has_just_made_is_waited_for(
    holder: RequestsHolder, server: RequestServer, policies: Policies, clock: Clock
) -> None:
    server.watching.clear()
    name = await waiting(server.holder(policies, clock, watching=False))
    looking = asyncio.create_task(look(holder, name))
    await asyncio.sleep(0.02)
    holder.kept.change(ObjectChange(("shop", name), server.objects[name], server.revision))
    seen = await asyncio.wait_for(looking, 2)
    assert seen is not None
    assert server.calls == ["POST"]


async def test_who_has_another_service_account_sees_nothing(
    holder: RequestsHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_holder, "_UNKNOWN_SECONDS", 0.01)
    name = await waiting(holder)
    assert await look(holder, name, pod=OTHER_POD) is not None
    assert await look(holder, name, pod=Pod("shop", "batch", "batch-1", "u-3")) is None
    assert await look(holder, name, pod=Pod("other", "web", "web-1", "u-4")) is None
    assert await look(holder, "r-2222-2222") is None


async def test_polls_have_a_limit(holder: RequestsHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_holder, "MOST_POLLS_OF_A_POD", 2)
    name = await waiting(holder)
    looking = [asyncio.create_task(look(holder, name, 20)) for _ in range(2)]
    await asyncio.sleep(0.02)
    with pytest.raises(UnavailableError, match="too many wait"):
        await look(holder, name, 20)
    assert await look(holder, name, pod=OTHER_POD) is not None
    for one in looking:
        one.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    assert await look(holder, name) is not None


async def test_one_requester_has_twenty_that_wait(holder: RequestsHolder, server: RequestServer, clock: Clock) -> None:
    for number in range(20):
        await waiting(holder, statement={"sql": f"DELETE FROM orders WHERE id = {number}"})
    refused = await holder.ask(POD, asking())
    assert (refused.standing, "20 requests of this requester wait" in refused.comment) == ("refused", True)
    assert await waiting(holder, statement={"sql": "DELETE FROM orders WHERE id = 3"})
    another = ASKING["requester"] | {"principal": ASKING["requester"]["principal"] | {"subject": "dan"}}
    assert await waiting(holder, requester=another)
    clock.now += 3601
    assert await waiting(holder)


async def test_one_service_account_has_a_limit_whoever_it_says_that_asks(
    holder: RequestsHolder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate names the person; one that makes up a new one each time fills no store."""
    monkeypatch.setattr(requests_holder, "MOST_WAITING_OF_AN_ACCOUNT", 5)
    monkeypatch.setattr(requests_holder, "MOST_UNDECIDED_OF_AN_ACCOUNT", 7)

    def made_up(number: int) -> dict[str, Any]:
        workload = ASKING["requester"]["workload"]
        return {"workload": workload, "principal": {"kind": "person", "subject": f"p{number}", "issuer": "i"}}

    for number in range(5):
        await waiting(holder, requester=made_up(number))
    assert "5 requests of service account web wait" in (await holder.ask(POD, asking(requester=made_up(6)))).comment
    clock.now += 3601
    for number in range(2):
        await waiting(holder, requester=made_up(number))
    assert "were not decided of late" in (await holder.ask(POD, asking(requester=made_up(8)))).comment


async def test_one_person_of_a_gateway_leaves_the_others_their_place(
    holder: RequestsHolder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a gateway's people come by its one service account."""
    monkeypatch.setattr(room, "MOST_OF_A_PERSON", 2)
    workload = ASKING["requester"]["workload"]

    def by(name: str, *groups: str) -> dict[str, Any]:
        person = {"kind": "person", "subject": name, "issuer": "i", "groups": groups}
        return {"workload": workload, "principal": person}

    for number in range(2):
        await waiting(holder, requester=by("ada", f"g{number}"))
    refused = await holder.ask(POD, asking(requester=by("ada", "g3")))
    assert refused.comment == "2 requests that person ada has a part in wait already; have some decided first"
    assert await waiting(holder, requester=by("dan"))
    # Nor by letting them expire again and again.
    for round_ in range(2):
        clock.now += 3601
        for number in range(2):
            await waiting(holder, requester=by("ada", f"g{round_}{number}"))
    clock.now += 3601
    assert "were not decided of late" in (await holder.ask(POD, asking(requester=by("ada", "g9")))).comment
    assert await waiting(holder, requester=by("eve"))


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_thousands_of_one_agent_leave_the_others_their_place(
    holder: RequestsHolder, server: RequestServer, count: int
) -> None:
    """For five hundred people, so that neither any of them nor the service account has too many."""
    workload, issuer = ASKING["requester"]["workload"], {"issuer": "https://id.example"}

    def person(number: int) -> dict[str, Any]:
        return {"kind": "person", "subject": f"person-{number % 500}", **issuer}

    def by(agent: str, number: int) -> Any:
        chain = {"principal": {"kind": "agent", "subject": agent, **issuer}, "actsFor": [person(number)]}
        statement = {"sql": f"DELETE FROM orders WHERE id = {number}"}
        return asking(requester={"workload": workload, **chain}, statement=statement)

    answers = [await holder.ask(POD, by("bot", number)) for number in range(count)]
    assert [one.standing for one in answers].count("waiting") == len(server.objects) == room.MOST_OF_AN_AGENT
    assert {one.comment for one in answers if one.standing == "refused"} == {
        "200 requests that agent bot has a part in wait already; have some decided first"
    }
    assert await waiting(holder, requester={"workload": workload, "principal": person(1)})
    assert (await holder.ask(POD, by("other-bot", 1))).standing == "waiting"


async def test_a_service_account_has_place_for_both_or_for_none(
    holder: RequestsHolder, server: RequestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_holder, "MOST_WAITING_OF_AN_ACCOUNT", 1)
    assert "wait already" in (await holder.ask(POD, asking(**BOTH))).comment
    assert server.objects == {}
    assert await waiting(holder)


async def test_what_is_over_is_deleted_after_its_time(
    holder: RequestsHolder, server: RequestServer, policies: Policies, clock: Clock
) -> None:
    undecided = await waiting(holder)
    denied = await waiting(holder, statement={"sql": "DELETE FROM customers"})
    server.decide(denied, "denied")
    other = server.holder(policies, clock, watching=False)
    clock.now = NOW + 3600 + 3599
    await holder.sweep_once()
    assert set(server.objects) == {undecided, denied}
    clock.now = NOW + 3600 + 3601
    await holder.sweep_once()
    await other.sweep_once()
    assert set(server.objects) == {denied}
    assert [one.request.name for one in other.kept.all()] == [denied], "which was deleted already is forgotten"
    clock.now = NOW + 3600 + 24 * 3600 + 1
    await holder.sweep_once()
    assert server.objects == {}
    assert holder.kept.all() == []


async def test_nobody_sweeps_away_what_was_written_since(
    holder: RequestsHolder, server: RequestServer, clock: Clock
) -> None:
    name = await waiting(holder)
    server.watching.clear()
    server.decide(name, "denied")
    clock.now = NOW + 2 * 3600 + 1
    await holder.sweep_once()
    assert name in server.objects


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


async def test_a_request_that_is_deleted_is_made_anew(holder: RequestsHolder, server: RequestServer) -> None:
    name = await waiting(holder)
    server.decide(name)
    server.watching.clear()
    server.delete(name)
    assert await waiting(holder) == name, "as if nothing had been asked for"
    assert "status" not in server.objects[name]


async def test_a_holder_that_starts_knows_what_waits(
    holder: RequestsHolder, server: RequestServer, policies: Policies, clock: Clock
) -> None:
    name = await waiting(holder)
    restarted = server.holder(policies, clock)
    looking = asyncio.create_task(look(restarted, name, 20))
    await asyncio.sleep(0.02)
    server.decide(name)
    seen = await asyncio.wait_for(looking, 2)
    assert seen is not None
    assert seen.standing == "granted"
    assert (await restarted.ask(POD, asking())).standing == "granted"


async def test_nothing_is_held_where_nobody_keeps_to_who_decides(holder: RequestsHolder) -> None:
    holder._guard.take(POLICY, None)
    for call in (holder.ask(POD, asking()), look(holder, "r-2222-2222")):
        with pytest.raises(UnavailableError, match="ValidatingAdmissionPolicy penstock-requests or its binding"):
            await call


async def test_a_list_that_is_not_there_is_waited_for(holder: RequestsHolder) -> None:
    holder.kept._synced = False
    with pytest.raises(UnavailableError, match="waiting for the list of accessrequests"):
        await holder.ask(POD, asking())
