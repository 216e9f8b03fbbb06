"""A bell that rings for all who wait, and that none of them misses.

What doesn't belong: what it rings for.
"""

from __future__ import annotations

import asyncio


class Turn:
    """From one ring to the next. Take it before looking at what may have changed."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def passed(self, seconds: float) -> bool:
        """Wait for the ring, no longer than that; whether it came."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        return True


class Bell:
    """Rings when something has changed."""

    def __init__(self) -> None:
        self._turn = Turn()

    def turn(self) -> Turn:
        return self._turn

    def ring(self) -> None:
        turn, self._turn = self._turn, Turn()
        turn.ring()
