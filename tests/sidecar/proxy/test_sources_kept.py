"""A gate that starts again while `control` is away goes on by the policies that it kept; else it says why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.operator.control.test_app import Running, served
from tests.operator.doubles import SECRET
from tests.sidecar.proxy.harbour import Harbour
from tests.sidecar.proxy.test_served_database_control import SHAPE, Port

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.objects import DATABASES as DATABASE_KIND
from penstock_operator.objects import POLICIES


class Quay(Port):
    """The gate with one Database, of which control may be away."""

    @property
    def sealed(self) -> Path:
        return self.harbour.directory / "policy-front.sealed"

    async def again(self, *, away: bool, **changes: Any) -> None:
        """The gate ends, and starts anew."""
        await self.harbour.proxy.stop()
        port = 1 if away else self.running.port
        control = {"url": f"https://localhost:{port}", "tokenFile": "token", "caFile": "ca.crt", **changes}
        await self.harbour.start(
            resources=None, control=control, databases=[], database="front", credentialsDir="front"
        )

    async def kept(self) -> None:
        for _ in range(600):
            if self.sealed.exists():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("nothing is kept")

    async def refused(self, words: str) -> None:
        """Clients are told that in the end."""
        said = ""
        for _ in range(300):
            try:
                client = await self.harbour.open()
            except psycopg.OperationalError as error:
                said = str(error)
                if words in said:
                    return
            else:
                await client.close()
                raise AssertionError("it has access")
            await asyncio.sleep(0.1)
        raise AssertionError(said)


@pytest.fixture
async def quay(tmp_path: Path, postgres: EmbeddedPostgres) -> AsyncIterator[Quay]:
    harbour = Harbour.made(tmp_path, {"front": postgres})
    database, policy = harbour.documents("front")
    policies = Policies()
    policies.follower(DATABASE_KIND).replace({("shop", "front"): database}, 100)
    policies.follower(POLICIES).replace({("shop", "front-users"): policy}, 101)
    policies.follower(MASK_KEY).replace({("penstock-system", "k"): SECRET}, 99)
    running = Running(policies, SHAPE)
    running.reviewer.databases = ["front"]
    async with served(running):
        quay = Quay(harbour, running)
        await quay.begin()
        await quay.kept()
        yield quay
        await harbour.proxy.stop()


async def test_it_goes_on_by_what_it_kept_and_says_so(quay: Quay) -> None:
    digest = quay.harbour.served("front").rules_provider.bundle.digest  # type: ignore[union-attr]
    await quay.again(away=True)
    said = await quay.says(200, "going on by the policy that was kept from before")
    assert "localhost:1" in said
    assert await quay.harbour.email("front") == "f***@example.com"
    (told,) = await quay.harbour.settled("policy", 1)
    assert told["policyDigest"] == digest


def tampered(quay: Quay) -> None:
    sealed = quay.sealed.read_bytes()
    quay.sealed.write_bytes(sealed[:50] + b"x" + sealed[51:])


def gone(quay: Quay) -> None:
    quay.sealed.unlink()


def other_password(quay: Quay) -> None:
    (quay.harbour.directory / "front" / "password").write_text("another")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (tampered, "the policy that was kept from before was changed"),
        (gone, "no policy was kept from before"),
        (other_password, "sealed by another password"),
    ],
)
async def test_what_may_not_be_used_is_not_and_clients_are_told(
    quay: Quay, change: Callable[[Quay], None], words: str
) -> None:
    change(quay)
    await quay.again(away=True)
    await quay.says(503, words)
    await quay.refused("no policy has been loaded yet: control can't be reached, and ")


async def test_an_old_one_is_not_used(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    await quay.harbour.proxy.stop()
    from penstock_sidecar.proxy import sources

    real = sources.time.time
    monkeypatch.setattr(sources.time, "time", lambda: real() + 3600)
    await quay.harbour.start(
        resources=None,
        control={"url": "https://localhost:1", "tokenFile": "token", "caFile": "ca.crt", "maxAgeSeconds": 60},
    )
    await quay.says(503, "more than the 60 s of policyMaxAgeSeconds")


async def test_a_control_that_gives_it_nothing_is_not_away(quay: Quay) -> None:
    (quay.harbour.directory / "token").write_text("nobody's")
    await quay.again(away=False)
    await quay.says(503, "it does not accept this pod's token")


async def test_a_database_that_went_is_not_kept(quay: Quay) -> None:
    provider = quay.harbour.served("front").rules_provider
    quay.has(DATABASE_KIND, "front", None)
    for _ in range(600):
        if provider.bundle is not None and not provider.bundle.policies:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    await quay.again(away=True)
    await quay.says(200)
    with pytest.raises(psycopg.OperationalError):
        await (await quay.harbour.open()).execute("SELECT email FROM people")
