"""One context towards the server for all logins, until its file is another. Logins are `test_upstream.py`'s."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme

from penstock_core.resources.database import TlsMode
from penstock_sidecar.proxy import tls


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return written(tmp_path / "ca.crt", trustme.CA())


def written(path: Path, *authorities: trustme.CA) -> Path:
    """CAs' certificates in the file, as a mounted Secret is replaced: in one step."""
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(one.cert_pem.bytes() for one in authorities))
    new.replace(path)
    return path


async def made(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext:
    found = await tls.context(mode, ca_file)
    assert found is not None
    return found


def checks(one: ssl.SSLContext) -> tuple[ssl.VerifyMode, bool, int]:
    """What of a server's certificate is checked, and by how many CAs."""
    return one.verify_mode, one.check_hostname, len(one.get_ca_certs())


def accepts(context: ssl.SSLContext, authority: trustme.CA, host: str = "db.example") -> bool:
    """Whether a connection to that host accepts a server with a certificate of that authority, for db.example."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("db.example").configure_cert(serving)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=host)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True


async def test_each_mode_checks_what_it_promises(ca_file: Path) -> None:
    assert await tls.context("disable", ca_file) is None
    assert checks(await made("require", ca_file)) == (ssl.CERT_NONE, False, 0)
    assert checks(await made("verify-ca", ca_file)) == (ssl.CERT_REQUIRED, False, 1)
    assert checks(await made("verify-full", ca_file)) == (ssl.CERT_REQUIRED, True, 1)
    verify, hostname, _ = checks(await made("verify-full", None))
    assert (verify, hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_it_is_the_same_for_all_logins(ca_file: Path, mode: TlsMode) -> None:
    assert await made(mode, ca_file) is await made(mode, ca_file)
    assert await made(mode, None) is await made(mode, None)


async def test_logins_that_come_at_once_have_one_made(ca_file: Path) -> None:
    for _ in range(3):
        found = await asyncio.gather(*(made("verify-full", ca_file) for _ in range(50)))
        assert len(set(found)) == 1
        written(ca_file, trustme.CA())


async def test_the_name_of_the_server_is_compared_for_each_connection(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = written(tmp_path / "ca.crt", authority)
    full, by_ca = await made("verify-full", ca_file), await made("verify-ca", ca_file)
    for host, fits in (("db.example", True), ("other.example", False), ("db.example", True), ("192.0.2.1", False)):
        assert accepts(full, authority, host) is fits
        assert accepts(by_ca, authority, host)


async def test_databases_with_other_authorities_have_nothing_in_common(tmp_path: Path) -> None:
    """Of whatever came first, and by whichever mode."""
    authorities = trustme.CA(), trustme.CA()
    files = [written(tmp_path / f"{number}.crt", one) for number, one in enumerate(authorities)]
    modes: tuple[TlsMode, ...] = ("verify-ca", "verify-full", "verify-ca")
    for mode in modes:
        for file, own in zip(files, authorities, strict=True):
            for other in authorities:
                assert accepts(await made(mode, file), other) is (own is other)
    # One that checks nothing is never given where something is to be checked, though its file is the same.
    unchecked = await made("require", files[0])
    assert accepts(unchecked, authorities[1])
    assert not accepts(await made("verify-full", files[0]), authorities[1])


async def test_of_another_file_another_one_is_made(tmp_path: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    ca_file = written(tmp_path / "ca.crt", old)
    before = await made("verify-full", ca_file)
    # Both for a while, then the new one alone: as authorities are changed.
    written(ca_file, old, new)
    both = await made("verify-full", ca_file)
    assert (accepts(both, old), accepts(both, new)) == (True, True)
    written(ca_file, new)
    after = await made("verify-full", ca_file)
    assert (accepts(after, old), accepts(after, new)) == (False, True)
    assert await made("verify-full", ca_file) is after
    # Who has the old one goes on with it.
    assert accepts(before, old)


async def test_a_change_is_noticed_by_what_the_file_holds(tmp_path: Path) -> None:
    """Its size, its time and its place may be those of before: backups and some mounts keep them."""
    old, new = trustme.CA(), trustme.CA()
    length = max(len(one.cert_pem.bytes()) for one in (old, new))
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(old.cert_pem.bytes().ljust(length, b"\n"))
    state = ca_file.stat()
    assert accepts(await made("verify-full", ca_file), old)
    ca_file.write_bytes(new.cert_pem.bytes().ljust(length, b"\n"))
    os.utime(ca_file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (ca_file.stat().st_size, ca_file.stat().st_ino) == (state.st_size, state.st_ino)
    assert not accepts(await made("verify-full", ca_file), old)
    assert accepts(await made("verify-full", ca_file), new)


async def test_a_secret_that_is_mounted_is_followed(tmp_path: Path) -> None:
    """The kubelet makes a link lead to another directory."""
    old, new = trustme.CA(), trustme.CA()
    for name, authority in (("one", old), ("two", new)):
        (tmp_path / name).mkdir()
        written(tmp_path / name / "ca.crt", authority)
    (tmp_path / "..data").symlink_to("one")
    ca_file = tmp_path / "ca.crt"
    ca_file.symlink_to("..data/ca.crt")
    assert accepts(await made("verify-full", ca_file), old)
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    after = await made("verify-full", ca_file)
    assert (accepts(after, old), accepts(after, new)) == (False, True)


async def test_without_its_file_there_is_none(tmp_path: Path) -> None:
    """Also where there was one: what is trusted is in the file, and nowhere else."""
    authority = trustme.CA()
    ca_file = written(tmp_path / "ca.crt", authority)
    await made("verify-full", ca_file)
    ca_file.unlink()
    with pytest.raises(OSError, match=ca_file.name):
        await tls.context("verify-full", ca_file)
    whole = authority.cert_pem.bytes()
    for broken in (b"", b"no certificate", whole[: len(whole) // 2]):
        ca_file.write_bytes(broken)
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                await tls.context("verify-full", ca_file)
    ca_file.write_bytes(whole)
    assert accepts(await made("verify-full", ca_file), authority)


async def test_the_systems_authorities_are_followed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = trustme.CA(), trustme.CA()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.crt"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    # None is there, and so nobody is trusted.
    assert not accepts(await made("verify-full", None), old)
    written(tmp_path / "system.crt", old)
    before = await made("verify-full", None)
    assert accepts(before, old)
    assert await made("verify-full", None) is before
    written(tmp_path / "system.crt", new)
    after = await made("verify-full", None)
    assert (accepts(after, old), accepts(after, new)) == (False, True)


async def test_directories_of_the_systems_authorities_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken out of one, of several, counts no more: what was found there is kept in the context."""
    authority = trustme.CA()
    directories = [tmp_path / "one", tmp_path / "two"]
    for directory in directories:
        directory.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(map(str, directories)))
    found = directories[1] / f"{hash_of(authority):08x}.0"
    found.write_bytes(authority.cert_pem.bytes())
    assert accepts(await made("verify-full", None), authority)
    found.unlink()
    assert not accepts(await made("verify-full", None), authority)


async def test_authorities_are_changed_while_sessions_run(
    start: Any, shop15: Any, authority: trustme.CA, tmp_path: Path
) -> None:
    """From the next login on, without a restart; sessions that are there live on."""
    other = trustme.CA()
    ca_file = written(tmp_path / "ca.crt", authority)
    gate = await start(shop15, tls="verify-ca", upstreamCaFile=str(ca_file))
    lasting = await gate.psycopg()

    async def refused(words: str) -> None:
        with pytest.raises(psycopg.OperationalError, match=words):
            await gate.psycopg()
        await lasting.execute("SELECT 1")

    async def let_in() -> None:
        await (await gate.psycopg()).close()

    await let_in()
    written(ca_file, other)
    await refused("the certificate of the database at .* is not accepted")
    written(ca_file, other, authority)
    await let_in()
    # Half of a file, as it is for a moment where it is not replaced in one step.
    ca_file.write_bytes(authority.cert_pem.bytes()[:300])
    await refused("the CA file for the database can't be used")
    written(ca_file, authority)
    await let_in()
    await lasting.execute("SELECT 1")
    await lasting.close()


def hash_of(authority: trustme.CA) -> int:
    """What OpenSSL looks for by the subject's name in a directory of certificates."""
    asked = ["openssl", "x509", "-noout", "-subject_hash"]
    told = subprocess.run(asked, input=authority.cert_pem.bytes(), capture_output=True, check=True)
    return int(told.stdout, 16)
