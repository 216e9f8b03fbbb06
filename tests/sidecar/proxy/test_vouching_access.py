"""An application with access for a time of its own serves people by contexts: whose access ends which session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.contexts import TEXT, Policies, apply, gate, prepare, set_local

from penstock_core.resources.grant import Grant, policy_digest


@pytest.fixture
async def place(start: Any, shop: Any, tmp_path: Path) -> tuple[Any, Policies]:
    """A gate whose application may ask for a policy."""
    prepare(shop)
    policies = Policies(shop.port)
    terms = {"approvers": {"groups": ["dba"]}, "maxDuration": "4h"}
    asked = policies.policy("incident", {"serviceAccount": {"name": "web"}}, allow=["select"], onRequest=terms)
    policies.more = [asked]
    running = await gate(start, shop, policies, tmp_path)
    # As if somebody told it all the time what lasts.
    running.proxy.rules_provider.access.age = lambda: 0.0
    return running, policies


def give(running: Any, seconds: float = 600.0) -> None:
    """The application has that access from now on, for so long."""
    provider = running.proxy.rules_provider
    (policy,) = (one for one in provider.bundle.policies if one.name == "incident")
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    grant = Grant.model_validate(
        {
            "request": "r-own", "policy": "incident", "policyDigest": policy_digest(policy), "approvers": ("dba",),
            "requester": {"workload": {"namespace": "shop", "serviceAccount": "web"}}, "duration": "1h",
            "until": until.isoformat().replace("+00:00", "Z"), "decidedBy": "bea",
        }
    )  # fmt: skip
    provider.replace_grants((grant,))


async def within(session: Any) -> None:
    """A transaction of Eve's, in which something was read."""
    await session.execute("BEGIN")
    await session.execute(set_local(sub="eve"))
    await session.execute(TEXT)


async def go_on(session: Any, seconds: float = 8.0) -> None:
    """Read again and again, for so long."""
    for _ in range(int(seconds * 10)):
        await session.execute(TEXT)
        await asyncio.sleep(0.1)


async def test_a_policy_that_changes_while_a_context_is_open_ends_nothing(place: tuple[Any, Policies]) -> None:
    running, policies = place
    give(running)
    async with await running.psycopg() as session:
        await session.execute(TEXT)
        await within(session)
        policies.people = {"allow": ["select"]}
        await apply(running, policies)
        assert await (await session.execute(TEXT)).fetchone() is not None
        await session.execute("COMMIT")
        await session.execute(TEXT)
    assert running.events("intent")[0]["access"][0]["request"] == "r-own"


@pytest.mark.parametrize("how", ["ended", "its time is over"])
async def test_its_own_access_that_ends_while_a_context_is_open_ends_it(place: tuple[Any, Policies], how: str) -> None:
    running, _ = place
    give(running, 600.0 if how == "ended" else 2.0)
    session = await running.psycopg()
    await session.execute(TEXT)
    await within(session)
    if how == "ended":
        running.proxy.rules_provider.replace_grants(())
    with pytest.raises(psycopg.OperationalError, match=r"policy incident \(request r-own\) has ended"):
        await go_on(session)
    await session.close()


async def test_a_session_that_used_none_of_it_goes_on_with_its_context(place: tuple[Any, Policies]) -> None:
    running, _ = place
    async with await running.psycopg() as session:
        await session.execute("SELECT 1")
        await within(session)
        give(running)
        await session.execute(TEXT)
        running.proxy.rules_provider.replace_grants(())
        await session.execute(TEXT)
        await session.execute("COMMIT")
