"""What is looked for ends when nobody waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from tests.collector.store.test_readers import endless, quick

from penstock_collector.store.fair_turns import on_behalf_of
from penstock_collector.web import api


class Endless:
    def __init__(self) -> None:
        self.begun = 0

    def page(self, connection: sqlite3.Connection, *_: Any) -> Any:
        self.begun += 1
        return endless(connection)


async def test_a_search_ends_when_its_viewer_has_gone(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Endless()
    monkeypatch.setattr(api, "STATEMENTS", table)
    host, port = str(client.http.base_url).removeprefix("http://").rstrip("/").split(":")
    writers = []
    for _ in range(2):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer read-ada\r\n\r\n")
        writers.append(writer)
    for _ in range(250):
        if table.begun == 2:
            break
        await asyncio.sleep(0.02)
    assert table.begun == 2
    for writer in writers:
        writer.close()
    # These were all that she may have at once; the next would have to wait for the end of their ten seconds.
    on_behalf_of.set("viewer ada")
    assert await asyncio.wait_for(client.running.collector.readers.run(quick), 4) == 1
    actions = [one["action"] for one in (await client.get("/v1/readings")).json()["readings"]]
    assert actions.count("searched") == 2


async def test_a_search_that_is_waited_for_is_answered_as_before(client: Any) -> None:
    answers = await asyncio.gather(*(client.get(f"/v1/events?q=x{number}") for number in range(30)))
    assert {one.status_code for one in answers} == {200}
