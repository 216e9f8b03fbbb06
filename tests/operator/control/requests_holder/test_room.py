"""How many requests may wait, of one requester, one service account and one person; and how many look at once."""

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

from penstock_core.approvals import room
from penstock_operator.control import requests_holder
from penstock_operator.control.requests_holder import RequestsHolder, UnavailableError


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
