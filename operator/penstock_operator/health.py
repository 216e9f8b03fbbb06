"""What the kubelet and Prometheus ask of a program, in plain HTTP on a port of its own.

What doesn't belong: what makes a program ready, and which metrics there are.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def health(lacking: Callable[[], list[str]], registry: CollectorRegistry) -> Starlette:
    """/healthz (the process answers), /readyz (nothing is lacking), /metrics."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = lacking()
        if missing:
            return PlainTextResponse(f"waiting for {', '.join(missing)}\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
