"""Runs ASGI applications on ports of their own in one process until asked to stop.

What doesn't belong: what the applications answer, and signals (whoever runs this decides when to stop).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from penstock_entrance.guarded_http import config, quiet_accepting
from penstock_entrance.visitors import Visitors


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An application and where it listens; with a TLS context, over HTTPS."""

    app: ASGIApp
    host: str
    port: int
    tls: ssl.SSLContext | None = None


class ServingError(Exception):
    """A port can't be listened on."""


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def alongside(main: Coroutine[Any, Any, None], others: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run `main`, and the others as long as it runs. Whatever ends with an error first ends all, with that error."""
    first = asyncio.create_task(main)
    tasks = [first, *(asyncio.create_task(other) for other in others)]
    try:
        waiting = set(tasks)
        while first in waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve(endpoints: list[Endpoint], stop: asyncio.Event, *, drain: int = 10) -> None:
    """Serve all until `stop` is set, then up to `drain` seconds more for requests that run. Raises ServingError."""
    sockets: list[socket.socket] = []
    try:
        for endpoint in endpoints:
            sockets.append(_listen(endpoint))
    except ServingError:
        for listener in sockets:
            listener.close()
        raise
    entrances = [Visitors() for _ in endpoints]
    # Each listener has one of its own: who asks for health does not share the door of those who ask for more.
    servers = [
        _Server(config(endpoint.app, visitors, endpoint.tls, grace=drain))
        for endpoint, visitors in zip(endpoints, entrances, strict=True)
    ]
    quiet_accepting(asyncio.get_running_loop(), entrances[0].log)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener])) for server, listener in zip(servers, sockets, strict=True)
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        for visitors in entrances:
            visitors.log.sum_up()


def _listen(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family, backlog=1024)
    except OSError as problem:
        raise ServingError(
            f"can't listen on {endpoint.host}:{endpoint.port}: {problem.strerror or problem}"
        ) from problem
