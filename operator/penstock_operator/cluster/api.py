"""Requests to the API server: small, asynchronous, with a time limit each, and errors in its own words.

What doesn't belong: following changes (`watch.py`), and which objects matter.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from penstock_operator.cluster.access import Access

Json = dict[str, Any]

_TIMEOUT = httpx2.Timeout(10.0)
# A watch is silent while nothing changes; the server sends a bookmark about once a minute.
WATCH_SILENCE = 150.0


class ApiError(Exception):
    """The API server refused, or was not there (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """One API server. `async with` it, so that connections are closed."""

    def __init__(self, access: Access, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._access = access
        self._client = httpx2.AsyncClient(
            base_url=access.server,
            verify=access.tls() if transport is None else True,
            transport=transport,
            timeout=_TIMEOUT,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: str) -> Json:
        return await self._request("GET", path, query)

    async def create(self, path: str, body: Json) -> Json:
        return await self._request("POST", path, {}, body)

    async def delete(self, path: str, body: Json) -> Json:
        """With DeleteOptions: what must be so of the object for it to be deleted."""
        return await self._request("DELETE", path, {}, body)

    async def merge(self, path: str, body: Json) -> Json:
        """A JSON merge patch."""
        return await self._request("PATCH", path, {}, body, "application/merge-patch+json")

    async def apply(self, path: str, body: Json, *, manager: str, force: bool = True) -> Json:
        """Server-side apply; without `force`, a field that another manager set otherwise is a conflict (409)."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._request("PATCH", path, query, body, "application/apply-patch+yaml")

    @asynccontextmanager
    async def stream(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[Json]]:
        """The documents of a watch, as they come. Ends when the server ends it or is silent for too long."""
        timeout = httpx2.Timeout(10.0, read=WATCH_SILENCE)
        try:
            async with self._client.stream(
                "GET", path, params=query, headers=self._headers(), timeout=timeout
            ) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise _refused(response)
                yield _documents(response)
        except httpx2.TransportError as problem:
            raise _unreachable(problem) from problem

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None = None, kind: str = "application/json"
    ) -> Json:
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = kind
        content = None if body is None else json.dumps(body).encode()
        try:
            response = await self._client.request(method, path, params=query, content=content, headers=headers)
        except httpx2.TransportError as problem:
            raise _unreachable(problem) from problem
        if response.status_code >= 400:
            raise _refused(response)
        return _object(response)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        try:
            token = self._access.bearer()
        except OSError as problem:
            raise ApiError(0, f"our own service account's token can't be read: {problem}") from problem
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers


async def _documents(response: httpx2.Response) -> AsyncIterator[Json]:
    # Split at newlines alone: the usual line iterator also splits at characters that stand unescaped in JSON.
    rest = b""
    try:
        async for chunk in response.aiter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in filter(bytes.strip, lines):
                yield json.loads(line)
    except httpx2.TransportError as problem:
        raise _unreachable(problem) from problem
    except ValueError:
        raise ApiError(0, "the watch sent something other than JSON") from None


def _object(response: httpx2.Response) -> Json:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ApiError(response.status_code, f"{response.request.url.path}: the answer is not a JSON object")
    return document


def _refused(response: httpx2.Response) -> ApiError:
    try:
        message = str(response.json().get("message") or "")
    except (ValueError, AttributeError):
        message = ""
    return ApiError(response.status_code, message or f"{response.request.url.path}: HTTP {response.status_code}")


def _unreachable(problem: httpx2.TransportError) -> ApiError:
    return ApiError(0, f"the API server can't be reached: {str(problem) or type(problem).__name__}")
