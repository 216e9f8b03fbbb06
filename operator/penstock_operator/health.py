"""What the kubelet and Prometheus ask of a program, in plain HTTP on a port of its own.

What doesn't belong: what makes a program ready, and which metrics there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

# The kubelet has long given up by then.
_LONGEST_TURN_SECONDS = 10.0


async def _own_loop() -> None:
    """It turns, since it answers."""


def health(
    lacking: Callable[[], list[str]], registry: CollectorRegistry, turns: Callable[[], Awaitable[None]] = _own_loop
) -> Starlette:
    """/healthz (the process answers), /readyz (nothing is lacking), /metrics.

    `turns` returns once another loop of the process, which does its work as well, has turned.
    """

    async def healthz(_: Request) -> Response:
        try:
            async with asyncio.timeout(_LONGEST_TURN_SECONDS):
                await turns()
        except TimeoutError:
            return PlainTextResponse("a loop of this process does not turn\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = lacking()
        if missing:
            return PlainTextResponse(f"waiting for {', '.join(missing)}\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
