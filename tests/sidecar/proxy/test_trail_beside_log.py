"""The trail beside the server's own log: each statement that the server ran is told of once, as it was and ended."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from tests.core.sql.twins import corpus, corpus_stored, world
from tests.sidecar.proxy import server_log
from tests.sidecar.proxy.conftest import MASKED, Running, Start, _with_shop
from tests.sidecar.proxy.raw import Pair, bind, run, states
from tests.sidecar.spooled import pending

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, describe_statement, execute, parse, query

SCHEMA = """
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE told.people (id int PRIMARY KEY, email text, n int DEFAULT 0);
CREATE TABLE told.pets (id int, owner int REFERENCES told.people DEFERRABLE INITIALLY DEFERRED);
INSERT INTO told.people SELECT i, 'x' || i || '@example.com' FROM generate_series(1, 100) i;
"""

EMPTY = """
DROP SCHEMA IF EXISTS public, attic CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
# No two sessions of one log may bear a name.
_numbers = itertools.count()

TWINS_MASKS = """  masks:
    - {columns: ["*.*.email"], with: {email: {}}}
    - {columns: ["*.*.ssn"], with: {partial: {keepLast: 4}}}
    - {columns: ["public.u.salary", "public.u.dom", "public.staff.pay", "public.boss.pay"], with: {redact: {}}}
    - {columns: ["public.secret.body", "public.wide.body", "public.wide.late"], with: {"null": {}}}
"""


@pytest.fixture(scope="module")
def server(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    started = EmbeddedPostgres.start(open_directory / "logging", settings=server_log.SETTINGS)
    _with_shop(started).psql(SCHEMA, dbname="shop")
    yield started
    started.stop()


@pytest.fixture(params=["continue", "block"])
async def gate(start: Start, server: EmbeddedPostgres, request: pytest.FixtureRequest) -> Running:
    allow = "select, insert, update, delete, create, drop, alter"
    return await start(server, governed=True, allow=allow, on_failure=request.param, more=MASKED)


async def compared(gate: Running, server: EmbeddedPostgres, *names: str) -> int:
    """How many statements these applications' sessions ran, once both tell the same of each."""
    for _ in range(300):
        log = server_log.ran(server.directory, names)
        trail = server_log.told(pending(gate.proxy.spool, 0, 100_000), names)
        if not (found := server_log.complaints(log, trail)):
            break
        # What ended just now is written down in a moment.
        await asyncio.sleep(0.1)
    assert found == []
    return sum(len(one) for sessions in trail.values() for one in sessions)


async def _simple(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        for sql in (
            "SELECT 1",
            "SELECT id, email FROM told.people WHERE id = 7",
            "UPDATE told.people SET n = 1; SELECT 2",
        ):
            await connection.execute(sql.encode())
        for wrong in (
            "SELECT 1/0",
            "SELECT 5; SELECT 1/(id - 3) FROM told.people; SELECT 6",
            "SELECT * FROM told.nothing",
        ):
            with pytest.raises(psycopg.Error):
                await connection.execute(wrong.encode())
        await connection.execute(b"BEGIN; INSERT INTO told.people (id) VALUES (1000); ROLLBACK")
        with pytest.raises(psycopg.Error):
            await connection.execute(b"BEGIN; INSERT INTO told.pets VALUES (1, 999); COMMIT")


async def _prepared(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        connection.prepare_threshold = 1
        for number in range(4):
            await connection.execute("SELECT email FROM told.people WHERE id = %s AND n > %s", (number, 0))
        with pytest.raises(psycopg.Error):
            await connection.execute("SELECT 1 / %s::int", (0,))
        await connection.execute("PREPARE one (int) AS SELECT email FROM told.people WHERE id = $1")
        await connection.execute("EXECUTE one (7)")
        await connection.execute("DEALLOCATE one")
        with pytest.raises(psycopg.Error):
            await connection.execute("EXECUTE one (7)")


async def _transactions(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        await connection.set_autocommit(False)
        await connection.execute("UPDATE told.people SET n = n + 1 WHERE id = %s", (1,))
        await connection.commit()
        async with connection.transaction():
            await connection.execute("SELECT count(*) FROM told.people")
            with pytest.raises(psycopg.Error):
                async with connection.transaction():
                    await connection.execute("SELECT 1/0")
        with pytest.raises(psycopg.Error):
            async with connection.transaction():
                await connection.execute("INSERT INTO told.pets VALUES (1, %s)", (999,))


async def _cursors(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        async with connection.transaction():
            async with connection.cursor("some") as cursor:
                await cursor.execute("SELECT id, email FROM told.people ORDER BY id")
                await cursor.fetchmany(10)
                await cursor.scroll(5)
                await cursor.fetchmany(10)
            await connection.execute("DECLARE c CURSOR WITH HOLD FOR SELECT email FROM told.people")
        await connection.execute("FETCH 3 FROM c")
        await connection.execute("CLOSE c")


async def _copies(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection, connection.cursor() as cursor:
        async with cursor.copy("COPY told.people (id, email) TO STDOUT") as rows:
            async for _ in rows:
                pass
        async with cursor.copy("COPY told.pets (id) FROM STDIN") as pets:
            await pets.write_row((7,))
        with pytest.raises(psycopg.Error):
            async with cursor.copy("COPY told.pets (id) FROM STDIN") as pets:
                await pets.write("x\n")
        async with cursor.copy("COPY (SELECT email FROM told.people WHERE id < 5) TO STDOUT") as rows:
            async for _ in rows:
                pass


async def _together(connection: psycopg.AsyncConnection[Any], statements: list[tuple[str, int]]) -> None:
    async with connection.pipeline():
        for sql, value in statements:
            await connection.execute(sql.encode(), (value,))


async def _pipelined(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        async with connection.pipeline():
            for number in range(20):
                await connection.execute("SELECT email FROM told.people WHERE id = %s", (number,))
        failing = [("SELECT id FROM told.people WHERE id = %s", 1), ("SELECT 1 / %s::int", 0), ("SELECT %s::int", 2)]
        with pytest.raises(psycopg.Error):
            await _together(connection, failing)


async def _refused(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        for forbidden in (
            "TRUNCATE told.people",
            "SELECT 1; TRUNCATE told.people",
            "SELEKT 1",
            "SELECT pg_read_file('x')",
        ):
            with pytest.raises(psycopg.Error):
                await connection.execute(forbidden.encode())
            with pytest.raises(psycopg.Error):
                await connection.execute(forbidden.encode(), prepare=True)
        await connection.execute("SELECT 1")


async def _definitions(gate: Running, name: str) -> None:
    async with await gate.psycopg(application_name=name) as connection:
        await connection.execute("CREATE TEMP TABLE mine (a int)")
        await connection.execute("INSERT INTO mine SELECT generate_series(1, 5)")
        await connection.execute("ALTER TABLE mine ADD COLUMN b int")
        await connection.execute("WITH gone AS (DELETE FROM mine RETURNING a) SELECT count(*) FROM gone")
        await connection.execute("EXPLAIN SELECT * FROM mine")
        await connection.execute("SET statement_timeout = '1min'")
        await connection.execute("SHOW statement_timeout")
        await connection.execute("DROP TABLE mine")
        await connection.execute(b"")
        await connection.execute(b" ; ")


async def _asyncpg(gate: Running, name: str) -> None:
    connection = await asyncpg.connect(
        gate.url.partition("?")[0], ssl=False, server_settings={"application_name": name}
    )
    try:
        await connection.fetch("SELECT email FROM told.people WHERE id = ANY($1::int[])", [1, 2, 3])
        async with connection.transaction():
            async for _ in connection.cursor("SELECT id FROM told.people ORDER BY id", prefetch=30):
                pass
        await connection.executemany("UPDATE told.people SET n = $2 WHERE id = $1", [(1, 5), (2, 6)])
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch("SELECT $1::int / 0", 1)
    finally:
        await connection.close()


async def _portions(gate: Running, name: str) -> None:
    """Messages that drivers seldom send: several statements and portals before one Sync, portions, no Sync at all."""
    pair = Pair(gate, gate)  # type: ignore[arg-type]  # the server itself is not asked
    raw = await pair.gated(application_name=name)
    await raw.talk([(run("SELECT id, email FROM told.people ORDER BY id", rows=3), b"Z")])
    several = parse("s", "SELECT email FROM told.people WHERE id = $1") + b"".join(
        bind(portal, "s", (value,)) + execute(portal, 0) for portal, value in (("a", b"1"), ("b", b"2"), ("c", None))
    )
    await raw.talk([(several + SYNC, b"Z")])
    await raw.talk([(query("BEGIN"), b"Z")])
    open_portal = parse("", "SELECT id FROM told.people ORDER BY id") + bind("p") + execute("p", 10)
    await raw.talk([(open_portal + execute("p", 10) + execute("p", 0) + SYNC, b"Z")])
    failing = parse("", "SELECT 1 / (id - 5) FROM told.people ORDER BY id") + bind("q") + execute("q", 4)
    await raw.talk([(failing + execute("q", 4) + run("SELECT 2"), b"Z"), (query("ROLLBACK"), b"Z")])
    pair.end()


async def _probed(gate: Running, name: str) -> None:
    """What drivers only prepare, of which some fails: at Parse, at Describe, alone or in a pipeline."""
    pair = Pair(gate, gate)  # type: ignore[arg-type]  # the server itself is not asked
    raw = await pair.gated(application_name=name)
    for wrong in ("SELECT nothing FROM told.people", "SELECT 'x' + 1 FROM told.people", "SELECT email::int4[] + 1"):
        await raw.talk([(parse("p", wrong) + describe_statement("p") + SYNC, b"Z"), (parse("", wrong) + SYNC, b"Z")])
        await raw.talk([(parse("", wrong) + bind() + execute("") + parse("", "SELECT 7") + SYNC, b"Z")])
        await raw.talk([(run("SELECT 1") + run(wrong), b"Z"), (b"", b"Z")])
    await raw.talk([(parse("s", "SELECT id FROM told.pets") + describe_statement("s") + SYNC, b"Z")])
    behind = parse("w", "SELECT nothing FROM told.pets") + bind("", "s") + execute("") + SYNC
    await raw.talk([(behind, b"Z"), (bind("", "s") + execute("") + SYNC, b"Z")])
    await raw.talk([(query("BEGIN"), b"Z"), (parse("w", "SELECT nothing FROM told.pets") + SYNC, b"Z")])
    await raw.talk([(parse("w", "SELECT id FROM told.pets") + SYNC, b"Z"), (query("ROLLBACK"), b"Z")])
    await raw.talk([(query("CREATE TEMP TABLE brief (a int)"), b"Z"), (parse("b", "SELECT a FROM brief") + SYNC, b"Z")])
    await raw.talk([(query("DROP TABLE brief"), b"Z"), (describe_statement("b") + SYNC, b"Z")])
    pair.end()


@pytest.mark.parametrize(
    "work",
    [
        _simple,
        _prepared,
        _transactions,
        _cursors,
        _copies,
        _pipelined,
        _refused,
        _definitions,
        _asyncpg,
        _portions,
        _probed,
    ],
    ids=lambda work: work.__name__.strip("_"),
)
async def test_what_drivers_send(gate: Running, server: EmbeddedPostgres, work: Callable[..., Awaitable[None]]) -> None:
    name = f"{work.__name__} {next(_numbers)}"
    await work(gate, name)
    await compared(gate, server, name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("each", [4, pytest.param(1, marks=pytest.mark.soak)])
async def test_what_twins_are_asked(start: Start, server: EmbeddedPostgres, each: int) -> None:
    """Statements of all kinds, in both protocols: many are refused, and many fail, some of them at Parse."""
    server.psql(EMPTY + world.SCHEMA + world.fill("left"), dbname="shop")
    for schema in ("public", "attic"):
        server.psql(f"GRANT ALL ON SCHEMA {schema} TO penstock", dbname="shop")
        server.psql(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO penstock", dbname="shop")
    gate = await start(server, governed=True, allow="select, insert, update, delete", more=TWINS_MASKS)
    texts = [text for asked in (corpus, corpus_stored) for text in (*asked.PASS.values(), *asked.DENY.values())]
    texts = texts[::each]
    names = []
    for protocol in (query, run):
        names.append(f"twins {each} {protocol.__name__}")
        pair = Pair(gate, server)
        raw = await pair.gated(application_name=names[-1])
        for text in texts:
            got = await raw.talk([(protocol(text), b"Z")])
            if states(got) != "I":
                await raw.ask("ROLLBACK")
        pair.end()
    assert await compared(gate, server, *names) > len(texts) // 2, "the others are refused"


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
async def test_a_load_of_many_sessions(gate: Running, server: EmbeddedPostgres, mode: str) -> None:
    pgbench = server.bin / "pgbench"
    await asyncio.to_thread(_pgbench, pgbench, server.url("shop"), "-i", "-q", "-I", "dtgp")
    server.psql("GRANT ALL ON ALL TABLES IN SCHEMA public TO penstock", dbname="shop")
    loads = [("-S", "-t", "150"), ("-t", "40"), ("-t", "40"), ("-S", "-t", "150")]
    names = [f"{mode} {number} {next(_numbers)}" for number in range(len(loads))]
    await asyncio.gather(*(
        asyncio.to_thread(_pgbench, pgbench, gate.url, "-n", "-M", mode, *load, name=name)
        for name, load in zip(names, loads, strict=True)
    ))  # fmt: skip
    assert await compared(gate, server, *names) > 2 * 150 + 2 * 40 * 7


def _pgbench(program: Path, url: str, *options: str, name: str = "filling") -> None:
    done = subprocess.run(
        [program, *options, url],
        env={"PGAPPNAME": name, "LD_LIBRARY_PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


ONE, OTHER = server_log.Ran(("SELECT $",), "SELECT"), server_log.Ran(("BEGIN", "DELETE FROM t"), "", "22012")
SAID = server_log.Told("SELECT $", ("select",), "ok", "")
BEGUN, FAILED = replace(SAID, text="BEGIN"), server_log.Told("DELETE FROM t", ("delete",), "error", "22012")


@pytest.mark.parametrize(
    "trail",
    [
        [], [SAID], [SAID, SAID], [SAID, BEGUN], [SAID, FAILED], [SAID, BEGUN, FAILED, SAID], [BEGUN, FAILED],
        [replace(SAID, text="SELECT a"), BEGUN, FAILED], [replace(SAID, verbs=("insert",)), BEGUN, FAILED],
        [replace(SAID, result=""), BEGUN, FAILED], [SAID, BEGUN, replace(FAILED, sqlstate="")],
        [SAID, BEGUN, replace(FAILED, result="ok", sqlstate="")], [BEGUN, FAILED, SAID],
    ],
)  # fmt: skip
def test_whatever_differs_is_noticed(trail: list[server_log.Told]) -> None:
    assert server_log.complaint([ONE, OTHER], [SAID, BEGUN, FAILED]) == ""
    assert server_log.complaint([ONE, OTHER], trail) != ""
