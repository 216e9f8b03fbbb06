"""The one timer of all moments: each is over when its own time is up, in the order in which they began."""

from __future__ import annotations

import asyncio

from penstock_sidecar.proxy.moments import MOMENT_SECONDS, Moments


class Told:
    """When which moment began, and was over."""

    def __init__(self, moments: Moments, last: int) -> None:
        self._moments, self._last = moments, last
        self.began: list[float] = []
        self.over: list[tuple[int, float]] = []
        self.all = asyncio.Event()

    def begin(self, ticket: int) -> None:
        self.began.append(asyncio.get_running_loop().time())
        self._moments.begin(self._is_over, ticket)

    def _is_over(self, ticket: int) -> None:
        self.over.append((ticket, asyncio.get_running_loop().time()))
        if ticket == self._last:
            self.all.set()

    def check(self) -> None:
        assert [ticket for ticket, _ in self.over] == list(range(1, self._last + 1))
        for began, (_, ended) in zip(self.began, self.over, strict=True):
            # The loop's clock counts in milliseconds.
            assert ended - began >= MOMENT_SECONDS - 0.001


async def test_moments_are_over_in_their_order_and_none_too_soon() -> None:
    told = Told(Moments(), 3)
    told.begin(1)
    await asyncio.sleep(MOMENT_SECONDS / 2)
    told.begin(2)
    told.begin(3)
    await asyncio.wait_for(told.all.wait(), 30)
    told.check()


async def test_one_that_begins_when_all_others_are_over_has_its_time_too() -> None:
    moments = Moments()
    for _ in range(2):
        told = Told(moments, 1)
        told.begin(1)
        await asyncio.wait_for(told.all.wait(), 30)
        told.check()
