"""A collector that keeps nothing: it acknowledges what the gate ships, so that shipping is part of what is measured.

The collector's own work, which in a cluster happens on another node, is not.
"""

from __future__ import annotations

import asyncio
import re
import sys

import uvloop

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_SEQ = re.compile(rb'"seq":([0-9]+)')


class _Connection(asyncio.Protocol):
    """One client's requests, one after the other."""

    def __init__(self) -> None:
        self._transport: asyncio.BaseTransport | None = None
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (head := self._data.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._data, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._data) < end:
                return
            last = self._data.rfind(b"\n", head + 4, end - 1)
            seqs = _SEQ.search(self._data, max(last, head), end)
            del self._data[:end]
            self._answer(int(seqs[1]) if seqs else 0)

    def _answer(self, seq: int) -> None:
        body = b'{"acknowledged": %d}' % seq
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
