"""Liveness, readiness and metrics over HTTP, for Kubernetes and Prometheus: three GETs and nothing else.

A server of a few lines rather than a framework, so that a sidecar starts fast and stays small. The whole cluster can
reach it: details (where the database is, what it said) are for those inside the pod and `kubectl port-forward`. What is
told is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import cast

from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry

from penstock_entrance.visitors import Visitors

_LONGEST_REQUEST = 8192
_SECONDS = 5.0
# That ask and have not said what: beyond, the oldest makes way.
_MOST_AT_ONCE = 100
_TEXT = "text/plain; charset=utf-8"

# Whether all is well, and in one line what is (not).
Check = Callable[[], tuple[bool, str]]


@dataclass(eq=False, slots=True)
class _Asking:
    """One connection."""

    task: asyncio.Task[None]

    def make_way(self) -> None:
        self.task.cancel()


class HealthServer:
    """Answers on a port of its own."""

    def __init__(self, ready: Check, registry: CollectorRegistry) -> None:
        self._ready = ready
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._visitors = Visitors(strangers=_MOST_AT_ONCE)
        self._asking: set[_Asking] = set()

    async def listen(self, host: str, port: int) -> int:
        """Answer from now on; the port that it came to. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST_REQUEST)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for one in tuple(self._asking):
            one.make_way()
        await asyncio.gather(*(one.task for one in self._asking), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = _Asking(cast("asyncio.Task[None]", asyncio.current_task()))
        self._asking.add(one)
        self._visitors.arrived(one)
        try:
            async with asyncio.timeout(_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                peer = writer.get_extra_info("peername") or ("",)
                writer.write(self.answer(request, str(peer[0])))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._asking.discard(one)
            self._visitors.left(one)
            writer.close()

    def answer(self, request: bytes, peer: str) -> bytes:
        """The response to a request's head from that address."""
        words = request.split(b"\r\n", 1)[0].split()
        method, target = (words[0], words[1].split(b"?")[0]) if len(words) == 3 else (b"", b"")
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"only GET\n", head=False)
        status, kind, body = HTTPStatus.NOT_FOUND, _TEXT, b"/healthz, /readyz or /metrics\n"
        if target == b"/healthz":
            status, body = HTTPStatus.OK, b"ok\n"
        elif target == b"/readyz":
            ready, words_ = self._ready()
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            body = f"{words_ if _is_inside(peer) else 'ready' if ready else 'not ready'}\n".encode()
        elif target == b"/metrics":
            status, kind = HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8"
            body = generate_latest(self._registry)
        return _response(status, kind, body, head=method == b"HEAD")


def _is_inside(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


def _response(status: HTTPStatus, kind: str, body: bytes, *, head: bool) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return lines.encode() + (b"" if head else body)
