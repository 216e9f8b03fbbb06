"""The gate and the collector together: a held statement, a person who decides, and the trail of both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from tests.collector.conftest import BEA, READER, WRITER, Client, token_line
from tests.sidecar.proxy.approvals import ALLOW, APPROVALS, FILL, SCHEMA
from tests.sidecar.proxy.conftest import Running, Start

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings

OLGA = "the token of olga, who owns the rows"
TWO = """  approvals:
    - {name: deletes, when: "statement.verb == 'delete'", approvers: {groups: [dba]}, wait: 30s}
    - {name: rows, when: "'public.held' in statement.tables", approvers: {groups: [owners]}, wait: 30s}
"""


async def collector(tmp_path: Path) -> Client:
    """One that the gate may write to, ada may read and bea may decide at."""
    streams, viewers = tmp_path / "stream-tokens", tmp_path / "viewer-tokens"
    streams.write_text(token_line(WRITER, "u-1"))
    people = (token_line(READER, "ada"), token_line(BEA, "bea groups=dba"), token_line(OLGA, "olga groups=owners"))
    viewers.write_text("".join(people))
    (tmp_path / "gate.token").write_text(WRITER)
    settings = CollectorSettings(
        listen="127.0.0.1:0", database=tmp_path / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers
    )
    ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, ready.set_result))
    url = (await ready).url
    return Client(ready.result(), task, httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False))


async def stop(client: Client) -> None:
    await client.http.aclose()
    client.running.stop()
    await client.task


async def gate_with(start: Start, shop: EmbeddedPostgres, client: Client, tmp_path: Path, more: str) -> Running:
    """A gate that asks that collector, before five rows."""
    if "held" not in shop.psql("SELECT relname FROM pg_class WHERE relname = 'held'", "shop"):
        shop.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    shop.psql(f"SET ROLE penstock; {FILL}", "shop")
    where = {"url": str(client.http.base_url), "tokenFile": str(tmp_path / "gate.token")}
    return await start(shop, governed=True, allow=ALLOW, more=more, collector=where)


async def one_that_waits(client: Client) -> Any:
    """The one request that waits, once there is one."""
    while True:
        found = (await client.get("/v1/requests?standing=waiting", BEA)).json()["requests"]
        if found:
            (request,) = found
            return request
        await asyncio.sleep(0.05)


async def test_who_is_asked_is_the_collector(start: Start, shop: EmbeddedPostgres, tmp_path: Path) -> None:
    client = await collector(tmp_path)
    running = await gate_with(start, shop, client, tmp_path, APPROVALS.format(wait="30s"))
    async with await running.psycopg() as session:
        task = asyncio.create_task(session.execute("DELETE FROM held WHERE id = %s", [1]))
        request = await one_that_waits(client)
        assert (await client.decide(request["name"], comment="once")).status_code == 200
        assert (await task).rowcount == 1
        task = asyncio.create_task(session.execute("DELETE FROM held WHERE id = 2"))
        denied = (await one_that_waits(client))["name"]
        assert (await client.decide(denied, "denied", "not that one")).status_code == 200
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="bea denied it") as caught:
            await task
        assert f"Request {denied}" in (caught.value.diag.message_detail or "")
        await session.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is held by approvals"):
            await session.execute("DELETE FROM held WHERE id = 3")
    assert shop.psql("SELECT count(*) FROM held", "shop").strip() == "4"
    notes: list[Any] = []
    while len(notes) < 3:
        await asyncio.sleep(0.05)
        events = await client.exported()
        notes = [one["approvals"][0] for one in events if "approvals" in one]
    assert [one["standing"] for one in notes] == ["granted", "denied", "waiting"]
    assert (notes[0]["request"], notes[0]["decidedBy"]) == (request["name"], "bea")
    await stop(client)


async def test_what_two_rules_hold_runs_once_somebody_of_each_has_approved(
    start: Start, shop: EmbeddedPostgres, tmp_path: Path
) -> None:
    client = await collector(tmp_path)
    running = await gate_with(start, shop, client, tmp_path, TWO)
    async with await running.psycopg() as session:
        await session.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"\[deletes\].* and by .*\[rows\]") as caught:
            await session.execute("DELETE FROM held WHERE id = %s", [1])
        await session.execute("ROLLBACK")
        hint = caught.value.diag.message_hint or ""
        waits = (await client.get("/v1/requests?standing=waiting", BEA)).json()["requests"]
        named = {one["approval"]: one["name"] for one in waits}
        assert f"a member of dba approve {named['deletes']} and a member of owners approve {named['rows']}" in hint, (
            hint
        )
        assert (await client.decide(named["rows"], token=BEA)).status_code == 403, "that is for owners"
        assert (await client.decide(named["deletes"], token=BEA)).status_code == 200
        task = asyncio.create_task(session.execute("DELETE FROM held WHERE id = %s", [1]))
        assert (await one_that_waits(client))["name"] == named["rows"]
        await asyncio.sleep(0.3)
        assert (task.done(), shop.psql("SELECT count(*) FROM held", "shop").strip()) == (False, "5")
        assert (await client.decide(named["rows"], token=OLGA)).status_code == 200
        assert (await task).rowcount == 1
        await session.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is held by approvals"):
            await session.execute("DELETE FROM held WHERE id = %s", [1])
    assert len((await client.get("/v1/requests?standing=used", BEA)).json()["requests"]) == 2
    await stop(client)
