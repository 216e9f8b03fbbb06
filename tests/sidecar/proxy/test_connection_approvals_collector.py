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
from tests.sidecar.proxy.conftest import Start

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings


async def collector(tmp_path: Path) -> Client:
    """One that the gate may write to, ada may read and bea may decide at."""
    streams, viewers = tmp_path / "stream-tokens", tmp_path / "viewer-tokens"
    streams.write_text(token_line(WRITER, "u-1"))
    viewers.write_text(token_line(READER, "ada") + token_line(BEA, "bea groups=dba"))
    (tmp_path / "gate.token").write_text(WRITER)
    settings = CollectorSettings(
        listen="127.0.0.1:0", database=tmp_path / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers
    )
    ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, ready.set_result))
    url = (await ready).url
    return Client(ready.result(), task, httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False))


async def one_that_waits(client: Client) -> Any:
    """The one request that waits, once there is one."""
    while True:
        found = (await client.get("/v1/requests?standing=waiting", BEA)).json()["requests"]
        if found:
            (request,) = found
            return request
        await asyncio.sleep(0.05)


async def test_who_is_asked_is_the_collector(start: Start, shop: EmbeddedPostgres, tmp_path: Path) -> None:
    if "held" not in shop.psql("SELECT relname FROM pg_class WHERE relname = 'held'", "shop"):
        shop.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    shop.psql(f"SET ROLE penstock; {FILL}", "shop")
    client = await collector(tmp_path)
    where = {"url": str(client.http.base_url), "tokenFile": str(tmp_path / "gate.token")}
    more = APPROVALS.format(wait="30s")
    running = await start(shop, governed=True, allow=ALLOW, more=more, collector=where)
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
    await client.http.aclose()
    client.running.stop()
    await client.task
