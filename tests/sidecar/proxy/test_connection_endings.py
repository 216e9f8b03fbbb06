"""Servers that die, clients that die, sessions that sleep. Numbers: docs/protocol.md."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.conftest import PASSWORD
from tests.sidecar.proxy.raw import Pair, Raw, errors, kinds, rows

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.proxy import connection
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import query

Start = Any


@pytest.mark.behaviour(14)
@pytest.mark.parametrize("state", ["idle", "in a statement", "in a transaction"])
async def test_a_session_that_the_server_ends_hears_why(pair: Pair, state: str) -> None:
    heard = []
    for raw in (await pair.gated(), await pair.direct()):
        if state == "in a transaction":
            await raw.ask("BEGIN")
        if state == "in a statement":
            raw.writer.write(query("SELECT pg_sleep(30)"))
            await runs(pair.server, raw.pid, "PgSleep")
        pair.server.psql(f"SELECT pg_terminate_backend({raw.pid})")
        heard.append(await asyncio.wait_for(raw.rest(), 30))
    assert heard[0] == heard[1]
    assert errors(heard[0]) == ["57P01"]


@pytest.mark.behaviour(14)
async def test_what_a_client_had_under_way_is_rolled_back_when_it_dies(pair: Pair) -> None:
    dying = await pair.gated()
    await dying.ask("BEGIN; INSERT INTO things VALUES (815, 'locked')")
    dying.writer.transport.abort()
    other = await pair.gated(lock_timeout="5s")
    assert errors(await other.ask("INSERT INTO things VALUES (815, 'mine')")) == []
    assert errors(await other.ask("DELETE FROM things WHERE id = 815")) == []


@pytest.mark.behaviour(14)
async def test_a_client_that_dies_during_a_statement_leaves_no_backend(pair: Pair) -> None:
    dying, other = await pair.gated(), await pair.direct()
    dying.writer.write(query("SELECT count(*) FROM generate_series(1, 1000000000)"))
    await runs(pair.server, dying.pid)
    dying.writer.transport.abort()
    for _ in range(3000):
        if not pair.gate.proxy.gateway.connections:
            break
        await asyncio.sleep(0.01)
    assert not pair.gate.proxy.gateway.connections
    # As with the server itself, the statement notices at its end; what it holds is not the gate's.
    await other.ask(f"SELECT pg_terminate_backend({dying.pid})")


@pytest.fixture
async def own_server(open_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that a test may stop, kill and start again."""
    directory = open_directory / "mortal"
    shutil.rmtree(directory, ignore_errors=True)
    server = EmbeddedPostgres.start(directory, version=18)
    server.psql(f"CREATE ROLE penstock LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE shop OWNER penstock;")
    yield server
    server.stop()


@pytest.mark.behaviour(14)
async def test_a_server_that_crashes_and_comes_back(start: Start, own_server: EmbeddedPostgres) -> None:
    pair = Pair(await start(own_server), own_server)
    try:
        for _ in range(5):
            through, itself = await crashed(pair)
            # The server only warns before it closes; the gate says besides that it was the database.
            assert messages.read_error(through[-1][1]).sqlstate == "08006"
            # A server that is too slow to warn a session kills it, so that it may have warned one of them alone.
            if through[:-1] and itself:
                break
        assert through[:-1] == itself
        assert [messages.read_error(body).sqlstate for _, body in itself] == ["57P02"]
        raw = await opened(pair, pair.gated)
        assert rows(await raw.ask("SELECT 1")) == [[b"1"]]
    finally:
        pair.end()


async def crashed(pair: Pair) -> list[list[tuple[bytes, bytes]]]:
    """What a session through the gate, and one without, hear as the server loses another one and starts anew."""
    sessions = [await opened(pair, pair.gated), await opened(pair, pair.direct)]
    victim = await pair.direct()
    os.kill(victim.pid, signal.SIGKILL)
    return [await asyncio.wait_for(raw.rest(), 20) for raw in sessions]


async def opened(pair: Pair, how: Callable[[], Awaitable[Raw]]) -> Raw:
    """A session, once the server is there again."""
    for _ in range(300):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, AssertionError):
            return await how()
        await asyncio.sleep(0.1)
    raise AssertionError("no session came about after the server was back")


@pytest.mark.behaviour(20)
async def test_idle_sessions_have_keepalives_and_no_timeout(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPENING_SECONDS", 0.3)
    raw = await pair.gated()
    (session,) = pair.gate.proxy.gateway.connections
    for transport in (session._transport, session._server._transport):
        ends = transport.get_extra_info("socket")
        assert ends.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert ends.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert ends.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    # Longer than it may take to open one.
    await asyncio.sleep(1.0)
    assert kinds(await raw.ask("SELECT 1")) == "TDCZ"
    # One that never opens is left, though.
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.gate.proxy.port)
    assert await asyncio.wait_for(reader.read(), 15) == b""
    writer.close()


@pytest.mark.behaviour(20)
async def test_the_servers_own_timeouts_are_heard(pair: Pair) -> None:
    heard = []
    for raw in (await pair.gated(idle_session_timeout="100"), await pair.direct(idle_session_timeout="100")):
        heard.append(await asyncio.wait_for(raw.rest(), 15))
    assert heard[0] == heard[1]
    assert errors(heard[0]) == ["57P05"]


class Fault(Exception):
    """Of the gate's own."""


@pytest.mark.parametrize("while_", ["a statement is decided", "one waits that was left for later"])
async def test_a_fault_of_the_gate_ends_one_session(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], while_: str
) -> None:
    raw, other = await pair.gated(), await pair.gated()

    def fails(*_: Any, **__: Any) -> Any:
        raise Fault

    def later(*_: Any, **__: Any) -> Decision:
        return Decision(Action.DENY, "", denial=Denial("it is long", "wait", deferred=True))

    decided = while_ == "a statement is decided"
    monkeypatch.setattr(pair.gate.script, "decide", fails if decided else later)
    monkeypatch.setattr(pair.gate.proxy.gateway.deliberation, "decide", fails)
    raw.writer.write(query("SELECT 1"))
    heard = await asyncio.wait_for(raw.rest(), 30)
    monkeypatch.undo()
    assert errors(heard) == ["XX000"]
    assert errors(await other.ask("SELECT 1")) == []
    written = capsys.readouterr()
    assert "a session ended by a fault" in written.out + written.err
    assert "Fault" in written.out + written.err
