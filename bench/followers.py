"""Sidecars as `control` sees them: TLS streams that follow a Database's policies, and when each got a change.

Bytes are looked at no closer than needs be, so that many fit a process beside the one that is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import cast

from penstock_entrance.channel import Channel

# How a chunk ends that ends a bundle's line, which has no other line break; heartbeats are shorter.
_END = b"}\n\r\n"


class Follower(asyncio.Protocol):
    """One stream. `got` is set, with the moment, whenever a bundle is there in full."""

    def __init__(self, request: bytes, context: ssl.SSLContext) -> None:
        self._request = request
        self._context = context
        self._channel: Channel | None = None
        self._last = b""
        self.bundles = 0
        # Bytes so far, as they came out of TLS.
        self.size = 0
        self.at = 0.0
        self.got = asyncio.Event()
        # Why there are no more.
        self.trouble = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._channel = Channel(cast("asyncio.Transport", transport), self._context, self, self._done, "localhost")
        self._channel.begin()

    def _done(self, alpn: str | None, trouble: ssl.SSLError | None) -> None:
        if trouble is not None:
            self.trouble = str(trouble)
            self.got.set()
        elif self._channel is not None:
            self._channel.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._last and not data.startswith(b"HTTP/1.1 200"):
            self.trouble = data[-200:].decode(errors="replace")
            self.got.set()
            return
        self.size += len(data)
        self._last = (self._last + data)[-len(_END) :]
        if self._last == _END:
            self.bundles += 1
            self.at = time.monotonic()
            self.got.set()

    def leave(self) -> None:
        """Follow no more."""
        if self._channel is not None:
            self._channel.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.trouble = self.trouble or f"the stream ended: {exc}"
        self.got.set()


async def follow(port: int, path: str, token: str, context: ssl.SSLContext) -> Follower:
    """A stream that has its first bundle."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    _, follower = await asyncio.get_running_loop().create_connection(
        lambda: Follower(request, context), "127.0.0.1", port
    )
    await follower.got.wait()
    return follower
