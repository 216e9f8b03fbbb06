"""How requests for approval stand, asked of the collector with a viewer's token.

Whoever holds that token may look at requests and decide none, if its line in the collector's file says no more. What
doesn't belong: which requests an agent may ask about (`calls.py`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from penstock_agents.gate.credentials import CredentialError, from_file
from penstock_agents.tools.results import Request

_SECONDS = 10.0
_MOST_BYTES = 1 << 20


class RequestsError(Exception):
    """Requests can't be looked at; the text says why, and is fit for an agent."""


class Requests(Protocol):
    """Who knows how requests stand."""

    async def find(self, name: str) -> Request | None:
        """One request. Raises RequestsError."""
        ...


class CollectorSettings(BaseModel):
    """The collector that the gate asks for approvals."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )

    url: str
    token_file: Path
    ca_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _a_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be an http:// or https:// URL")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("the token would cross the network in clear: give an https:// URL")
        return url.rstrip("/")


class _Seen(BaseModel):
    """What is read of a request as the collector has it."""

    model_config = ConfigDict(alias_generator=to_camel)

    name: str
    standing: str
    expires_at: str = ""
    decided_by: str | None = None
    comment: str | None = None


class CollectorRequests:
    """Asks one collector."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._token = from_file(settings.token_file)

    async def find(self, name: str) -> Request | None:
        url = f"{self._settings.url}/v1/requests/{quote(name, safe='')}"
        try:
            token = await self._token()
            context = await asyncio.to_thread(self._context)
            headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
            async with (
                asyncio.timeout(_SECONDS),
                httpx2.AsyncClient(verify=context, timeout=_SECONDS, trust_env=False) as client,
                client.stream("GET", url, headers=headers) as response,
            ):
                return await _read(response)
        except TimeoutError:
            raise RequestsError("the collector does not answer in time") from None
        except CredentialError:
            raise RequestsError("this server's token for the collector can't be read") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError):
            raise RequestsError("the collector can't be reached") from None

    def _context(self) -> ssl.SSLContext | bool:
        if self._settings.url.startswith("http:"):
            return False
        return ssl.create_default_context(cafile=self._settings.ca_file)


async def _read(response: httpx2.Response) -> Request | None:
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        raise RequestsError(f"the collector answers {response.status_code}")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise RequestsError("the collector answers too much")
    try:
        seen = _Seen.model_validate(json.loads(bytes(body)))
    except (ValueError, ValidationError, RecursionError):
        raise RequestsError("the collector does not answer as one does") from None
    return Request(
        name=seen.name, standing=seen.standing, expires_at=seen.expires_at,
        decided_by=seen.decided_by or "", comment=seen.comment or "",
    )  # fmt: skip
