"""The proxy against everything that should not come to it, and what is left afterwards: nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs

from penstock_cli.demo.loopback import free_port
from penstock_sidecar.proxy import gateway
from penstock_sidecar.wire import messages

Start = Any


async def say(port: int, data: bytes, *, then_end: bool = False) -> bytes:
    """What the gate answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if then_end:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    return answer


async def test_http_is_told_that_this_is_no_http_port(start: Start, shop: Any, capsys: Any) -> None:
    gate = await start(shop)
    answer = await say(gate.proxy.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"PostgreSQL port" in answer
    logged = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert len(logged) == 1
    assert "HTTP request" in logged[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x00\xff\xff\x00\x03\x00\x00", b"its length is given as 65535 bytes"),
        (b"hello, is this a database?\n", b"not a PostgreSQL startup packet"),
        (messages.startup({"user": "app"}, 2 << 16), b"protocol 2.0 is not supported"),
        (messages.startup({"database": "shop"}), b"no user name"),
        (messages.ssl_request() * 3, b"unencrypted data"),
        (b"\x16\x03\x01\x02\x00\x01", b"\x15\x03"),
    ],
)
async def test_what_is_no_startup_gets_one_clear_answer(start: Start, shop: Any, data: bytes, words: bytes) -> None:
    gate = await start(shop)
    assert words in await say(gate.proxy.port, data)


async def test_a_truncated_startup_is_just_closed(start: Start, shop: Any) -> None:
    gate = await start(shop)
    whole = messages.startup({"user": "app", "database": "shop"})
    assert await say(gate.proxy.port, whole[:9], then_end=True) == b""


async def test_cancelling_nothing_is_answered_by_nothing(start: Start, shop: Any) -> None:
    gate = await start(shop)
    assert await say(gate.proxy.port, messages.cancel_request(12345, b"1234")) == b""


async def test_a_cancel_key_that_is_wrong_cancels_nothing(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(2)"))
        await runs(shop, client.info.backend_pid, "PgSleep")
        assert await say(gate.proxy.port, messages.cancel_request(client.info.backend_pid, b"none")) == b""
        await sleeping


async def test_protocol_versions_are_negotiated(start: Start, shop: Any) -> None:
    gate = await start(shop)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.proxy.port)
    writer.write(messages.startup({"user": "app", "database": "shop", "_pq_.later": "1"}, (3 << 16) | 9))
    head = messages.negotiate_protocol_version(messages.PROTOCOL_3_2, ["_pq_.later"])
    assert await reader.readexactly(len(head)) == head
    greeting = await reader.readuntil(b"Z\x00\x00\x00\x05I")
    key = greeting[greeting.index(b"K\x00\x00") :]
    assert int.from_bytes(key[1:5], "big") == 4 + 4 + 32
    writer.close()


async def test_a_wrong_password_upstream_names_penstocks_credentials_and_shows_none(
    start: Start, shop: Any, capsys: Any
) -> None:
    gate = await start(shop, password="a wrong secret")
    with pytest.raises(psycopg.OperationalError, match="the database refused Penstock's own credentials") as failed:
        await gate.psycopg()
    said = str(failed.value) + capsys.readouterr().out
    assert "a wrong secret" not in said
    assert "Traceback" not in said
    # Rotated credentials are read at the next connect.
    from tests.sidecar.proxy.conftest import PASSWORD

    (gate.directory / "credentials" / "password").write_text(PASSWORD)
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")


async def test_no_server_names_the_place(start: Start) -> None:
    port = free_port()
    gate = await start(port=port)
    with pytest.raises(psycopg.OperationalError, match=f"127.0.0.1:{port} can't be reached: connection refused"):
        await gate.psycopg()


async def test_a_server_that_wants_no_tls_is_named(start: Start, shop: Any) -> None:
    gate = await start(shop, tls="require")
    with pytest.raises(psycopg.OperationalError, match=r"does not speak TLS, and tls.mode is require"):
        await gate.psycopg()


@pytest.mark.behaviour(16)
async def test_a_client_that_does_not_read_does_not_grow_memory(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", gate.proxy.port))
        raw.sendall(messages.startup({"user": "app", "database": "shop"}))
        raw.sendall(messages.query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        await asyncio.sleep(1.0)
        (connection,) = [one for one in gate.proxy.gateway.connections if one.client_full]
        assert connection._transport.get_write_buffer_size() < 2_000_000
        # Others go on.
        assert (await (await client.execute("SELECT 1")).fetchone()) == (1,)
        raw.close()


@pytest.mark.behaviour(16)
async def test_a_server_that_does_not_read_holds_the_client_back(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("CREATE TABLE slow (a text); CREATE TABLE slow_lock ()")
        try:
            async with await gate.psycopg() as locker:
                await locker.execute("BEGIN; LOCK slow")
                copying = asyncio.create_task(fill(client))
                await asyncio.sleep(1.0)
                (connection,) = [one for one in gate.proxy.gateway.connections if one.server_full]
                assert connection._server._transport.get_write_buffer_size() < 2_000_000
                assert not copying.done()
                await locker.execute("ROLLBACK")
                assert await copying == 20_000_000
        finally:
            await client.execute("DROP TABLE slow, slow_lock")


async def fill(client: psycopg.AsyncConnection[Any]) -> int:
    # A large parameter: it is sent without waiting for the lock.
    cursor = await client.execute("INSERT INTO slow VALUES (%s) RETURNING length(a)", ("x" * 20_000_000,))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def test_a_server_killed_in_the_middle_of_a_result(start: Start, shop: Any) -> None:
    gate = await start(shop)
    client = await gate.psycopg()
    cursor = await client.execute("SELECT pg_backend_pid()")
    (pid,) = await cursor.fetchone()

    async def read() -> None:
        async with client.cursor().copy("COPY (SELECT generate_series(1, 100000000)) TO STDOUT") as copy:
            count = 0
            async for _ in copy:
                count += 1
                if count == 100:
                    shop.psql(f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(read(), 20)
    await client.close()
    async with await gate.psycopg() as again:
        await again.execute("SELECT 1")


async def test_who_only_connects_shuts_nobody_out(
    start: Start, shop: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "MOST_OPENING", 5)
    gate = await start(shop)
    # Those that have begun don't count.
    sessions = [await gate.psycopg() for _ in range(6)]
    silent = []
    for number in range(8):
        silent.append(await asyncio.open_connection("127.0.0.1", gate.proxy.port))
        silent[-1][1].write(messages.startup({"user": "app"})[:number])
        await asyncio.sleep(0.01)
    for reader, _ in silent[:3]:
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 15) == b""
    assert len(gate.proxy.gateway.connections) == 11
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
    for session in sessions:
        await session.execute("SELECT 1")
        await session.close()
    for _, writer in silent:
        writer.transport.abort()
    assert capsys.readouterr().out.count("too many connections wait to begin") == 4


async def bad_connection(port: int, number: int) -> None:
    startup = messages.startup({"user": "app", "database": "shop"})
    data = [
        b"GET / HTTP/1.0\r\n\r\n", startup[:10], b"\x00\x00\x00\x01", startup + b"?" * 50,
        startup + messages.query("SELECT 1"),
        startup + messages.message(b"Q", b"x"), startup + messages.parse("", "SELECT forbidden") + messages.SYNC,
        startup + messages.query("SELECT pg_sleep(10)"), startup + b"Q\xff\xff\xff\xff", b"",
    ][number % 10]  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(0.02 * (number % 3))
    writer.transport.abort()
    del reader


async def test_nothing_is_left_of_two_hundred_bad_connections(start: Start, shop: Any, capsys: Any) -> None:
    gate = await start(shop)
    async with await gate.psycopg() as client:
        await client.execute("SELECT 1")
        tasks = len(asyncio.all_tasks())
        for _ in range(10):
            await asyncio.gather(*(bad_connection(gate.proxy.port, number) for number in range(20)))
        for _ in range(600):
            if len(gate.proxy.gateway.connections) == 1 and len(asyncio.all_tasks()) <= tasks:
                break
            await asyncio.sleep(0.05)
        assert len(gate.proxy.gateway.connections) == 1
        assert len(asyncio.all_tasks()) <= tasks
        # The gate's own sessions at the server are gone too, once what they ran was noticed to have no reader.
        cursor = await client.execute("SELECT 2")
        assert await cursor.fetchone() == (2,)
    gc.collect()
    assert "Traceback" not in capsys.readouterr().out


async def test_a_connection_that_ended_is_gone_at_once(start: Start, shop: Any) -> None:
    gate = await start(shop)
    gc.disable()
    try:
        async with await gate.psycopg() as client:
            await client.execute("SELECT 1")
            (connection,) = gate.proxy.gateway.connections
            gone = weakref.ref(connection)
            del connection
        for _ in range(300):
            if gone() is None:
                break
            await asyncio.sleep(0.1)
        assert gone() is None
    finally:
        gc.enable()
