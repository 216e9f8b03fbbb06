"""The gate's own certificate: read anew when its files change, kept when they are no good, or made by itself."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from penstock_sidecar.assembly import StartError
from penstock_sidecar.proxy.certificate import Certificate, CertificateError, SelfMade

Start = Any


def issue(authority: trustme.CA, directory: Path, name: str = "localhost") -> tuple[Path, Path]:
    made = authority.issue_cert(name)
    paths = directory / "gate.crt", directory / "gate.key"
    made.cert_chain_pems[0].write_to_path(paths[0])
    made.private_key_pem.write_to_path(paths[1])
    return paths


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


async def shown(gate: Any) -> int:
    """The serial number of the certificate that the gate shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    _, writer = await asyncio.open_connection("127.0.0.1", gate.proxy.port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(certificate).serial_number


async def test_a_new_certificate_is_shown_from_the_next_handshake_on(
    start: Start, shop: Any, tmp_path: Path, capsys: Any
) -> None:
    authority = trustme.CA()
    paths = issue(authority, tmp_path)
    gate = await start(shop, client_tls={"certFile": str(paths[0]), "keyFile": str(paths[1])})
    assert await shown(gate) == (first := serial(paths[0]))
    old = await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=gate.proxy.port, user="app", dbname="shop", sslmode="require"
    )
    # One file is there before the other: the last good pair goes on, and that is said once.
    key = paths[1].read_bytes()
    issue(authority, tmp_path)
    new_key = paths[1].read_bytes()
    paths[1].write_bytes(key)
    for _ in range(2):
        assert await shown(gate) == first
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert "can't be used: key values mismatch" in line
    assert "the last good certificate" in line
    paths[1].write_bytes(new_key)
    assert await shown(gate) == serial(paths[0]) != first
    capsys.readouterr()
    second = paths[0].read_bytes()
    for _ in range(2):
        paths[0].unlink()
        for _ in range(2):
            assert await shown(gate) != first
        # Once each time, however many connect.
        assert capsys.readouterr().out.count("No such file") == 1
        paths[0].write_bytes(second)
        assert await shown(gate) != first
    # Sessions that are there live on.
    await old.execute("SELECT 1")
    await old.close()


async def test_a_gate_without_a_good_certificate_does_not_start(start: Start, shop: Any, tmp_path: Path) -> None:
    paths = issue(trustme.CA(), tmp_path)
    files = {"certFile": str(paths[0]), "keyFile": str(paths[1])}
    paths[1].write_text("no key")
    with pytest.raises(StartError, match=r"gate\.key can't be used"):
        await start(shop, client_tls=files)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    paths = issue(trustme.CA(), tmp_path)
    paths[1].unlink()
    with pytest.raises(CertificateError, match=r"tls: .*gate\.key: No such file"):
        Certificate(*paths).context()


def test_all_have_one_context_until_the_files_hold_something_else(tmp_path: Path) -> None:
    """Whatever their times, sizes and places say."""
    authority = trustme.CA()

    def issued() -> tuple[Path, Path]:
        paths = issue(authority, tmp_path)
        for path in paths:
            path.write_bytes(path.read_bytes().ljust(4000))
            os.utime(path, ns=(1_000_000_000, 1_000_000_000))
        return paths

    certificate = Certificate(*issued())
    before, binding = certificate.context(), certificate.binding
    assert certificate.context() is before
    issued()
    assert certificate.context() is not before
    assert certificate.binding != binding


async def test_clients_verify_a_certificate_that_the_gate_made(start: Start, shop: Any) -> None:
    gate = await start(shop, client_tls={"selfSigned": True, "names": ["gate.example"]})
    options = {
        "port": gate.proxy.port, "user": "app", "dbname": "shop", "sslmode": "verify-full",
        "sslrootcert": str(gate.directory / "tls.crt"),
    }  # fmt: skip
    for host in ("localhost", "127.0.0.1", "gate.example"):
        async with await psycopg.AsyncConnection.connect(host=host, hostaddr="127.0.0.1", **options) as client:
            await client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        await psycopg.AsyncConnection.connect(host="other.example", hostaddr="127.0.0.1", **options)
    # Python's strict way of verifying takes it too; and it vouches for nobody else.
    context = ssl.create_default_context(cafile=options["sslrootcert"])
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    client = await asyncpg.connect(
        host="localhost", port=gate.proxy.port, user="app", database="shop", ssl=context, direct_tls=False
    )
    await client.close()
    made = x509.load_pem_x509_certificate((gate.directory / "tls.crt").read_bytes())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (gate.directory / "tls.key").stat().st_mode & 0o777 == 0o600


def test_what_was_made_is_kept_until_it_is_old_or_for_other_names(tmp_path: Path) -> None:
    paths = tmp_path / "tls.crt", tmp_path / "tls.key"
    moment = [datetime.now(UTC)]

    def made(*names: str) -> int:
        Certificate(*paths, SelfMade.for_hosts(["127.0.0.1", *names]), lambda: moment[0]).context()
        return serial(paths[0])

    first = made()
    assert made() == first
    moment[0] += timedelta(days=300)
    assert made() == first
    moment[0] += timedelta(days=40)
    second = made()
    assert second != first
    assert made("gate.example") != second
    paths[1].unlink()
    made()
    assert paths[1].exists()


def test_a_gate_that_runs_for_long_makes_a_new_one_in_time(tmp_path: Path) -> None:
    paths = tmp_path / "tls.crt", tmp_path / "tls.key"
    moment = [datetime.now(UTC)]
    certificate = Certificate(*paths, SelfMade.for_hosts(["0.0.0.0"]), lambda: moment[0])
    before = certificate.context()
    first = serial(paths[0])
    moment[0] += timedelta(days=1, minutes=1)
    assert certificate.context() is before
    moment[0] += timedelta(days=340)
    assert certificate.context() is not before
    assert serial(paths[0]) != first


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    paths = issue(trustme.CA(), tmp_path)
    key = serialization.load_pem_private_key(paths[1].read_bytes(), None)
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )  # fmt: skip
    with pytest.raises(CertificateError, match="can't be used"):
        Certificate(*paths).context()


def test_a_certificate_that_has_expired_is_told_of(tmp_path: Path, capsys: Any) -> None:
    paths = issue(trustme.CA(), tmp_path)
    Certificate(*paths, now=lambda: datetime.now(UTC) + timedelta(days=400_000)).context()
    assert "warning" in capsys.readouterr().out
