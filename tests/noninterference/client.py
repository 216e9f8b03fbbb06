"""A client that speaks bytes over a blocking socket and keeps every message that comes back.

What is said is the scenes' business; how answers are compared, `comparing.py`'s.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import psycopg

from penstock_sidecar.wire import messages

Message = tuple[bytes, bytes]
# Longer than any statement of the proof takes.
PATIENCE = 60.0
_CLEARTEXT = b"\x00\x00\x00\x03"


class Client:
    """One session after its greeting."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._raw.settimeout(PATIENCE)
        self._buffer = bytearray()
        self.greeting: list[Message] = []
        self._login: psycopg.Connection | None = None

    @classmethod
    def gated(cls, port: int, dbname: str, user: str, token: str, parameters: Mapping[str, str]) -> Client:
        """A session through a gate. An error at the greeting is in `greeting`, as its last message."""
        client = cls(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        client.send(messages.startup({"user": user, "database": dbname, **parameters}))
        while not client.greeting or client.greeting[-1][0] not in b"ZE":
            kind, body = client.next()
            if kind == b"R" and body == _CLEARTEXT:
                client.send(messages.password(token.encode()))
            client.greeting.append((kind, body))
        return client

    @classmethod
    def direct(cls, port: int, dbname: str, user: str, password: str) -> Client:
        """A session with the server itself; libpq logs in, and its socket is taken over."""
        connection = psycopg.connect(
            host="127.0.0.1", port=port, dbname=dbname, user=user, password=password, sslmode="disable",
            autocommit=True, client_encoding="UTF8",
        )  # fmt: skip
        client = cls(socket.socket(fileno=os.dup(connection.fileno())))
        # libpq says goodbye when its connection is forgotten.
        client._login = connection
        return client

    def send(self, data: bytes) -> None:
        """Say it; a server that hung up does not matter before its last words are read."""
        try:
            self._raw.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def next(self) -> Message:
        """The next message; of the kind `!` where there is none, with the reason."""
        buffer = self._buffer
        while len(buffer) < 5 or len(buffer) < 1 + int.from_bytes(buffer[1:5], "big"):
            try:
                data = self._raw.recv(1 << 16)
            except TimeoutError:
                return b"!", b"no answer"
            except ConnectionError:
                data = b""
            if not data:
                return b"!", b"the connection was closed"
            buffer += data
        end = 1 + int.from_bytes(buffer[1:5], "big")
        kind, body = bytes(buffer[:1]), bytes(buffer[5:end])
        del buffer[:end]
        return kind, body

    def until(self, kinds: bytes = b"Z") -> list[Message]:
        """The messages up to one of those kinds, or to the end of the connection."""
        got = [self.next()]
        while got[-1][0] not in kinds and got[-1][0] != b"!":
            got.append(self.next())
        return got

    def ask(self, sql: str, data: bytes = b"") -> list[Message]:
        """All that is answered to a Query; `data` is what a COPY FROM STDIN is given."""
        self.send(messages.query(sql))
        return self.answer(data)

    def answer(self, data: bytes = b"", behind: bytes = b"") -> list[Message]:
        """The messages up to ReadyForQuery, a COPY FROM STDIN given that data, and what is to be sent behind it: in the
        extended protocol a Sync, since servers pass over one that comes before the data.
        """
        got = self.until(b"ZG")
        while got[-1][0] == b"G":
            self.send(messages.message(b"d", data) + messages.message(b"c", b"") + behind)
            got += self.until(b"ZG")
        return got

    def close(self) -> None:
        if self._raw.fileno() < 0:
            return
        if self._login is not None:
            self._login.close()
        else:
            self.send(messages.TERMINATE)
        self._raw.close()
