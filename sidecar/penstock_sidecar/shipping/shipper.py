"""The shipper: brings the spool's events to the collector, in order, as often as it takes.

It runs in a process of its own (`__main__.py`), and tells its gate how it goes. Whatever the collector does is a state
that is told of once, never an event lost: what is not acknowledged stays in the spool. What doesn't belong: making
events durable (`spool.py`), and having this process run (`shipper_process.py`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx2

from penstock_core.backoff import Backoff
from penstock_sidecar.shipping import access
from penstock_sidecar.shipping.dialogue import Refusal, Report, Shipped, Task, Trouble
from penstock_sidecar.shipping.errors import SpoolError
from penstock_sidecar.shipping.segments import Batch
from penstock_sidecar.shipping.spool_view import SpoolView, StreamView

BATCH_EVENTS = 1000
BATCH_BYTES = 1_000_000
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 10.0
# How soon something is tried again that the collector refused or could not use, while other events go on.
_RECHECK_SECONDS = 60.0
_TIMEOUT = httpx2.Timeout(15.0, connect=5.0)
# Tells the collector that nothing older will ever come, so that it does not wait for what is lost.
OLDEST_HEADER = "Penstock-Oldest-Seq"


class _Unavailable(Exception):
    """No event can be shipped at the moment."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _PostRefused(Exception):
    """This batch or this stream was refused; others may not be."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class _Lane:
    """How far shipping one stream has got."""

    cursor: int = 0
    # The highest seq that was ever sent.
    sent: int = 0
    most_events: int = BATCH_EVENTS
    # Not before this moment (monotonic clock); 0 is at once.
    resume_at: float = 0.0
    # When to go back to what the collector did not acknowledge; 0 is never.
    recheck_at: float = 0.0
    # Why this stream, or an event of it, was refused; None if it was not. And how many events in a row were.
    refusal: str | None = None
    refused: int = 0
    backoff: Backoff = field(default_factory=lambda: Backoff(_FIRST_DELAY, _LONGEST_DELAY))


class Shipper:
    """Ships all streams of one spool to one collector."""

    def __init__(self, task: Task, view: SpoolView, tell: Callable[[Report], None]) -> None:
        self._view = view
        self._tell = tell
        self._url = task.url.rstrip("/")
        self._token_file = task.token_file
        self._ca_file = task.ca_file
        self._client: httpx2.AsyncClient | None = None
        self._lanes: dict[str, _Lane] = {}
        self._backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        # What was told last; nothing was yet.
        self._trouble: str | None = ""

    def look(self, *, hurry: bool) -> None:
        """There is news of the spool. `hurry`: its gate is about to end, so that long pauses are none."""
        if hurry and not self._hurry.is_set():
            self._hurry.set()
            for lane in self._lanes.values():
                lane.resume_at = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Ship until cancelled. Raises nothing that a collector could cause."""
        while True:
            self._wake.clear()
            try:
                progress = await self._round()
                self._backoff.reset()
            except _Unavailable as trouble:
                await self._give_up_for_now(trouble)
                continue
            if not progress:
                await self._wait_for_events()

    async def _wait_for_events(self) -> None:
        now = time.monotonic()
        moments = [
            moment for lane in self._lanes.values() for moment in (lane.resume_at, lane.recheck_at) if moment > now
        ]
        try:
            async with asyncio.timeout(min(moments) - now if moments else None):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _give_up_for_now(self, trouble: _Unavailable) -> None:
        self._say(str(trouble))
        pause = max(min(trouble.retry_after, _LONGEST_DELAY), self._backoff.next())
        if self._hurry.is_set():
            await asyncio.sleep(min(pause, 0.2))
            return
        try:
            async with asyncio.timeout(pause):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _round(self) -> bool:
        """One batch of each stream that has one, oldest stream first. Whether it is worth going on at once."""
        progress = False
        streams = self._view.streams
        self._lanes = {one.name: self._lanes.get(one.name, _Lane(one.acknowledged)) for one in streams}
        for stream in streams:
            lane, now = self._lanes[stream.name], time.monotonic()
            if lane.recheck_at and now >= lane.recheck_at:
                lane.cursor, lane.recheck_at = stream.acknowledged, 0.0
            if stream.last > lane.cursor and now >= lane.resume_at:
                progress |= await self._ship(stream, lane)
        return progress

    async def _ship(self, stream: StreamView, lane: _Lane) -> bool:
        try:
            batch = self._view.batch(stream, lane.cursor, lane.most_events, BATCH_BYTES)
        except SpoolError as error:
            raise _Unavailable(str(error)) from None
        if batch is None:
            return False
        lane.sent = max(lane.sent, batch.last)
        try:
            acknowledged = await self._post(stream, batch.data)
        except _PostRefused as refusal:
            return self._step_around(stream, lane, batch, refusal)
        # Whatever is claimed over there: what was never sent is not forgotten here.
        acknowledged = min(acknowledged, lane.sent)
        self._say(None)
        lane.most_events = min(BATCH_EVENTS, lane.most_events * 2)
        lane.refused = 0
        lane.backoff.reset()
        if lane.refusal and not lane.recheck_at:
            lane.refusal = None
            self._tell(Refusal(stream.name, batch.first, None))
        if acknowledged >= batch.first:
            lane.cursor = min(acknowledged, batch.last)
        else:
            # Taken, but something before it is missing over there: go on, and come back to it later.
            lane.cursor = batch.last
            lane.recheck_at = lane.recheck_at or time.monotonic() + _RECHECK_SECONDS
        if acknowledged > stream.acknowledged:
            self._tell(Shipped(stream.name, acknowledged))
        return lane.cursor < stream.last

    def _step_around(self, stream: StreamView, lane: _Lane, batch: Batch, refusal: _PostRefused) -> bool:
        """Keep one refused event, or a stream that is refused as a whole, from holding up the others.

        Whether it is worth going on at once.
        """
        now = time.monotonic()
        if refusal.status == 403:
            lane.resume_at = now + lane.backoff.next()
        elif batch.count > 1:
            lane.most_events = batch.count // 2
            return True
        else:
            lane.cursor = batch.last
            lane.recheck_at = lane.recheck_at or now + _RECHECK_SECONDS
            lane.refused += 1
            if lane.refused > 1:
                # Where one after the other is refused, it is not the events that are wrong.
                lane.resume_at = now + lane.backoff.next()
        if lane.refusal != str(refusal):
            lane.refusal = str(refusal)
            self._tell(Refusal(stream.name, batch.first, lane.refusal))
        return lane.resume_at <= now

    async def _post(self, stream: StreamView, body: bytes) -> int:
        """Send lines; the highest seq up to which the collector has everything. Raises _Unavailable, _Refused."""
        owner, _, boot = stream.name.partition("/")
        url = f"{self._url}/v1/streams/{quote(owner, safe='')}/{quote(boot, safe='')}/events"
        try:
            headers = {"content-type": "application/x-ndjson", OLDEST_HEADER: str(stream.acknowledged + 1)}
            headers |= self._authorization()
            if self._client is None:
                self._client = access.client(self._url, self._ca_file, timeout=_TIMEOUT)
            response = await self._client.post(url, content=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            # A new client reads the CA file anew: it may have been rotated.
            await self._drop_client()
            raise _Unavailable(f"collector {self._url} cannot be reached: {_one_line(error)}") from None
        return self._acknowledged(response)

    def _acknowledged(self, response: httpx2.Response) -> int:
        status = response.status_code
        if status == 401:
            raise _Unavailable(f"collector {self._url} does not accept the token in {self._token_file}")
        if status == 403:
            raise _PostRefused(403, f"collector {self._url} does not let this token write this stream")
        if status == 429 or status >= 500:
            wait = response.headers.get("retry-after", "")
            raise _Unavailable(
                f"collector {self._url} answers {status}: {_reason(response)}", float(wait) if wait.isdecimal() else 0.0
            )
        if 400 <= status < 500:
            raise _PostRefused(status, f"collector {self._url} refuses events with {status}: {_reason(response)}")
        try:
            acknowledged = response.json()["acknowledged"]
        except (ValueError, LookupError, TypeError):
            acknowledged = None
        if status != 200 or not isinstance(acknowledged, int) or isinstance(acknowledged, bool):
            raise _Unavailable(f"{self._url} answers {status} and not as a collector does")
        return acknowledged

    def _authorization(self) -> dict[str, str]:
        try:
            return access.authorization(self._token_file)
        except OSError as error:
            raise _Unavailable(f"token file {self._token_file} cannot be read: {error.strerror}") from None
        except access.NoTokenError:
            raise _Unavailable(f"token file {self._token_file} holds no token") from None

    async def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _say(self, trouble: str | None) -> None:
        """Tell when trouble begins, becomes another one or ends: once each."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(Trouble(trouble))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _reason(response: httpx2.Response) -> str:
    """What the collector says, cut to what a log line bears."""
    try:
        said = response.json()["error"]
    except (ValueError, LookupError, TypeError):
        said = response.reason_phrase
    return " ".join(str(said).split())[:200]
