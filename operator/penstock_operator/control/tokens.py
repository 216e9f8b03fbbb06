"""Which pod a bearer token belongs to: asked of the API server (TokenReview), and remembered for a short while.

What doesn't belong: what that pod may read (`app.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from penstock_core.pod_token import is_worth_a_review
from penstock_operator.cluster.api import Api, ApiError, Json

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
# A deleted pod's token is worthless to the API server at once, and here after this many seconds.
_REMEMBERED = 60.0
# What was refused is asked about again soon, but not as often as somebody cares to send it.
_REFUSAL_REMEMBERED = 5.0
_MOST = 10_000
# Reviews under way; more wait.
_AT_ONCE = 8
_log = structlog.get_logger(__name__)


class Unverifiable(Exception):
    """The API server can't be asked at the moment."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The pod that a token was issued to."""

    namespace: str
    service_account: str
    pod: str
    pod_uid: str


class Tokens:
    """Reviews tokens of one audience."""

    def __init__(self, api: Api, audience: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._audience = audience
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_ONCE)
        # By hash, so that a dump of the memory holds no token.
        self._known: OrderedDict[bytes, tuple[float, Caller | None]] = OrderedDict()

    async def caller(self, token: str) -> Caller | None:
        """Whose token it is; None if it isn't good for this audience or not a pod's. Raises Unverifiable."""
        if not is_worth_a_review(token, self._audience, time.time()):
            return None
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        until, caller = self._known.get(key, (0.0, None))
        if now < until:
            return caller
        body: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        try:
            async with self._slots:
                answer = await self._api.create(_PATH, body)
        except ApiError as problem:
            _log.warning("a token could not be reviewed", problem=str(problem))
            raise Unverifiable(str(problem)) from problem
        caller = read_status(answer.get("status") or {}, self._audience)
        self._known[key] = (now + (_REMEMBERED if caller else _REFUSAL_REMEMBERED), caller)
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return caller


def read_status(status: Json, audience: str) -> Caller | None:
    """The pod that a TokenReview's status speaks of, if the token is good for the audience and bound to a pod."""
    if status.get("authenticated") is not True or audience not in (status.get("audiences") or []):
        return None
    user = status.get("user") or {}
    parts = str(user.get("username", "")).split(":")
    extra = user.get("extra") or {}
    name, uid = (extra.get(key) or [""] for key in (_POD_NAME, _POD_UID))
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not (name[0] and uid[0]):
        return None
    return Caller(parts[2], parts[3], name[0], uid[0])
