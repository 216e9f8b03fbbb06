"""Contexts through a gate, before a real server: who sees what in whose transaction, and what the trail tells."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.contexts import (
    ALONE,
    OFFICER,
    STAFF,
    TEXT,
    Policies,
    apply,
    context,
    gate,
    seen,
    set_local,
)
from tests.sidecar.proxy.raw import Raw, run

from penstock_sidecar.proxy import vouching
from penstock_sidecar.wire import messages

Start = Any


@pytest.fixture
def policies(contextual: Any) -> Policies:
    return Policies(contextual.port)


@pytest.fixture
async def running(start: Start, contextual: Any, policies: Policies, tmp_path: Path) -> Any:
    return await gate(start, contextual, policies, tmp_path)


async def test_each_transaction_shows_what_its_person_may_see(running: Any) -> None:
    async with await running.psycopg() as session:
        assert await seen(session) == ALONE
        async with session.transaction():
            assert (await session.execute(set_local(sub="eve"))).statusmessage == "SET"
            assert await seen(session) == STAFF
        assert await seen(session) == ALONE
        async with session.transaction():
            token = context(groups=["dpo"])
            found = await session.execute("SELECT set_config('penstock.context', %s, true)", [token])
            assert await found.fetchall() == [(token,)]
            assert await seen(session) == OFFICER
        async with session.transaction():
            assert await seen(session) == ALONE
    starts = [event["identity"]["name"] for event in running.events("intent") if "people" in event.get("sql", "")]
    assert starts == [
        "sa:shop/web",
        "sa:shop/web for person:eve",
        "sa:shop/web",
        "sa:shop/web for person:ada",
        "sa:shop/web",
    ]


async def refused(session: Any, text: str, *parameters: Any) -> Any:
    """What the server's words are to a client; the transaction has failed then, if there was one."""
    with pytest.raises(psycopg.Error) as caught:
        await session.execute(text, parameters or None)
    return caught.value


async def test_a_context_opens_no_session(running: Any) -> None:
    url = running.url.replace("app@", "token@")
    for audience in ("penstock-context", ["penstock", "penstock-context"]):
        with pytest.raises(psycopg.OperationalError, match=r"its audience is not penstock|several audiences"):
            await psycopg.AsyncConnection.connect(url, password=context(aud=audience))
    async with await psycopg.AsyncConnection.connect(url, password=context(aud="penstock")) as session:
        assert "can't act for others" in str(await refused(session, set_local(sub="bob")))


async def test_a_setting_of_that_name_on_the_server_means_nothing(running: Any, contextual: Any) -> None:
    """Whoever administers the server can make one; sessions can't begin with one."""
    contextual.psql(f"ALTER ROLE penstock SET penstock.context = '{context(groups=['dpo'])}'")
    try:
        async with await running.psycopg() as session:
            assert await seen(session) == ALONE
    finally:
        contextual.psql("ALTER ROLE penstock RESET penstock.context")
    with pytest.raises(psycopg.OperationalError, match=r"penstock\.context is not allowed"):
        await running.psycopg(options=f"-c penstock.context={context()}")


async def test_it_ends_however_the_transaction_does(running: Any) -> None:
    async with await running.psycopg() as session:
        for end in ("COMMIT", "ROLLBACK", "END", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"):
            await session.execute("BEGIN")
            await session.execute(set_local())
            assert await seen(session) == STAFF
            await session.execute(end)
            assert await seen(session) == ALONE, end
            await session.execute("ROLLBACK")
        await session.execute("BEGIN")
        await session.execute(set_local())
        assert (await refused(session, "SELECT 1/0")).sqlstate == "22012"
        assert (await refused(session, set_local())).sqlstate == "25P02"
        await session.execute("COMMIT")
        assert await seen(session) == ALONE


async def test_a_savepoint_within_it_changes_nothing(running: Any) -> None:
    async with await running.psycopg() as session, session.transaction():
        await session.execute(set_local())
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with session.transaction():
                await session.execute("SELECT 1/0")
        assert await seen(session) == STAFF
        async with session.transaction():
            assert await seen(session) == STAFF
        assert (await refused(session, set_local(sub="bob"))).diag.message_primary.endswith(
            "behind a savepoint, to which the transaction may be rolled back"
        )
        raise psycopg.Rollback


async def test_it_expires_in_the_middle(start: Start, contextual: Any, policies: Policies, tmp_path: Path) -> None:
    running = await gate(start, contextual, policies, tmp_path, identity={"clockSkewSeconds": 0})
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await session.execute(set_local(exp=int(time.time()) + 2))
        await session.execute("INSERT INTO people VALUES (3, DEFAULT, DEFAULT, 'eu')")
        await asyncio.sleep(2)
        error = await refused(session, "COMMIT")
        assert (error.sqlstate, "expired" in str(error)) == ("28000", True)
        await session.execute("ROLLBACK")
        assert await (await session.execute("SELECT count(*) FROM people")).fetchone() == (2,)


async def test_what_runs_when_it_expires_is_cancelled_in_the_end(
    start: Start, contextual: Any, policies: Policies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vouching, "GRACE_SECONDS", 0.2)
    running = await gate(start, contextual, policies, tmp_path, identity={"clockSkewSeconds": 0})
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await session.execute(set_local(exp=int(time.time()) + 2))
        assert (await refused(session, "SELECT pg_sleep(30)")).sqlstate == "57014"
        await session.execute("ROLLBACK")
        # That of a transaction that is over interrupts nothing.
        await session.execute("BEGIN")
        await session.execute(set_local(exp=int(time.time()) + 1))
        await session.execute("COMMIT")
        await session.execute("SELECT pg_sleep(1.5)")


async def test_one_that_may_be_used_once_is_of_no_use_to_another_connection(
    start: Start, contextual: Any, policies: Policies, tmp_path: Path
) -> None:
    running = await gate(start, contextual, policies, tmp_path, context={"singleUse": True})
    text = set_local(jti="1")
    async with await running.psycopg() as one, await running.psycopg() as other:
        await one.execute("BEGIN")
        await one.execute(text)
        await other.execute("BEGIN")
        assert "used before" in str(await refused(other, text))
        await other.execute("ROLLBACK")
        assert await seen(other) == ALONE
        # Nor to whom the pool gives this connection next.
        await one.execute("COMMIT")
        await one.execute("BEGIN")
        error = await refused(one, text)
        assert error.diag.message_primary == "penstock: the context is refused: the token was used before (claim jti)"
        await one.execute("ROLLBACK")
        assert await seen(one) == ALONE


async def test_a_policy_may_require_one(running: Any, policies: Policies) -> None:
    policies.application = {"guardrails": {"requireContext": True}}
    await apply(running, policies)
    async with await running.psycopg() as session:
        error = await refused(session, TEXT)
        assert (error.sqlstate, "needs a context" in str(error)) == ("42501", True)
        assert error.diag.message_detail == "Refused by policy web, rule guardrails.requireContext."
        assert "SET LOCAL penstock.context" in error.diag.message_hint
        await session.execute("SELECT version(), current_setting('server_version')")
        async with session.transaction():
            await session.execute(set_local())
            assert await seen(session) == STAFF
        await refused(session, TEXT)


async def test_who_is_revoked_within_it_loses_the_connection_and_the_others_stay(
    running: Any, policies: Policies
) -> None:
    async with await running.psycopg() as one, await running.psycopg() as other:
        await one.execute("BEGIN")
        await one.execute(set_local(sub="eve"))
        await other.execute("BEGIN")
        await other.execute(set_local(sub="ada"))
        asleep = asyncio.create_task(one.execute("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.3)
        stop = policies.policy("stop-eve", {"identity": {"subject": "eve"}}, mode="revoke")
        policies.more = [stop]
        await apply(running, policies)
        with pytest.raises(psycopg.OperationalError, match="revoked"):
            await asleep
        assert await seen(other) == STAFF
        await other.execute("COMMIT")
        assert await seen(other) == ALONE
        await other.execute("BEGIN")
        assert "access is revoked (policy stop-eve)" in str(await refused(other, set_local(sub="eve")))
    ends = [event for event in running.events("session") if event.get("reason")]
    assert [(one["event"], one["policy"], one["identity"]["name"]) for one in ends] == [
        ("end", "stop-eve", "sa:shop/web for person:eve")
    ]


async def test_a_person_for_whom_there_is_no_policy_may_nothing(running: Any, policies: Policies) -> None:
    policies.people = {"subjects": [{"identity": {"groups": ["staff"]}}]}
    await apply(running, policies)
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        error = await refused(session, set_local())
        assert "no policy is for sa:shop/web for person:ada" in str(error)
        await session.execute("ROLLBACK")
        assert await seen(session) == ALONE


async def test_rights_are_what_both_have(running: Any) -> None:
    async with await running.psycopg() as session:
        insert = "INSERT INTO people (id) VALUES (1) ON CONFLICT DO NOTHING"
        for text, allowed in (("DELETE FROM people WHERE id = 9", False), (insert, True)):
            await session.execute("BEGIN")
            await session.execute(set_local())
            if allowed:
                await session.execute(text)
            else:
                assert "needs the verb" in str(await refused(session, text))
            await session.execute("ROLLBACK")
            await session.execute(text)


LASTING = [
    "CREATE TEMP TABLE kept AS SELECT email FROM people", "SELECT email INTO TEMP kept FROM people",
    "DECLARE kept CURSOR WITH HOLD FOR SELECT email FROM people",
    "SELECT set_config('app.kept', (SELECT max(email) FROM people), false)",
    "SELECT remember(email) FROM people", "SELECT remembers(max(email)) FROM people",
]  # fmt: skip


@pytest.mark.parametrize("text", LASTING)
async def test_nothing_that_it_read_is_there_behind_it(running: Any, text: str) -> None:
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await session.execute(set_local(groups=["dpo"]))
        error = await refused(session, text)
        assert "would be there after the transaction" in str(error)
        await session.execute("ROLLBACK")


async def test_what_goes_with_it_may_be_made(running: Any) -> None:
    async with await running.psycopg() as session:
        for person, found in (("ada", OFFICER), ("eve", STAFF)):
            async with session.transaction():
                await session.execute(set_local(sub=person, groups=["dpo"] if person == "ada" else []))
                await session.execute(
                    "CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT email, phone FROM people WHERE id = 1"
                )
                assert await (await session.execute("SELECT email, phone FROM mine")).fetchone() == found
                await session.execute("DECLARE c CURSOR FOR SELECT email, phone FROM people WHERE id = 1")
                assert await (await session.execute("FETCH c")).fetchone() == found
                await session.execute("SELECT set_config('app.kept', (SELECT max(email) FROM people), true)")
                await session.execute("SELECT tell(max(email)) FROM people")


async def test_a_cursor_from_before_shows_no_more_than_it_may(running: Any) -> None:
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        await session.execute("DECLARE c CURSOR FOR SELECT email FROM people")
        await session.execute(set_local())
        assert (await refused(session, "FETCH c")).sqlstate == "42501"


async def test_temporary_tables_of_the_application_are_not_the_persons(running: Any) -> None:
    async with await running.psycopg() as session:
        await session.execute("CREATE TEMP TABLE cache AS SELECT email FROM people")
        await session.execute("BEGIN")
        assert "temporary tables" in str(await refused(session, set_local()))
        await session.execute("ROLLBACK")
        await session.execute("DISCARD TEMP")
        async with session.transaction():
            await session.execute(set_local())
            assert await seen(session) == STAFF


async def opened(running: Any) -> Raw:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.proxy.port)
    raw = Raw(reader, writer)
    await raw.greet(messages.startup({"user": "app", "database": "shop"}))
    return raw


def steps() -> list[str]:
    """What two people do one after the other, with tokens as of now."""
    return [
        "BEGIN",
        set_local(),
        TEXT,
        "COMMIT",
        TEXT,
        "BEGIN",
        set_local(sub="dan", groups=["dpo"]),
        TEXT,
        "ROLLBACK",
        TEXT,
    ]


@pytest.mark.parametrize("way", ["queries", "one by one", "one Sync for all", "queries amid"])
async def test_all_of_it_may_be_sent_before_any_of_it_is_answered(running: Any, way: str) -> None:
    """What comes behind the end of a transaction is not its person's, whatever is on its way."""
    raw, texts = await opened(running), steps()
    alone = [run(text) for text in texts]
    unsynced = b"".join(one.removesuffix(messages.SYNC) for one in alone)
    sent, ends = {
        "queries": (b"".join(messages.query(text) for text in texts), len(texts)),
        "one by one": (b"".join(alone), len(texts)),
        "one Sync for all": (unsynced + messages.SYNC, 1),
        "queries amid": (
            b"".join(one if at % 2 else messages.query(texts[at]) for at, one in enumerate(alone)), len(texts)
        ),
    }[way]  # fmt: skip
    got = await raw.talk([(sent, b"Z"), *[(b"", b"Z")] * (ends - 1)])
    rows = [messages.read_row(body) for kind, body in got if kind == b"D"]
    assert [tuple((one or b"").decode() for one in row) for row in rows] == [STAFF, ALONE, OFFICER, ALONE]
    assert [kind for kind, _ in got if kind == b"E"] == []
    raw.writer.close()
