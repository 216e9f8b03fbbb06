"""Answers that last for as long as somebody listens, thousands at once: what wakes them, and that each is one task.

What they say is `app.py`'s. What doesn't belong: connections (`penstock_entrance.guarded_http`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import islice

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from penstock_entrance.guarded_http import on_leaving

# Of those who listen, in each turn of the loop: each encrypts for itself, and probes are answered in between.
_IN_A_TURN = 20


class Listener:
    """One who waits for one of several things, for so long at most."""

    __slots__ = ("_gone", "_woken")

    def __init__(self) -> None:
        self._woken: asyncio.Future[None] | None = None
        # Nobody is there any more.
        self._gone = False

    def leave(self) -> None:
        """The other end is gone."""
        self._gone = True
        self.wake()

    def wake(self) -> None:
        """Something happened."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def wait(self, seconds: float, *notices: Notice) -> bool:
        """Until one of them is set, or the time is over. Whether somebody is still there."""
        if self._gone or any(notice.is_set() for notice in notices):
            return not self._gone
        loop = asyncio.get_running_loop()
        self._woken = loop.create_future()
        ending = loop.call_later(seconds, self.wake)
        for notice in notices:
            notice.tell(self)
        try:
            await self._woken
        finally:
            ending.cancel()
            self._woken = None
            for notice in notices:
                notice.forget(self)
        return not self._gone


class Notice(asyncio.Event):
    """An event that thousands wait for: they are woken some at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[Listener, None] = {}

    def tell(self, listener: Listener) -> None:
        """Wake it when this is set."""
        self._listeners[listener] = None

    def forget(self, listener: Listener) -> None:
        """It waits no more."""
        self._listeners.pop(listener, None)

    def set(self) -> None:
        known = self.is_set()
        super().set()
        if self._listeners and not known:
            self._wake_some(asyncio.get_running_loop())

    def _wake_some(self, loop: asyncio.AbstractEventLoop) -> None:
        for listener in list(islice(self._listeners, _IN_A_TURN)):
            del self._listeners[listener]
            listener.wake()
        if self._listeners:
            loop.call_soon(self._wake_some, loop)


class LastingResponse(StreamingResponse):
    """Sends what `lines` yields. No second task looks whether somebody is there: `listener` is told."""

    def __init__(self, lines: AsyncGenerator[bytes], listener: Listener, media_type: str) -> None:
        super().__init__(lines, media_type=media_type, headers={"Cache-Control": "no-store"})
        self._lines = lines
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        on_leaving(HTTPConnection(scope), self._listener.leave)
        async with contextlib.aclosing(self._lines):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            # The token among them is of no use any more, and as large as much of what a stream takes.
            scope["headers"].clear()
            async for line in self._lines:
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


class Lasting:
    """An endpoint whose answers last: the request is forgotten once it is known what is answered."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)
