"""Requests are made once, told to whom they are of, and deleted when they are over."""

from __future__ import annotations

import asyncio

import pytest
from tests.operator.control.requests import (
    NOW,
    OTHER_POD,
    POD,
    Clock,
    RequestServer,
    asking,
)
from tests.operator.control.requests_holder.conftest import look, waiting

from penstock_core.token_review import Pod
from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control import requests_holder
from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_guard import POLICY
from penstock_operator.control.requests_holder import RequestsHolder, UnavailableError


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


async def test_ten_thousand_questions_are_one_write(holder: RequestsHolder, server: RequestServer) -> None:
    names = await asyncio.gather(*(waiting(holder) for _ in range(10_000)))
    assert len(set(names)) == 1
    assert server.calls == ["POST"]


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


async def test_a_request_that_another_replica_has_just_made_is_waited_for(
    holder: RequestsHolder, server: RequestServer, policies: Policies, clock: Clock
) -> None:
    server.watching.clear()
    name = await waiting(server.holder(policies, clock, watching=False))
    looking = asyncio.create_task(look(holder, name))
    await asyncio.sleep(0.02)
    holder.kept.change(ObjectChange(("shop", name), server.objects[name], server.revision))
    seen = await asyncio.wait_for(looking, 15)
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


async def test_a_look_waits_for_a_decision(holder: RequestsHolder, server: RequestServer) -> None:
    name = await waiting(holder)
    looking = [asyncio.create_task(look(holder, name, 20)) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in looking)
    server.decide(name)
    for seen in await asyncio.wait_for(asyncio.gather(*looking), 15):
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
    ended = await asyncio.wait_for(ending, 15)
    assert ended is not None
    assert ended.standing == "waiting"
    server.delete(name)
    assert await asyncio.wait_for(gone, 15) is None
    clock.now += 3599.9
    again = await waiting(holder)
    expiring = asyncio.create_task(look(holder, again, 20))
    await asyncio.sleep(0.02)
    assert not expiring.done()
    expiring.cancel()


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
    seen = await asyncio.wait_for(looking, 15)
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
