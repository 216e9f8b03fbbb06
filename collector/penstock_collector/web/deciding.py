"""People and requests, as JSON: which there are, what one is about, and the decision.

What doesn't belong: pages (`inbox.py`), gates (`asking.py`), the rules (`penstock_core.approvals`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock_collector.approvals import wording
from penstock_collector.approvals.comment import LONGEST, BadCommentError
from penstock_collector.approvals.holder import Record, TooManyAttemptsError
from penstock_collector.approvals.on_cluster import ClusterUnavailableError, OutcomeUnknownError
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter
from penstock_collector.store import other_rules, requests
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import Kept, UnknownRequestError
from penstock_collector.web.bodies import NotTakenError, read_json, refuse
from penstock_collector.web.guards import reading
from penstock_collector.web.pages import whole_number
from penstock_collector.web.security import from_own_page
from penstock_core.approvals.access import overdue
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import Decision, NotAllowedError, NotPossibleError, Standing
from penstock_core.resources.vocabulary import DURATION

MOST_LISTED = 500
# A comment of the allowed length, however it is encoded, and the rest.
_MOST_BODY_BYTES = 16 * LONGEST
_STATUS: dict[type[NotPossibleError], int] = {
    BadCommentError: 400,
    NotAllowedError: 403,
    UnknownRequestError: 404,
    TooManyAttemptsError: 429,
    ClusterUnavailableError: 503,
    OutcomeUnknownError: 504,
}


class _Decided(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    decision: Decision
    comment: Annotated[str, Field(max_length=_MOST_BODY_BYTES)] = ""
    # Of access that is approved: for how long, if for less than was asked for.
    lasts: Annotated[str, Field(pattern=f"^$|{DURATION}", max_length=32)] = ""


async def list_requests(request: Request) -> Response:
    """Requests, latest first: `{"requests": […], "next": <before of the next page, or null>}`.

    `?standing=waiting` for one standing (several: `waiting,approved`), `?standing=due` for what somebody has to decide
    or to review.
    """
    wanted = [part for part in request.query_params.get("standing", "").split(",") if part]
    due = wanted == ["due"]
    try:
        before = whole_number(request, "before")
        limit = min(whole_number(request, "limit") or MOST_LISTED, MOST_LISTED)
        standings = [] if due else [Standing(part) for part in wanted]
    except BadFilter as error:
        return refuse(400, str(error))
    except ValueError:
        return refuse(400, f"standing is one or some of {', '.join(Standing)}; or due")

    def read(connection: sqlite3.Connection) -> bytes:
        # Hundreds of long texts: put together in the reader's thread, and not where everybody waits.
        if due:
            found = requests.due(connection, limit + 1, before)
        else:
            found = requests.listed(connection, standings, limit + 1, before)
        documents = [document(kept, request.state.viewer) for kept in found[:limit]]
        next_ = found[limit - 1].id if len(found) > limit else None
        return json.dumps({"requests": documents, "next": next_}, ensure_ascii=False).encode()

    try:
        return Response(await collector_of(request).readers.run(read), media_type="application/json")
    except StoreError as error:
        return refuse(503, str(error))


async def show_request(request: Request) -> Response:
    """One request."""
    name = request.path_params["name"]

    def read(connection: sqlite3.Connection) -> tuple[Kept, list[Kept]] | None:
        kept = requests.find(connection, name)
        return None if kept is None else (kept, other_rules.of_other_rules(connection, kept))

    try:
        found = await collector_of(request).readers.run(read)
    except StoreError as error:
        return refuse(503, str(error))
    if found is None:
        return refuse(404, f"there is no request {wording.visible(name)}")
    kept, others = found
    told = document(kept, request.state.viewer)
    return JSONResponse(told | {"otherRules": [other_rules.document(one) for one in others]})


async def decide_request(request: Request) -> Response:
    """Approve or deny: `{"decision": "approved", "comment": "…"}`."""
    if not from_own_page(request):
        return refuse(403, "this was not sent from a page of the collector")
    try:
        body = await read_json(
            request, _Decided, _MOST_BODY_BYTES, "a decision", '{"decision": "approved" or "denied", "comment": "…"}'
        )
        kept = await decide(request, body.decision, body.comment, body.lasts)
    except NotTakenError as error:
        return refuse(error.status, str(error))
    except NotPossibleError as error:
        return refuse(status_of(error), str(error))
    except StoreError as error:
        return refuse(503, str(error))
    return JSONResponse(document(kept, request.state.viewer))


async def decide(request: Request, decision: Decision, comment: str, lasts: str = "") -> Kept:
    """Whoever is signed in decides the request of the path. Raises NotPossibleError, StoreError."""
    holder = collector_of(request).holder
    return await _step(
        request,
        "decided",
        lambda name, who, record: holder.decide(name, who, decision, comment, lasts, record),
        decision,
    )


async def end(request: Request) -> Kept:
    """Whoever is signed in ends the access of the path before its time. Raises NotPossibleError, StoreError."""
    return await _step(request, "ended", collector_of(request).access.end)


async def review(request: Request, comment: str) -> Kept:
    """Whoever is signed in reviews the emergency of the path. Raises NotPossibleError, StoreError."""
    holder = collector_of(request).access
    return await _step(request, "reviewed", lambda name, who, record: holder.review(name, who, comment, record))


async def _step(
    request: Request, action: str, step: Callable[[str, Approver, Record], Awaitable[Kept]], result: str = ""
) -> Kept:
    viewer: Viewer = request.state.viewer
    collector, name = collector_of(request), wording.visible(request.path_params["name"])

    def record(connection: sqlite3.Connection, objection: str) -> None:
        became = "refused" if objection else result
        collector.readings.seal(connection, reading(request, action, name, result=became, reason=objection))

    try:
        return await step(name, viewer.approver(), record)
    except NotAllowedError as error:
        # Of one who came by a link, why that proves nobody says more.
        raise NotAllowedError(str(error) if viewer.known else viewer.unknown) from None


def status_of(error: NotPossibleError) -> int:
    """The HTTP status of a decision that is not possible; 409 if there is nothing to decide any more."""
    return _STATUS.get(type(error), 409)


def document(kept: Kept, viewer: Viewer) -> dict[str, object]:
    """A request as JSON, with its text only for those whom its rule asks."""
    spec = kept.request.spec
    statement = spec.statement if viewer.may_see_text(spec) and not kept.trimmed else None
    return {
        "name": kept.name,
        "standing": kept.standing.value,
        "madeAt": requests.timestamp(kept.made),
        "expiresAt": spec.expires_at,
        **wording.asked(kept.request),
        "effect": json.loads(spec.effect.model_dump_json(exclude_none=True)),
        "reason": spec.reason or "",
        "sql": statement.sql if statement is not None else None,
        "settings": {one.name: one.value for one in statement.settings} if statement is not None else None,
        # Gone with the retention, for everybody.
        "textDeleted": kept.trimmed,
        "parameters": spec.statement is not None and spec.statement.parameters_digest is not None,
        **wording.became(kept.status),
        "objection": viewer.objection(spec) if kept.waiting or kept.standing is Standing.UNREVIEWED else "",
        "overdue": overdue(kept.request, datetime.now(UTC)),
    }
