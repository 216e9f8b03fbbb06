"""What changes between a statement's question and its run: by what holds when it runs, it is decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sidecar.proxy.approvals import EITHER, Begin, Place, Sent, places, told
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Raw, errors, rows

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources.access_policy import DatabaseAccessPolicySpec

TEXT = "DELETE FROM held"
MASKS = {"masks": [{"columns": ["public.held.note"], "with": {"redact": {}}}]}
# Of the statement itself, none of these changes anything.
CHANGES: dict[str, dict[str, Any]] = {
    "nothing but its number": {},
    "a mask": MASKS,
    "a guardrail": {"guardrails": {"maxRowsReturned": 1000}},
}


@pytest.fixture
async def begin(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Begin]:
    async with places(start, shop) as begin:
        yield begin


def change(place: Place, **spec: Any) -> None:
    """A newer generation of policies is in force."""
    provider = place.running.proxy.rules_provider
    before = provider.bundle
    assert before is not None
    (policy,) = before.policies
    document = policy.spec.model_dump(mode="json", by_alias=True, exclude_none=True) | spec
    changed = policy.model_copy(update={"spec": DatabaseAccessPolicySpec.model_validate(document)})
    newer = {"generation": before.generation + 1, "policies": (changed,)}
    provider.replace_bundle(before.model_copy(update=newer))


async def waiting(place: Place, client: Raw, sent: bytes) -> asyncio.Task[Any]:
    """The statement was sent, and its session waits."""
    task = asyncio.create_task(client.talk([(sent, b"Z")]))
    await place.holder.until_waiting()
    await place.holder.until_looked_at()
    return task


@pytest.mark.parametrize("spec", CHANGES.values(), ids=CHANGES.keys())
async def test_what_changes_before_the_approval_is_asked_about_anew(begin: Begin, spec: dict[str, Any]) -> None:
    place: Place = await begin(wait="1h")
    task = await waiting(place, await place.client(), EITHER[0](TEXT))
    change(place, **spec)
    assert await place.holder.decide() == "r-1"
    await place.holder.until_waiting()
    assert (task.done(), place.left) == (False, 5)
    assert await place.holder.decide() == "r-2"
    assert (errors(await task), place.left) == ([], 0)
    assert [one.held_by.policy_generation for one in place.holder.asked[:2]] == [
        place.holder.asked[1].held_by.policy_generation - 1, place.holder.asked[1].held_by.policy_generation,
    ]  # fmt: skip


@pytest.mark.parametrize("sent", EITHER)
@pytest.mark.parametrize("spec", CHANGES.values(), ids=CHANGES.keys())
async def test_what_changes_after_the_approval_makes_it_worth_nothing(
    begin: Begin, spec: dict[str, Any], sent: Sent
) -> None:
    place: Place = await begin()
    client = await place.client()
    assert errors(await client.talk([(sent(TEXT), b"Z")])) == ["42501"]
    await place.holder.decide()
    change(place, **spec)
    fields = told(await client.talk([(sent(TEXT), b"Z")]))
    assert (fields.sqlstate, "Request r-2" in fields.detail, place.left) == ("42501", True, 5)
    await place.holder.decide()
    assert (errors(await client.talk([(sent(TEXT), b"Z")])), place.left) == ([], 0)


async def test_what_is_refused_after_the_wait_says_so(begin: Begin) -> None:
    place: Place = await begin(wait="1h")
    task = await waiting(place, await place.client(), EITHER[1](TEXT))
    change(place, allow=["select"])
    await place.holder.decide()
    assert "needs the verb delete" in told(await task).message
    assert place.left == 5


async def test_a_view_that_another_session_replaces_meanwhile_is_asked_about_anew(begin: Begin) -> None:
    place: Place = await begin(wait="1h")
    one, other = await place.client(), await place.client()
    place.server.psql("SET ROLE penstock; DROP VIEW IF EXISTS shown_held", "shop")
    await other.ask("CREATE OR REPLACE VIEW shown_held AS SELECT id, note FROM app.held")
    await place.running.proxy.rules_provider.refresh_catalog()
    task = await waiting(place, one, EITHER[0]("DELETE FROM shown_held"))
    assert errors(await other.ask("CREATE OR REPLACE VIEW shown_held AS SELECT id, note FROM public.held")) == []
    await place.running.proxy.rules_provider.refresh_catalog()
    await place.holder.decide()
    await place.holder.until_waiting()
    assert [one.effect.tables for one in place.holder.asked[-1:]] == [("public.held", "public.shown_held")]
    assert (task.done(), place.left) == (False, 5)
    await place.holder.decide("denied")
    assert errors(await task) == ["42501"]
    place.server.psql("DROP VIEW shown_held", "shop")


async def test_what_execute_reaches_by_a_change_of_another_session_is_asked_about_anew(begin: Begin) -> None:
    place: Place = await begin(wait="1h")
    one, other = await place.client(), await place.client()
    await one.ask(f"PREPARE s AS {TEXT}")
    task = await waiting(place, one, EITHER[0]("EXECUTE s"))
    assert errors(await other.ask("CREATE TABLE noted_of (held int REFERENCES held ON DELETE CASCADE)")) == []
    await place.running.proxy.rules_provider.refresh_catalog()
    await place.holder.decide()
    await place.holder.until_waiting()
    assert [one.effect.tables for one in place.holder.asked] == [
        ("public.held",), ("public.held", "public.noted_of"),
    ]  # fmt: skip
    assert (task.done(), place.left) == (False, 5)
    await place.holder.decide("denied")
    assert errors(await task) == ["42501"]
    place.server.psql("DROP TABLE noted_of", "shop")


COSTS = "  guardrails: {maxPlanCost: 100000}\n"


async def blocked(place: Place) -> None:
    """Until the server has the gate's statement wait for a lock."""
    asks = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'penstock' AND wait_event_type = 'Lock'"
    for _ in range(600):
        if place.server.psql(asks, "shop").strip() == "1":
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing waits for a lock")


@pytest.mark.parametrize("sent", EITHER)
async def test_what_is_masked_while_the_planner_is_asked_is_masked(begin: Begin, sent: Sent) -> None:
    place: Place = await begin(more=COSTS)
    client, locks = await place.client(), await place.pair.direct()
    text = "SELECT note FROM held ORDER BY id LIMIT 1"
    assert rows(await client.talk([(sent(text), b"Z")])) == [[b"n"]]
    await locks.ask("BEGIN")
    await locks.ask("LOCK TABLE held")
    task = asyncio.create_task(client.talk([(sent(text), b"Z")]))
    await blocked(place)
    change(place, **MASKS)
    await locks.ask("COMMIT")
    got = await task
    assert rows(got) != [[b"n"]]
    # What was bound already is bound again by its client; a Query is simply decided anew.
    assert errors(got) == ([] if sent is EITHER[0] else ["42501"])
    assert rows(await client.talk([(sent(text), b"Z")])) != [[b"n"]]


async def test_what_is_held_while_the_planner_is_asked_is_held(begin: Begin) -> None:
    place: Place = await begin(more=COSTS)
    client, locks = await place.client(), await place.pair.direct()
    await locks.ask("BEGIN")
    await locks.ask("LOCK TABLE held")
    task = asyncio.create_task(client.ask("UPDATE held SET note = 'x'"))
    await blocked(place)
    rule = {"name": "all", "when": "statement.verb == 'update'", "approvers": {"groups": ["dba"]}}
    change(place, approvals=[rule])
    await locks.ask("COMMIT")
    fields = told(await task)
    assert (fields.sqlstate, "is held by approvals[all] of policy web" in fields.message) == ("42501", True)
    assert place.server.psql("SELECT count(*) FROM held WHERE note = 'x'", "shop").strip() == "0"
    await place.holder.decide()
    assert errors(await client.ask("UPDATE held SET note = 'x'")) == []
