"""Access for a time at a gate: given and gone within two seconds, in sessions that run, for one alone; on record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.collector.conftest import BEA
from tests.sidecar.proxy.access import ADA, INCIDENT, SAM, STANDING, Desk, desk, started, until
from tests.sidecar.proxy.test_connection_approvals_collector import one_that_waits

from penstock_core.approvals import access_news
from penstock_sidecar.proxy import lasting_access

EMAIL = "SELECT email FROM people"
DELETE = "DELETE FROM people WHERE id = 7"
RAW, MASKED = "eva@shop.example", "[redacted]"
Refused = psycopg.errors.InsufficientPrivilege


@pytest.fixture
async def place(start: Any, shop: Any, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(start, shop, tmp_path) as made:
        yield made


async def email(session: psycopg.AsyncConnection[Any]) -> str:
    row = await (await session.execute(EMAIL)).fetchone()
    assert row is not None
    return str(row[0])


async def sees(session: psycopg.AsyncConnection[Any], expected: str, seconds: float = 2.0) -> float:
    """How long it takes until the session sees that."""
    began = time.monotonic()
    while await email(session) != expected:
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def gone(session: psycopg.AsyncConnection[Any], seconds: float = 2.0) -> str:
    """What the session reads, once it is ended for it: by libpq a notice, where it comes while no statement runs."""
    began, heard = time.monotonic(), list[str]()
    session.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    while True:
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        try:
            await session.execute("SELECT 1")
        except psycopg.OperationalError as error:
            return " ".join([*heard, str(error)])
        await asyncio.sleep(0.02)


async def test_a_session_that_runs_has_it_for_a_time(place: Desk) -> None:
    session, other = await place.person(), await place.person(sub="dan")
    masked = await email(session)
    assert masked != RAW
    with pytest.raises(Refused) as caught:
        await session.execute(DELETE)
    assert "penstock requests ask incident --for 1h" in (caught.value.diag.message_hint or "")
    name = await place.asked()
    await asyncio.sleep(0.3)
    assert await email(session) == masked, "nobody has approved it"
    assert (await place.decide(name)).status_code == 200
    await sees(session, RAW)
    await session.execute(DELETE)
    assert await email(other) == masked
    assert (await place.end(name)).status_code == 200
    assert f"the access by policy incident (request {name}) has ended" in await gone(session)
    again = await place.person()
    assert await email(again) == masked
    with pytest.raises(Refused):
        await again.execute(DELETE)
    ends = await place.trail("session", 1)
    intents = [one for one in await place.trail("intent", 8) if "access" in one]
    assert {one["access"][0]["request"] for one in intents} == {name}
    assert {one["access"][0]["decidedBy"] for one in intents} == {"bea"}
    assert {one["sql"] for one in intents} >= {"SELECT email FROM people", "DELETE FROM people WHERE id = $1"}
    (end,) = [one for one in ends if one.get("reason")]
    assert (end["event"], end["reason"], end["policy"]) == ("end", "access for a time has ended", "incident")


async def test_it_ends_by_itself_wherever_a_session_is(place: Desk) -> None:
    idle, within, busy, untouched = [await place.person() for _ in range(4)]
    name = await place.asked(duration="3s")
    assert (await place.decide(name)).status_code == 200
    began = time.monotonic()
    await sees(idle, RAW)
    await within.execute("BEGIN")
    await within.execute("INSERT INTO people VALUES (8, 'x')")
    running = asyncio.create_task(busy.execute("SELECT pg_sleep(30), email FROM people"))
    with pytest.raises(psycopg.OperationalError):
        await running
    assert time.monotonic() - began < 5.0
    for session in (idle, within):
        assert "has ended" in await gone(session)
    assert await email(untouched) != RAW, "a session that did nothing by it goes on, by the rules of now"
    assert place.server.psql("SELECT count(*) FROM people WHERE id = 8", "shop").strip() == "0"
    left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
    await until(lambda: place.server.psql(left, "shop").strip() == "0")


async def test_a_statement_that_is_held_then_does_not_run(place: Desk) -> None:
    held = {
        "name": "deletes", "when": "statement.verb == 'delete'", "approvers": {"groups": ["dba"]}, "wait": "1m",
    }  # fmt: skip
    await place.write(incident={**INCIDENT, "approvals": [held]})
    await place.offered()
    session = await place.person()
    name = await place.asked()
    await place.decide(name)
    await sees(session, RAW)
    running = asyncio.create_task(session.execute("DELETE FROM people"))
    await one_that_waits(place.client)
    await place.end(name)
    with pytest.raises(psycopg.OperationalError, match="has ended"):
        await running
    assert place.server.psql("SELECT count(*) FROM people", "shop").strip() == "1"


async def test_what_a_session_made_meanwhile_is_of_no_use_afterwards(place: Desk) -> None:
    """Temporary tables, settings, cursors and prepared statements may hold what nobody may see any more."""
    makers = {
        "SELECT email FROM copied": ["CREATE TEMPORARY TABLE copied AS SELECT email FROM people"],
        "SELECT current_setting('app.kept')": ["SELECT set_config('app.kept', email, false) FROM people LIMIT 1"],
        "FETCH ALL FROM kept": ["DECLARE kept CURSOR WITH HOLD FOR SELECT email FROM people"],
        "EXECUTE kept": ["PREPARE kept AS SELECT email FROM people"],
    }
    name = await place.given()
    sessions = {read: await place.person() for read in makers}
    for read, makes in makers.items():
        await sees(sessions[read], RAW)
        for one in makes:
            await sessions[read].execute(one)
        row = await (await sessions[read].execute(read)).fetchone()
        assert row is not None
        assert row[0] == RAW
    await place.end(name)
    for read, session in sessions.items():
        await gone(session)
        with pytest.raises(psycopg.OperationalError):
            await session.execute(read)


async def test_nobody_else_has_it(place: Desk) -> None:
    name = await place.given()
    await until(lambda: place.lasting() == [name])
    others = [
        await place.person(sub="dan"),
        await place.person(act={"sub": "bot"}),
    ]
    for session in others:
        assert await email(session) != RAW
        with pytest.raises(Refused):
            await session.execute(DELETE)
    stranger = await place.person(groups=["staff"])
    with pytest.raises(Refused, match="no DatabaseAccessPolicy"):
        await stranger.execute(EMAIL)


async def test_nobody_approves_it_for_themselves(place: Desk) -> None:
    name = await place.asked()
    answer = await place.decide(name, ADA)
    assert (answer.status_code, "they asked for it" in answer.text) == (403, True)
    assert (await place.decide(name, SAM)).status_code == 403
    longer = await place.decide(name, lasts="61m")
    assert (longer.status_code, "approve that, or less" in longer.text) == (409, True)
    assert place.lasting() == []
    assert (await place.decide(name, lasts="30m")).status_code == 200
    again = await place.decide(name, lasts="1h")
    assert (again.status_code, "is in effect already" in again.text) == (409, True)


ASKED_WRONGLY: dict[str, tuple[dict[str, Any], int, str]] = {
    "for longer than the policy lets": ({"duration": "5h"}, 409, "for 4h at most"),
    "without a reason": ({"reason": " "}, 409, "say what the access is for"),
    "without any reason": ({"reason": ""}, 400, "reason"),
    "with a reason without end": ({"reason": "x" * 65536}, 413, "more than"),
    "for somebody else": ({"subject": "dan"}, 403, "asks for themselves alone"),
    "of an issuer that nobody trusts": ({"issuer": "https://evil.example"}, 409, "take no tokens"),
    "for a policy for all": ({"policy": "standing"}, 409, "no gate offers a policy standing"),
    "for another database": ({"database": "other"}, 409, "of database other"),
    "for no time": ({"duration": "soon"}, 400, "duration"),
}


@pytest.mark.parametrize(("changes", "status", "said"), ASKED_WRONGLY.values(), ids=ASKED_WRONGLY)
async def test_what_can_t_be_asked_for(place: Desk, changes: dict[str, Any], status: int, said: str) -> None:
    answer = await place.ask(**changes)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_two_who_ask_at_once_make_one_request(place: Desk) -> None:
    answers = await asyncio.gather(*(place.ask() for _ in range(8)))
    assert len({one.json()["name"] for one in answers}) == 1


async def test_a_policy_that_changes_ends_what_was_given_and_asked(place: Desk) -> None:
    session = await place.person()
    name = await place.given()
    await sees(session, RAW)
    await place.write(incident={**INCIDENT, "allow": ["select"]})
    assert "has ended" in await gone(session, 3.0)
    assert place.lasting() == [name], "the collector knows nothing of it"
    await place.write(incident=None, renamed=INCIDENT)
    after = await place.person()
    assert await email(after) != RAW


async def test_what_is_asked_of_one_version_is_worth_nothing_for_the_next(place: Desk) -> None:
    name = await place.asked()
    await place.write(incident={**INCIDENT, "allow": ["select"]})
    await place.decide(name)
    await until(lambda: place.lasting() == [name])
    session = await place.person()
    assert await email(session) != RAW


async def test_who_is_revoked_has_it_no_more(place: Desk) -> None:
    session = await place.person()
    await place.given()
    await sees(session, RAW)
    await place.write(stop={"subjects": [{"identity": {"subject": "ada"}}], "mode": "revoke"})
    assert "access is revoked" in await gone(session, 3.0)


async def test_a_gate_that_hears_nothing_lets_it_lapse(place: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await place.person()
    await place.given()
    await sees(session, RAW)
    monkeypatch.setattr(lasting_access, "LAPSES_AFTER", 1.0)
    await place.client.http.aclose()
    await place.client.ended()
    assert "has ended" in await gone(session, 10.0)
    assert access_news.LAPSES_AFTER < 60
    place.client = await started(place.settings)
    again = await place.person()
    monkeypatch.setattr(lasting_access, "LAPSES_AFTER", 45.0)
    # What was approved is kept, and lasts for who comes again.
    await sees(again, RAW, 15.0)


async def test_a_clock_of_the_gate_that_is_wrong_gives_no_more_time(place: Desk) -> None:
    collector = place.client.running.collector
    await place.given(duration="2s")
    session = await place.person()
    await sees(session, RAW)
    # By the gate's clock there would be an hour left.
    collector.holder.clock = lambda: time.time() + 3600
    await place.asked(duration="1h")
    assert "has ended" in await gone(session)


async def test_conditions_of_approvals_know_of_it(place: Desk) -> None:
    held = {"name": "reads", "when": "!('incident' in session.access)", "approvers": {"groups": ["dba"]}}
    await place.write(standing={**STANDING, "approvals": [held]})
    session = await place.person()
    with pytest.raises(Refused, match="is held by approvals"):
        await session.execute("SELECT 1")
    await place.given()
    await until(lambda: bool(place.lasting()))
    await session.execute("SELECT 1")


# ---- emergencies


async def test_an_emergency_begins_at_once_and_everything_is_recorded_in_full(place: Desk) -> None:
    session = await place.person()
    assert await email(session) != RAW
    name = await place.asked(breakGlass=True, duration="30m", reason="the shop is down")
    await sees(session, RAW)
    await session.execute("SELECT email FROM people WHERE id = %s /* why */", [1])
    await session.execute("SELECT email FROM people WHERE email = 'eva@shop.example'")
    await place.end(name)
    await gone(session)
    await place.trail("session", 1)
    found = [one for one in await place.trail("intent", 4) if "access" in one]
    assert all(one["access"][0]["breakGlass"] for one in found)
    sent = {one["sql"]: one for one in found}
    assert sent["SELECT email FROM people WHERE id = $1 /* why */"]["values"] == ["\\x0001"]
    assert "SELECT email FROM people WHERE email = 'eva@shop.example'" in sent
    review = {"comment": "only what was said"}
    assert (await place.call(f"/v1/requests/{name}/review", review, ADA)).status_code == 403
    assert (await place.call(f"/v1/requests/{name}/review", review, BEA)).status_code == 403
    assert (await place.call(f"/v1/requests/{name}/review", review, SAM)).status_code == 200
    assert (await place.call(f"/v1/requests/{name}/review", review, SAM)).status_code == 409


async def test_an_agent_of_theirs_has_no_emergency(place: Desk) -> None:
    await place.asked(breakGlass=True, duration="30m")
    await until(lambda: bool(place.lasting()))
    agent = await place.person(act={"sub": "bot"})
    assert await email(agent) != RAW


# ---- asked for in SQL


AGENTS = {**INCIDENT, "subjects": [{"identity": {"subject": "bot"}}, *INCIDENT["subjects"]]}
WISH = "SET penstock.access = 'incident for 1h: the order of ''eva'' hangs'"


async def asked_in_sql(session: psycopg.AsyncConnection[Any], text: str = WISH, **options: Any) -> str:
    """What the client is told: the notice."""
    told: list[str] = []
    session.add_notice_handler(lambda one: told.append(f"{one.message_primary} {one.message_detail}"))
    await session.execute(text, **options)
    (notice,) = told
    return notice


async def test_an_agent_asks_in_sql_and_others_approve(place: Desk) -> None:
    await place.write(incident=AGENTS)
    await place.offered()
    agent = await place.person(act={"sub": "bot"})
    with pytest.raises(Refused) as caught:
        await agent.execute(DELETE)
    assert "SET penstock.access = 'incident for 1h: what for'" in (caught.value.diag.message_hint or "")
    notice = await asked_in_sql(agent)
    assert "waits for approval" in notice
    (request,) = (await place.client.get("/v1/requests?standing=waiting", BEA)).json()["requests"]
    assert request["name"] in notice
    assert request["requester"] == ["agent:bot", "person:ada"]
    assert request["reason"] == "the order of 'eva' hangs"
    assert (await place.decide(request["name"], ADA)).status_code == 403, "the agent acts for her"
    assert (await place.decide(request["name"])).status_code == 200
    await sees(agent, RAW)
    await agent.execute(DELETE)
    human = await place.person()
    assert await email(human) != RAW
    assert "is in effect for this identity" in await asked_in_sql(agent)
    with pytest.raises(Refused, match="only a person who acts for themselves"):
        await agent.execute("SET penstock.break_glass = 'incident for 5m: because'")
    await place.trail("intent", 5)
    assert "eva' hangs" not in str(await place.trail("intent", 5)), "reasons are no part of the trail"


@pytest.mark.parametrize("extended", [False, True])
async def test_a_person_breaks_the_glass_in_sql(place: Desk, extended: bool) -> None:
    session = await place.person()
    text = "set penstock.break_glass to 'incident for 5m: the shop is down';"
    notice = await asked_in_sql(session, text, **({"prepare": True} if extended else {}))
    assert "is in effect for this identity" in notice
    await sees(session, RAW)


ASKED_BADLY = {
    "SET penstock.access = 'incident'": "what is asked for is not told",
    "SET penstock.access = 'incident for ever: x'": "no policy's name with a duration",
    "SET penstock.access = 'incident for 5h: x'": "for 4h at most",
    "SET penstock.access = 'nothing for 1h: x'": "no gate offers a policy nothing",
    f"SET penstock.access = 'incident for 1h: {'x' * 1025}'": "longer than 1024 characters",
}


@pytest.mark.parametrize(("text", "said"), ASKED_BADLY.items(), ids=[*map(str, range(len(ASKED_BADLY)))])
async def test_what_can_t_be_asked_for_in_sql_fails_in_words(place: Desk, text: str, said: str) -> None:
    session = await place.person()
    with pytest.raises(psycopg.Error, match=said):
        await session.execute(text)
    assert await email(session) != RAW
