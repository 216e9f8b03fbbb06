"""An answer that goes on for as long as a viewer follows, and holds one of their places from beginning to end.

What doesn't belong: what is followed (`live.py`, `inbox.py`), how many may (`penstock_collector.tail`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from penstock_collector.tail import TooManyFollowers


class Following(StreamingResponse):
    """Server-sent events. The place is taken when the answer begins, so that none is held by one that never does."""

    def __init__(self, events: AsyncIterator[str], place: Callable[[], AbstractContextManager[None]]) -> None:
        # Proxies must pass each event on as it comes.
        super().__init__(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._place():
                await super().__call__(scope, receive, send)
        except TooManyFollowers as error:
            refusal = JSONResponse({"error": str(error)}, 503, headers={"retry-after": "5"})
            await refusal(scope, receive, send)
