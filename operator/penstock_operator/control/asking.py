"""Gates that ask for approval: `POST /v1/streams/{owner}/requests`, and the look at one that waits for news.

The collector answers the same two calls where there is no Kubernetes. What doesn't belong: what becomes of a request
(`requests_holder.py`).
"""

from __future__ import annotations

import asyncio
import re

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_core.approvals.asking import MOST_BODY_BYTES, Answered, Asking
from penstock_core.token_review import Pod
from penstock_operator.control.callers import CallerError, TooLargeError, body_of, caller_of, problem
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.metrics import ControlMetrics
from penstock_operator.control.requests_holder import RequestsHolder, UnavailableError
from penstock_operator.control.requests_trust import NotItsOwnError
from penstock_operator.control.tokens import Tokens

_WAIT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


class Asked:
    """Both calls."""

    def __init__(
        self,
        holder: RequestsHolder,
        tokens: Tokens,
        gated: GatedDatabases,
        metrics: ControlMetrics,
        stopping: asyncio.Event,
    ) -> None:
        self._holder = holder
        self._tokens = tokens
        self._gated = gated
        self._metrics = metrics
        self._stopping = stopping

    async def post(self, request: Request) -> Response:
        """May this statement run now? An `Asking`, which is answered with an `Answered`."""
        try:
            pod = await self._owner(request)
            asking = Asking.read(await body_of(request, MOST_BODY_BYTES))
            await self._gated.refuse_others(pod, asking.database_ref.name)
            answered = await self._holder.ask(pod, asking)
        except TooLargeError:
            return problem(413, f"a request is at most {MOST_BODY_BYTES} bytes")
        except ClientDisconnect:
            return problem(400, "the request ended early")
        except (CallerError, ValueError, NotItsOwnError, UnavailableError) as refusal:
            return self._refused(refusal)
        self._metrics.requests.labels(answered.standing).inc()
        return _answer(answered)

    async def get(self, request: Request) -> Response:
        """What has become of one of its requests; with `?wait=20`, once it is decided, or after 20 seconds."""
        wait, name = request.query_params.get("wait", "0"), request.path_params["name"]
        if not _WAIT.fullmatch(wait):
            return problem(400, "wait is a number of seconds")
        try:
            pod = await self._owner(request)
            answered = await self._holder.look(pod, name, float(wait), self._stopping)
        except (CallerError, UnavailableError) as refusal:
            return self._refused(refusal)
        return problem(404, "there is no such request of this pod") if answered is None else _answer(answered)

    async def _owner(self, request: Request) -> Pod:
        """The pod, which speaks for itself alone. Raises CallerError."""
        pod = await caller_of(request, self._tokens)
        if request.path_params["owner"] != pod.uid:
            raise CallerError(403, "a pod asks for itself alone: its uid is the owner")
        return pod

    def _refused(self, refusal: Exception) -> Response:
        self._metrics.requests.labels("error").inc()
        match refusal:
            case CallerError(status=status):
                return problem(status, str(refusal))
            case NotItsOwnError():
                return problem(403, str(refusal))
            case UnavailableError():
                return problem(503, str(refusal))
        return problem(400, str(refusal))


def _answer(answered: Answered) -> Response:
    return JSONResponse(answered.model_dump(mode="json", exclude_none=True), headers={"Cache-Control": "no-store"})
