"""Clients over TLS: libpq in each of its modes, cancelling, large values, tokens, and what is no TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import trustme
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_sidecar.wire import messages

Start = Any
SSL = messages.ssl_request()
STARTUP = messages.startup({"user": "app", "database": "shop"})


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """A certificate for localhost, its key, and who signed it."""
    made = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: tmp_path / f"{name}.pem" for name in ("certFile", "keyFile", "root")}
    made.cert_chain_pems[0].write_to_path(paths["certFile"])
    made.private_key_pem.write_to_path(paths["keyFile"])
    authority.cert_pem.write_to_path(paths["root"])
    return {name: str(path) for name, path in paths.items()}


def tls(files: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"certFile": files["certFile"], "keyFile": files["keyFile"], **more}


async def connect(gate: Any, **options: Any) -> psycopg.AsyncConnection[Any]:
    values = {"host": "127.0.0.1", "port": gate.proxy.port, "user": "app", "dbname": "shop"} | options
    return await psycopg.AsyncConnection.connect(autocommit=True, **values)


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
async def test_libpq_verifies_the_gate(start: Start, shop: Any, files: dict[str, str], negotiation: str) -> None:
    gate = await start(shop, client_tls=tls(files))
    options = {"sslmode": "verify-full", "sslrootcert": files["root"], "sslnegotiation": negotiation}
    async with await connect(gate, host="localhost", **options) as client:
        assert client.pgconn.ssl_in_use
        cursor = await client.execute("SELECT 1 + 1")
        assert await cursor.fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await client.execute("SELECT forbidden")
    # By a name that the certificate is not for.
    with pytest.raises(psycopg.OperationalError, match=r'does not match host name "elsewhere"'):
        await connect(gate, host="elsewhere", hostaddr="127.0.0.1", **options)


async def test_asyncpg_verifies_the_gate(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files))
    context = ssl.create_default_context(cafile=files["root"])
    context.set_alpn_protocols(["postgresql"])
    for direct in (False, True):
        client = await asyncpg.connect(
            host="localhost", port=gate.proxy.port, user="app", database="shop", ssl=context, direct_tls=direct
        )
        assert await client.fetchval("SELECT $1::int", 7) == 7
        await client.close()


async def test_plain_text_is_refused_where_tls_is_required(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files))
    with pytest.raises(psycopg.OperationalError, match="this gate requires an encrypted connection"):
        await connect(gate, sslmode="disable")
    # What libpq does by default is to encrypt where it is offered.
    async with await connect(gate) as client:
        assert client.pgconn.ssl_in_use


async def test_either_is_let_in_where_tls_is_optional(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files, required=False))
    for mode, encrypted in (("disable", False), ("require", True)):
        async with await connect(gate, sslmode=mode) as client:
            assert client.pgconn.ssl_in_use == encrypted
            await client.execute("SELECT 1")


async def test_gates_without_a_certificate_say_no(start: Start, shop: Any) -> None:
    gate = await start(shop)
    async with await connect(gate, sslmode="prefer") as client:
        assert not client.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        await connect(gate, sslmode="require")
    with pytest.raises(psycopg.OperationalError, match="handshake failure"):
        await connect(gate, sslmode="require", sslnegotiation="direct")


async def test_tokens_from_elsewhere_come_encrypted(
    start: Start, shop: Any, files: dict[str, str], tmp_path: Path
) -> None:
    identity = issuers(tmp_path)
    gate = await start(shop, client_tls=tls(files), identity=identity, name="gate", listen="0.0.0.0:0")
    for negotiation in ("postgres", "direct"):
        async with await connect(
            gate, host="localhost", sslmode="verify-full", sslrootcert=files["root"], sslnegotiation=negotiation,
            password=token(),
        ) as client:  # fmt: skip
            await client.execute("SELECT 1")
    assert {event["identity"]["name"] for event in await gate.settled(2, "intent")} == {"person:ada"}
    # Not even asked for in clear.
    with pytest.raises(psycopg.OperationalError, match="this gate requires an encrypted connection"):
        await connect(gate, sslmode="disable", password=token())


async def test_cancelling_over_tls(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files))
    async with await connect(gate, sslmode="require") as client:
        sleeping = asyncio.create_task(client.execute("SELECT pg_sleep(30)"))
        await runs(shop, client.info.backend_pid, "PgSleep")
        await client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping


async def test_large_values_stream_both_ways(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files))
    async with await connect(gate, sslmode="require") as client:
        value = "x" * 30_000_000
        cursor = await client.execute("SELECT length(%s::text), repeat('y', 20000000)", (value,))
        row = await cursor.fetchone()
        assert row is not None
        assert (row[0], len(row[1])) == (30_000_000, 20_000_000)


async def test_a_client_that_does_not_read_does_not_grow_memory(start: Start, shop: Any, files: dict[str, str]) -> None:
    gate = await start(shop, client_tls=tls(files))
    context = ssl.create_default_context(cafile=files["root"])
    context.set_alpn_protocols(["postgresql"])

    def begin() -> ssl.SSLSocket:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", gate.proxy.port))
        client = context.wrap_socket(raw, server_hostname="localhost")
        client.sendall(STARTUP + messages.query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        return client

    client = await asyncio.to_thread(begin)
    for _ in range(1000):
        if full := [one for one in gate.proxy.gateway.connections if one.client_full]:
            break
        await asyncio.sleep(0.02)
    (connection,) = full
    assert connection._transport.get_write_buffer_size() < 2_000_000
    client.close()


async def talk(port: int, *parts: bytes) -> bytes:
    """What is answered to parts that are sent one after the other's answer, until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    for part in parts:
        writer.write(part)
        answer += await asyncio.wait_for(reader.read(1000), 15)
    answer += await asyncio.wait_for(reader.read(), 15)
    writer.close()
    return answer


async def test_what_is_no_handshake_ends_in_one_line(
    start: Start, shop: Any, files: dict[str, str], capsys: Any
) -> None:
    gate = await start(shop, client_tls=tls(files))
    port = gate.proxy.port
    # Sent with the request: whoever was in between would have it read as the client's.
    assert b"unencrypted data followed" in await talk(port, SSL + STARTUP)
    # Plain text where the handshake is due: no session comes of it.
    answer = await talk(port, SSL, STARTUP + messages.query("SELECT 1"))
    assert answer[:1] == b"S"
    assert b"R\x00\x00\x00\x08" not in answer
    # A record of TLS with nonsense in it.
    assert (await talk(port, b"\x16\x03\x01\x00\x05nonsense"))[:2] == b"\x15\x03"
    logged = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert len(logged) == 3
    assert "Traceback" not in "".join(logged)
    assert sum("TLS handshake failed" in line for line in logged) == 2
    async with await connect(gate) as client:
        await client.execute("SELECT 1")
    assert not gate.script.asked[1:]


async def test_a_client_that_does_not_trust_the_gate_is_told_of(
    start: Start, shop: Any, files: dict[str, str], tmp_path: Path, capsys: Any
) -> None:
    gate = await start(shop, client_tls=tls(files))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        await connect(gate, host="localhost", sslmode="verify-full", sslrootcert=str(other))
    await asyncio.sleep(0.05)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert "the client ended it: unknown ca" in line


async def test_old_versions_and_other_protocols_are_refused(
    start: Start, shop: Any, files: dict[str, str], capsys: Any
) -> None:
    gate = await start(shop, client_tls=tls(files))

    async def handshake(context: ssl.SSLContext) -> bytes:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.proxy.port, ssl=context)
        writer.write(STARTUP)
        answer = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        return answer

    http = ssl.create_default_context()
    http.set_alpn_protocols(["http/1.1"])
    for context in (http, ssl.create_default_context()):
        assert await handshake(context) == b""
    said = capsys.readouterr().out
    assert said.count("does not ask for the protocol postgresql by ALPN") == 2
    old = ssl.create_default_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_who_resumes_a_session_of_tls_proves_who_they_are_all_the_same(
    start: Start, shop: Any, files: dict[str, str], tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """OpenSSL lets clients of TLS 1.2 resume one: another person's token, or none, is what counts."""
    gate = await start(shop, client_tls=tls(files), identity=issuers(tmp_path), name="gate", listen="0.0.0.0:0")
    context = ssl.create_default_context(cafile=files["root"])
    context.set_alpn_protocols(["postgresql"])
    context.maximum_version = version

    def log_in(session: ssl.SSLSession | None, password: str) -> tuple[bytes, ssl.SSLSocket]:
        raw = socket.create_connection(("127.0.0.1", gate.proxy.port), timeout=10)
        client = context.wrap_socket(raw, server_hostname="localhost", session=session)
        client.sendall(STARTUP)
        # What it asks first is for the password.
        assert client.recv(9) == b"R\0\0\0\x08\0\0\0\x03"
        client.sendall(messages.password(password.encode()))
        return client.recv(9), client

    answer, first = await asyncio.to_thread(log_in, None, token())
    assert answer[:1] == b"R"
    for password, words in (("", b"E"), ("no token", b"E"), (token(sub="grace"), b"R")):
        answer, client = await asyncio.to_thread(log_in, first.session, password)
        assert client.session_reused is (version is ssl.TLSVersion.TLSv1_2)
        assert answer[:1] == words
        if words == b"R":
            await asyncio.to_thread(client.sendall, messages.query("SELECT 1"))
            (intent,) = await gate.settled(1, "intent")
            assert intent["identity"]["name"] == "person:grace"
        client.close()
    # With another certificate nobody resumes what began with the one before.
    other = trustme.CA().issue_cert("localhost")
    other.cert_chain_pems[0].write_to_path(files["certFile"])
    other.private_key_pem.write_to_path(files["keyFile"])
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(log_in, first.session, token())
    first.close()
