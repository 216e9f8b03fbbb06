"""The server's end of a connection: what arrives there goes to the client's end, which says when to read on.

What either means is `penstock_sidecar.session`'s; the client's end is `connection.py`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock_sidecar.proxy.connection import Connection

# Bytes that wait for a slow reader before the other side's reading stops.
HIGH_WATER = 256 * 1024
# How long what was written before closing may take to go out.
CLOSING_SECONDS = 5.0


class ServerEnd(asyncio.Protocol):
    """The server's side of a connection."""

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._paused = True
        self._begun = False
        self.write = transport.write
        transport.set_write_buffer_limits(high=HIGH_WATER)
        transport.set_protocol(self)

    def begin(self) -> None:
        """Read from now on."""
        self._begun = True
        self._connection.perform(())

    @property
    def reads(self) -> bool:
        return not self._paused

    def throttle(self, pause: bool) -> None:
        if pause != self._paused and self._begun and not self._transport.is_closing():
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._connection.server_bytes(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.server_lost()

    def pause_writing(self) -> None:
        self._connection.server_writes(True)

    def resume_writing(self) -> None:
        self._connection.server_writes(False)

    def close(self) -> None:
        """After what was written, which must not take long: the server may not read any more."""
        if not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(CLOSING_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """At once: an open transaction is rolled back."""
        self._transport.abort()
