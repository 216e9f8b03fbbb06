"""A gate whose server speaks TLS: whatever goes through, in whatever pieces, and handshakes that come to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
import uvloop
from tests.sidecar.proxy.activity import runs

from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.login import Credentials

Start = Any
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def test_large_values_go_both_ways(start: Start, shop15: Any) -> None:
    gate = await start(shop15, tls="require")
    async with await gate.psycopg() as client:
        value = "x" * 20_000_000
        cursor = await client.execute("SELECT length(%s::text), repeat('y', 20000000)", (value,))
        assert await cursor.fetchone() == (20_000_000, "y" * 20_000_000)
        await client.execute("CREATE TEMP TABLE many (n int)")
        async with client.cursor().copy("COPY many FROM STDIN") as copy:
            for number in range(100_000):
                await copy.write_row((number,))
        assert await (await client.execute("SELECT sum(n) FROM many")).fetchone() == (4_999_950_000,)


async def test_a_client_that_does_not_read_is_waited_for(start: Start, shop15: Any) -> None:
    gate = await start(shop15, tls="require")

    def begin() -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", gate.proxy.port))
        client.sendall(messages.startup({"user": "app", "database": "shop"}))
        client.sendall(messages.query("SELECT repeat('x', 1000) FROM generate_series(1, 50000)"))
        return client

    client = await asyncio.to_thread(begin)
    for _ in range(1500):
        if full := [one for one in gate.proxy.gateway.connections if one.client_full]:
            break
        await asyncio.sleep(0.02)
    (connection,) = full
    await runs(shop15, connection.upstream.greeting.pid, "ClientWrite")
    assert connection._transport.get_write_buffer_size() < 2_000_000

    def read_all() -> int:
        count, tail = 0, b""
        while not tail.endswith(b"SELECT 50000\0Z\0\0\0\x05I"):
            data = client.recv(1 << 20)
            assert data
            count, tail = count + len(data), (tail + data)[-30:]
        return count

    # The rest comes when it is asked for.
    assert await asyncio.to_thread(read_all) > 50_000_000
    client.close()


async def test_what_runs_is_cancelled_and_ended(start: Start, shop15: Any) -> None:
    gate = await start(shop15, tls="require")
    async with await gate.psycopg() as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(30)"))
        await runs(shop15, client.info.backend_pid, "PgSleep")
        await client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
        shop15.psql(f"SELECT pg_terminate_backend({client.info.backend_pid}, 5000)")
        # Its last word comes through.
        with pytest.raises(psycopg.errors.AdminShutdown):
            await client.execute("SELECT 1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_may_all_come_byte_by_byte(
    start: Start, shop15: Any, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode, made.maximum_version = False, ssl.CERT_NONE, version
    monkeypatch.setattr(upstream.tls, "_new", lambda mode, ca_file: made)
    monkeypatch.setattr(upstream.tls, "_made", {})

    relaying: set[asyncio.Task[None] | None] = set()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            for place in range(len(data)):
                target.write(data[place : place + 1])
                await asyncio.sleep(0)
        target.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relaying.add(asyncio.current_task())
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", shop15.port)
        try:
            await asyncio.gather(carry(reader, other_writer), carry(other_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, other_writer):
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as listening:
        gate = await start(shop15, tls="require", port=listening.sockets[0].getsockname()[1])
        async with await gate.psycopg() as client:
            assert await (await client.execute("SELECT repeat('z', 5000)")).fetchone() == ("z" * 5000,)
        tasks = [one for one in relaying if one is not None]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def refused(serve: Serve) -> str:
    """What is said of a server that answers the request for TLS so."""

    served = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        served.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as serving:
        port = serving.sockets[0].getsockname()[1]
        server = Server("127.0.0.1", port, "require", Credentials("somebody", "made-up"))
        with pytest.raises(UpstreamError) as failed:
            await asyncio.wait_for(upstream.connect(server, {"database": "shop"}), 30)
        await asyncio.wait_for(served.wait(), 30)
    assert failed.value.fields.sqlstate == "08001"
    return failed.value.fields.message


async def test_handshakes_that_come_to_nothing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"E\0\0\0\x08what?")

    async def ends_behind_it(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(context)

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert "it closed the connection" in await refused(ends)
    assert "failed: wrong version number" in await refused(talks_nonsense)
    assert "it closed the connection" in await refused(ends_behind_it)
    monkeypatch.setattr(upstream, "CONNECT_SECONDS", 0.5)
    assert "no answer within" in await refused(says_nothing)


def test_a_server_that_is_not_trusted_is_told_why(tmp_path: Path) -> None:
    """On the program's own event loop: what is written last goes out before the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.crt"
    trustme.CA().cert_pem.write_to_path(ca_file)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)

    def serve() -> str:
        raw, _ = listening.accept()
        with raw:
            raw.settimeout(10)
            raw.recv(8)
            raw.sendall(b"S")
            try:
                # The handshake is over for a server of TLS 1.3 before it reads what the client thinks of it.
                context.wrap_socket(raw, server_side=True).recv(1)
            except ssl.SSLError as error:
                return error.reason or ""
        return ""

    async def log_in() -> str:
        server = Server(
            "127.0.0.1", listening.getsockname()[1], "verify-full", Credentials("somebody", "made-up"), ca_file
        )
        serving = asyncio.create_task(asyncio.to_thread(serve))
        with pytest.raises(UpstreamError, match="is not accepted: "):
            await upstream.connect(server, {"database": "shop"})
        return await serving

    with listening:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.maximum_version = version
            assert uvloop.run(log_in()).endswith("ALERT_UNKNOWN_CA")
