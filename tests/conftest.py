"""Fixtures that every part's tests share: real servers, of PostgreSQL and OIDC, started once a run."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trustme
from tests.oidc_provider.provider import OidcProvider, running

from penstock_cli.demo.postgres import EmbeddedPostgres

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
# Plans change with statistics: a test that wants some asks for them.
STEADY = {"autovacuum": "off"}


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a command configured for the whole process ends with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that the servers' account reaches even as others' runs begin: pytest closes its own each time."""
    with tempfile.TemporaryDirectory(prefix="penstock-tests-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def postgres(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    """The newest server we test against; tests make databases of their own in it."""
    yield from _server(open_directory / "postgres18", 18)


@pytest.fixture(scope="session")
def postgres16(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    """The oldest server in the wheel."""
    yield from _server(open_directory / "postgres16", 16)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who signed the certificate of `postgres15`."""
    return trustme.CA()


@pytest.fixture(scope="session")
def debian_binaries() -> Path:
    """The programs of Debian's server, which speaks TLS; the wheel's are built without it."""
    if not (DEBIAN_15 / "postgres").exists():
        pytest.fail(f"{DEBIAN_15}/postgres is missing: apt-get install postgresql-15", pytrace=False)
    return DEBIAN_15


@pytest.fixture(scope="session")
def postgres15(open_directory: Path, debian_binaries: Path, authority: trustme.CA) -> Iterator[EmbeddedPostgres]:
    """Debian's server, the oldest we support, with TLS as `localhost`."""
    directory = open_directory / "postgres15"
    directory.mkdir()
    certificate = authority.issue_cert("localhost")
    tls = directory / "tls.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(tls)
    tls.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(tls, "nobody")
    server = EmbeddedPostgres.start(
        directory,
        version=15,
        binaries=debian_binaries,
        settings={**STEADY, "ssl": "on", "ssl_cert_file": str(tls), "ssl_key_file": str(tls)},
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def oidc_process(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[OidcProvider]:
    with running(tmp_path_factory.mktemp("oidc"), authority) as provider:
        yield provider


@pytest.fixture
def oidc(oidc_process: OidcProvider) -> Iterator[OidcProvider]:
    """A real OIDC provider, as new: `tests/oidc_provider/provider.py` says what it can."""
    oidc_process.renew()
    yield oidc_process
    oidc_process.leave()


def _server(directory: Path, version: int) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres.start(directory, version=version, settings=STEADY)
    yield server
    server.stop()
