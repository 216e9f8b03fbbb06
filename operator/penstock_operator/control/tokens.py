"""Asks the API server which pod a bearer token belongs to, and remembers the answer for a short while.

What doesn't belong: what an answer says (`penstock_core.token_review`), and what that pod may read (`app.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from penstock_core.pod_token import is_worth_a_review
from penstock_core.token_review import PATH, NoReview, Pod, Reviewed, proven, request
from penstock_operator.cluster.api import Api, ApiError

# Reviews under way; more wait.
_AT_ONCE = 8
_log = structlog.get_logger(__name__)


class Unverifiable(Exception):
    """The API server can't be asked at the moment."""


class Tokens:
    """Reviews tokens of one audience."""

    def __init__(self, api: Api, audience: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._audience = audience
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._reviewed = Reviewed()

    async def caller(self, token: str) -> Pod | None:
        """Whose token it is; None if it isn't good for this audience or not a pod's. Raises Unverifiable."""
        if not is_worth_a_review(token, self._audience, time.time()):
            return None
        now = self._clock()
        known = self._reviewed.known(token, now)
        if known is not None:
            return known[0]
        try:
            async with self._slots:
                answer = await self._api.create(PATH, request(token, self._audience))
            pod = proven(answer, self._audience)
        except (ApiError, NoReview) as problem:
            _log.warning("a token could not be reviewed", problem=str(problem))
            raise Unverifiable(str(problem)) from problem
        self._reviewed.keep(token, pod, now)
        return pod
