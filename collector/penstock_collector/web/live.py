"""The live tail: server-sent events, as rows for the page or as JSON for programs.

Each event's id is a cursor, so that a client that reconnects with Last-Event-ID misses nothing. What doesn't belong:
finding what is new (`penstock_collector.tail`).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from penstock_collector.auth.roles import Right
from penstock_collector.collector import collector_of
from penstock_collector.search import BadFilter, Filters, NewRecords, StatementRecord, cursor
from penstock_collector.store.database import StoreError
from penstock_collector.tail import TooManyFollowers
from penstock_collector.web.pages import whole_number
from penstock_collector.web.rendering import fragment
from penstock_collector.web.security import still


async def tail(request: Request) -> Response:
    """Follow the trail from `Last-Event-ID`, `after`, or now on."""
    collector = collector_of(request)
    try:
        filters = Filters.parse(request.query_params)
        after = last_event_id(request, whole_number(request, "after"))
        collector.tail.admit()
        if after is None:
            after = await collector.readers.run(cursor)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    except (TooManyFollowers, StoreError) as error:
        return JSONResponse({"error": str(error)}, 503, headers={"retry-after": "5"})
    as_html = request.query_params.get("format") == "html"
    return StreamingResponse(
        _events(request, filters, after, as_html=as_html),
        media_type="text/event-stream",
        # Proxies must pass each event on as it comes.
        headers={"x-accel-buffering": "no"},
    )


def last_event_id(request: Request, otherwise: int | None) -> int | None:
    """Where a browser that connects again left off."""
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdecimal() and len(last) < 17 else otherwise


async def _events(request: Request, filters: Filters, after: int, *, as_html: bool) -> AsyncIterator[str]:
    collector = collector_of(request)

    def allowed() -> bool:
        return still(request, Right.STATEMENTS) is not None

    # Sent at once, so that the browser knows that it is connected.
    yield "retry: 1000\n: following\n\n"
    try:
        async with aclosing(collector.tail.follow(filters, after, allowed)) as found:
            async for changes in found:
                yield ": still here\n\n" if changes is None else _portion(changes, as_html=as_html)
    except StoreError as error:
        yield event("problem", json.dumps({"error": str(error)}))
        return
    if not allowed():
        yield event("ended", json.dumps({"error": "the session has ended"}))


def _portion(changes: NewRecords, *, as_html: bool) -> str:
    parts = []
    if changes.skipped:
        parts.append(event("gap", json.dumps({"skipped": changes.skipped})))
    parts += [
        event("statement", json.dumps(_row(one) if as_html else one.document()), one.changed)
        for one in changes.statements
    ]
    return "".join(parts)


def _row(one: StatementRecord) -> dict[str, object]:
    return {"id": one.id, "html": fragment("row.html", one=one, fresh=True)}


def event(name: str, data: str, id_: int | None = None) -> str:
    """One server-sent event; JSON has no line breaks."""
    return ("" if id_ is None else f"id: {id_}\n") + f"event: {name}\ndata: {data}\n\n"
