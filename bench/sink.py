"""A collector that keeps nothing: it acknowledges what the gate ships, so that shipping is part of what is measured.

The collector's own work, which in a cluster happens on another node, is not.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_SEQ = re.compile(rb'"seq":([0-9]+)')


class _Connection(asyncio.Protocol):
    """One client's requests, one after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: uvloop's transports are of classes of their own.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (head := self._data.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._data, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._data) < end:
                return
            last = self._data.rfind(b"\n", head + 4, end - 1)
            found = _SEQ.search(self._data, max(last, head), end)
            seq = int(found[1]) if found else 0
            del self._data[:end]
            self._answer(seq)

    def _answer(self, seq: int) -> None:
        body = b'{"acknowledged": %d}' % seq
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        if self._transport is not None:
            self._transport.write(head + body)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
