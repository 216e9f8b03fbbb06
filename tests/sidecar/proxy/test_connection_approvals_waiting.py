"""Statements whose sessions wait for approval: nothing is open at the server meanwhile, and the wait ends in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.sidecar.proxy.approvals import EITHER, Begin, Place, Sent, places, told
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Raw, bind, errors, rows, run, states

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.session import held_pipeline
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

Answer = list[tuple[bytes, bytes]]


@pytest.fixture
async def begin(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Begin]:
    async with places(start, shop, wait="1h") as begin:
        yield begin


async def waiting(place: Place, client: Raw, sent: bytes) -> asyncio.Task[Answer]:
    """The statement was sent, and its session waits."""
    task = asyncio.create_task(client.talk([(sent, b"Z")]))
    await place.holder.until_waiting()
    await place.holder.until_looked_at()
    return task


@pytest.mark.parametrize("sent", EITHER)
async def test_it_runs_as_soon_as_it_is_approved(begin: Begin, sent: Sent) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, sent("DELETE FROM held"))
    # Whoever waits holds no lock, and no transaction open.
    activity = place.server.psql(
        "SELECT string_agg(DISTINCT state, ' ') FROM pg_stat_activity WHERE usename = 'penstock'", "shop"
    )
    assert activity.strip() == "idle"
    assert place.left == 5
    # Who is to decide can read of it while it waits.
    (asked,) = await place.running.settled(1, "request")
    assert (asked["request"], asked["policy"], asked["approvers"]) == ("r-1", "web", ["dba"])
    assert (asked["verbs"], asked["relations"]) == (["delete"], ["public.held"])
    assert asked["identity"]["workload"]["namespace"] == "shop"
    assert asked["expiresAt"].endswith("Z")
    await place.holder.decide()
    got = await task
    notice = told(got, b"N")
    assert (errors(got), states(got), place.left) == ([], "I", 0)
    words = (
        "penstock: the statement is held by approvals[changes] of policy web and waits for approval, for 3600 s more"
    )
    assert notice.message == words
    assert notice.detail.startswith("Request r-1: https://audit.example/requests/r-1. It is good until")
    assert notice.hint == "have a member of dba approve it; cancel to stop waiting"
    assert [path.split("?")[0].split()[0] for path in place.holder.paths] == ["POST", "GET", "POST"]
    await place.running.settled(1)
    (note,) = [one["approvals"][0] for one in place.running.events("intent") if "approvals" in one]
    assert (note["standing"], note["decidedBy"]) == ("granted", "dora")
    assert note["waitedMs"] > 0


@pytest.mark.parametrize("sent", EITHER)
async def test_a_denial_ends_the_wait(begin: Begin, sent: Sent) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, sent("DELETE FROM held"))
    await place.holder.decide("denied", comment="ask for less")
    got = await task
    assert told(got).detail.endswith("They say: ask for less")
    assert (states(got), place.left) == ("I", 5)
    assert rows(await client.ask("SELECT 1")) == [[b"1"]]


@pytest.mark.parametrize("sent", EITHER)
async def test_the_time_that_the_rule_gives_ends_the_wait(begin: Begin, sent: Sent) -> None:
    place: Place = await begin(wait="1s")
    client = await place.client()
    began = time.monotonic()
    got = await client.talk([(sent("DELETE FROM held"), b"Z")])
    assert 0.9 < time.monotonic() - began < 15
    fields = told(got)
    assert "and nobody decided within" in fields.message
    assert fields.detail.startswith("Request r-1")
    assert (states(got), place.left) == ("I", 5)
    await place.holder.decide()
    assert errors(await client.talk([(sent("DELETE FROM held"), b"Z")])) == []


@pytest.mark.parametrize("sent", EITHER)
async def test_a_cancel_ends_the_wait(begin: Begin, sent: Sent) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, sent("DELETE FROM held"))
    reader, writer = await asyncio.open_connection("127.0.0.1", place.running.proxy.port)
    writer.write(messages.cancel_request(client.pid, client.key))
    await reader.read()
    writer.close()
    got = await task
    fields = told(got)
    assert (fields.sqlstate, states(got), place.left) == ("57014", "I", 5)
    assert "the wait for its approval was cancelled" in fields.message
    await place.holder.decide()
    assert (errors(await client.talk([(sent("DELETE FROM held"), b"Z")])), place.left) == ([], 0)


async def test_a_client_that_goes_ends_the_wait(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, query("DELETE FROM held"))
    task.cancel()
    client.writer.close()
    (event,) = await place.running.settled(1)
    assert (event["result"], event["sqlstate"]) == ("denied", "57014")
    (note,) = [one["approvals"][0] for one in place.running.events("intent")]
    assert (note["standing"], note["request"]) == ("cancelled", "r-1")
    await place.holder.decide()
    await asyncio.sleep(0.2)
    assert place.left == 5


async def test_a_deleted_request_ends_the_wait(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, query("DELETE FROM held"))
    await place.holder.forget("r-1")
    assert "does not know the request" in told(await task).message
    assert place.left == 5


async def test_a_holder_that_goes_ends_the_wait(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, query("DELETE FROM held"))
    place.holder.wrong = (503, b"")
    await place.holder.decide()
    assert "answers 503" in told(await task).message
    assert place.left == 5


async def test_what_another_session_used_is_waited_for_anew(begin: Begin) -> None:
    place: Place = await begin()
    one, other = await place.client(), await place.client()
    first = await waiting(place, one, query("DELETE FROM held"))
    second = await waiting(place, other, query("DELETE FROM held"))
    await place.holder.decide()
    await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
    await place.holder.until_waiting()
    assert [first.done(), second.done()].count(True) == 1
    place.fill()
    await place.holder.decide()
    assert (errors(await first), errors(await second), place.left) == ([], [], 0)


async def test_by_a_new_policy_it_is_decided_anew(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    task = await waiting(place, client, query("DELETE FROM held"))
    before = place.running.proxy.rules_provider.bundle
    assert before is not None
    policy = before.policies[0]
    spec = policy.spec.model_copy(update={"allow": ("select",)})
    newer = {"generation": before.generation + 1, "policies": (policy.model_copy(update={"spec": spec}),)}
    place.running.proxy.rules_provider.replace_bundle(before.model_copy(update=newer))
    await place.holder.decide()
    assert "needs the verb delete" in told(await task).message
    assert place.left == 5


async def test_notices_go_on_while_it_waits(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_pipeline, "NOTICE_SECONDS", 1.0)
    place: Place = await begin()
    task = await waiting(place, await place.client(), query("DELETE FROM held"))
    await asyncio.sleep(2.5)
    await place.holder.decide()
    got = await task
    assert [kind for kind, _ in got].count(b"N") in (2, 3, 4)
    assert errors(got) == []


async def test_a_pipeline_waits_only_where_it_begins(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    # What was executed before, and not ended by a Sync, is open at the server.
    ahead = parse("", "SELECT 1") + bind() + execute("")
    got = await client.talk([(ahead + run("DELETE FROM held"), b"Z")])
    assert (errors(got), place.left) == (["42501"], 5)
    await place.holder.decide("denied")
    task = asyncio.create_task(
        client.talk([(run("SELECT 1") + run("DELETE FROM held WHERE id < 9"), b"Z"), (b"", b"Z")])
    )
    await place.holder.until_waiting()
    await place.holder.decide()
    assert (errors(await task), place.left) == ([], 0)


async def test_what_fails_while_it_is_asked_about_fails_its_pipeline_alone(begin: Begin) -> None:
    place: Place = await begin()
    client = await place.client()
    got = await client.talk([(run("DELETE FROM held WHERE missing = 1"), b"Z")])
    assert (errors(got), states(got)) == (["42703"], "I")
    more = parse("", "DELETE FROM held WHERE id = $1") + bind("", "", [b"x"]) + execute("") + run("SELECT 1") + SYNC
    got = await client.talk([(more, b"Z"), (b"", b"Z")])
    assert (errors(got), rows(got)) == (["22P02"], [])
    assert rows(await client.ask("SELECT 1")) == [[b"1"]]


async def test_drivers_wait_and_hear_why(begin: Begin) -> None:
    place: Place = await begin()
    heard: list[str] = []
    async with await place.running.psycopg() as client:
        client.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
        for number, options in enumerate(({}, {"prepare": True}), 1):
            task = asyncio.create_task(client.execute("DELETE FROM held WHERE id = %s", [number], **options))
            await place.holder.until_waiting()
            await place.holder.decide()
            assert (await task).rowcount == 1
    assert [one.startswith("penstock: the statement is held by approvals[changes]") for one in heard] == [True, True]
    port = place.running.proxy.port
    other = await asyncpg.connect(user="app", host="127.0.0.1", port=port, database="shop", ssl=False)
    fetching = asyncio.create_task(other.fetch("DELETE FROM held WHERE id > $1 RETURNING id", 3))
    await place.holder.until_waiting()
    await place.holder.decide()
    assert [row["id"] for row in await fetching] == [4, 5]
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is held by approvals"):
        async with other.transaction():
            await other.execute("DELETE FROM held")
    await other.close()
    assert place.left == 1
