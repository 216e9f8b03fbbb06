"""Closing what nobody has used for a while, so that no idle agent keeps a session, or its locks, at the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

IDLE_SECONDS = 300.0
_EVERY_SECONDS = 15.0


@asynccontextmanager
async def closing_idle(close: Callable[[float], Awaitable[object]]) -> AsyncIterator[None]:
    """Meanwhile, have closed what was idle for that many seconds."""

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await close(IDLE_SECONDS)

    task = asyncio.create_task(again_and_again(), name="closing idle sessions")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
