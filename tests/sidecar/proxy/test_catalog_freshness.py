"""How changes of the catalog and the statements of others wait for each other, and how old a catalog may become."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.freshness import RAW, House, done, house_in
from tests.sidecar.proxy.raw import Raw, bind, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.proxy import rules_provider
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, parse, query

Start = Any
ASKS = query("SELECT txt FROM v")
MASK = query("CREATE OR REPLACE VIEW public.v AS SELECT email AS txt FROM people")
UNMASK = query("CREATE OR REPLACE VIEW public.v AS SELECT txt FROM plain")


@pytest.fixture
async def house(start: Start, shop: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(start, shop, "waiting", tmp_path, "CREATE VIEW public.v AS SELECT txt FROM plain") as one:
        yield one


def behind(house: House, sql: str) -> None:
    """Not through the gate."""
    house.server.psql(f"SET ROLE penstock; {sql}", dbname="waiting")


async def test_the_next_statement_after_a_change_is_decided_by_it(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    assert b"plain" in await done(clerk, ASKS)
    for _ in range(3):
        assert b"ERROR" not in await done(owner, MASK)
        got = await done(clerk, ASKS)
        assert b"***" in got or b"SELECT 1" in got
        assert RAW not in got
        assert b"plain" not in got
        await done(owner, UNMASK)
        assert b"plain" in await done(clerk, ASKS)


async def test_an_open_transaction_that_holds_a_lock_goes_on_while_a_change_waits_for_it(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    await done(clerk, query("BEGIN"))
    await done(clerk, ASKS)
    change = asyncio.create_task(done(owner, MASK))
    await runs(house.server, owner.pid, "Lock")
    assert not change.done()
    assert b"plain" in await done(clerk, ASKS)
    await done(clerk, query("COMMIT"))
    assert b"ERROR" not in await change
    assert RAW not in await done(clerk, ASKS)


async def test_a_long_read_is_no_reason_to_wait(house: House) -> None:
    """Its results are held back until the catalog was read, and are the same."""
    owner, clerk = await house.owner(), await house.clerk()
    reading = asyncio.create_task(done(clerk, query("SELECT count(*) FROM plain, generate_series(1, 10000000)")))
    await runs(house.server, clerk.pid)
    assert b"ERROR" not in await done(owner, MASK)
    assert not reading.done()
    got = await reading
    assert b"10000000" in got


async def test_what_waits_for_the_change_itself_and_would_be_decided_otherwise_fails(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    await done(owner, query("BEGIN"))
    await done(owner, MASK)
    reading = asyncio.create_task(done(clerk, ASKS))
    other = await house.clerk()
    writing = asyncio.create_task(done(other, query("INSERT INTO plain SELECT 2, txt FROM v")))
    for one in (clerk, other):
        await runs(house.server, one.pid, "Lock")
    assert not reading.done()
    assert not writing.done()
    assert b"ERROR" not in await done(owner, query("COMMIT"))
    assert b"C40001" in await reading
    assert b"C40001" in await writing
    assert RAW not in await done(clerk, query("SELECT * FROM plain"))
    assert RAW not in await done(clerk, ASKS)


@pytest.mark.parametrize("way", ["Query", "Sync", "COMMIT"])
async def test_a_change_that_others_would_have_to_be_taken_back_for_is_refused(
    house: House, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_provider, "MOST_HOLD_SECONDS", 0.3)
    owner, clerk = await house.owner(), await house.clerk()
    async with await psycopg.AsyncConnection.connect(house.server.url("waiting")) as other:
        await other.execute("UPDATE plain SET code = code")
        await _refused(house, owner, clerk, way)


async def _refused(house: House, owner: Raw, clerk: Raw, way: str) -> None:
    writing = asyncio.create_task(done(clerk, query("UPDATE plain SET code = 'x'")))
    await runs(house.server, clerk.pid, "Lock")
    change = "CREATE VIEW public.w AS SELECT email AS txt FROM people"
    if way == "COMMIT":
        await done(owner, query("BEGIN"))
        await done(owner, query(change))
        got = await done(owner, query("COMMIT"))
        assert got.endswith(b"E")
        await done(owner, query("ROLLBACK"))
    else:
        got = await done(owner, query(change) if way == "Query" else run(change))
        assert got.endswith(b"I")
    assert b"C55P03" in got
    assert b"could not be changed" in got
    assert not writing.done()
    assert b"C42P01" in await done(owner, query("SELECT * FROM public.w"))


async def test_a_statement_waits_for_a_change_for_a_time_and_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_provider, "MOST_WAIT_SECONDS", 0.3)
    owner, clerk = await house.owner(), await house.clerk()
    await done(clerk, parse("kept", "SELECT txt FROM v") + SYNC)
    # It commits whenever it likes.
    slow = "DO $$BEGIN PERFORM pg_sleep(2); EXECUTE 'CREATE TABLE t ()'; END$$"
    change = asyncio.create_task(done(owner, query(slow)))
    await runs(house.server, owner.pid, "PgSleep")
    for asks in (ASKS, run("SELECT txt FROM v"), bind("", "kept") + messages.execute("") + SYNC):
        got = await done(clerk, asks)
        assert b"C55P03" in got
        assert got.endswith(b"I")
    # Who has no masks does not wait, and nobody waits to end a transaction.
    assert b"raw@" in await done(await house.owner(), query("SELECT email FROM people"))
    assert b"ERROR" not in await done(clerk, query("BEGIN") + query("ROLLBACK"), 2)
    await change
    monkeypatch.undo()
    assert b"plain" in await done(clerk, ASKS)


async def test_a_query_amid_what_a_sync_is_to_end_is_no_transaction_block(house: House) -> None:
    """Servers differ in what ends it."""
    owner, clerk = await house.owner(), await house.clerk()
    asks = query("SELECT txt FROM plain")
    change = "CREATE VIEW early.plain AS SELECT email AS txt FROM people"
    owner.writer.write(parse("", change) + bind() + messages.execute("") + FLUSH)
    await owner.until(b"C")
    for data in (query("SELECT 1"), SYNC, query("COMMIT")):
        await done(owner, data)
        assert RAW not in await done(clerk, asks)


async def test_a_session_that_ends_during_its_change_leaves_nobody_behind(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    owner.writer.write(query("DO $$BEGIN PERFORM pg_sleep(1); EXECUTE 'CREATE TABLE gone ()'; END$$"))
    await runs(house.server, owner.pid, "PgSleep")
    owner.writer.transport.abort()
    assert b"plain" in await done(clerk, ASKS)
    assert house.gate.proxy.rules_provider.door.open


async def test_what_was_prepared_or_declared_is_decided_again(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    await done(clerk, query("PREPARE p AS SELECT txt FROM v"))
    await done(clerk, query("PREPARE other AS SELECT code FROM plain"))
    await done(clerk, query("PREPARE adds AS INSERT INTO plain VALUES (3, 'three') RETURNING txt"))
    await done(clerk, parse("named", "SELECT txt FROM v") + SYNC)
    await done(clerk, query("DECLARE c CURSOR WITH HOLD FOR SELECT txt FROM v"))
    assert b"plain" in await done(clerk, query("EXECUTE p"))
    await done(owner, MASK)
    for text in ("EXECUTE p", "FETCH c", "EXECUTE named"):
        got = await done(clerk, query(text))
        assert b"C42501" in got, text
        assert b"the policy, the catalog or search_path changed since" in got
    # What is decided as before runs as before.
    assert b"plain" in await done(clerk, query("EXECUTE other"))
    assert b"three" in await done(clerk, query("EXECUTE adds"))
    got = await done(clerk, bind("", "named") + messages.execute("") + SYNC)
    assert b"SELECT 1" in got
    assert RAW not in got
    trigger = (
        "CREATE FUNCTION public.shows() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.txt = (SELECT max(email) FROM people); RETURN NEW; END'"
    )
    await done(owner, query(trigger))
    await done(owner, query("CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION public.shows()"))
    assert b"C42501" in await done(clerk, query("EXECUTE adds"))
    await done(clerk, query("DEALLOCATE p"))
    await done(clerk, query("PREPARE p AS SELECT txt FROM v"))
    assert RAW not in await done(clerk, query("EXECUTE p"))


async def test_a_prepare_that_failed_is_not_taken_for_the_one_that_succeeded(house: House) -> None:
    owner, clerk = await house.owner(), await house.clerk()
    await done(clerk, query("BEGIN"))
    await done(clerk, query("SELECT 1 / 0"))
    assert b"C25P02" in await done(clerk, query("PREPARE p AS SELECT code FROM plain"))
    await done(clerk, query("ROLLBACK"))
    await done(clerk, query("PREPARE p AS SELECT txt FROM v"))
    await done(owner, MASK)
    assert b"C42501" in await done(clerk, query("EXECUTE p"))


async def test_its_own_change_makes_a_bare_name_unknown_until_it_is_committed(house: House) -> None:
    behind(house, "CREATE TABLE early.named AS SELECT 'plain' AS txt")
    behind(house, "CREATE VIEW public.named AS SELECT email AS txt FROM people")
    await house.gate.proxy.rules_provider.refresh_catalog()
    clerk = await house.clerk()
    await done(clerk, parse("kept", "SELECT txt FROM named") + SYNC)
    assert b"plain" in await done(clerk, query("SELECT txt FROM named"))
    await done(clerk, query("BEGIN"))
    assert b"ERROR" not in await done(clerk, query("DROP TABLE early.named"))
    assert RAW not in await done(clerk, query("SELECT txt FROM named"))
    await done(clerk, query("ROLLBACK"))
    await done(clerk, query("BEGIN"))
    await done(clerk, query("DROP TABLE early.named"))
    assert RAW not in await done(clerk, bind("", "kept") + messages.execute("") + SYNC)
    await done(clerk, query("ROLLBACK"))
    assert RAW not in await done(clerk, query("DROP TABLE early.named; SELECT txt FROM named"))


async def test_a_session_that_begins_after_a_while_does_not_decide_by_an_old_catalog(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not house.gate.proxy.gateway.connections
    behind(house, "CREATE OR REPLACE VIEW public.v AS SELECT email AS txt FROM people")
    monkeypatch.setattr(rules_provider, "OLDEST_SECONDS", 0.0)
    clerk = await house.clerk()
    assert RAW not in await done(clerk, ASKS)


async def test_a_catalog_that_can_not_be_read_is_not_decided_by_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = house.gate.proxy.rules_provider
    clerk = await house.clerk()
    assert b"plain" in await done(clerk, ASKS)

    async def read() -> bool:
        raise rules_provider.UpstreamError(rules_provider.fatal("53300", "too many clients"))

    monkeypatch.setattr(rules_provider, "MOST_WAIT_SECONDS", 0.5)
    monkeypatch.setattr(rules_provider, "OLDEST_SECONDS", 0.0)
    monkeypatch.setattr(gate._reader, "read", read)
    gate._expire()
    got = await done(clerk, ASKS)
    assert b"C55P03" in got
    assert b"could not be read" in got
    monkeypatch.undo()
    gate.catalog_stale()
    assert b"plain" in await done(clerk, ASKS)


async def test_an_unknown_name_on_the_server_has_the_catalog_read_before_the_next_statement(house: House) -> None:
    clerk = await house.clerk()
    behind(house, "CREATE TABLE public.wide (a text, email text, b text)")
    await house.gate.proxy.rules_provider.refresh_catalog()
    asks = query("SELECT * FROM wide")
    assert b"SELECT 0" in await done(clerk, asks)
    behind(house, "ALTER TABLE public.wide DROP COLUMN b")
    assert b"C42703" in await done(clerk, asks)
    assert b"SELECT 0" in await done(clerk, asks)


async def test_statements_that_leave_the_catalog_alone_have_it_not_read(house: House) -> None:
    owner = await house.owner()
    behind(house, "CREATE FUNCTION public.adds(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'")
    await house.gate.proxy.rules_provider.refresh_catalog()
    door = house.gate.proxy.rules_provider.door
    for text in ("SELECT adds(1)", "INSERT INTO plain VALUES (5)", "BEGIN", "DELETE FROM plain WHERE id = 5", "COMMIT",
                 "TRUNCATE plain", "CREATE TEMP TABLE own (a int)", "VACUUM plain"):  # fmt: skip
        assert b"ERROR" not in await done(owner, query(text)), text
    assert door.changes == 0
    body = "BEGIN CREATE TABLE t (); RETURN 1; END"
    behind(house, f"CREATE FUNCTION public.makes() RETURNS int LANGUAGE plpgsql AS '{body}'")
    behind(house, "CREATE FUNCTION public.calls() RETURNS int LANGUAGE sql AS 'SELECT makes()'")
    await house.gate.proxy.rules_provider.refresh_catalog()
    await done(owner, query("SELECT adds(1)"))
    assert door.changes == 0
    await done(owner, query("SELECT calls()"))
    assert door.changes == 1
