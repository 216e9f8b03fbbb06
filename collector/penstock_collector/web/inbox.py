"""The pages of requests for approval: the inbox, live, and one request with what its approver has to know.

Deciding takes two steps, of which the second shows what is decided, and no script. What doesn't belong: JSON
(`deciding.py`), the rules (`penstock_core.approvals`).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from penstock_collector.approvals.holder import MOST_FOLLOWERS
from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.search import BadFilter
from penstock_collector.store import cluster_requests, requests
from penstock_collector.store.cluster_requests import ClusterRequest
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import Kept
from penstock_collector.web.bodies import read_form
from penstock_collector.web.deciding import decide, status_of
from penstock_collector.web.live import event, last_event_id
from penstock_collector.web.pages import bar, whole_number
from penstock_collector.web.rendering import fragment, problem, render
from penstock_collector.web.security import from_own_page, still
from penstock_core.approvals.standing import Decision, NotPossibleError, Standing

_MOST_WAITING_SHOWN = 200
_MOST_ENDED_SHOWN = 100
_DECISIONS: dict[str, Decision] = {"approved": "approved", "denied": "denied"}


async def inbox(request: Request) -> Response:
    """What waits, and what became of the latest others."""

    def read(
        connection: sqlite3.Connection,
    ) -> tuple[list[Kept], list[Kept], list[ClusterRequest], int, dict[str, int]]:
        others = [standing for standing in Standing if standing is not Standing.WAITING]
        return (
            requests.listed(connection, [Standing.WAITING], _MOST_WAITING_SHOWN),
            requests.listed(connection, others, _MOST_ENDED_SHOWN),
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
    decision = _DECISIONS.get(form.get("decision", ""))
    if decision is None:
        return await _page(request, said="That was no decision. Choose one of the two.", status=400)
    try:
        kept = await decide(request, decision, form.get("comment", ""))
    except NotPossibleError as error:
        return await _page(request, decision, said=f"Not done: {error}.", status=status_of(error))
    except StoreError as error:
        return problem(request, 503, str(error))
    return RedirectResponse(f"/requests/{kept.name}", 303)


async def _page(request: Request, deciding: str = "", said: str = "", status: int = 200) -> Response:
    name = request.path_params["name"]
    viewer: Viewer = request.state.viewer
    try:
        kept, command, counts = await collector_of(request).readers.run(
            lambda connection: (
                requests.find(connection, name),
                cluster_requests.command_for(connection, name),
                bar(connection),
            )
        )
    except StoreError as error:
        return problem(request, 503, str(error))
    if kept is None and command:
        return problem(request, 404, f"It is an object of the cluster, and not of this page: {command}.")
    if kept is None:
        return problem(request, 404, "There is no such request.")
    objection = viewer.objection(kept.request.spec) if kept.waiting else ""
    return render(
        request,
        "request.html",
        status,
        kept=kept,
        who=viewer,
        deciding=deciding if deciding in _DECISIONS and kept.waiting and not objection else "",
        objection=objection,
        said=said,
        **counts,
    )


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
    if collector.holder.followers >= MOST_FOLLOWERS:
        error_ = f"{MOST_FOLLOWERS} people follow already"
        return JSONResponse({"error": error_}, 503, headers={"retry-after": "5"})
    # Proxies must pass each event on as it comes.
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_events(request, after), media_type="text/event-stream", headers=headers)


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
    return {"name": kept.name, "waiting": kept.waiting, "html": html}
