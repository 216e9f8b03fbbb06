"""Contexts through a gate, before a real server: who sees what in whose transaction, and what the trail tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sidecar.proxy.contexts import ALONE, OFFICER, STAFF, TEXT, Policies, context, gate, prepare, set_local

Start = Any


@pytest.fixture(scope="module")
def contextual(shop: Any) -> Any:
    prepare(shop)
    return shop


@pytest.fixture
def policies(contextual: Any) -> Policies:
    return Policies(contextual.port)


@pytest.fixture
async def running(start: Start, contextual: Any, policies: Policies, tmp_path: Path) -> Any:
    return await gate(start, contextual, policies, tmp_path)


async def seen(session: Any) -> Any:
    return await (await session.execute(TEXT)).fetchone()


async def test_each_transaction_shows_what_its_person_may_see(running: Any) -> None:
    async with await running.psycopg() as session:
        assert await seen(session) == ALONE
        async with session.transaction():
            assert (await session.execute(set_local(sub="eve"))).statusmessage == "SET"
            assert await seen(session) == STAFF
        assert await seen(session) == ALONE
        async with session.transaction():
            await session.execute("SELECT set_config('penstock.context', %s, true)", [context(groups=["dpo"])])
            assert await seen(session) == OFFICER
        async with session.transaction():
            assert await seen(session) == ALONE
    starts = [event["identity"]["name"] for event in running.events("intent") if "people" in event.get("sql", "")]
    assert starts == [
        "sa:shop/web",
        "sa:shop/web for person:eve",
        "sa:shop/web",
        "sa:shop/web for person:ada",
        "sa:shop/web",
    ]
