"""One gate, several databases: each session has the login, masks, policies and trail of its own database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.harbour import DATABASES, Harbour, resource
from tests.sidecar.proxy.test_gateway import say
from tests.sidecar.proxy.test_tokens import token

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.wire import messages

Made = Any


@pytest.fixture
async def made(tmp_path: Path, postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres) -> AsyncIterator[Harbour]:
    """Not started yet."""
    one = Harbour.made(tmp_path, {"front": postgres, "back": postgres16, "till": postgres})
    yield one
    if hasattr(one, "proxy"):
        await one.proxy.stop()


@pytest.fixture
async def harbour(made: Harbour) -> Harbour:
    return await made.start()


ADDRESSES = {"front": "f***@example.com", "back": "***", "till": "till@example.com"}


async def test_each_session_has_the_login_the_masks_and_the_trail_of_its_database(harbour: Harbour) -> None:
    for number, (name, (dbname, login, mask, _)) in enumerate(DATABASES.items()):
        async with await harbour.open(name) as client:
            row = await (await client.execute("SELECT current_database(), session_user, email FROM people")).fetchone()
            assert row is not None
            assert row[:2] == (dbname, login)
            assert (row[2] == f"{name}@example.com") is (mask is None)
        intent = (await harbour.settled("intent", number + 1))[-1]
        assert intent["database"] == name
        assert intent["policies"] == [f"{name}-users"]
        assert intent["masked"] == (["public.people.email"] if mask else [])
    logins = await harbour.settled("login", len(DATABASES))
    assert [(one["outcome"], one["database"]) for one in logins] == [("accepted", name) for name in DATABASES]
    ends = await harbour.settled("session", len(DATABASES))
    assert [(one["database"], one["client"]["database"]) for one in ends] == [
        (name, dbname) for name, (dbname, _, _, _) in DATABASES.items()
    ]
    (opened,) = await harbour.settled("open", 1)
    assert opened["database"] == "front, back, till"


async def test_the_servers_name_will_do_where_one_database_has_it(harbour: Harbour) -> None:
    assert await harbour.email("counter") == "till@example.com"
    with pytest.raises(psycopg.OperationalError, match='several databases here are called "quay"') as refused:
        await harbour.open("quay")
    assert "set dbname to one of back, front" in str(refused.value)
    with pytest.raises(psycopg.OperationalError, match='no database "quay"') as refused:
        await harbour.open("quay", groups=["cashiers"])
    assert "set dbname to till" in str(refused.value)
    assert "front" not in str(refused.value)


@pytest.mark.parametrize("dbname", ["template1", "postgres", "", "front ", "FRONT", "f" * 64, "front\u00e9", "tïll"])
async def test_other_names_are_refused_in_one_line(harbour: Harbour, dbname: str) -> None:
    with pytest.raises(psycopg.OperationalError) as refused:
        await harbour.open(f"'{dbname}'" if dbname else "", groups=["cashiers"])
    (line,) = [one for one in str(refused.value).splitlines() if "FATAL" in one]
    # Without a name it is the user's.
    assert f'there is no database "{(dbname or "me")[:63]}' in line
    assert "HINT:  set dbname to till" in str(refused.value)
    assert "front" not in str(refused.value).replace(dbname or "-", "")


async def test_who_has_no_policy_for_a_database_does_not_get_near_it(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    near: list[Any] = []
    monkeypatch.setattr(harbour.served("front"), "connect", near.append)
    answers = set()
    for name in ("front", "nothing"):
        with pytest.raises(psycopg.OperationalError) as refused:
            await harbour.open(name, groups=["cashiers"])
        answers.add(str(refused.value).replace(name, "…").partition("FATAL")[2])
    assert len(answers) == 1, "whether a database is there can be told"
    assert not near
    with pytest.raises(psycopg.OperationalError, match="ask who administers the policies"):
        await harbour.open("till", groups=[])


async def test_nobody_learns_names_without_a_token(harbour: Harbour) -> None:
    for name in ("front", "nothing"):
        answer = await say(harbour.proxy.port, messages.startup({"user": "me", "database": name}) + b"X\0\0\0\4")
        assert answer.startswith(messages.AUTHENTICATION_CLEARTEXT), name
        assert name.encode() not in answer


async def test_replication_is_refused_whatever_the_database(harbour: Harbour) -> None:
    answer = await say(
        harbour.proxy.port, messages.startup({"user": "me", "database": "front", "replication": "database"})
    )
    assert b"replication connections are not supported" in answer


async def test_a_cancel_request_finds_its_session_and_no_other(
    harbour: Harbour, postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres
) -> None:
    async with await harbour.open("front") as front, await harbour.open("back") as back:
        sleeping = [asyncio.create_task(one.execute("SELECT pg_sleep(20)")) for one in (front, back)]
        await runs(postgres, front.info.backend_pid, "PgSleep")
        await runs(postgres16, back.info.backend_pid, "PgSleep")
        keys = {
            one.session.database: (one.upstream.greeting.pid, one.session.cancel_key)
            for one in harbour.proxy.gateway.connections
            if one.upstream is not None
        }
        for pid, key in ((keys["front"][0], keys["back"][1]), (keys["back"][0], keys["front"][1])):
            assert await say(harbour.proxy.port, messages.cancel_request(pid, key)) == b""
        await asyncio.sleep(0.3)
        assert not any(one.done() for one in sleeping)
        assert await say(harbour.proxy.port, messages.cancel_request(*keys["back"])) == b""
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping[1]
        assert not sleeping[0].done()
        assert await say(harbour.proxy.port, messages.cancel_request(*keys["front"])) == b""
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping[0]


async def test_processes_of_two_servers_may_have_one_number(harbour: Harbour) -> None:
    async with await harbour.open("front") as front, await harbour.open("back") as back:
        first, second = sorted(harbour.proxy.gateway.connections, key=lambda one: one.session.database)
        assert first.upstream is not None
        assert second.upstream is not None
        asked: list[Any] = []
        harbour.proxy.gateway.interrupt = asked.append  # type: ignore[assignment,method-assign]
        pid = second.upstream.greeting.pid
        object.__setattr__(first.upstream.greeting, "pid", pid)
        for one in (first, second):
            await say(harbour.proxy.port, messages.cancel_request(pid, one.session.cancel_key))
        assert asked == [first.upstream, second.upstream]
        assert [one.server.port for one in asked] == [harbour.servers["back"], harbour.servers["front"]]
        await front.execute("SELECT 1")
        await back.execute("SELECT 1")


async def test_since_when_no_session_is_open_is_told_of_each_database(harbour: Harbour) -> None:
    async def idle(name: str) -> float:
        _, metrics = await harbour.get("/metrics")
        start = f'penstock_database_idle_seconds{{database="{name}"}} '
        (line,) = [one for one in metrics.splitlines() if one.startswith(start)]
        return float(line.removeprefix(start))

    began = await idle("front")
    assert began > 0, "none ever was"
    async with await harbour.open("front"), await harbour.open("front") as second:
        assert await idle("front") == 0
        assert await idle("back") > began
        await second.close()
        await asyncio.sleep(0.2)
        assert await idle("front") == 0, "the other one is open"
    await harbour.settled("session", 2)
    assert await idle("front") > 0
    assert await idle("back") > await idle("front")


async def test_a_database_that_is_down_disturbs_no_other(made: Harbour) -> None:
    made.servers["back"] = 1
    made.write()
    await made.start()
    assert await made.email("front") == ADDRESSES["front"]
    with pytest.raises(psycopg.OperationalError, match=r"127.0.0.1:1 can't be reached"):
        await made.open("back")
    status, said = await made.get("/readyz")
    assert status == 200
    parts = dict(one.split(": ", 1) for one in said.strip().split(" | "))
    assert "can't be reached" in parts["back"]
    assert "reached" not in parts["front"]
    _, metrics = await made.get("/metrics")
    assert 'penstock_upstream_errors_total{database="back"} 1.0' in metrics
    assert 'penstock_upstream_errors_total{database="front"} 0.0' in metrics
    assert 'penstock_catalog_generation{database="back"} 0.0' in metrics
    assert 'penstock_catalog_generation{database="front"} 1.0' in metrics
    assert 'penstock_database_reachable{database="back"} 0.0' in metrics
    assert 'penstock_database_reachable{database="front"} 1.0' in metrics
    assert 'penstock_statements_total{database="front",decision="rewrite"} 1.0' in metrics
    assert 'penstock_statements_total{database="till",decision="rewrite"} 0.0' in metrics


async def test_a_catalog_that_cannot_be_understood_is_its_own_databases_trouble(
    made: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_before = CatalogReader.read

    async def broken(reader: CatalogReader) -> bool:
        if reader._server.port == made.servers["back"]:
            raise ZeroDivisionError
        return await as_before(reader)

    monkeypatch.setattr(CatalogReader, "read", broken)
    await made.start()
    with pytest.raises(psycopg.OperationalError, match="the catalog can't be understood"):
        await made.open("back")
    assert await made.email("front") == ADDRESSES["front"]
    status, said = await made.get("/readyz")
    assert status == 200
    assert said.count("the catalog can't be understood") == 1


async def test_who_needs_no_token_chooses_by_the_policies_of_its_workload(made: Harbour) -> None:
    pod = {"databaseRef": {"name": "till"}, "subjects": [{"serviceAccount": {"name": "web"}}]}
    made.put("pod", resource("DatabaseAccessPolicy", "pod", pod))
    await made.start(identity={"workload": {"namespace": "shop", "serviceAccount": "web"}})
    assert await made.email("till") == ADDRESSES["till"]
    with pytest.raises(psycopg.OperationalError, match='there is no database "front"'):
        await made.open("front")


async def test_a_name_that_is_no_text_is_told_in_one_line(harbour: Harbour) -> None:
    startup = messages.startup({"user": "me", "database": "XXXX"}).replace(b"XXXX", b"\xff\n\x1b\x01")
    answer = await say(harbour.proxy.port, startup + messages.password(token().encode()))
    error = messages.read_error(answer[answer.index(b"E\0") + 5 :])
    assert error.sqlstate in ("3D000", "08P01")
    assert error.message.isprintable()


async def test_a_database_whose_catalog_takes_long_keeps_no_other_waiting(
    made: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_before = CatalogReader.read

    async def slowly(reader: CatalogReader) -> bool:
        if reader._server.port == made.servers["back"]:
            await asyncio.sleep(3600)
        return await as_before(reader)

    monkeypatch.setattr(CatalogReader, "read", slowly)
    await made.start()
    waiting = asyncio.create_task(made.open("back"))
    async with asyncio.timeout(20):
        assert await made.email("front") == ADDRESSES["front"]
        assert await made.email("till") == ADDRESSES["till"]
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_who_is_revoked_in_one_database_goes_on_in_the_others(harbour: Harbour) -> None:
    front, again, back, other = (
        await harbour.open("front"), await harbour.open("front"), await harbour.open("back"),
        await harbour.open("front", sub="bob"),
    )  # fmt: skip
    stop = {"databaseRef": {"name": "front"}, "mode": "revoke", "subjects": [{"identity": {"subject": "ada"}}]}
    running = asyncio.create_task(again.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    harbour.put("stop", resource("DatabaseAccessPolicy", "stop", stop))
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        await running
    assert time.monotonic() - began < 2
    with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)"):
        await front.execute("SELECT 1")
    for one in (back, other):
        await one.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)"):
        await harbour.open("front")
    assert await harbour.email("till") == ADDRESSES["till"]
    ended = [one for one in await harbour.settled("session", 3) if one.get("policy") == "stop"]
    assert [one["database"] for one in ended] == ["front", "front"]
    # A second one is recorded for itself, though it is the same identity's.
    stop = stop | {"databaseRef": {"name": "back"}}
    harbour.put("stop2", resource("DatabaseAccessPolicy", "stop", stop))
    harbour.poll()
    with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)"):
        await harbour.open("back")
    logins = await harbour.settled("login", 7)
    assert [one["database"] for one in logins if one["outcome"] == "refused"] == ["front", "back"]
    for session in (front, again, back, other):
        await session.close()


async def test_policies_that_are_no_good_stay_with_their_database(harbour: Harbour) -> None:
    async with await harbour.open("front") as front, await harbour.open("till") as till:
        (harbour.directory / "back.resources").unlink()
        stricter = {
            "databaseRef": {"name": "front"}, "subjects": [{"identity": {"groups": ["support"]}}],
            "masks": [{"columns": ["public.people.email"], "with": {"null": {}}}],
        }  # fmt: skip
        harbour.put("stricter", resource("DatabaseAccessPolicy", "stricter", stricter))
        harbour.poll()
        assert await (await front.execute("SELECT email FROM people")).fetchone() == (None,)
        assert await (await till.execute("SELECT email FROM people")).fetchone() == ("till@example.com",)
    # The one whose resource went keeps the last good policy, and says so.
    assert await harbour.email("back") == ADDRESSES["back"]
    status, said = await harbour.get("/readyz")
    assert status == 200
    parts = dict(one.split(": ", 1) for one in said.strip().split(" | "))
    assert "Database shop/back" in parts["back"]
    assert "Database shop/back" not in parts["front"]


async def test_a_database_that_moves_takes_its_own_sessions_along(harbour: Harbour) -> None:
    async with await harbour.open("front") as front, await harbour.open("till") as till:
        harbour.write("front", host="localhost")
        harbour.poll()
        with pytest.raises(psycopg.OperationalError, match="the database moved to another server"):
            await front.execute("SELECT 1")
        await till.execute("SELECT 1")
    assert await harbour.email("front") == ADDRESSES["front"]


async def test_credentials_of_another_secret_are_not_used(made: Harbour) -> None:
    entries = [made.entry(name, credentialsSecret=f"{name}-db") for name in made.servers]
    await made.start(databases=entries)
    async with await made.open("front") as front, await made.open("till") as till:
        made.write("front", credentialsSecretRef={"name": "till-db"})
        made.poll()
        with pytest.raises(psycopg.OperationalError, match="the database moved"):
            await front.execute("SELECT 1")
        await till.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="Database front names another Secret than") as refused:
        await made.open("front")
    assert "-db" not in str(refused.value)
    made.write()
    made.poll()
    assert await made.email("front") == ADDRESSES["front"]


async def test_a_change_of_one_catalog_closes_no_other_door(harbour: Harbour) -> None:
    async with await harbour.open("back") as back, await harbour.open("front") as front:
        await back.execute("BEGIN")
        await back.execute("CREATE TABLE made_here (a int)")
        served = {name: one.rules_provider.door for name, one in harbour.proxy.gateway.databases.items()}
        (changing,) = [one.session.door_key for one in harbour.served("back").connections]
        assert changing is not None
        served["back"].force(changing)
        assert [name for name, door in served.items() if door.open] == ["front", "till"]
        async with asyncio.timeout(4):
            await front.execute("SELECT email FROM people")
        served["back"].give_up(changing)
        await back.execute("ROLLBACK")


async def test_what_cannot_be_recorded_is_decided_by_each_databases_policy(made: Harbour) -> None:
    made.on_failure = {"till": "continue"}
    made.write()
    await made.start(spool={"path": "spool", "maxBytes": 1 << 20})
    async with await made.open("front") as front, await made.open("till") as till:
        text = "SELECT 1 /* " + "x" * 50_000 + " */"

        async def fill() -> None:
            for number in range(3000):
                await front.execute(f"INSERT INTO people VALUES ({number + 10}, NULL)" if number % 2 else text)

        with pytest.raises(psycopg.errors.DiskFull):
            await fill()
        row = await (await till.execute("SELECT email FROM people")).fetchone()
        assert row == ("till@example.com",)


async def test_a_gate_with_several_databases_ends_cleanly(harbour: Harbour) -> None:
    async with await harbour.open("front") as front, await harbour.open("till") as till:
        await harbour.proxy.gateway.drain(1)
        for one in (front, till):
            with pytest.raises(psycopg.OperationalError, match="shutting down"):
                await one.execute("SELECT 1")
