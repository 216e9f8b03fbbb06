"""Asks the API server whose projected token a sidecar presents (TokenReview), as the pod that this process runs in.

What doesn't belong: which streams that pod may write (`streams.py`).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import httpx2

from penstock_collector.auth.token_file import fingerprint
from penstock_core.pod_token import is_worth_a_review

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_POD_UID = "authentication.kubernetes.io/pod-uid"
# A pod that is deleted loses access at the latest after this time; the API server is spared a question per batch.
_KEPT_SECONDS = 60.0
_REFUSAL_KEPT_SECONDS = 10.0
_MOST_KEPT = 10_000
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
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        context = ssl.create_default_context(cafile=server.ca_file)
        self._client = httpx2.AsyncClient(
            verify=context, timeout=httpx2.Timeout(10, connect=3), trust_env=False, follow_redirects=False
        )

    async def pod_uid(self, token: str) -> str | None:
        """The uid of the pod that the token was made for, None if it proves no pod. Raises ReviewUnavailable."""
        if not is_worth_a_review(token, self._audience, time.time()):
            return None
        key = fingerprint(token)
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        async with self._slots:
            uid = await self._review(token)
        self._known[key] = (time.monotonic() + (_KEPT_SECONDS if uid else _REFUSAL_KEPT_SECONDS), uid)
        self._known.move_to_end(key)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return uid

    async def _review(self, token: str) -> str | None:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        try:
            own = self._server.token_file.read_text().strip()
            response = await self._client.post(
                f"{self._server.url}/apis/authentication.k8s.io/v1/tokenreviews",
                json=body,
                headers={"authorization": f"Bearer {own}"},
            )
        except (httpx2.HTTPError, OSError) as error:
            raise ReviewUnavailable(f"the API server cannot be asked about a token: {error}") from None
        if response.status_code not in (200, 201):
            raise ReviewUnavailable(f"the API server answers a TokenReview with {response.status_code}")
        return self._proven(response)

    def _proven(self, response: httpx2.Response) -> str | None:
        try:
            status = response.json()["status"]
            if status.get("authenticated") is not True or self._audience not in status.get("audiences", []):
                return None
            extra = status["user"].get("extra") or {}
            uids = extra.get(_POD_UID) or []
            return str(uids[0]) if len(uids) == 1 and uids[0] else None
        except (ValueError, LookupError, AttributeError, TypeError):
            raise ReviewUnavailable("the API server's answer is no TokenReview") from None

    async def close(self) -> None:
        await self._client.aclose()
