"""An OIDC provider on loopback for tests: real HTTPS, real signatures, and every way in which a provider can misbehave.

It knows no users and has no pages: tests ask it for the tokens that they need.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


@dataclass
class Answer:
    """What the provider answers to one path, in place of what it should."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    # How long it takes, and whether it sends more and more.
    seconds: float = 0.0
    endless: bool = False


class Provider:
    """One provider, with a signing key that can be replaced."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.ca_file = directory / "provider-ca.crt"
        self._authority.cert_pem.write_to_path(str(self.ca_file))
        self._keys: dict[str, Any] = {}
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.asked: Counter[str] = Counter()
        self.instead: dict[str, Answer] = {}
        self.rotate("first")

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}/realms/shop"

    def rotate(self, name: str, *, keep: bool = False) -> None:
        """Sign by a new key from now on."""
        self._keys = {**(self._keys if keep else {}), name: ec.generate_private_key(ec.SECP256R1())}
        self._signs = name

    def token(self, *, kid: str | None = None, **claims: Any) -> str:
        now = int(time.time())
        values = {
            "iss": self.issuer, "aud": "penstock", "sub": "ada", "iat": now, "exp": now + 60, "groups": ["dpo"],
            **claims,
        }  # fmt: skip
        return jwt.encode(values, self._keys[self._signs], algorithm="ES256", headers={"kid": kid or self._signs})

    def keys(self) -> bytes:
        algorithm = jwt.algorithms.ECAlgorithm
        keys = [
            {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig", "alg": "ES256"}
            for name, key in self._keys.items()
        ]
        return json.dumps({"keys": keys}).encode()

    def discovery(self, **changes: Any) -> bytes:
        document = {"issuer": self.issuer, "jwks_uri": f"https://localhost:{self.port}{JWKS}", **changes}
        return json.dumps(document).encode()

    async def start(self) -> None:
        """Listen, on the port that it had before."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("localhost").configure_cert(context)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for client in tuple(self._clients):
                client.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await self._answer(head.split()[1], writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        self.asked[path] += 1
        usual = {JWKS: self.keys, f"/realms/shop{DISCOVERY}": self.discovery}
        answer = self.instead.get(path) or (Answer(usual[path]()) if path in usual else Answer(status=404))
        await asyncio.sleep(answer.seconds)
        headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
        if answer.endless:
            del headers["Content-Length"]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode() + answer.body)
        while answer.endless:
            writer.write(b" " * 65_536)
            await writer.drain()
        await writer.drain()


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Provider]:
    """A provider that listens."""
    provider = Provider(directory)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()
