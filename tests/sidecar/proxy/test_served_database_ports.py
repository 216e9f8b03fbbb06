"""The gate of a pod with several databases: each has a port of its own, where sessions are with it and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.activity import runs
from tests.sidecar.proxy.harbour import DATABASES, Harbour, resource
from tests.sidecar.proxy.test_gateway import say

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages


@pytest.fixture
async def made(tmp_path: Path, postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres) -> AsyncIterator[Harbour]:
    """Not started yet; two of the three have a policy for the pod."""
    one = Harbour.made(tmp_path, {"front": postgres, "back": postgres16, "till": postgres})
    for name in ("front", "till"):
        for_pod(one, name)
    yield one
    if hasattr(one, "proxy"):
        await one.proxy.stop()


@pytest.fixture
async def pod(made: Harbour) -> Harbour:
    return await made.start(**made.ports())


def for_pod(harbour: Harbour, name: str, **spec: Any) -> None:
    """A policy for the pod's service account."""
    masked = {"columns": ["public.people.email"], "with": {"email": {}}}
    given = {
        "databaseRef": {"name": name}, "subjects": [{"serviceAccount": {"name": "web"}}],
        "allow": ["select", "create", "drop"],
        **({"masks": [masked]} if name == "front" else {}), **spec,
    }  # fmt: skip
    harbour.put(f"{name}-pod", resource("DatabaseAccessPolicy", f"{name}-pod", given))


def port(harbour: Harbour, name: str) -> int:
    return harbour.proxy.ports[list(harbour.servers).index(name)]


async def connect(harbour: Harbour, name: str, dbname: str = "") -> psycopg.AsyncConnection[Any]:
    """As the application does, by its variables."""
    where = f"host=127.0.0.1 port={port(harbour, name)} user=web sslmode=disable"
    return await psycopg.AsyncConnection.connect(f"{where} dbname={dbname or DATABASES[name][0]}", autocommit=True)


async def test_each_port_has_the_login_the_masks_and_the_trail_of_its_database(pod: Harbour) -> None:
    seen = {}
    for name in ("front", "till"):
        async with await connect(pod, name) as client:
            seen[name] = await (await client.execute("SELECT session_user, email FROM people")).fetchone()
    assert seen == {"front": ("front_gate", "f***@example.com"), "till": ("till_gate", "till@example.com")}
    intents = await pod.settled("intent", 2)
    assert [(one["database"], one["policies"], one["masked"]) for one in intents] == [
        ("front", ["front-pod"], ["public.people.email"]),
        ("till", ["till-pod"], []),
    ]
    logins = await pod.settled("login", 2)
    assert [(one["outcome"], one["database"]) for one in logins] == [("accepted", "front"), ("accepted", "till")]
    ends = await pod.settled("session", 2)
    assert [(one["database"], one["client"]["database"]) for one in ends] == [("front", "quay"), ("till", "counter")]


async def test_a_port_leads_to_no_other_database_whatever_is_asked_for(pod: Harbour) -> None:
    for name, asked in (("till", "front"), ("till", "quay"), ("front", "till"), ("front", "counter")):
        with pytest.raises(psycopg.OperationalError, match=f'serves database "{DATABASES[name][0]}", not "{asked}"'):
            await connect(pod, name, asked)
    # By its own name, as everywhere.
    async with await connect(pod, "till", "till") as client:
        assert await (await client.execute("SELECT current_database()")).fetchone() == ("counter",)
    refused = [one for one in await pod.settled("login", 5) if one["outcome"] == "refused"]
    assert [one["database"] for one in refused] == ["till", "till", "front", "front"]


async def test_a_policy_for_one_database_opens_no_other(pod: Harbour) -> None:
    async with await connect(pod, "back") as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="gives access to database back"):
            await client.execute("SELECT email FROM people")
    (intent,) = await pod.settled("intent", 1)
    assert (intent["database"], intent["decision"]) == ("back", "deny")


async def test_a_suspended_database_ends_its_own_sessions(pod: Harbour) -> None:
    async with await connect(pod, "front") as front, await connect(pod, "till") as till:
        pod.write("front", suspended={"reason": "INC-77", "by": "bea"})
        pod.poll()
        with pytest.raises(psycopg.OperationalError, match="suspended"):
            await front.execute("SELECT 1")
        await till.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=r"the database front is suspended: INC-77 \(by bea\)"):
        await connect(pod, "front")
    status, said = await pod.get("/readyz")
    assert status == 200
    assert "suspended: INC-77" in dict(one.split(": ", 1) for one in said.strip().split(" | "))["front"]


async def test_a_request_to_cancel_finds_its_session_at_any_of_the_ports(pod: Harbour, postgres: Any) -> None:
    async with await connect(pod, "front") as front:
        sleeping = asyncio.create_task(front.execute("SELECT pg_sleep(20)"))
        await runs(postgres, front.info.backend_pid, "PgSleep")
        (session,) = pod.proxy.gateway.connections
        assert session.upstream is not None
        request = messages.cancel_request(session.upstream.greeting.pid, session.session.cancel_key)
        assert await say(port(pod, "till"), request) == b""
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
