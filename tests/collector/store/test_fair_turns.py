"""Whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from penstock_collector.store.fair_turns import CrowdedError, FairTurns


class Line:
    """Those who want a turn, and the order in which they got it."""

    def __init__(self, **limits: int) -> None:
        self.turns = FairTurns(**{"at_once": 1, "of_one": 1, "waiting": 100, "waiting_of_one": 10, **limits})
        self.order: list[str] = []

    async def want(self, who: str) -> Callable[[], None]:
        await self.turns.enter(who)
        self.order.append(who)
        return lambda: self.turns.leave(who)

    async def work(self, who: str) -> None:
        leave = await self.want(who)
        await asyncio.sleep(0)
        leave()


async def test_one_of_each_in_turn_however_many_one_has() -> None:
    line = Line()
    wanted = ["greedy"] * 6 + ["ada", "bea", "ada"]
    await asyncio.gather(*(line.work(who) for who in wanted))
    assert line.order == ["greedy", "greedy", "ada", "bea", "greedy", "ada", "greedy", "greedy", "greedy"]


async def test_one_never_has_all_places_at_once() -> None:
    line = Line(at_once=3, of_one=2)
    leave = await line.want("greedy")
    await line.want("greedy")
    third = asyncio.create_task(line.want("greedy"))
    await asyncio.sleep(0)
    assert not third.done()
    await asyncio.wait_for(line.want("ada"), 20)
    leave()
    await asyncio.wait_for(third, 20)


async def test_who_waits_too_often_is_told_and_the_others_are_not() -> None:
    line = Line(waiting=6, waiting_of_one=3)
    leave = await line.want("greedy")
    waiting = [asyncio.create_task(line.work("greedy")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError) as crowded:
        await line.want("greedy")
    assert crowded.value.own
    waiting += [asyncio.create_task(line.work(who)) for who in ("ada", "bea", "cem")]
    await asyncio.sleep(0)
    with pytest.raises(CrowdedError) as crowded:
        await line.want("dan")
    assert not crowded.value.own
    leave()
    await asyncio.gather(*waiting)
    assert line.order[:4] == ["greedy", "greedy", "ada", "bea"]


async def test_who_goes_away_takes_no_turn_with_him() -> None:
    line = Line()
    leave = await line.want("ada")
    gone, stays = (asyncio.create_task(line.work(who)) for who in ("bea", "cem"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    leave()
    await asyncio.wait_for(stays, 20)
    # Also one who goes at the very moment at which it is his turn, before or behind it.
    for first in (False, True):
        leave = await line.want("ada")
        gone, stays = (asyncio.create_task(line.work(who)) for who in ("bea", "cem"))
        await asyncio.sleep(0)
        steps = [leave, gone.cancel]
        for step in reversed(steps) if first else steps:
            step()
        await asyncio.wait_for(stays, 20)
        await asyncio.wait_for(line.work("dan"), 20)
