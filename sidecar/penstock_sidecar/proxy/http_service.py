"""One service that the gate asks over HTTP while somebody waits: bounded in time and size, all trouble in one line.

What is asked, and what an answer means, is `approval_requests.py`'s and `tickets.py`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx2
import structlog

from penstock_sidecar.shipping import access

_log = structlog.get_logger(__name__)

# How long it may take to answer.
ANSWER_SECONDS = 5.0


class ServiceError(Exception):
    """It could not be asked; the text is one line for the client, and names no secret."""


class HttpService:
    """Asked with the token and the CA that the audit trail is shipped with."""

    def __init__(
        self, kind: str, url: str, token_file: Path | None, ca_file: Path | None, *, longest: int = 65_536
    ) -> None:
        """`kind`: what it is to the gate, in words; `longest`: the most that it may answer, in bytes."""
        self.host = url.rstrip("/")
        # What it is, and where.
        self.called = f"the {kind} {self.host}"
        # What is said of one that answers what it should not.
        self.odd = f"{self.host} does not answer as a {kind} does"
        self._longest = longest
        self._token_file = token_file
        self._ca_file = ca_file
        self._client: httpx2.AsyncClient | None = None
        self._trouble = ""

    async def exchange(self, method: str, url: str, body: bytes, seconds: float) -> tuple[int, bytes]:
        """Status and body of its answer. Raises ServiceError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._sent(method, url, body)
        except TimeoutError:
            raise ServiceError(f"{self.called} does not answer in time") from None

    async def _sent(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json", **self._authorization()}
        try:
            client = self._client = self._client or self._make_client()
            async with client.stream(method, url, content=body, headers=headers) as response:
                said = b""
                async for part in response.aiter_bytes():
                    said += part
                    if len(said) > self._longest:
                        raise ServiceError(self.odd)
                return response.status_code, said
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            # A new client reads the CA file anew: it may have been rotated.
            await self.close()
            words = " ".join(str(error).split()) or type(error).__name__
            raise ServiceError(f"{self.called} cannot be reached: {words}") from None

    def _authorization(self) -> dict[str, str]:
        try:
            return access.authorization(self._token_file)
        except OSError as error:
            raise ServiceError(f"the gate's token can't be read: {error.strerror}") from None
        except access.NoTokenError:
            raise ServiceError("the gate's token file holds no token") from None

    def _make_client(self) -> httpx2.AsyncClient:
        # How long it takes is bounded around it.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8)
        return access.client(self.host, self._ca_file, timeout=None, limits=limits)

    def note(self, trouble: str) -> None:
        """Log when trouble begins, or becomes another one; empty: there is none."""
        if trouble and trouble != self._trouble:
            _log.warning("what the gate asks over HTTP has failed", why=trouble)
        self._trouble = trouble

    async def close(self) -> None:
        """Nothing is asked any more."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
