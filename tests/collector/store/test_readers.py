"""Reading the store: nobody waits for what another one asks, and what nobody waits for ends."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock_collector.store.database import open_for_writing
from penstock_collector.store.fair_turns import on_behalf_of
from penstock_collector.store.readers import Readers, TooMany, TooSlow

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def endless(connection: sqlite3.Connection) -> Any:
    return connection.execute(ENDLESS).fetchone()


def quick(connection: sqlite3.Connection) -> Any:
    return connection.execute("SELECT 1").fetchone()[0]


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Readers]:
    open_for_writing(tmp_path / "audit.db").close()
    made = Readers(tmp_path / "audit.db", patience=3.0)
    yield made
    made.close()


async def ask(readers: Readers, who: str, question: Any) -> Any:
    on_behalf_of.set(who)
    return await readers.run(question)


def asking(readers: Readers, who: str, question: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(ask(readers, who, question))


async def test_one_viewer_s_searches_hold_up_no_other_viewer_no_gate_and_not_the_program(readers: Readers) -> None:
    greedy = [asking(readers, "viewer greedy", endless) for _ in range(12)]
    await asyncio.sleep(0.1)
    for who in ("viewer ada", "gate one", ""):
        began = time.monotonic()
        assert await ask(readers, who, quick) == 1
        assert time.monotonic() - began < 1
    for one in greedy:
        one.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)


async def test_all_viewers_together_hold_up_neither_gates_nor_the_program(readers: Readers) -> None:
    greedy = [asking(readers, f"viewer {number}", endless) for number in range(12)]
    await asyncio.sleep(0.1)
    for who in ("gate one", ""):
        assert await asyncio.wait_for(ask(readers, who, quick), 20) == 1
    for one in greedy:
        one.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)


async def test_a_search_that_nobody_waits_for_ends(readers: Readers) -> None:
    greedy = [asking(readers, "viewer greedy", endless) for _ in range(8)]
    await asyncio.sleep(0.1)
    for one in greedy:
        one.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
    assert await asyncio.wait_for(ask(readers, "viewer greedy", quick), 20) == 1


async def test_the_time_counts_from_the_question_and_not_from_its_turn(readers: Readers) -> None:
    began = time.monotonic()
    asked = await asyncio.gather(
        *(asking(readers, "viewer greedy", endless) for _ in range(12)), return_exceptions=True
    )
    assert all(isinstance(one, TooSlow) for one in asked)
    assert time.monotonic() - began < 3 * 2


async def test_too_many_that_wait_are_told_so(readers: Readers) -> None:
    greedy = [asking(readers, "viewer greedy", endless) for _ in range(60)]
    await asyncio.sleep(0.1)
    refused = [one.exception() for one in greedy if one.done()]
    assert [type(one) for one in refused] == [TooMany] * (60 - 40 - 2)
    assert str(refused[0]) == "too many of your searches wait already; come back"
    for one in greedy:
        one.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
