"""Taking in admission reviews, which anybody in the cluster can send: bounded in memory, and judged beside the loop.

Where the API server shows a token, nobody else is listened to. What doesn't belong: judging
(`penstock_operator.inject`, `reviews.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request

from penstock_entrance.guarded_http import dismiss, known
from penstock_entrance.log_throttle import LogThrottle
from penstock_operator.cluster.watch import Json
from penstock_operator.control.callers import CallerError, TooLargeError, bearer

# The API server's own limit for an object is below this; a review may have two.
LARGEST = 8 * 1024 * 1024
# Of all bodies that are being read: beyond, the oldest makes way.
MOST_READ = 64 * 1024 * 1024
MOST_WAITING = 64
_AT_ONCE = 2


class BusyError(Exception):
    """Too many reviews wait."""


class ReviewIntake:
    """Reads reviews, and has them judged."""

    def __init__(self, digests: Sequence[str] = ()) -> None:
        """`digests`: SHA-256 of the tokens that API servers show; none: they show none."""
        self._digests = tuple(digests)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="review")
        # What those whose reviews can't be read may have of the log.
        self.log = LogThrottle()
        self._reading: dict[Request, int] = {}
        self._waiting = 0

    def check(self, request: Request) -> None:
        """Is it the API server? Raises CallerError."""
        if not self._digests:
            return
        digest = hashlib.sha256(bearer(request).encode()).hexdigest()
        if not any(hmac.compare_digest(digest, one) for one in self._digests):
            raise CallerError(401, "the token is not the API server's")
        known(request, "API server")

    async def judged(self, request: Request, judge: Callable[[object], Json]) -> Json:
        """What `judge` says to the review. Raises TooLargeError, BusyError, ValueError, and what `judge` raises."""
        body = await self._body(request)
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: judge(json.loads(body))
            )  # fmt: skip
        finally:
            self._waiting -= 1

    async def _body(self, request: Request) -> bytes:
        parts = bytearray()
        self._reading[request] = 0
        try:
            async for part in request.stream():
                parts += part
                if len(parts) > LARGEST:
                    raise TooLargeError
                self._reading[request] = len(parts)
                if sum(self._reading.values()) > MOST_READ:
                    oldest = next(iter(self._reading))
                    del self._reading[oldest]
                    dismiss(oldest)
        finally:
            self._reading.pop(request, None)
        return bytes(parts)
