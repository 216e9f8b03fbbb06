"""A person who is logged in, and a gate that takes what their issuer gives: with the fixtures of the gate's tests."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
import yaml
from tests.cli.login.conftest import Person, ada
from tests.cli.login.test_device import logged_in
from tests.oidc_provider.provider import OidcProvider
from tests.sidecar.proxy.conftest import Running, Start, shop, start
from tests.sidecar.proxy.ticketing import Place, place

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_cli.login import kept
from penstock_cli.login.issuer import Granted

__all__ = ["ada", "shop", "start"]


class Said(NamedTuple):
    status: int
    out: str
    err: str


class Desk:
    """A person's own machine."""

    def __init__(self, person: Person, stand: Place, root: Path) -> None:
        self.person = person
        self.stand = stand
        self.root = root
        self.variables: dict[str, str] = {}

    async def log_in(self, **changes: Any) -> None:
        given = await asyncio.to_thread(lambda: logged_in(self.person, lambda line, _: self.person.allow(line))[0])
        kept.keep(kept.Login(self.person.changed(**changes), given, "ada@shop.example"))

    def has_expired(self) -> None:
        """There is a login that can't be renewed."""
        kept.keep(kept.Login(self.person.settings, Granted("opaque", "", "", time.time() - 5), "ada"))

    def knows(self, *gates: dict[str, Any]) -> None:
        """These gates are in the file."""
        self.person.directory.mkdir(exist_ok=True)
        (self.person.directory / "config.yaml").write_text(yaml.safe_dump({"gates": list(gates)}))

    async def connect(self, *arguments: str) -> Said:
        """What `penstock connect` says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "penstock_cli", "connect", *arguments,
            env={**os.environ, "PGHOST": "nowhere.example", "PGSERVICE": "nowhere", **self.variables},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode().strip(), err.decode().strip())


@pytest.fixture
async def desk(
    ada: Person, start: Start, shop: EmbeddedPostgres, tmp_path: Path, authority: trustme.CA
) -> AsyncIterator[Desk]:
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    async for stand in place(start, shop, tmp_path):
        one = Desk(ada, stand, tmp_path / "root.pem")
        one.variables["PATH"] = f"/usr/lib/postgresql/15/bin:{os.environ['PATH']}"
        yield one


@pytest.fixture
async def gate(desk: Desk, oidc: OidcProvider, authority: trustme.CA, tmp_path: Path) -> Running:
    """It speaks TLS, and takes access tokens of the issuer."""
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "gate.pem")
    files = {"certFile": str(tmp_path / "gate.pem"), "keyFile": str(tmp_path / "gate.pem")}
    issuer = {
        "issuer": oidc.issuer, "audience": "penstock", "kind": "person", "subjectClaim": "email",
        "caFile": str(oidc.ca_file),
    }  # fmt: skip
    return await desk.stand.gate(client_tls=files, identity={"required": True, "issuers": [issuer]})
