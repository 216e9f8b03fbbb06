"""The pages of requests for approval: the inbox, live, and one request with what its approver has to know.

Deciding takes two steps, of which the second shows what is decided, and no script. What doesn't belong: JSON
(`deciding.py`), the rules (`penstock_core.approvals`).
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter
from penstock_collector.store import cluster_requests, requests
from penstock_collector.store.cluster_requests import ClusterRequest
from penstock_collector.store.database import StoreError
from penstock_collector.store.other_rules import of_other_rules
from penstock_collector.store.requests import Kept
from penstock_collector.web.bodies import read_form
from penstock_collector.web.deciding import decide, end, review, status_of
from penstock_collector.web.following import Following
from penstock_collector.web.live import event, last_event_id
from penstock_collector.web.pages import bar, whole_number
from penstock_collector.web.rendering import fragment, problem, render
from penstock_collector.web.security import from_own_page, still
from penstock_core.approvals.access import ended, overdue, review_objection
from penstock_core.approvals.standing import Decision, NotPossibleError, Standing
from penstock_core.resources.vocabulary import DURATION, WORDS

_MOST_WAITING_SHOWN = 200
_MOST_ENDED_SHOWN = 100
_DECISIONS: dict[str, Decision] = {"approved": "approved", "denied": "denied"}
# What else can be done about access for a time.
_STEPS = frozenset({"ended", "reviewed"})


async def inbox(request: Request) -> Response:
    """What waits, and what became of the latest others."""

    def read(
        connection: sqlite3.Connection,
    ) -> tuple[list[Kept], list[Kept], list[ClusterRequest], int, dict[str, int]]:
        return (
            requests.due(connection, _MOST_WAITING_SHOWN),
            requests.others(connection, _MOST_ENDED_SHOWN),
            cluster_requests.waiting(connection, requests.timestamp(time.time())),
            requests.cursor(connection),
            bar(connection),
        )

    try:
        waiting, others, on_cluster, cursor, counts = await collector_of(request).readers.run(read)
    except StoreError as error:
        return problem(request, 503, str(error))
    return render(
        request,
        "requests.html",
        waiting=waiting,
        others=others,
        cluster_requests=on_cluster,
        follow=f"/requests/tail?after={cursor}",
        who=request.state.viewer,
        **counts,
    )


async def one_request(request: Request) -> Response:
    """A request; with `?decide=approved` or `denied`, the second step."""
    return await _page(request, request.query_params.get("decide", ""))


async def decide_on_page(request: Request) -> Response:
    """The form of the second step was sent."""
    if not from_own_page(request):
        return problem(request, 403, "That form was not sent from this page.")
    form = await read_form(request)
    step = form.get("decision", "")
    if step not in _DECISIONS and step not in _STEPS:
        return await _page(request, said="That was no decision. Choose one of the two.", status=400)
    try:
        kept = await _taken(request, step, form)
    except NotPossibleError as error:
        return await _page(request, step, said=f"Not done: {error}.", status=status_of(error))
    except StoreError as error:
        return problem(request, 503, str(error))
    return RedirectResponse(f"/requests/{kept.name}", 303)


async def _taken(request: Request, step: str, form: dict[str, str]) -> Kept:
    """Raises NotPossibleError, StoreError."""
    comment = form.get("comment", "")
    if step in _DECISIONS:
        lasts = form.get("lasts", "").strip()
        if lasts and not re.fullmatch(DURATION, lasts):
            raise NotPossibleError(f"a duration {WORDS[DURATION]}")
        return await decide(request, _DECISIONS[step], comment, lasts if step == "approved" else "")
    return await end(request) if step == "ended" else await review(request, comment)


async def _page(request: Request, deciding: str = "", said: str = "", status: int = 200) -> Response:
    name = request.path_params["name"]
    viewer: Viewer = request.state.viewer
    try:
        kept, others, on_cluster, counts = await collector_of(request).readers.run(
            lambda connection: (
                found := requests.find(connection, name),
                [] if found is None else of_other_rules(connection, found),
                cluster_requests.place(connection, name),
                bar(connection),
            )
        )
    except StoreError as error:
        return problem(request, 503, str(error))
    if kept is None and on_cluster is not None:
        return RedirectResponse(f"/requests/on-cluster/{on_cluster[0]}/{on_cluster[1]}", 303)
    if kept is None:
        return problem(request, 404, "There is no such request.")
    objection = _objection(kept, viewer)
    return render(
        request,
        "request.html",
        status,
        kept=kept,
        others=others,
        who=viewer,
        here=f"/requests/{kept.name}",
        command="",
        known_as="",
        sees_text=viewer.may_see_text(kept.request.spec),
        deciding=deciding if deciding in _ways(kept) and not objection else "",
        objection=objection,
        ends=kept.standing is Standing.IN_EFFECT and _may_end(kept, viewer),
        late=overdue(kept.request, datetime.now(UTC)),
        said=said,
        **counts,
    )


def _ways(kept: Kept) -> frozenset[str]:
    """What can be done about it by a second step."""
    ways = {Standing.WAITING: frozenset(_DECISIONS), Standing.IN_EFFECT: frozenset({"ended"})}
    return ways.get(kept.standing, frozenset({"reviewed"} if kept.standing is Standing.UNREVIEWED else ()))


def _objection(kept: Kept, viewer: Viewer) -> str:
    """Why they may not do what is to be done; empty if they may."""
    if kept.waiting:
        return viewer.objection(kept.request.spec)
    if kept.standing is Standing.UNREVIEWED:
        return viewer.barred or review_objection(kept.request, viewer.approver(), datetime.now(UTC))
    return ""


def _may_end(kept: Kept, viewer: Viewer) -> bool:
    if viewer.barred:
        return False
    try:
        ended(kept.request, viewer.approver(), datetime.now(UTC))
    except NotPossibleError:
        return False
    return True


async def follow(request: Request) -> Response:
    """Server-sent events: the row of each request that is made or changes, from `Last-Event-ID` or `after` on."""
    collector = collector_of(request)
    try:
        after = last_event_id(request, whole_number(request, "after"))
        if after is None:
            after = await collector.readers.run(requests.cursor)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    except StoreError as error:
        return JSONResponse({"error": str(error)}, 503, headers={"retry-after": "5"})
    viewer: Viewer = request.state.viewer
    return Following(_events(request, after), partial(collector.tail.place, viewer.name))


async def _events(request: Request, after: int) -> AsyncIterator[str]:
    yield "retry: 1000\n: following\n\n"
    try:
        following = collector_of(request).holder.follow(after, lambda: still(request, Right.REQUESTS) is not None)
        async with aclosing(following) as found:
            async for changes in found:
                # Asked anew each time: the groups that the token file gives now say whose text is shown.
                viewer = still(request, Right.REQUESTS)
                if changes is None or viewer is None:
                    yield ": still here\n\n"
                    continue
                for kept in changes.requests:
                    yield event("request", json.dumps(_row(kept, viewer)), kept.changed)
    except StoreError as error:
        yield event("problem", json.dumps({"error": str(error)}))
        return
    if still(request, Right.REQUESTS) is None:
        yield event("ended", json.dumps({"error": "the session has ended"}))


def _row(kept: Kept, viewer: Viewer) -> dict[str, object]:
    html = fragment("request_row.html", kept=kept, who=viewer, fresh=True)
    return {"name": kept.name, "waiting": kept.due, "html": html}
