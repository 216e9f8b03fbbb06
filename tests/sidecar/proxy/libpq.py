"""The libpq that psycopg brings along, by ctypes: what psycopg itself does not show, logging in with OAUTHBEARER.

libpq 18 asks a hook of the application for the token; libpq's own device flow, a module apart, is not needed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg_binary

_BEARER_TOKEN = 1
_HOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_OK = 0


class _Request(ctypes.Structure):
    """PGoauthBearerRequest of libpq-fe.h."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("asynchronous", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("user", ctypes.c_void_p),
    )


@dataclass
class Libpq:
    """One process-wide libpq, and the hook that it asks."""

    # What the hook answers: the token, or None for none at all.
    token: Callable[[], str | None] = lambda: None
    # The configuration and scope that the hook was asked for a token by.
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (path,) = (Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs").glob("libpq-*.so*")
        self._library = library = ctypes.CDLL(str(path))
        library.PQconnectdb.restype = library.PQexec.restype = ctypes.c_void_p
        library.PQconnectdb.argtypes = [ctypes.c_char_p]
        library.PQerrorMessage.restype = library.PQgetvalue.restype = ctypes.c_char_p
        library.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        library.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.PQsetAuthDataHook.argtypes = [ctypes.c_void_p]
        for name in ("PQstatus", "PQerrorMessage", "PQfinish", "PQclear"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        # Kept: libpq has only its address.
        self._hook = _HOOK(self._answer)
        self._kept: list[object] = []
        library.PQsetAuthDataHook(ctypes.cast(self._hook, ctypes.c_void_p))

    def end(self) -> None:
        """Put libpq's own hook back."""
        self._library.PQsetAuthDataHook(None)

    def _answer(self, kind: int, connection: int, data: int) -> int:
        if kind != _BEARER_TOKEN:
            return 0
        request = ctypes.cast(data, ctypes.POINTER(_Request)).contents
        self.asked.append(((request.openid_configuration or b"").decode(), (request.scope or b"").decode()))
        token = self.token()
        if token is None:
            return -1
        buffer = ctypes.create_string_buffer(token.encode())
        self._kept.append(buffer)
        request.token = ctypes.addressof(buffer)
        return 1

    def ask(self, options: str, text: str) -> tuple[str, str]:
        """Connect and ask for one value: the value, and why it could not be had. It blocks."""
        library = self._library
        connection = library.PQconnectdb(options.encode())
        try:
            if library.PQstatus(connection) != _OK:
                return "", library.PQerrorMessage(connection).decode()
            result = library.PQexec(connection, text.encode())
            value = library.PQgetvalue(result, 0, 0)
            library.PQclear(result)
            return (value or b"").decode(), ""
        finally:
            library.PQfinish(connection)
