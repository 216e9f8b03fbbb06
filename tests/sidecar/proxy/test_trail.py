"""What is recorded, when it is durable, and what happens when it can't be."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs

from penstock_core.audit.schema import complaint, missing
from penstock_core.audit.verify import verify
from penstock_sidecar.proxy import trail
from penstock_sidecar.shipping.spool import Append, SpoolFull

Start = Any


async def test_each_statement_has_an_intent_and_an_outcome(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=0, application_name="till") as client:
        await client.execute("SELECT generate_series(1, 7)")
        await client.execute("SELECT %s::text", ("secret value",))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await client.execute("SELECT 1/0")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await client.execute("SELECT forbidden")
    (end,) = await gate.settled(1, "session")
    events = gate.events()
    assert "secret value" not in str(events)
    kinds = [event["kind"] for event in events]
    assert kinds[:3] == ["open", "policy", "login"]
    assert kinds[-1] == "session"
    assert (end["event"], end["reason"], end["statements"]) == ("end", "the client ended the session", 4)
    assert end["durationUs"] > 0
    intents, outcomes = gate.events("intent"), gate.events("outcome")
    assert [one["statement"] for one in intents] == [one["statement"] for one in outcomes] == [1, 2, 3, 4]
    assert [one["result"] for one in outcomes] == ["ok", "ok", "error", "denied"]
    assert [one["rows"] for one in outcomes] == [7, 1, 0, 0]
    assert outcomes[2]["sqlstate"] == "22012"
    assert outcomes[0]["bytes"] > 7 * 10
    assert intents[1]["parameters"] == 1
    assert intents[3]["decision"] == "deny"
    assert intents[3]["rule"] == "guardrails.test"
    assert intents[0]["identity"]["name"] == "sa:shop/web"
    assert events[2]["asserted"] == {"application": "till"}
    assert all(one["durationUs"] >= 0 for one in outcomes)


class SlowSpool:
    """Stands between the trail and its spool: holds appends back, or refuses intents."""

    def __init__(self, spool: Any) -> None:
        self._spool = spool
        self.open = asyncio.Event()
        self.open.set()
        self.full = False
        self.refusal: SpoolFull | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def append_each(self, appends: list[Append]) -> None:
        for append in appends:
            task = asyncio.create_task(self._later(append))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _later(self, append: Append) -> None:
        await self.open.wait()
        if self.full and any(body["kind"] not in ("outcome", "loss", "close") for body in append.bodies):
            self.refusal = SpoolFull("the audit spool is full")
            append.told(self.refusal)
        else:
            self.refusal = None
            self._spool.append_each([append])


def between(gate: Any) -> SlowSpool:
    slow = SlowSpool(gate.proxy.spool)
    gate.proxy.trail._spool = slow
    return slow


RAN = "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT 42%' AND state = 'idle'"


async def test_a_read_runs_at_once_but_its_rows_wait_for_the_intent(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
        slow = between(gate)
        slow.open.clear()
        reading = asyncio.create_task(client.execute("SELECT 42, pg_notify('ran', '')"))
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(shop.psql, RAN):
                assert not reading.done()
        assert not reading.done()
        slow.open.set()
        cursor = await asyncio.wait_for(reading, 15)
        assert (await cursor.fetchone())[0] == 42


async def test_a_write_is_not_sent_before_its_intent_is_durable(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        slow = between(gate)
        slow.open.clear()
        writing = asyncio.create_task(client.execute("INSERT INTO things VALUES (1, 'late')"))
        await asyncio.sleep(0.2)
        assert shop.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO things%'").strip() == "0"
        slow.open.set()
        await asyncio.wait_for(writing, 15)
        await client.execute("DELETE FROM things WHERE id = 1")


@pytest.mark.parametrize("threshold", [None, 0], ids=["simple", "prepared"])
async def test_block_a_full_spool_fails_the_statement_and_nothing_runs(
    start: Start, shop: Any, threshold: int | None
) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=threshold) as client:
        slow = between(gate)
        slow.full = True
        with pytest.raises(psycopg.errors.DiskFull, match="audit trail can't be written"):
            await client.execute("INSERT INTO things VALUES (2, 'unrecorded')")
        # From the first refusal on, reads wait to be recorded before they are sent.
        with pytest.raises(psycopg.errors.DiskFull, match="the statement was not run"):
            await client.execute("SELECT 1")
        slow.full = False
        cursor = await client.execute("SELECT count(*) FROM things WHERE id = 2")
        assert await cursor.fetchone() == (0,)
    (end,) = await gate.settled(1, "session")
    assert end["event"] == "end"
    # Each statement that ran is there, and none that did not has an outcome.
    ran = {(one["session"], one["statement"]) for one in gate.events("intent")}
    assert {(one["session"], one["statement"]) for one in gate.events("outcome")} == ran


async def test_sessions_that_came_and_went_while_the_spool_was_full_are_told_of_late(start: Start, shop: Any) -> None:
    gate = await start(shop)
    slow = between(gate)
    slow.full = True
    async with await gate.psycopg():
        pass
    await asyncio.sleep(0.1)
    assert gate.events("login") + gate.events("session") == []
    slow.full = False
    await gate.settled(1, "session")
    assert [event["kind"] for event in gate.events()[-2:]] == ["login", "session"]


async def test_a_login_that_waits_for_room_is_on_record_before_its_first_statement(start: Start, shop: Any) -> None:
    gate = await start(shop)
    slow = between(gate)
    slow.full = True
    async with await gate.psycopg() as client:
        await asyncio.sleep(0.1)
        slow.full = False
        # Sooner than what was postponed is told of.
        await client.execute("SELECT 1")
        await gate.settled(1, "outcome")
        kinds = [event["kind"] for event in gate.events()]
        assert kinds[-3:] == ["login", "intent", "outcome"]


async def test_block_a_read_that_turns_out_unrecorded_shows_nothing(start: Start, shop: Any) -> None:
    gate = await start(shop)
    client = await gate.psycopg()
    slow = between(gate)
    slow.full = True
    with pytest.raises(psycopg.OperationalError, match="audit trail can't be written"):
        await client.execute("SELECT 1")
    assert client.closed


async def test_continue_runs_and_owns_up(start: Start, shop: Any) -> None:
    gate = await start(shop, on_failure="continue")
    async with await gate.psycopg() as client:
        slow = between(gate)
        slow.open.clear()
        cursor = await client.execute("SELECT 2")
        assert await cursor.fetchone() == (2,)
        slow.open.set()
        await gate.settled(1, "intent")
        slow.full = True
        for _ in range(3):
            cursor = await client.execute("SELECT 1")
            assert await cursor.fetchone() == (1,)
        await asyncio.sleep(0.1)
        slow.full = False
        (loss,) = await gate.settled(1, "loss")
    assert loss["count"] == 3
    assert loss["cause"] == "the audit spool is full"
    assert gate.proxy.trail.lost_statements == 3


async def test_the_outcome_of_a_server_that_ends_the_session_is_what_it_said(start: Start, shop: Any) -> None:
    gate = await start(shop)
    client = await gate.psycopg()
    pid = client.info.backend_pid
    cursor = await client.execute("SELECT pg_backend_pid()")
    (pid,) = await cursor.fetchone()
    sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(30)"))
    await runs(shop, pid, "PgSleep")
    shop.psql(f"SELECT pg_terminate_backend({pid})")
    with pytest.raises(psycopg.errors.AdminShutdown):
        await sleeping
    outcomes = await gate.settled(2)
    assert (outcomes[-1]["result"], outcomes[-1]["sqlstate"]) == ("error", "57P01")


async def test_continue_what_is_over_at_once_is_one_event_and_what_runs_longer_has_an_intent(
    start: Start, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a machine that has much else to do.
    monkeypatch.setattr(trail, "_GATHER_SECONDS", 1.0)
    gate = await start(shop, on_failure="continue")
    async with await gate.psycopg() as client:
        for number in range(5):
            await client.execute("SELECT %s::int", (number,))
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(3)"))
        (running,) = [one for one in await gate.settled(6, "intent") if one["kind"] == "intent"]
        assert "pg_sleep" in running["sql"]
        assert not sleeping.done(), "it is on record before it is over"
        await sleeping
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await client.execute("SELECT forbidden")
        outcomes = await gate.settled(7, "outcome")
    assert [(one["kind"], one["statement"], one["result"]) for one in outcomes] == [
        *(("statement", number, "ok") for number in (1, 2, 3, 4, 5)), ("outcome", 6, "ok"), ("statement", 7, "denied"),
    ]  # fmt: skip
    assert [one["transaction"] for one in outcomes] == [1, 2, 3, 4, 5, 6, 7]
    events = gate.events()
    assert [found for event in events if (found := complaint(event) or missing(event))] == []
    assert verify(events).intact


async def test_block_no_read_is_shown_before_its_event_and_no_write_sent(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
        # As the client reads its rows, the event is on the disk.
        assert [one["statement"] for one in gate.events("intent")] == [1]
        await client.execute("INSERT INTO things VALUES (3, 'on record')")
        assert [one["statement"] for one in gate.events("intent")] == [1, 2]
        await client.execute("DELETE FROM things WHERE id = 3")
        slow = await client.execute("SELECT count(*) FROM generate_series(1, 3000000)")
        assert await slow.fetchall() == [(3000000,)]
        # On a busy machine, some of them take longer than a moment.
        for _ in range(50):
            await client.execute("SELECT 1")
    await gate.settled(1, "session")
    outcomes = {one["statement"]: one["kind"] for one in gate.events("outcome")}
    assert [outcomes[number] for number in (2, 3, 4)] == ["outcome"] * 3
    assert [outcomes[number] for number in range(5, 55)].count("statement") > 0, "one event where that is enough"


async def test_block_a_read_that_takes_long_is_on_record_while_it_runs(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        running = asyncio.create_task(client.execute("SELECT count(*) FROM generate_series(1, 3000000000)"))
        while not gate.events("intent"):
            assert not running.done()
            await asyncio.sleep(0.01)
        assert gate.events("outcome") == []
        await client.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running
    (outcome,) = await gate.settled(1)
    assert (outcome["kind"], outcome["result"], outcome["sqlstate"]) == ("outcome", "error", "57014")
