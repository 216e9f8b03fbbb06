"""What is decided by changes while sessions are open."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs
from tests.sidecar.proxy.conftest import deny

from penstock_core.sql.decision import Action, Decision, Denial

Start = Any


async def test_a_prepared_statement_follows_the_policy(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg(prepare_threshold=0) as client:
        text = "SELECT 'raw' AS word"
        for _ in range(3):
            assert await (await client.execute(text)).fetchone() == ("raw",)
        gate.script.answers[text] = Decision(Action.REWRITE, "SELECT 'masked' AS word", verbs=("select",))
        gate.write_resources(host="127.0.0.1", port=shop.port, on_failure="continue")
        gate.proxy.source.poll()
        for _ in range(3):
            assert await (await client.execute(text)).fetchone() == ("masked",)
        gate.script.answers[text] = deny()
        gate.write_resources(host="127.0.0.1", port=shop.port, on_failure="block")
        gate.proxy.source.poll()
        for _ in range(2):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await client.execute(text)
        assert client.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_unknown_names_have_the_catalog_read_and_are_decided_again(start: Start, shop: Any) -> None:
    gate = await start(shop)
    text = "SELECT count(*) FROM brand_new"
    unknown = Denial("relation brand_new does not exist", "check the name", sqlstate="42P01", unknown_names=True)
    async with await gate.psycopg() as client:
        gate.script.answers[text] = Decision(Action.DENY, "", denial=unknown)
        with pytest.raises(psycopg.errors.UndefinedTable):
            await client.execute(text)
        generation = gate.proxy.rules_provider.catalog.generation
        shop.psql("CREATE TABLE brand_new (id int); ALTER TABLE brand_new OWNER TO penstock;", dbname="shop")
        try:
            # The script can't know the catalog; that it changed is told by a new decider being made.
            gate.proxy.rules_provider.deciders.make = lambda policy, catalog, key: Knowing(catalog)
            assert await (await client.execute(text)).fetchone() == (0,)
            assert gate.proxy.rules_provider.catalog.generation == generation + 1
        finally:
            shop.psql("DROP TABLE brand_new", dbname="shop")


class Knowing:
    def __init__(self, catalog: Any) -> None:
        self.catalog = catalog

    def decide(self, text: str, search_path: Any, temporary: Any, types: Any = (), made: Any = ()) -> Decision:
        assert self.catalog.named("brand_new")
        return Decision(Action.ALLOW, text)


async def test_a_change_of_the_schema_through_the_gate_is_seen(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("CREATE TABLE through_the_gate (id int)")
        try:
            for _ in range(1500):
                if gate.proxy.rules_provider.catalog.named("through_the_gate"):
                    break
                await asyncio.sleep(0.02)
            assert gate.proxy.rules_provider.catalog.named("through_the_gate")
        finally:
            await client.execute("DROP TABLE through_the_gate")


@pytest.mark.timeout(20)
async def test_who_asks_in_the_moment_in_which_a_reading_ends_has_another(
    start: Start, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = (await start(shop)).proxy.rules_provider
    await provider.refresh_catalog()
    readings = 0

    async def read() -> bool:
        nonlocal readings
        readings += 1
        return False

    monkeypatch.setattr(provider._reader, "read", read)
    # The task is done when the next one begins; that it is has not been told yet.
    provider._begin_reading()
    asking = asyncio.create_task(provider.refresh_catalog())
    await asyncio.wait_for(asking, 15)
    assert readings == 2


async def test_a_reading_sees_each_change_and_nothing_else(start: Start, shop: Any) -> None:
    gate = await start(shop)
    reader = gate.proxy.rules_provider._reader
    await gate.proxy.rules_provider.refresh_catalog()
    assert not await reader.read()
    for statement in (
        "ALTER TABLE things ADD COLUMN extra text", "ALTER TABLE things DROP COLUMN extra",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f()",
        "CREATE VIEW v AS SELECT name FROM things", "CREATE OR REPLACE VIEW v AS SELECT name || '' AS name FROM things",
        "DROP VIEW v",
    ):  # fmt: skip
        shop.psql(statement, dbname="shop")
        assert await reader.read(), statement
    shop.psql(
        "INSERT INTO things VALUES (77, 'x'); CREATE TEMP TABLE t (); DELETE FROM things; ANALYZE things", dbname="shop"
    )
    assert not await reader.read()


async def test_a_server_that_comes_late_is_waited_for_in_words(start: Start, shop: Any) -> None:
    gate = await start(port=1)
    with pytest.raises(psycopg.OperationalError, match=r"127\.0\.0\.1:1 can.t be reached"):
        await gate.psycopg()
    ready, words = gate.proxy._ready()
    assert ready
    assert "can't be reached" in words
    gate.write_resources(host="127.0.0.1", port=shop.port)
    gate.proxy.source.poll()
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")


async def test_a_database_that_moves_takes_its_sessions_along_once_they_are_idle(start: Start, shop: Any) -> None:
    gate = await start(shop)
    idle, busy = await gate.psycopg(), await gate.psycopg()
    await busy.execute("BEGIN")
    # Another name of the same server is another server.
    gate.write_resources(host="localhost", port=shop.port)
    gate.proxy.source.poll()
    with pytest.raises(psycopg.OperationalError, match="moved to another server"):
        await idle.execute("SELECT 1")
    assert await (await busy.execute("SELECT 1")).fetchone() == (1,)
    await busy.execute("COMMIT")
    with pytest.raises(psycopg.OperationalError):
        await busy.execute("SELECT 1")
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
    await idle.close()
    await busy.close()


async def test_a_changed_classification_leaves_sessions_where_they_are(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
        path = gate.directory / "shop.yaml"
        tagged = "  credentialsSecretRef: {name: shop-db}\n  classification: [{columns: ['*.*.name'], tag: pii}]"
        path.write_text(path.read_text().replace("  credentialsSecretRef: {name: shop-db}", tagged))
        gate.proxy.source.poll()
        assert gate.proxy.rules_provider.bundle.database.tags == ("pii",)
        assert await (await client.execute("SELECT 1")).fetchone() == (1,)


async def test_masks_that_do_not_fit_or_mask_nothing_are_told_of_once(start: Start, shop: Any) -> None:
    gate = await start(shop)
    path = gate.directory / "shop.yaml"
    masks = '  masks: [{columns: ["public.things.id", "public.thinks.id"], with: {email: {}}}]\n'
    with capture_logs() as logged:
        for _ in range(2):
            path.write_text(f"{path.read_text().partition('  masks:')[0]}{masks}")
            gate.proxy.source.poll()
            async with await gate.psycopg() as client:
                await client.execute("SELECT 1")
            masks += "\n"
    told = [line["event"] for line in logged if "does not fit" in line["event"]]
    assert told == [
        "public.things.id is pg_catalog.int4, which the mask email of policy web (masks[0]) does not fit; "
        "it is masked as null"
    ]
    idle = [line["event"] for line in logged if "no column" in line["event"]]
    assert idle == [
        "no column of the database is public.thinks.id, which policy web (masks[0]) is to mask; check the spelling"
    ]
