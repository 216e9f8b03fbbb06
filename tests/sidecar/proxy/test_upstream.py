"""Logging in to real servers: TLS by mode, SCRAM with and without channel binding, md5, a password in clear."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources.database import TlsMode
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.wire import login, messages
from penstock_sidecar.wire.scram import ScramClient

HBA = """
local   all all     trust
host    all by_md5   127.0.0.1/32 md5
host    all by_clear 127.0.0.1/32 password
host    all nobody_  127.0.0.1/32 reject
hostnossl all by_tls 127.0.0.1/32 reject
host    all all      127.0.0.1/32 scram-sha-256
"""
PASSWORD = "päss wörd"


@pytest.fixture(scope="module")
def secure(open_directory: Path, debian_binaries: Path, authority: trustme.CA) -> Iterator[EmbeddedPostgres]:
    """A server with TLS and a role for each way to log in."""
    directory = open_directory / "secure"
    directory.mkdir()
    certificate = authority.issue_cert("localhost")
    files = {
        "server.crt": certificate.cert_chain_pems[0].bytes(),
        "server.key": certificate.private_key_pem.bytes(),
        "hba.conf": HBA.encode(),
    }
    for name, content in files.items():
        path = directory / name
        path.write_bytes(content)
        # The server gives up root; a key that root owns may be readable by its group.
        path.chmod(0o640 if os.geteuid() == 0 else 0o600)
        if os.geteuid() == 0:
            import pwd

            os.chown(path, 0, pwd.getpwnam("nobody").pw_gid)
    settings = {
        "ssl": "on", "ssl_cert_file": str(directory / "server.crt"), "ssl_key_file": str(directory / "server.key"),
        "hba_file": str(directory / "hba.conf"), "listen_addresses": "localhost",
    }  # fmt: skip
    server = EmbeddedPostgres.start(directory, version=15, binaries=debian_binaries, settings=settings)
    server.psql(
        f"""SET client_min_messages = error;
        CREATE ROLE by_scram LOGIN PASSWORD '{PASSWORD}';
        CREATE ROLE by_clear LOGIN PASSWORD '{PASSWORD}';
        SET password_encryption = 'md5'; CREATE ROLE by_md5 LOGIN PASSWORD '{PASSWORD}';
        CREATE ROLE nobody_ LOGIN PASSWORD '{PASSWORD}';"""
    )
    yield server
    server.stop()


@pytest.fixture
def ca_file(tmp_path: Path, authority: trustme.CA) -> Path:
    path = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    (tmp_path / "username").write_text("by_scram\n")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return tmp_path


async def log_in(server: Server) -> dict[str, str]:
    connected = await upstream.connect(server, {"database": "postgres"})
    connected.transport.abort()
    return connected.greeting.parameters


@pytest.mark.parametrize(
    ("mode", "host", "with_ca"),
    [("disable", "127.0.0.1", False), ("require", "127.0.0.1", False), ("verify-ca", "127.0.0.1", True),
     ("verify-full", "localhost", True)],
)  # fmt: skip
async def test_each_mode_gets_in(
    secure: EmbeddedPostgres, credentials: Path, ca_file: Path, mode: Any, host: str, with_ca: bool
) -> None:
    server = Server(host, secure.port, mode, credentials, ca_file if with_ca else None)
    assert "server_version" in await log_in(server)


@pytest.mark.parametrize(
    ("mode", "host", "own_ca", "words"),
    [
        ("verify-full", "127.0.0.1", True, "is not accepted: .*127.0.0.1"),
        ("verify-full", "localhost", False, "is not accepted: .*(self-signed|unable to get)"),
        ("verify-ca", "127.0.0.1", False, "is not accepted"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_named(
    secure: EmbeddedPostgres, credentials: Path, ca_file: Path, mode: Any, host: str, own_ca: bool, words: str
) -> None:
    if not own_ca:
        trustme.CA().cert_pem.write_to_path(str(ca_file))
    with pytest.raises(UpstreamError, match=words) as failed:
        await log_in(Server(host, secure.port, mode, credentials, ca_file))
    assert failed.value.fields.sqlstate == "08001"


async def test_over_tls_scram_is_bound_to_the_certificate(
    secure: EmbeddedPostgres, credentials: Path, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []

    class Watched(ScramClient):
        def first(self) -> bytes:
            begun.append(super().first())
            return begun[-1]

    monkeypatch.setattr(login, "ScramClient", Watched)
    await log_in(Server("localhost", secure.port, "verify-full", credentials, ca_file))
    await log_in(Server("localhost", secure.port, "disable", credentials))
    assert [first.split(b",")[0] for first in begun] == [b"p=tls-server-end-point", b"n"]


@pytest.mark.parametrize("user", ["by_md5", "by_clear"])
async def test_older_methods(secure: EmbeddedPostgres, credentials: Path, ca_file: Path, user: str) -> None:
    (credentials / "username").write_text(user)
    await log_in(Server("localhost", secure.port, "verify-full", credentials, ca_file))


@pytest.mark.parametrize("mode", ["disable", "require"])
async def test_no_password_in_clear_to_nobody_knows_whom(
    secure: EmbeddedPostgres, credentials: Path, mode: TlsMode
) -> None:
    (credentials / "username").write_text("by_clear")
    with pytest.raises(UpstreamError, match="asks for the password in clear, and no certificate proves"):
        await log_in(Server("localhost", secure.port, mode, credentials))


@pytest.mark.parametrize(
    ("user", "password", "database", "words"),
    [
        ("by_scram", "wrong", "postgres", r"refused Penstock's own credentials \(28P01\)"),
        ("by_md5", "wrong", "postgres", r"refused Penstock's own credentials \(28P01\)"),
        ("nobody_", PASSWORD, "postgres", r"pg_hba.conf does not let Penstock's login in from here \(28000\)$"),
        ("by_scram", PASSWORD, "nowhere", 'refused the connection: database "nowhere" does not exist'),
    ],
)
async def test_refusals_show_no_credential(
    secure: EmbeddedPostgres, credentials: Path, ca_file: Path, user: str, password: str, database: str, words: str
) -> None:
    (credentials / "username").write_text(user)
    (credentials / "password").write_text(password)
    server = Server("localhost", secure.port, "verify-full", credentials, ca_file)
    with pytest.raises(UpstreamError, match=words) as failed:
        await upstream.connect(server, {"database": database})
    said = "".join(failed.value.fields)
    assert user not in said
    assert password not in said


async def test_a_server_that_wants_tls_is_not_one_that_wants_another_password(
    secure: EmbeddedPostgres, credentials: Path
) -> None:
    (credentials / "username").write_text("by_tls")
    with pytest.raises(UpstreamError) as failed:
        await log_in(Server("localhost", secure.port, "disable", credentials))
    fields = failed.value.fields
    words = "pg_hba.conf does not let Penstock's login in from here without TLS (28000)"
    assert fields.message == f"penstock: the database's {words}"
    assert fields.hint.startswith("set tls.mode of the Database (verify-full), or add a line for it there;")


async def test_credentials_and_authority_that_are_not_there(secure: EmbeddedPostgres, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="own credentials for the database can't be read"):
        await log_in(Server("localhost", secure.port, "disable", tmp_path / "nowhere"))
    (tmp_path / "username").write_text("u")
    (tmp_path / "password").write_text("p")
    ca_file = tmp_path / "ca.crt"
    with pytest.raises(UpstreamError, match="CA file for the database can't be used: No such file"):
        await log_in(Server("localhost", secure.port, "verify-full", tmp_path, ca_file))
    ca_file.write_text("no certificate")
    with pytest.raises(UpstreamError, match="CA file for the database can't be used: no certificate") as failed:
        await log_in(Server("localhost", secure.port, "verify-full", tmp_path, ca_file))
    assert "tls.caSecretRef" in failed.value.fields.hint
    assert str(tmp_path) not in "".join(failed.value.fields)


async def test_a_name_that_does_not_resolve(credentials: Path) -> None:
    with pytest.raises(UpstreamError, match=r"database.invalid:5432 can't be reached: its name does not resolve"):
        await log_in(Server("database.invalid", 5432, "disable", credentials))


def test_the_programs_own_event_loop_binds_too(
    secure: EmbeddedPostgres, credentials: Path, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bindings: list[bytes | None] = []

    def watched(password: str, nonce: str, binding: bytes | None = None, *, could_bind: bool = False) -> ScramClient:
        bindings.append(binding)
        return ScramClient(password, nonce, binding, could_bind=could_bind)

    monkeypatch.setattr(login, "ScramClient", watched)
    uvloop.run(log_in(Server("localhost", secure.port, "verify-full", credentials, ca_file)))
    assert [binding is not None and len(binding) for binding in bindings] == [32]


class Resumable:
    """Takes connections as a server with TLS does, offers to resume each, and ends it after the handshake."""

    def __init__(self, authority: trustme.CA, version: ssl.TLSVersion) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = self.context.maximum_version = version
        authority.issue_cert("localhost").configure_cert(self.context)
        self.resumed: list[bool] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(self.context)
        # The startup packet: by then the client may keep what it was offered.
        await reader.read(1)
        self.resumed.append(writer.get_extra_info("ssl_object").session_reused)
        writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_each_login_shakes_hands_anew(
    authority: trustme.CA, credentials: Path, ca_file: Path, version: ssl.TLSVersion
) -> None:
    """So that each time the certificate is shown, and checked for the name and by the authorities of now."""
    resumable = Resumable(authority, version)
    listening = await asyncio.start_server(resumable.take, "localhost", 0)
    server = Server("localhost", listening.sockets[0].getsockname()[1], "verify-full", credentials, ca_file)
    for _ in range(3):
        with pytest.raises(UpstreamError, match="can't be reached"):
            await log_in(server)
    assert resumable.resumed == [False, False, False]
    # Not because it was not offered.
    client = ssl.create_default_context(cafile=ca_file)
    client.maximum_version = version
    session = None
    for _ in range(2):
        session = await asyncio.to_thread(shake_hands, client, server.port, session)
    assert resumable.resumed[3:] == [False, True]
    listening.close()


def shake_hands(client: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    raw = socket.create_connection(("localhost", port))
    raw.sendall(messages.ssl_request())
    assert raw.recv(1) == b"S"
    with client.wrap_socket(raw, server_hostname="localhost", session=session) as encrypted:
        encrypted.sendall(b"\0")
        encrypted.recv(1)
        return encrypted.session


async def test_a_login_that_takes_long_keeps_nobody_waiting(shop: EmbeddedPostgres) -> None:
    shop.psql("SET scram_iterations = 990000; CREATE ROLE slow LOGIN PASSWORD 'made-up'")
    slow = Server("127.0.0.1", shop.port, "disable", login.Credentials("slow", "made-up"))
    longest, running = 0.0, True

    async def ticks() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while running:
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)

    ticking = asyncio.create_task(ticks())
    began = asyncio.get_running_loop().time()
    connected = await upstream.connect(slow, {"database": "shop"})
    took = asyncio.get_running_loop().time() - began
    running = False
    await ticking
    connected.transport.abort()
    shop.psql("DROP ROLE slow")
    assert took > 0.05, "it has to take long, or nothing is shown"
    assert longest < took / 2


async def test_a_server_that_asks_for_too_much_work_is_not_logged_in_to(shop: EmbeddedPostgres) -> None:
    shop.psql("SET scram_iterations = 1000001; CREATE ROLE slower LOGIN PASSWORD 'made-up'")
    slower = Server("127.0.0.1", shop.port, "disable", login.Credentials("slower", "made-up"))
    with pytest.raises(UpstreamError, match="the server asks for 1000001 SCRAM iterations"):
        await upstream.connect(slower, {"database": "shop"})
    shop.psql("DROP ROLE slower")
