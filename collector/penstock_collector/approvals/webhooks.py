"""Bringing notices to a webhook: in order, tried again for a while, from a queue that is never waited for.

Signatures are those of Standard Webhooks: `v1,` and the HMAC-SHA256 of id, timestamp and body, so that a receiver can
tell who sent it, when, and whether it came before. What doesn't belong: what a notice says (`notices.py`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx2
import structlog

from penstock_collector.approvals.webhook_settings import WebhookError, WebhookSettings, trouble_with
from penstock_collector.metrics import CollectorMetrics
from penstock_core.approvals.standing import written
from penstock_core.backoff import Backoff

_log = structlog.get_logger(__name__)

MOST_QUEUED = 200
TRIES = 12
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 600.0
_SHORTEST_KEY = 24
# Of these no other try comes to more: what is sent is not wanted there.
_FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 422})


class Message(Protocol):
    """What a notice gives a webhook."""

    @property
    def id(self) -> str: ...
    def slack(self) -> dict[str, object]: ...
    def document(self, now: str) -> dict[str, object]: ...


class Webhook:
    """One webhook with a queue of its own, so that one that hangs holds up no other."""

    def __init__(
        self,
        settings: WebhookSettings,
        metrics: CollectorMetrics,
        longest_pause: float = _LONGEST_PAUSE_SECONDS,
        *,
        place: str = "",
    ) -> None:
        """Raises WebhookError if a file that it names cannot be used."""
        self.settings = settings
        # Among all webhooks.
        self.place = place
        # Called with each notice that is brought, or given up.
        self.on_done: Callable[[Message], Awaitable[None]] = _nothing
        self._metrics = metrics
        self._longest_pause = longest_pause
        self._url = settings.url or _content(settings.url_file)
        if trouble := trouble_with(self._url):
            raise WebhookError(f"webhook {settings.name}: {trouble}")
        self._key = _key(settings) if settings.form == "signed" else b""
        self._queue: asyncio.Queue[Message] = asyncio.Queue(MOST_QUEUED)

    def put(self, message: Message) -> bool:
        """Queue it; when the queue is full it is dropped, and the log says so. Whether it is queued."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._count("dropped")
            _log.error("notice dropped: too many wait for this webhook", webhook=self.settings.name, notice=message.id)
            return False
        return True

    async def run(self) -> None:
        """Deliver one after the other, until cancelled."""
        async with httpx2.AsyncClient(timeout=10, trust_env=False, follow_redirects=False) as client:
            while True:
                message = await self._queue.get()
                await self._deliver(client, message)
                await self.on_done(message)
                self._queue.task_done()

    async def _deliver(self, client: httpx2.AsyncClient, message: Message) -> None:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, self._longest_pause)
        for attempt in range(1, TRIES + 1):
            why, final = await self._try(client, message)
            if not why:
                self._count("delivered")
                return
            if final or attempt == TRIES:
                break
            await asyncio.sleep(backoff.next())
        self._count("failed")
        _log.error("notice not delivered", webhook=self.settings.name, notice=message.id, tries=attempt, why=why)

    async def _try(self, client: httpx2.AsyncClient, message: Message) -> tuple[str, bool]:
        """Why it failed ("" if it did not), and whether for good. Says nothing of the URL."""
        body, headers = self._envelope(message)
        try:
            response = await client.post(self._url, content=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return type(error).__name__, isinstance(error, httpx2.InvalidURL)
        status = response.status_code
        return ("" if 200 <= status < 300 else f"status {status}"), status in _FINAL

    def _envelope(self, message: Message) -> tuple[bytes, dict[str, str]]:
        headers = {"content-type": "application/json", "user-agent": "penstock"}
        if self.settings.form == "slack":
            return _json(message.slack()), headers
        now = int(time.time())
        body = _json(message.document(written(datetime.fromtimestamp(now, UTC))))
        signed = f"{message.id}.{now}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        told = {"webhook-id": message.id, "webhook-timestamp": str(now), "webhook-signature": f"v1,{signature}"}
        return body, headers | told

    def _count(self, result: str) -> None:
        self._metrics.notices.labels(result).inc()


async def _nothing(_message: Message) -> None:
    """Nobody wants to know."""


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _content(path: Path | None) -> str:
    try:
        return path.read_text().strip() if path is not None else ""
    except OSError as error:
        raise WebhookError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WebhookError(f"{path} is not text") from None


def _key(settings: WebhookSettings) -> bytes:
    text = _content(settings.secret_file)
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or len(key) < _SHORTEST_KEY:
        raise WebhookError(
            f"webhook {settings.name}: {settings.secret_file} holds no key: `whsec_` and base64 of 24 bytes or more"
        )
    return key
