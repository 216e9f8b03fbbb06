"""Tokens of 8 KB as passwords, by the drivers that people use, some of which have limits of their own. Node and Java
take longer, and are installed as `make conformance` installs them.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.conformance import clients
from tests.conformance.suites import SUITES, Scenarios
from tests.sidecar.proxy.test_tokens import issuers, token

Start = Any
NODE = """
import pg from "pg";
const client = new pg.Client();
await client.connect();
console.log((await client.query("SELECT 7 AS x")).rows[0].x);
await client.end();
"""
JAVA = """
import java.sql.*;

public class Once {
    public static void main(String[] arguments) throws Exception {
        var place = System.getenv();
        String url = "jdbc:postgresql://127.0.0.1:" + place.get("PGPORT") + "/shop?sslmode=disable";
        try (Connection one = DriverManager.getConnection(url, place.get("PGUSER"), place.get("PGPASSWORD"));
                ResultSet rows = one.createStatement().executeQuery("SELECT 7")) {
            rows.next();
            System.out.println(rows.getInt(1));
        }
    }
}
"""


def installed(name: str) -> tuple[str, ...]:
    """The command that installs what a suite of drivers needs."""
    return next(one.install for one in SUITES if isinstance(one, Scenarios) and one.name == name)


def long_token() -> str:
    found = token(padding="x" * 6_000)
    assert 8_000 < len(found) < 9_000
    return found


@pytest.fixture
async def gate(start: Start, shop: Any, tmp_path: Path) -> Any:
    return await start(shop, identity=issuers(tmp_path), name="gate")


async def run(gate: Any, directory: Path, *command: str) -> str:
    """What a program prints, led to the gate as libpq's relatives are."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PGHOST": "127.0.0.1", "PGPORT": str(gate.proxy.port), "PGUSER": "ada", "PGDATABASE": "shop",
        "PGPASSWORD": long_token(), "PGSSLMODE": "disable",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=variables, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return said.decode().strip()


async def test_psycopg(gate: Any) -> None:
    async with await gate.psycopg(password=long_token()) as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)


async def test_asyncpg(gate: Any) -> None:
    session = await asyncpg.connect(
        host="127.0.0.1", port=gate.proxy.port, user="ada", database="shop", password=long_token(), ssl=False
    )
    assert await session.fetchval("SELECT 7") == 7
    await session.close()


@pytest.mark.parametrize("version", ["15", "18"])
async def test_psql(gate: Any, shop: Any, tmp_path: Path, version: str) -> None:
    folder = Path("/usr/lib/postgresql/15/bin") if version == "15" else shop.bin
    assert await run(gate, tmp_path, str(folder / "psql"), "-XAtc", "SELECT 7") == "7"


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_node_postgres(gate: Any) -> None:
    home = await asyncio.to_thread(clients.program, clients.HERE / "node", installed("node-postgres"))
    assert await run(gate, home, "node", "--input-type=module", "--eval", NODE) == "7"


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_pgjdbc(gate: Any, tmp_path: Path) -> None:
    home = await asyncio.to_thread(clients.program, clients.HERE / "java", installed("pgjdbc"))
    (tmp_path / "Once.java").write_text(JAVA)
    assert await run(gate, home, "java", "-cp", "jars/*", str(tmp_path / "Once.java")) == "7"
