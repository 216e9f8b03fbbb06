"""Contexts as drivers send them: in texts, as parameters, in prepared statements and in pipelines. Node and Java take
longer, and are installed as `make conformance` installs them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from tests.conformance import clients
from tests.sidecar.proxy.contexts import ALONE, OFFICER, STAFF, TEXT, context, set_local
from tests.sidecar.proxy.test_tokens_drivers import installed

Start = Any
CALL = "SELECT set_config('penstock.context', %s, true)"


def people() -> Iterator[tuple[str, tuple[str, str]]]:
    """Contexts of people, in turns, and what each sees."""
    for number in range(8):
        officer = number % 3 == 0
        yield context(sub=f"p{number}", groups=["dpo"] if officer else []), OFFICER if officer else STAFF


async def test_psycopg_with_statements_that_it_prepares_by_itself(running: Any) -> None:
    async with await running.psycopg(prepare_threshold=2) as session:
        for token, found in people():
            async with session.transaction():
                await session.execute(CALL, [token])
                for _ in range(3):
                    assert await (await session.execute(TEXT)).fetchone() == found
            assert await (await session.execute(TEXT)).fetchone() == ALONE


async def test_psycopg_that_begins_transactions_by_itself(running: Any) -> None:
    async with await psycopg.AsyncConnection.connect(running.url) as session:
        for token, found in people():
            await session.execute(CALL, [token])
            assert await (await session.execute(TEXT)).fetchone() == found
            await session.commit()
            assert await (await session.execute(TEXT)).fetchone() == ALONE
            await session.rollback()


async def pipelined(session: Any, token: str) -> None:
    async with session.pipeline(), session.transaction():
        await session.execute(CALL, [token])
        await session.execute(TEXT)


async def test_psycopg_in_pipelines(running: Any) -> None:
    """What depends on the verdict was sent before it."""
    async with await running.psycopg() as session:
        for token, found in people():
            async with session.pipeline():
                before = await session.execute(TEXT)
                async with session.transaction():
                    await session.execute(CALL, [token])
                    inside = await session.execute(TEXT)
                behind = await session.execute(TEXT)
            shown = [await one.fetchone() for one in (before, inside, behind)]
            assert shown == [ALONE, found, ALONE]
        with pytest.raises(psycopg.Error, match="lives for more"):
            await pipelined(session, context(exp=2**33))
        assert await (await session.execute(TEXT)).fetchone() == ALONE


async def test_psycopg_that_puts_parameters_into_the_text(running: Any) -> None:
    async with await running.psycopg(cursor_factory=psycopg.AsyncClientCursor) as session:
        for token, found in people():
            async with session.transaction():
                await session.execute(CALL, [token])
                assert await (await session.execute(TEXT)).fetchone() == found
        # As some write it: in one text with BEGIN.
        await session.execute(f"BEGIN; {set_local()}")
        assert await (await session.execute(TEXT)).fetchone() == STAFF
        await session.execute("ROLLBACK")


async def test_asyncpg(running: Any) -> None:
    session = await asyncpg.connect(
        host="127.0.0.1", port=running.proxy.port, user="app", database="shop", ssl=False, password="none"
    )
    prepared = await session.prepare(TEXT)
    for token, found in people():
        async with session.transaction():
            await session.execute("SELECT set_config('penstock.context', $1, true)", token)
            assert tuple(await session.fetchrow(TEXT)) == found
            assert tuple(await prepared.fetchrow()) == found
            async with session.transaction():
                assert [tuple(row) async for row in session.cursor(TEXT)] == [found]
        assert tuple(await session.fetchrow(TEXT)) == tuple(await prepared.fetchrow()) == ALONE
        async with session.transaction():
            await session.execute(f"SET LOCAL penstock.context = '{token}'")
            assert tuple(await session.fetchrow(TEXT)) == found
        async with session.transaction():
            await session.fetchval("SELECT set_config('penstock.context', $1, true)", token)
            assert tuple(await session.fetchrow(TEXT)) == found
    await session.close()


NODE = """
import pg from "pg";
const client = new pg.Client();
await client.connect();
for (const send of [
    (token) => client.query("SELECT set_config('penstock.context', $1, true)", [token]),
    (token) => client.query({name: "c", text: "SELECT set_config('penstock.context', $1, true)", values: [token]}),
    (token) => client.query(`SET LOCAL penstock.context = '${token}'`),
]) {
    for (const token of [process.env.STAFF, process.env.OFFICER]) {
        await client.query("BEGIN");
        await send(token);
        console.log((await client.query({name: "t", text: process.env.TEXT})).rows[0].email);
        await client.query("COMMIT");
        console.log((await client.query(process.env.TEXT)).rows[0].email);
    }
}
await client.query(`BEGIN; SET LOCAL penstock.context = '${process.env.STAFF}'`);
console.log((await client.query(process.env.TEXT)).rows[0].email);
await client.end();
"""
JAVA = """
import java.sql.*;

public class Contexts {
    public static void main(String[] arguments) throws Exception {
        var place = System.getenv();
        String url = "jdbc:postgresql://127.0.0.1:" + place.get("PGPORT") + "/shop?sslmode=disable&prepareThreshold=2";
        try (Connection one = DriverManager.getConnection(url, "app", "none")) {
            one.setAutoCommit(false);
            try (PreparedStatement set = one.prepareStatement("SELECT set_config('penstock.context', ?, true)");
                    PreparedStatement read = one.prepareStatement(place.get("TEXT"))) {
                for (int i = 0; i < 3; i++) {
                    for (String person : new String[] {"STAFF", "OFFICER"}) {
                        set.setString(1, place.get(person));
                        set.execute();
                        show(read.executeQuery());
                        one.commit();
                        show(read.executeQuery());
                        one.rollback();
                    }
                }
                try (Statement plain = one.createStatement()) {
                    plain.execute("SET LOCAL penstock.context = '" + place.get("STAFF") + "'");
                    show(read.executeQuery());
                }
            }
        }
    }

    static void show(ResultSet rows) throws SQLException {
        rows.next();
        System.out.println(rows.getString(1));
    }
}
"""
SHOWN = [STAFF[0], ALONE[0], OFFICER[0], ALONE[0]] * 3 + [STAFF[0]]


async def said(gate: Any, directory: Path, *command: str) -> list[str]:
    """What a program prints, led to the gate, with contexts to present."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PGHOST": "127.0.0.1", "PGPORT": str(gate.proxy.port), "PGUSER": "app", "PGDATABASE": "shop",
        "PGSSLMODE": "disable", "TEXT": TEXT, "STAFF": context(), "OFFICER": context(sub="bob", groups=["dpo"]),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=variables, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return printed.decode().split()


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_node_postgres(running: Any) -> None:
    home = await asyncio.to_thread(clients.program, clients.HERE / "node", installed("node-postgres"))
    assert await said(running, home, "node", "--input-type=module", "--eval", NODE) == SHOWN


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_pgjdbc(running: Any, tmp_path: Path) -> None:
    home = await asyncio.to_thread(clients.program, clients.HERE / "java", installed("pgjdbc"))
    (tmp_path / "Contexts.java").write_text(JAVA)
    assert await said(running, home, "java", "-cp", "jars/*", str(tmp_path / "Contexts.java")) == SHOWN
