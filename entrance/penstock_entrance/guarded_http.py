"""HTTP by uvicorn, at an entrance: TLS, heads and bodies have deadlines, answers must be read, complaints are counted.

TLS is begun here and not by the loop, which counts nobody before a handshake is done. What doesn't belong: the
application, and running the server.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from penstock_entrance.channel import Channel
from penstock_entrance.log_throttle import LogThrottle
from penstock_entrance.open_files import BACKLOG
from penstock_entrance.visitors import Visitors

# From the connection, or the first byte of a further request, to the end of its head.
HEAD_SECONDS = 10.0
# From there to the end of the body: a full batch of events, over a slow line.
BODY_SECONDS = 60.0
# How long an answer may wait for its reader.
READING_SECONDS = 60.0
_IDLE_SECONDS = 30
_VISIT = "visit"
_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
)


class _Log(logging.Logger):
    """What uvicorn complains of, as the throttle takes it."""

    def __init__(self, throttle: LogThrottle) -> None:
        super().__init__("penstock.entrance", logging.WARNING)
        self._throttle = throttle

    def handle(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], ClientDisconnect):
            # Theirs to do, and no fault of ours.
            return
        details = {"exc_info": record.exc_info} if record.exc_info else {}
        self._throttle.warn(record.getMessage().strip().rstrip("."), **details)


class GuardedHttp(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        visitors: Visitors,
        tls: ssl.SSLContext | None,
        log: logging.Logger,
    ) -> None:
        """`log`: one for all connections of a listener."""
        super().__init__(config, server_state, {**app_state, _VISIT: self}, _loop)
        self.logger = log
        self.visitors = visitors
        self._tls = tls
        self._raw: asyncio.Transport | None = None
        self._begun, self.gone = False, False
        # Who is told when it is gone.
        self.on_leaving: Callable[[], None] | None = None
        # What is waited for, of which request, and until when.
        self._awaited: tuple[str, object] = ("", None)
        self._deadline: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = self._raw = cast("asyncio.Transport", transport)
        self.visitors.arrived(self)
        self._await("head", None)
        if self._tls is None:
            self._begin(raw)
            return

        def shaken(_: str | None, trouble: ssl.SSLError | None) -> None:
            if trouble is None:
                self._begin(channel)
            else:
                # Scanners, and whoever does not trust us: nobody of whom there is anything to tell.
                raw.close()

        # The deadline is that of the head.
        channel = Channel(raw, self._tls, self, shaken)
        channel.begin()

    def _begin(self, transport: asyncio.Transport) -> None:
        self._begun = True
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._begun:
            super().connection_lost(exc)
        self._leave()

    def _leave(self) -> None:
        self.gone = True
        self._await("", None)
        if self._reading is not None:
            self._reading.cancel()
        self.visitors.left(self)
        if self.on_leaving is not None:
            self.on_leaving()
            self.on_leaving = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def _look(self) -> None:
        """What is waited for now?"""
        state = self.conn.their_state
        if self.gone:
            return
        if state is h11.SEND_BODY:
            self._await("body", self.cycle)
        elif state is h11.IDLE and (self.timeout_keep_alive_task is None or self.conn.trailing_data[0]):
            self._await("head", self.cycle)
        else:
            # The answer; or the next request, for which uvicorn has a time of its own.
            self._await("", None)

    def _await(self, what: str, of: object) -> None:
        if self._awaited == (what, of):
            return
        self._awaited = (what, of)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if what:
            seconds = BODY_SECONDS if what == "body" else HEAD_SECONDS
            self._deadline = self.loop.call_later(seconds, self._end, f"a request's {what} did not come in time")

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reading is None:
            self._reading = self.loop.call_later(READING_SECONDS, self._end, "an answer was not read in time")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _end(self, problem: str) -> None:
        self.visitors.log.warn(problem)
        self.make_way()

    def make_way(self) -> None:
        """End at once."""
        if self._begun:
            # Of TLS, this ends what is under it too.
            self.transport.abort()
        if self._raw is not None:
            self._raw.abort()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        body = f"{msg}\n".encode("ascii", "replace")
        head = h11.Response(status_code=400, headers=[*_HEADERS], reason=b"Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def known(connection: HTTPConnection, name: str) -> None:
    """The other end has shown who it is: strangers push it out no more."""
    if (visit := _visit(connection)) is not None:
        visit.visitors.known(visit, name)


def dismiss(connection: HTTPConnection) -> None:
    """End the connection, for the sake of the others."""
    if (visit := _visit(connection)) is not None:
        visit.visitors.log.warn("a request made way for others")
        visit.make_way()


def on_leaving(connection: HTTPConnection, call: Callable[[], None]) -> None:
    """Have it called once when the other end is gone, which may be now."""
    visit = _visit(connection)
    if visit is None or visit.gone:
        call()
    else:
        visit.on_leaving = call


def _visit(connection: HTTPConnection) -> GuardedHttp | None:
    visit = connection.scope.get("state", {}).get(_VISIT)
    return visit if isinstance(visit, GuardedHttp) else None


def config(app: ASGIApp, visitors: Visitors, tls: ssl.SSLContext | None = None, *, grace: int = 5) -> uvicorn.Config:
    """For a server of one listener, which says nothing about itself and writes no log of accesses."""
    return uvicorn.Config(
        app,
        http=partial(GuardedHttp, visitors=visitors, tls=tls, log=_Log(visitors.log)),  # type: ignore[arg-type] # it is called, no more
        interface="asgi3",
        ws="none",
        log_config=None,
        # That servers start and end is of no interest.
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=grace,
    )


def quiet_accepting(loop: asyncio.AbstractEventLoop, throttle: LogThrottle) -> None:
    """Where files run out all the same, the loop would write a traceback for each connection that waits."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "accept() out of system resource" in context.get("message", ""):
            throttle.warn("connections can't be accepted: too many files are open")
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
