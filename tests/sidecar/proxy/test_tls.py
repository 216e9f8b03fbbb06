"""One context towards the server for all logins, until its file is another. Handshakes are `test_upstream.py`'s."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from penstock_core.resources.database import TlsMode
from penstock_sidecar.proxy import tls


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return written(tmp_path / "ca.crt", trustme.CA())


def written(path: Path, authority: trustme.CA) -> Path:
    """A CA's certificate in the file, as a mounted Secret is replaced: in one step."""
    new = path.with_suffix(".new")
    authority.cert_pem.write_to_path(new)
    new.replace(path)
    return path


def made(mode: TlsMode, ca_file: Path | None) -> ssl.SSLContext:
    found = tls.context(mode, ca_file)
    assert found is not None
    return found


def checks(one: ssl.SSLContext) -> tuple[ssl.VerifyMode, bool, int]:
    """What of a server's certificate is checked, and by how many CAs."""
    return one.verify_mode, one.check_hostname, len(one.get_ca_certs())


def test_each_mode_checks_what_it_promises(ca_file: Path) -> None:
    assert tls.context("disable", ca_file) is None
    assert checks(made("require", ca_file)) == (ssl.CERT_NONE, False, 0)
    assert checks(made("verify-ca", ca_file)) == (ssl.CERT_REQUIRED, False, 1)
    assert checks(made("verify-full", ca_file)) == (ssl.CERT_REQUIRED, True, 1)
    verify, hostname, _ = checks(made("verify-full", None))
    assert (verify, hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_it_is_the_same_for_all_logins(ca_file: Path, mode: TlsMode) -> None:
    assert made(mode, ca_file) is made(mode, ca_file)
    assert made(mode, None) is made(mode, None)


def test_of_another_file_another_one_is_made(ca_file: Path) -> None:
    before = made("verify-full", ca_file)
    trusted = before.get_ca_certs()
    written(ca_file, trustme.CA())
    after = made("verify-full", ca_file)
    assert after is not before
    assert after.get_ca_certs() != trusted
    assert made("verify-full", ca_file) is after


def test_without_its_file_there_is_none(ca_file: Path) -> None:
    """Also where there was one: what is trusted is in the file, and nowhere else."""
    made("verify-full", ca_file)
    ca_file.unlink()
    with pytest.raises(OSError, match=ca_file.name):
        tls.context("verify-full", ca_file)
    ca_file.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        tls.context("verify-full", ca_file)
