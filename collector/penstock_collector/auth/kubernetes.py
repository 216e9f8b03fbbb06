"""Asks the API server whose projected token a sidecar presents (TokenReview), as the pod that this process runs in.

What doesn't belong: what an answer says (`penstock_core.token_review`), and which streams that pod may write
(`streams.py`).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from penstock_core.pod_token import is_worth_a_review
from penstock_core.token_review import PATH, Pod, Reviewed, proven, request

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_AT_ONCE = 8


class ReviewUnavailable(RuntimeError):
    """The API server could not be asked; the sender should come back."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where the API server is, and who we are to it."""

    url: str
    token_file: Path
    ca_file: Path

    @classmethod
    def of_this_pod(cls, directory: Path = SERVICE_ACCOUNT) -> ApiServer:
        """Raises ReviewUnavailable outside a pod."""
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (directory / "token").exists():
            raise ReviewUnavailable("not in a Kubernetes pod: no KUBERNETES_SERVICE_HOST or no service account token")
        name = f"[{host}]" if ":" in host else host
        return cls(f"https://{name}:{port}", directory / "token", directory / "ca.crt")


class TokenReviewer:
    """Tells which pod a token proves, and remembers it for a while."""

    def __init__(self, server: ApiServer, audience: str) -> None:
        self._server = server
        self._audience = audience
        self._reviewed = Reviewed()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        context = ssl.create_default_context(cafile=server.ca_file)
        self._client = httpx2.AsyncClient(
            verify=context, timeout=httpx2.Timeout(10, connect=3), trust_env=False, follow_redirects=False
        )

    async def pod(self, token: str) -> Pod | None:
        """The pod that the token was made for, None if it proves no pod. Raises ReviewUnavailable."""
        if not is_worth_a_review(token, self._audience, time.time()):
            return None
        known = self._reviewed.known(token, time.monotonic())
        if known is None:
            async with self._slots:
                known = (await self._review(token),)
            self._reviewed.keep(token, known[0], time.monotonic())
        return known[0]

    async def _review(self, token: str) -> Pod | None:
        try:
            own = self._server.token_file.read_text().strip()
            response = await self._client.post(
                f"{self._server.url}{PATH}",
                json=request(token, self._audience),
                headers={"authorization": f"Bearer {own}"},
            )
        except (httpx2.HTTPError, OSError) as error:
            raise ReviewUnavailable(f"the API server cannot be asked about a token: {error}") from None
        if response.status_code not in (200, 201):
            raise ReviewUnavailable(f"the API server answers a TokenReview with {response.status_code}")
        try:
            return proven(response.json(), self._audience)
        except ValueError as error:
            raise ReviewUnavailable(f"the API server cannot be asked about a token: {error}") from None

    async def close(self) -> None:
        await self._client.aclose()
