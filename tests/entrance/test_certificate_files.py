"""Certificates in files: which ones are shown, and when another is."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from penstock_entrance import certificate_files
from penstock_entrance.certificate_files import CertificateFiles

AUTHORITY = trustme.CA()


class Pair:
    """The two files."""

    def __init__(self, directory: Path) -> None:
        self.certificate, self.key = directory / "tls.crt", directory / "tls.key"

    def issue(self, *, certificate: bool = True, key: bool = True) -> None:
        issued = AUTHORITY.issue_cert("localhost")
        if certificate:
            self.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        if key:
            self.key.write_bytes(issued.private_key_pem.bytes())


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(certificate_files, "_LOOK_SECONDS", 0.02)
    made = Pair(tmp_path)
    made.issue()
    return made


@contextlib.asynccontextmanager
async def followed(pair: Pair) -> AsyncIterator[int]:
    """A listener that shows it; its port."""
    files = CertificateFiles(pair.certificate, pair.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=files.context)
    following = asyncio.create_task(files.follow())
    async with server:
        yield server.sockets[0].getsockname()[1]
    following.cancel()


async def shown(port: int) -> Any:
    """The number of the certificate that a client sees now."""
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
    number = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return number


async def shown_instead_of(before: Any, port: int) -> None:
    for _ in range(1500):
        if await shown(port) != before:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the renewed certificate is not used")


async def test_the_renewed_one_is_shown_without_a_restart(pair: Pair) -> None:
    async with followed(pair) as port:
        first = await shown(port)
        pair.issue()
        await shown_instead_of(first, port)


async def test_while_the_new_one_cannot_be_used_the_last_good_one_is(pair: Pair) -> None:
    """Half of a pair, none, what is none; and then a whole one."""
    async with followed(pair) as port:
        first = await shown(port)
        for spoil in (lambda: pair.issue(key=False), pair.key.unlink, lambda: pair.certificate.write_text("none")):
            with capture_logs() as lines:
                spoil()
                for _ in range(1000):
                    await asyncio.sleep(0.02)
                    if lines:
                        break
            assert lines[0]["event"] == "renewed TLS files cannot be used yet"
            assert await shown(port) == first
        pair.issue()
        await shown_instead_of(first, port)


def test_a_key_with_a_passphrase_is_refused_and_nobody_asked_for_it(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    form = serialization.PrivateFormat.PKCS8
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(ssl.SSLError):
        CertificateFiles(pair.certificate, pair.key)


async def test_no_version_before_tls_1_2(pair: Pair) -> None:
    context = CertificateFiles(pair.certificate, pair.key).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
