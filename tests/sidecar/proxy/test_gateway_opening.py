"""How sessions open and are cancelled, at the server itself and through the gate. Numbers: docs/protocol.md."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.raw import Pair, errors

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists import settings
from penstock_core.sql.allowlists.words import words
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import query

Start = Any
SSL = messages.ssl_request()
GSSENC = struct.pack(">II", 8, messages.GSSENC_REQUEST)
STARTUP = messages.startup({"user": "penstock", "database": "shop"})


async def answers(port: int, *parts: bytes) -> list[bytes]:
    """The first bytes that come back for each part, sent one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = []
    for part in parts:
        writer.write(part)
        try:
            got.append(await asyncio.wait_for(reader.read(10_000), 30))
        except ConnectionResetError:
            got.append(b"")
    writer.transport.abort()
    return got


@pytest.mark.behaviour(1)
@pytest.mark.parametrize("requests", [(SSL,), (GSSENC,), (GSSENC, SSL), (SSL, GSSENC)])
async def test_requests_for_encryption_are_declined_and_the_session_opens(
    pair: Pair, requests: tuple[bytes, ...]
) -> None:
    # The server in the wheel speaks no TLS either.
    for port in (pair.gate.proxy.port, pair.server.port):
        *declined, opened = await answers(port, *requests, STARTUP)
        assert declined == [b"N"] * len(requests)
        assert opened[:1] == b"R"


@pytest.mark.behaviour(1)
async def test_tls_is_accepted_as_by_a_server_that_speaks_it(
    start: Start, shop: EmbeddedPostgres, postgres15: EmbeddedPostgres
) -> None:
    gate = await start(shop, client_tls={"selfSigned": True})
    for port in (gate.proxy.port, postgres15.port):
        assert await answers(port, SSL) == [b"S"]
        # Plain text where the handshake is due is no session's.
        assert (await answers(port, SSL, STARTUP))[1][:1] in (b"", b"\x15")
    # What comes along with the request was not encrypted: it is refused, never read.
    (refused,) = await answers(gate.proxy.port, SSL + STARTUP)
    assert refused[:1] == b"E"
    assert messages.read_error(refused[5:]).sqlstate == "08P01"
    # TLS at once, without the protocol's name.
    assert await answers(gate.proxy.port, b"\x16\x03\x01\x00\x05nonsense") != [b""]
    # Whatever else a client may ask for first.
    assert await answers(gate.proxy.port, GSSENC, SSL) == [b"N", b"S"]
    # (libpq's direct TLS and the modes that verify: test_connection_encrypted.py.)


@pytest.mark.behaviour(2)
@pytest.mark.parametrize("version", [(3, 0), (3, 1), (3, 2), (3, 3), (3, 9999)])
@pytest.mark.parametrize("options", [[], ["_pq_.later"], ["_pq_.later", "_pq_.still_later"]])
async def test_the_version_is_negotiated_as_by_the_server(
    pair: Pair, version: tuple[int, int], options: list[str]
) -> None:
    startup = messages.startup(
        {"user": "penstock", "database": "shop", **dict.fromkeys(options, "1")}, version[0] << 16 | version[1]
    )
    (through,), (itself,) = [await answers(port, startup) for port in (pair.gate.proxy.port, pair.server.port)]
    assert negotiation(through) == negotiation(itself)
    assert bool(negotiation(itself)) == (bool(options) or version[1] > 2)


def negotiation(answer: bytes) -> bytes:
    """The NegotiateProtocolVersion at its beginning, if there is one."""
    return answer[: 1 + int.from_bytes(answer[1:5], "big")] if answer[:1] == b"v" else b""


@pytest.mark.behaviour(2)
@pytest.mark.parametrize("version", [2 << 16, 4 << 16, (1234 << 16) | 5600])
async def test_other_versions_are_refused_as_by_the_server(pair: Pair, version: int) -> None:
    startup = struct.pack(">II", 9, version) + b"\x00"
    for port in (pair.gate.proxy.port, pair.server.port):
        (refused,) = await answers(port, startup)
        # To clients of protocol 2 the server speaks protocol 2; the gate says the same to all.
        assert refused[:1] == b"E"
        assert b"protocol" in refused


@pytest.mark.behaviour(2)
@pytest.mark.parametrize("version", ["3.0", "3.2"])
async def test_libpq_speaks_either_version(pair: Pair, version: str) -> None:
    url = f"{pair.gate.url}&min_protocol_version={version}&max_protocol_version={version}"
    async with await psycopg.AsyncConnection.connect(url) as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(30)"))
        await runs(pair.server, client.info.backend_pid, "PgSleep")
        # The keys of 3.2 are longer.
        await client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping


# What anybody may set besides: lc_messages is the superuser's alone to choose, here as there; the search_path is told
# by test_connection_opening.py; some hold within a transaction, and some are not there on every platform.
ELSEWHERE = words("""
    lc_messages search_path transaction_deferrable transaction_isolation transaction_read_only tcp_user_timeout
    client_connection_check_interval lc_monetary lc_numeric lc_time xmlbinary xmloption
""")
VALUES = {
    "application_name": "till", "DateStyle": "German, DMY", "TimeZone": "Asia/Tokyo", "IntervalStyle": "iso_8601",
    "extra_float_digits": "-3", "bytea_output": "escape", "client_min_messages": "error",
    "statement_timeout": "42s", "lock_timeout": "43s", "transaction_timeout": "44s",
    "idle_in_transaction_session_timeout": "45s", "idle_session_timeout": "46s", "jit": "off",
    "default_transaction_read_only": "on", "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on", "tcp_keepalives_idle": "61", "tcp_keepalives_interval": "11",
    "tcp_keepalives_count": "7", "work_mem": "8MB", "maintenance_work_mem": "32MB", "temp_buffers": "16MB",
    "hash_mem_multiplier": "3", "restrict_nonsystem_relation_kind": "view", "quote_all_identifiers": "on",
}  # fmt: skip


@pytest.mark.behaviour(3)
@pytest.mark.parametrize("as_options", [False, True])
async def test_settings_of_the_startup_packet_reach_the_server(pair: Pair, as_options: bool) -> None:
    assert {name.lower() for name in VALUES} == settings.ANY - ELSEWHERE | {"client_min_messages"}
    asked = values = VALUES
    if as_options:
        escaped = {name: value.replace(" ", "\\ ") for name, value in values.items()}
        asked = {"options": " ".join(f"-c {name}={value}" for name, value in escaped.items())}
    through, itself = await pair.gated(**asked), await pair.direct(**values)
    for name in values:
        show = f"SELECT pg_catalog.current_setting('{name}')"
        assert await through.ask(show) == await itself.ask(show)


@pytest.mark.behaviour(4)
@pytest.mark.parametrize("iterations", [1, 4096, 100_000])
async def test_scram_takes_the_servers_count_of_iterations(pair: Pair, iterations: int) -> None:
    role = f"counts_{iterations}"
    pair.server.psql(f"SET scram_iterations = {iterations}; CREATE ROLE {role} LOGIN PASSWORD 'of the counting';")
    (pair.credentials / "username").write_text(role)
    (pair.credentials / "password").write_text("of the counting")
    raw = await pair.gated()
    assert (b"D", b"\x00\x01" + struct.pack(">I", len(role)) + role.encode()) in await raw.ask("SELECT session_user")
    # (Channel binding, md5 and wrong passwords: test_upstream.py.)
    pair.end()
    pair.server.psql(f"DROP ROLE {role}")


@pytest.mark.behaviour(5)
async def test_the_key_to_cancel_is_the_gates_own(pair: Pair) -> None:
    raw = await pair.gated()
    (connection,) = pair.gate.proxy.gateway.connections
    server = connection.upstream.greeting
    # The process number is the server's, so that notifications can be told from each other.
    assert raw.pid == server.pid
    assert raw.key != server.key
    assert len(raw.key) == 4
    assert len((await pair.gated(messages.PROTOCOL_3_2)).key) == 32
    # The gate's key means nothing to the server, the server's nothing to the gate.
    raw.writer.write(query("SELECT pg_sleep(2)"))
    await runs(pair.server, raw.pid, "PgSleep")
    for port, key in ((pair.server.port, raw.key), (pair.gate.proxy.port, server.key)):
        await cancel(port, raw.pid, key)
    assert errors(await raw.until(b"Z")) == []


async def cancel(port: int, pid: int, key: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(messages.cancel_request(pid, key))
    assert await asyncio.wait_for(reader.read(), 15) == b""
    writer.close()


@pytest.mark.behaviour(5)
async def test_cancelling_ends_the_statement_and_nothing_else(pair: Pair) -> None:
    for raw, port in ((await pair.gated(), pair.gate.proxy.port), (await pair.direct(), pair.server.port)):
        await raw.ask("BEGIN")
        raw.writer.write(query("SELECT pg_sleep(30)"))
        await runs(pair.server, raw.pid, "PgSleep")
        await cancel(port, raw.pid, raw.key)
        assert errors(await raw.until(b"Z")) == ["57014"]
        await raw.ask("ROLLBACK")
        # Where nothing runs, and where nobody is any more, it does nothing: once the connection for it has ended, it
        # can't reach a later statement.
        for _ in range(20):
            await cancel(port, raw.pid, raw.key)
            assert errors(await raw.ask("SELECT 1")) == []
        raw.writer.write(messages.TERMINATE)
        assert await raw.rest() == []
        await cancel(port, raw.pid, raw.key)


@pytest.mark.behaviour(18)
@pytest.mark.parametrize("value", ["true", "on", "yes", "1", "database", "TRUE"])
async def test_replication_is_refused(pair: Pair, value: str) -> None:
    startup = messages.startup({"user": "app", "database": "shop", "replication": value})
    (refused,) = await answers(pair.gate.proxy.port, startup)
    assert messages.read_error(refused[5:]).sqlstate == "0A000"


@pytest.mark.behaviour(18)
@pytest.mark.parametrize("value", ["false", "off", "no", "0"])
async def test_no_replication_is_an_ordinary_session(pair: Pair, value: str) -> None:
    raw = await pair.gated(replication=value)
    assert errors(await raw.ask("SELECT 1")) == []
    # The replication protocol's own statements are none of SQL's.
    assert errors(await raw.ask("IDENTIFY_SYSTEM")) == ["42601"]


async def test_the_credentials_of_the_pair_are_the_gates(pair: Pair) -> None:
    """What the comparison rests on: both log in as the same role."""
    server = Server("127.0.0.1", pair.server.port, "disable", pair.credentials)
    session = await upstream.connect(server, {"database": "shop"})
    session.transport.abort()
    who = "SELECT session_user, current_database()"
    assert await (await pair.gated()).ask(who) == await (await pair.direct()).ask(who)
