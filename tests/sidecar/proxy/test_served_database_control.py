"""The same with a real `control`: several streams, by one pod's token; revocations, Databases that come and go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.operator.control.test_app import AUTHORITY, Running, served
from tests.operator.doubles import GOOD_TOKEN, SECRET, change
from tests.sidecar.proxy.harbour import DATABASES, Harbour, resource

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.inject.sidecar import Shape
from penstock_operator.objects import DATABASES as DATABASE_KIND
from penstock_operator.objects import POLICIES

SHAPE = Shape("penstock:1", "1", "https://control.test", "https://collector.test")


class Port:
    """The gate, the control that it follows, and what that one's API server has."""

    def __init__(self, harbour: Harbour, running: Running) -> None:
        self.harbour = harbour
        self.running = running
        self._revision = 1000

    def has(self, kind: str, name: str, document: dict[str, Any] | None) -> None:
        """The API server has that resource from now on, or has it no more."""
        self._revision += 1
        change(self.running.policies, kind, ("shop", name), document, self._revision)

    async def begin(self, status: int = 200, **changes: Any) -> Port:
        """Start the gate, and wait until it knows of each Database whether it is there."""
        directory = self.harbour.directory
        (directory / "token").write_text(GOOD_TOKEN)
        (directory / "ca.crt").write_bytes(AUTHORITY.certificate_pem)
        await self.harbour.start(
            resources=None,
            control={"url": f"https://localhost:{self.running.port}", "tokenFile": "token", "caFile": "ca.crt"},
            **changes,
        )
        await self.says(status)
        return self

    async def says(self, status: int, words: str = "") -> str:
        """Wait until the gate says that of itself."""
        for _ in range(400):
            found, said = await self.harbour.get("/readyz")
            if found == status and words in said:
                return said
            await asyncio.sleep(0.05)
        raise AssertionError(f"it says {found}: {said}")


async def until(condition: Callable[[], bool], seconds: float) -> None:
    for _ in range(int(seconds * 50)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to be")


@pytest.fixture
async def port(tmp_path: Path, postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres) -> AsyncIterator[Port]:
    """Control knows two of the three Databases; the gate is not started yet."""
    harbour = Harbour.made(tmp_path, {"front": postgres, "back": postgres16, "till": postgres})
    policies = Policies()
    known = {name: harbour.documents(name) for name in ("front", "back")}
    policies.follower(DATABASE_KIND).replace({("shop", name): one for name, (one, _) in known.items()}, 100)
    policies.follower(POLICIES).replace({("shop", f"{name}-users"): one for name, (_, one) in known.items()}, 101)
    policies.follower(MASK_KEY).replace({("penstock-system", "k"): SECRET}, 99)
    running = Running(policies, SHAPE)
    running.reviewer.databases = [*harbour.servers]
    async with served(running):
        yield Port(harbour, running)
        if hasattr(harbour, "proxy"):
            await harbour.proxy.stop()


async def test_revocation_in_one_database_ends_its_sessions_within_two_seconds(port: Port) -> None:
    harbour = (await port.begin()).harbour
    front, back, other = await harbour.open("front"), await harbour.open("back"), await harbour.open("front", sub="bob")
    running = asyncio.create_task(front.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    stop = {"databaseRef": {"name": "front"}, "mode": "revoke", "subjects": [{"identity": {"subject": "ada"}}]}
    began = time.monotonic()
    port.has(POLICIES, "stop", resource("DatabaseAccessPolicy", "stop", stop))
    with pytest.raises(psycopg.OperationalError):
        await running
    assert time.monotonic() - began < 2
    for one in (back, other):
        await one.execute("SELECT 1")
        await one.close()


async def test_a_suspended_database_ends_its_own_sessions_within_two_seconds_and_is_resumed(port: Port) -> None:
    harbour = (await port.begin()).harbour
    front, back = await harbour.open("front"), await harbour.open("back")
    running = asyncio.create_task(front.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    document, _ = harbour.documents("front")
    spec = {**document["spec"], "suspended": {"reason": "INC-77", "by": "bea"}}
    began = time.monotonic()
    port.has(DATABASE_KIND, "front", {**document, "spec": spec})
    with pytest.raises(psycopg.OperationalError):
        await running
    assert time.monotonic() - began < 2
    with pytest.raises(psycopg.OperationalError, match=r"the database front is suspended: INC-77 \(by bea\)"):
        await harbour.open("front")
    # To whom no policy opens it, it is not there at all.
    with pytest.raises(psycopg.OperationalError, match='there is no database "front"'):
        await harbour.open("front", sub="nobody", groups=["strangers"])
    assert "suspended: INC-77 (by bea)" in await port.says(200, "suspended")
    await back.execute("SELECT 1")
    for one in (front, back):
        await one.close()
    port.has(DATABASE_KIND, "front", document)
    await port.says(200, "front: policy generation 3 |")
    async with await harbour.open("front") as client:
        await client.execute("SELECT 1")


async def test_a_database_that_comes_and_goes_leaves_the_others_alone(port: Port) -> None:
    harbour = (await port.begin()).harbour
    assert "it knows no such Database, or none that is valid" in await port.says(
        200, "till: no policy has been loaded yet"
    )
    with pytest.raises(psycopg.OperationalError, match='there is no database "till"'):
        await harbour.open("till")
    front = await harbour.open("front")
    till, policy = harbour.documents("till")
    port.has(POLICIES, "till-users", policy)
    port.has(DATABASE_KIND, "till", till)
    provider = harbour.served("till").rules_provider
    await until(lambda: provider.bundle is not None, 20)
    assert await harbour.email("counter") == "till@example.com"
    client = await harbour.open("till")
    port.has(DATABASE_KIND, "till", None)
    await until(lambda: provider.bundle is not None and not provider.bundle.policies, 2)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await client.execute("SELECT email FROM people")
    with pytest.raises(psycopg.OperationalError, match='there is no database "till"'):
        await harbour.open("till")
    await front.execute("SELECT email FROM people")
    await front.close()
    await client.close()


async def test_a_servers_name_is_nobody_elses_where_control_knows_no_such_database(port: Port) -> None:
    harbour = (await port.begin()).harbour
    # As till would have it, if it were there.
    port.has(DATABASE_KIND, "front", harbour.documents("front", dbname=DATABASES["till"][0])[0])
    await until(lambda: harbour.served("front").dbname == "counter", 5)
    async with await harbour.open("counter") as client:
        row = await (await client.execute("SELECT current_database(), session_user")).fetchone()
        assert row == ("counter", "front_gate")


async def test_a_servers_name_may_be_that_of_a_database_that_is_there_and_not_valid(port: Port) -> None:
    """Past admission, by an older version's rules: what it would be called on the server, nobody knows."""
    till, _ = port.harbour.documents("till")
    till["spec"]["dbname"] = 7
    port.has(DATABASE_KIND, "till", till)
    harbour = (await port.begin()).harbour
    with pytest.raises(psycopg.OperationalError, match="is not known while policies of the gate are missing"):
        await harbour.open("quay2")
    assert await harbour.email("front") == "f***@example.com"
    # Once it is gone, names mean what they mean; but that of one that went since means no other one.
    port.has(DATABASE_KIND, "till", None)
    await until(lambda: harbour.served("till").source.absent, 20)
    back = harbour.served("back").rules_provider
    port.has(DATABASE_KIND, "back", None)
    await until(lambda: back.bundle is not None and not back.bundle.policies, 5)
    with pytest.raises(psycopg.OperationalError, match='there is no database "quay"') as refused:
        await harbour.open("quay")
    assert "set dbname to front" in str(refused.value)


async def test_each_database_has_a_mask_key_of_its_own(port: Port) -> None:
    harbour = port.harbour
    for name in ("front", "back"):
        policy = harbour.documents(name)[1]
        policy["spec"]["masks"] = [{"columns": ["public.people.email"], "with": {"hash": {}}}]
        port.has(POLICIES, f"{name}-users", policy)
    await port.begin()
    hashes = set()
    for name in ("front", "back"):
        async with await harbour.open(name) as client:
            row = await (await client.execute("SELECT email FROM people")).fetchone()
            assert row is not None
            hashes.add(row[0])
        bundle = harbour.served(name).rules_provider.bundle
        assert bundle is not None
        assert bundle.mask_key_bytes == port.running.policies.mask_key("shop", name)
    assert len(hashes) == 2


async def test_a_gate_that_may_not_read_the_policies_is_not_ready(port: Port) -> None:
    directory = port.harbour.directory
    (directory / "token").write_text("nobody's")
    (directory / "ca.crt").write_bytes(AUTHORITY.certificate_pem)
    await port.harbour.start(
        resources=None,
        control={"url": f"https://localhost:{port.running.port}", "tokenFile": "token", "caFile": "ca.crt"},
    )
    await port.says(503, "it does not accept this pod's token")
    for name in ("front", "quay"):
        with pytest.raises(psycopg.OperationalError, match="is not known while policies of the gate are missing"):
            await port.harbour.open(name)


async def test_where_each_has_a_port_of_its_own_the_gate_is_ready_once_all_can_be_served(port: Port) -> None:
    harbour = port.harbour
    await port.begin(503, **harbour.ports())
    said = await port.says(503, "front: policy generation")
    assert "till: no policy has been loaded yet" in said
    database, policy = harbour.documents("till")
    port.has(POLICIES, "till-users", policy)
    port.has(DATABASE_KIND, "till", database)
    assert "till: policy generation" in await port.says(200)
    # One that goes leaves the others, and the pod as it is.
    port.has(DATABASE_KIND, "till", None)
    await asyncio.sleep(0.5)
    await port.says(200)


async def test_a_gate_that_is_not_for_a_database_is_told_so(port: Port) -> None:
    port.running.reviewer.databases = ["front", "back"]
    await port.begin(503, **port.harbour.ports())
    said = await port.says(503, "till: no policy has been loaded yet: ")
    assert "answers 403: this pod may not read the policies of that Database" in said


async def test_events_that_are_lost_with_the_gate_are_told_of_each_of_its_databases(port: Port) -> None:
    harbour = port.harbour
    ports = harbour.ports()
    own = [one for one in ports["databases"] if one["name"] != "till"]
    spool = {"path": "spool", "lasts": False}
    await port.begin(
        200, **ports | {"databases": own}, collector={"url": "http://127.0.0.1:1"}, spool=spool, endSeconds=6
    )
    await harbour.proxy.stop()
    events = harbour.proxy.spool.depth
    gates = port.running.control.reports.told("", 0)["gates"]
    assert {one["database"]: one["report"]["lost"] for one in gates} == {"front": events, "back": events}
