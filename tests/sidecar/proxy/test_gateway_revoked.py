"""The kill switch at a gate: sessions end within two seconds, whatever they do, none begins, and it is recorded."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from tests.sidecar.proxy.test_tokens import ISSUER, issuers, left, token

Start = Any
WORKLOAD = {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}
ADA = {"identity": {"subject": "ada", "issuer": ISSUER}}


async def begun(start: Start, shop: Any, tmp_path: Path) -> Any:
    """A gate whose pod is `web`, and that takes tokens of people and of agents that act for them."""
    settings = issuers(tmp_path)
    settings["issuers"][0]["delegation"] = {"agents": ["bot"]}
    return await start(shop, identity={**settings, "required": False, "workload": WORKLOAD})


def revoke(gate: Any, *subjects: dict[str, Any], **more: Any) -> None:
    """Write the policy into a file of its own beside the others, as one would in an emergency."""
    path = gate.directory / "shop.yaml"
    documents = [one for one in yaml.safe_load_all(path.read_text()) if one["metadata"]["name"] != "stop"]
    if subjects:
        documents.append(
            {
                "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
                "metadata": {"name": "stop", "namespace": "shop"},
                "spec": {"databaseRef": {"name": "shop"}, "mode": "revoke", "subjects": list(subjects), **more},
            }
        )  # fmt: skip
    path.write_text(yaml.safe_dump_all(documents))


async def ada(gate: Any, **claims: Any) -> psycopg.AsyncConnection[Any]:
    return await gate.psycopg(user="token", password=token(**claims))


async def test_sessions_end_within_two_seconds_whatever_they_do(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await begun(start, shop, tmp_path)
    idle, busy, within, other = await ada(gate), await ada(gate), await ada(gate), await ada(gate, sub="bob")
    agent = await ada(gate, act={"sub": "bot"})
    await within.execute("BEGIN")
    await within.execute("INSERT INTO things VALUES (4711, 'x')")
    running = asyncio.create_task(busy.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    revoke(gate, ADA)
    began = time.monotonic()
    await left(gate, 1)
    assert time.monotonic() - began < 2
    for session in (idle, within, agent):
        with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)"):
            await session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        await running
    # What ran at the server does not go on, and what was not committed is not there.
    rest = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
    for _ in range(1500):
        (count,) = await (await other.execute(rest)).fetchone()  # type: ignore[misc]
        if count == 0:
            break
        await asyncio.sleep(0.02)
    assert count == 0
    assert await (await other.execute("SELECT FROM things WHERE id = 4711")).fetchone() is None
    ends = await gate.settled(4, "session")
    assert [(one["reason"], one["policy"]) for one in ends] == [("the identity is revoked", "stop")] * 4
    assert sorted(one["identity"]["name"] for one in ends) == ["agent:bot for person:ada"] + ["person:ada"] * 3
    for session in (idle, busy, within, agent, other):
        await session.close()


async def test_a_gate_that_is_about_to_end_is_reached_too(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await begun(start, shop, tmp_path)
    busy = await ada(gate)
    running = asyncio.create_task(busy.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    ending = asyncio.create_task(gate.proxy.gateway.drain(30))
    await asyncio.sleep(0.1)
    revoke(gate, ADA)
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)"):
        await running
    await ending
    assert time.monotonic() - began < 2
    await busy.close()


async def test_one_session_that_can_not_be_ended_in_words_is_cut_and_stops_no_other(
    start: Start, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = await begun(start, shop, tmp_path)
    sessions = [await ada(gate) for _ in range(3)]

    def fails(*_: object, **__: object) -> Any:
        raise ZeroDivisionError

    for connection in list(gate.proxy.gateway.connections)[:2]:
        monkeypatch.setattr(connection.session, "revoked", fails)
    revoke(gate, ADA)
    gate.proxy.source.poll()
    await left(gate, 0)
    for session in sessions:
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")
        await session.close()


SUBJECTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "a person": (ADA, {}),
    "a group": ({"identity": {"groups": ["dba"]}}, {}),
    "whom an agent acts for": (ADA, {"act": {"sub": "bot"}}),
    "the pod": ({"pod": {"name": "web-1"}}, None),
    "the pod, for who proves themselves in it": ({"pod": {"name": "web-1"}}, {}),
    "the service account": ({"serviceAccount": {"name": "web"}}, None),
}


@pytest.mark.parametrize(("subject", "claims"), SUBJECTS.values(), ids=SUBJECTS)
async def test_no_session_begins_and_that_is_recorded(
    start: Start, shop: Any, tmp_path: Path, subject: dict[str, Any], claims: dict[str, Any] | None
) -> None:
    gate = await begun(start, shop, tmp_path)
    revoke(gate, subject)
    gate.proxy.source.poll()
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop\)\nHINT:  ask who"):
            await (gate.psycopg() if claims is None else ada(gate, **claims))
    # Once, with how often it was tried within the second.
    (refused,) = await gate.settled(1, "login")
    assert (refused["outcome"], refused["sqlstate"], refused["policy"], refused["count"]) == (
        "refused",
        "28000",
        "stop",
        3,
    )
    assert refused["reason"] == "access is revoked (policy stop)"
    assert refused["identity"]["name"].startswith("sa:" if claims is None else ("agent:" if claims else "person:"))
    assert refused["client"]["addr"] == "127.0.0.1"


async def test_who_is_not_revoked_any_more_may_come_again(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await begun(start, shop, tmp_path)
    revoke(gate, ADA)
    gate.proxy.source.poll()
    with pytest.raises(psycopg.OperationalError, match="access is revoked"):
        await ada(gate)
    revoke(gate)
    gate.proxy.source.poll()
    async with await ada(gate) as session:
        await session.execute("SELECT 1")


def suspend(gate: Any, **said: str) -> None:
    """Write it into the Database's file, or take it out."""
    path = gate.directory / "shop.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    for one in documents:
        if one["kind"] == "Database":
            one["spec"].pop("suspended", None)
            one["spec"] |= {"suspended": said} if said else {}
    path.write_text(yaml.safe_dump_all(documents))


async def test_a_suspended_database_has_no_session_within_two_seconds_and_none_begins_until_it_is_resumed(
    start: Start, shop: Any, tmp_path: Path
) -> None:
    gate = await begun(start, shop, tmp_path)
    idle, busy, within, pod = await ada(gate), await ada(gate), await ada(gate, sub="bob"), await gate.psycopg()
    await within.execute("BEGIN")
    await within.execute("INSERT INTO things VALUES (4711, 'x')")
    running = asyncio.create_task(busy.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.2)
    suspend(gate, reason="a password leaked", by="bea")
    began = time.monotonic()
    await left(gate, 0)
    assert time.monotonic() - began < 2
    words = r"the database shop is suspended: a password leaked \(by bea\)"
    for session in (idle, within, pod):
        with pytest.raises(psycopg.errors.AdminShutdown, match=words) as told:
            await session.execute("SELECT 1")
        assert told.value.diag.message_hint == "it takes sessions again once it is resumed; ask bea"
    with pytest.raises(psycopg.OperationalError):
        await running
    for come in (ada, lambda gate: gate.psycopg()):
        with pytest.raises(psycopg.OperationalError, match=words):
            await come(gate)
    logins = await gate.settled(6, "login")
    assert {(one["sqlstate"], one["reason"]) for one in logins if one["outcome"] == "refused"} == {
        ("57P01", "the database shop is suspended: a password leaked (by bea)")
    }
    ends = await gate.settled(4, "session")
    assert {(one["reason"], one["sqlstate"], "policy" in one) for one in ends} == {
        ("the database is suspended: a password leaked (by bea)", "57P01", False)
    }
    assert "suspended: a password leaked (by bea)" in gate.proxy._ready()[1]
    suspend(gate)
    gate.proxy.source.poll()
    async with await ada(gate) as session:
        assert await (await session.execute("SELECT FROM things WHERE id = 4711")).fetchone() is None
    for session in (idle, busy, within, pod):
        await session.close()


async def test_who_is_revoked_reads_the_reason(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await begun(start, shop, tmp_path)
    session = await ada(gate)
    revoke(gate, ADA, revoked={"reason": "left the company", "by": "bea"})
    gate.proxy.source.poll()
    await left(gate, 0)
    words = r"access is revoked \(policy stop\): left the company \(by bea\)"
    with pytest.raises(psycopg.OperationalError, match=words):
        await session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=words):
        await ada(gate)
    (end,) = await gate.settled(1, "session")
    assert (end["reason"], end["policy"]) == ("the identity is revoked: left the company (by bea)", "stop")
    await session.close()
