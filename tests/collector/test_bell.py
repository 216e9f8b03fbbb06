"""The bell: whoever took a turn before it rang does not wait for the next."""

from __future__ import annotations

from penstock_collector.bell import Bell


async def test_a_bell_is_missed_by_nobody() -> None:
    bell = Bell()
    before = bell.turn()
    bell.ring()
    assert await before.passed(1), "rung between the look and the wait"
    assert not await bell.turn().passed(0.01)
