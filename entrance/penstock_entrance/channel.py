"""TLS with one client, or with a server, between its connection and what is spoken over it: a transport above, a
protocol below.

Bytes go through at once in both directions and nothing is kept, so that whoever reads slowly is felt on the other side
as without TLS, and a connection that rests takes no room for what it once read: loops' own TLS keeps 256 KiB. What
doesn't belong: certificates and how they are checked, and when TLS begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any

# The most in one record of TLS. OpenSSL's buffers keep the size that they once had: they are given no more at a time.
_RECORD = 16384

# Told the protocol that ALPN came to; and why, if the handshake failed.
Done = Callable[[str | None, ssl.SSLError | None], None]


class Channel(asyncio.Transport, asyncio.Protocol):
    """Writes what the protocol writes, encrypted; reports what the other side sends, decrypted."""

    def __init__(
        self, transport: asyncio.Transport, context: ssl.SSLContext, inner: asyncio.Protocol, done: Done,
        server: str | None = None,
    ) -> None:  # fmt: skip
        """`server`: the name of the one on the other side, whose certificate it has to be for; None: a client."""
        super().__init__()
        self._transport = transport
        self._inner: asyncio.BaseProtocol = inner
        self._done: Done | None = done
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server is None, server_hostname=server
        )  # fmt: skip

    def begin(self, first: bytes = b"") -> None:
        """Take over; `first` is what a client sent of the handshake so far. With a server, the first word is ours."""
        self._transport.set_protocol(self)
        if first:
            self.data_received(first)
        elif not self._tls.server_side:
            self._shake_hands()

    # What the connection reports.

    def data_received(self, data: bytes) -> None:
        parts: list[bytes] = []
        ended = False
        for at in range(0, len(data), _RECORD):
            if self.is_closing():
                break
            self._incoming.write(data[at : at + _RECORD])
            if self._done is None or self._shake_hands():
                ended = self._decrypt(parts) or ended
        # Answers of TLS itself.
        self._flush()
        if parts and isinstance(self._inner, asyncio.Protocol):
            self._inner.data_received(parts[0] if len(parts) == 1 else b"".join(parts))
        if ended:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _shake_hands(self) -> bool:
        done = self._done
        if done is None or self.is_closing():
            return False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            # With the alert that tells the other side why.
            self._flush()
            self._done = None
            done(None, error)
            return False
        self._flush()
        self._done = None
        done(self._tls.selected_alpn_protocol(), None)
        return not self.is_closing()

    def _decrypt(self, parts: list[bytes]) -> bool:
        """Add what can be read by now; whether that was the end, said or by nonsense."""
        try:
            while part := self._tls.read(_RECORD):
                parts.append(part)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True

    def _flush(self) -> None:
        if self._outgoing.pending and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())

    # What the protocol asks for.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._inner

    def write(self, data: Any) -> None:
        if self._transport.is_closing():
            return
        rest = memoryview(data)
        records = []
        try:
            while rest:
                rest = rest[self._tls.write(rest[:_RECORD]) :]
                records.append(self._outgoing.read())
        except ssl.SSLError:
            self._transport.abort()
            return
        self._transport.write(records[0] if len(records) == 1 else b"".join(records))

    def close(self) -> None:
        """After what was written, and with TLS's own word for the end."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "ssl_object":
                return self._tls
            case "sslcontext":
                return self._tls.context
        return self._transport.get_extra_info(name, default)
