"""Who reaches the database past the gate, from the gate's own address, is seen; the gate's own sessions are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from tests.sidecar.proxy.harbour import DATABASES, Harbour

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.gate_report import Named
from penstock_sidecar.proxy import sessions_around as module
from penstock_sidecar.proxy.sessions_around import SessionsAround


@pytest.fixture
async def harbour(
    tmp_path: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Harbour]:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.3)
    harbour = await Harbour.made(tmp_path, {"front": postgres}).start()
    yield harbour
    await harbour.proxy.stop()


def watch(harbour: Harbour) -> SessionsAround:
    return SessionsAround(harbour.served("front"), harbour.proxy.trail, harbour.proxy._processes)


def past(harbour: Harbour, role: str, password: str) -> str:
    place = f"host=127.0.0.1 port={harbour.servers['front']} dbname={DATABASES['front'][0]}"
    return f"{place} user={role} password='{password}' application_name=past"


async def test_the_gates_own_sessions_are_not_around_it(harbour: Harbour) -> None:
    async with await harbour.open("front"), await harbour.open("front") as other:
        await other.execute("SELECT 1")
        assert (await watch(harbour).look()).count == 0


async def test_who_goes_past_it_is_told_in_the_trail_once_and_when_it_is_over(harbour: Harbour) -> None:
    around = watch(harbour)
    login = DATABASES["front"][1]
    async with await harbour.open("front"):
        async with await psycopg.AsyncConnection.connect(past(harbour, login, "made-up front")):
            found = await around.look()
            assert found == Named(count=1, first=(f"{login} (past)",))
            around._told(found)
            around._told(found)
        around._told(await around.look())
    first, second = await harbour.settled("around", 2)
    assert (first["database"], first["count"], first["logins"]) == ("front", 1, [f"{login} (past)"])
    assert (second["count"], second["logins"]) == (0, [])


async def test_a_session_that_is_gone_by_the_second_look_is_not_told(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of the gate's own that had not been greeted yet, or its own look at the catalog."""
    around = watch(harbour)
    looks = [{7: "front_gate"}, {8: "front_gate"}]

    async def strangers() -> dict[int, str]:
        return looks.pop(0)

    monkeypatch.setattr(around, "_strangers", strangers)
    assert (await around.look()).count == 0


async def test_behind_a_translated_address_nobody_is_accused(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock_sidecar.proxy.catalog import Enquiry

    monkeypatch.setattr(Enquiry, "address", "10.0.0.7")
    login = DATABASES["front"][1]
    async with await psycopg.AsyncConnection.connect(past(harbour, login, "made-up front")):
        assert (await watch(harbour).look()).count == 0
