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
        self.begun, self.both_began = 0, asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def page(self, connection: sqlite3.Connection, *_: Any) -> Any:
        """In a reader's thread."""
        self._loop.call_soon_threadsafe(self._one_more)
        return endless(connection)

    def _one_more(self) -> None:
        self.begun += 1
        if self.begun == 2:
            self.both_began.set()


async def test_a_search_ends_when_its_viewer_has_gone(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table, readers = Endless(), client.running.collector.readers
    # Not by its own end, however busy the machine is.
    monkeypatch.setattr(readers, "_patience", 1000.0)
    monkeypatch.setattr(api, "STATEMENTS", table)
    host, port = str(client.http.base_url).removeprefix("http://").rstrip("/").split(":")
    writers = []
    for _ in range(2):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer read-ada\r\n\r\n")
        writers.append(writer)
    async with asyncio.timeout(60):
        await table.both_began.wait()
    for writer in writers:
        writer.close()
    # These were all that she may have at once; the next would have to wait for their end.
    on_behalf_of.set("viewer ada")
    assert await asyncio.wait_for(readers.run(quick), 60) == 1
    counts: list[int] = []
    while counts[-1:] != [2] and len(counts) < 600:
        actions = [one["action"] for one in (await client.get("/v1/readings")).json()["readings"]]
        counts.append(actions.count("searched"))
        await asyncio.sleep(0.05)
    assert counts[-1] == 2


async def test_a_search_that_is_waited_for_is_answered_as_before(client: Any) -> None:
    answers = await asyncio.gather(*(client.get(f"/v1/events?q=x{number}") for number in range(30)))
    assert {one.status_code for one in answers} == {200}
