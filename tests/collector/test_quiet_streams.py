"""Of a pod that is gone, nothing is left unpacked; of one that goes on, what comes later is packed later."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.collector.conftest import Sender, ndjson

from penstock_collector import quiet_streams
from penstock_collector.store import export, packing
from penstock_collector.store.intake import take
from penstock_collector.store.lines import read_batch
from penstock_collector.store.writer import Writer


@pytest.fixture
async def writer(tmp_path: Path) -> Any:
    made = Writer(tmp_path / "audit.db")
    yield made
    made.close()


async def send(writer: Writer, sender: Sender, statements: int, *, gap: bool = False) -> None:
    events = [event for number in range(statements) for event in sender.statement(number)]
    batch = read_batch(ndjson(events[:-3] + events[-2:] if gap else events), sender.head.stream)
    await writer.run(lambda connection: take(connection, sender.head.stream, batch, oldest=1, now=time.time()))


async def loose(writer: Writer) -> list[int]:
    return await writer.run(lambda connection: [row[0] for row in connection.execute("SELECT seq FROM events")])


async def test_what_is_left_of_quiet_streams_is_packed(writer: Writer) -> None:
    first, second = Sender("gw1/a"), Sender("gw2/a")
    for sender in (first, second):
        await send(writer, sender, 3)
    assert await quiet_streams.pack(writer) == 0
    later = time.time() + 3_700
    assert await quiet_streams.pack(writer, lambda: later) == 12
    assert await loose(writer) == []
    assert await quiet_streams.pack(writer, lambda: later) == 0
    await send(writer, first, 2)
    assert await quiet_streams.pack(writer, lambda: later) == 4
    portion = await writer.run(lambda connection: export.portion(connection, "gw1/a", export.BEGINNING))
    assert [json.loads(line)["seq"] for place, line in portion if place[1]] == list(range(1, 11))


async def test_what_has_not_settled_stays(writer: Writer) -> None:
    await send(writer, Sender("gw1/a"), 3, gap=True)
    later = time.time() + 3_700
    assert await quiet_streams.pack(writer, lambda: later) == 3
    assert await loose(writer) == [5, 6]


async def test_many_are_packed_in_portions(writer: Writer) -> None:
    for number in range(12):
        await send(writer, Sender(f"gw1/{number}"), 1)
    moments = iter(range(1_000))
    heard = time.time() + 1

    def clock() -> float:
        """Each look takes so long that three are too many."""
        return next(moments) * packing._BUDGET_SECONDS * 0.4

    portions: list[int] = []
    after: int | None = 0
    while after is not None:
        some, after = await writer.run(partial(packing.pack_quiet, heard=heard, after=after, clock=clock))
        portions.append(some)
    assert sum(portions) == 24
    assert max(portions) <= 6
