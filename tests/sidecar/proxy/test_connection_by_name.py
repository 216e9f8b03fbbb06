"""What a Parse message made, run in SQL by its name: no more than SQL could have prepared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, errors, rows, run, states

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, message, parse, query

ALLOW = "select, insert, update, delete, create, alter, drop"
OTHERS = [
    "COMMIT", "ROLLBACK", "ROLLBACK AND CHAIN", "BEGIN", "SAVEPOINT s", "SET search_path = named", "DISCARD ALL",
    "RESET ALL", "CREATE TEMP TABLE people (email text)", "DEALLOCATE ALL", "LISTEN c", "DECLARE c CURSOR FOR SELECT 1",
]  # fmt: skip


@pytest.fixture
async def pair(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Pair]:
    shop.psql(
        "SET ROLE penstock; DROP SCHEMA IF EXISTS named CASCADE; CREATE SCHEMA named;"
        "CREATE TABLE named.people (id int, email text); INSERT INTO named.people VALUES (1, 'ada@x.example')", "shop",
    )  # fmt: skip
    both = Pair(await start(shop, governed=True, allow=ALLOW), shop)
    yield both
    both.end()


async def prepared(client: Raw, text: str, name: str = "s") -> None:
    assert errors(await client.talk([(parse(name, text) + SYNC, b"Z")])) == []


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("text", OTHERS)
async def test_what_only_messages_run_is_refused(pair: Pair, text: str, extended: bool) -> None:
    client = await pair.gated()
    await prepared(client, text)
    assert errors(await client.talk([(run("EXECUTE s") if extended else query("EXECUTE s"), b"Z")])) == ["0A000"]


@pytest.mark.parametrize("when", ["before it is bound", "before it is executed"])
async def test_so_is_what_took_the_name_of_a_query(pair: Pair, when: str) -> None:
    client = await pair.gated()
    await client.ask("BEGIN")
    await prepared(client, "SELECT 1")
    taken = message(b"C", b"Ss\0") + parse("s", "COMMIT")
    steps = [parse("e", "EXECUTE s"), bind("p", "e"), execute("p"), SYNC]
    steps.insert(1 if when == "before it is bound" else 2, taken)
    got = await client.talk([(b"".join(steps), b"Z")])
    assert (errors(got), states(got)) == (["0A000"], "E")


async def test_queries_and_what_changes_rows_run(pair: Pair) -> None:
    client = await pair.gated()
    await prepared(client, "SELECT id FROM named.people WHERE id = $1")
    await prepared(client, "WITH x AS (SELECT 2 AS id) INSERT INTO named.people (id) SELECT id FROM x", "w")
    await prepared(client, "VALUES (1), (2)", "v")
    assert len(rows(await client.ask("EXECUTE s(1)"))) == 1
    assert errors(await client.ask("EXECUTE w")) == []
    assert len(rows(await client.ask("EXECUTE v"))) == 2


async def test_where_nothing_is_enforced_it_passes(start: Start, shop: EmbeddedPostgres) -> None:
    both = Pair(await start(shop, governed=True, more="  mode: observe\n"), shop)
    client = await both.gated()
    await prepared(client, "COMMIT")
    await client.ask("BEGIN")
    got: Any = await client.ask("EXECUTE s")
    assert (errors(got), states(got)) == ([], "I")
    both.end()
