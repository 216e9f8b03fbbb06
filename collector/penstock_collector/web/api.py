"""The JSON API for reading: search, streams, export; and the probes.

What doesn't belong: pages, taking in events (`penstock_collector.web.ingest`).
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import Collector, collector_of
from penstock_collector.lookup import MOST_ROWS, BadFilter, LookedFor, Page, R, Table
from penstock_collector.retention import place_of
from penstock_collector.search import STATEMENTS, Filters, Place, export, streams
from penstock_collector.store import access, alarms, readings
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import waiting_count
from penstock_collector.web.pages import whole_number
from penstock_core.approvals.access import overdue

_log = structlog.get_logger(__name__)


async def search_events(request: Request) -> Response:
    """Statements that match, latest first: `{"events": […], "next": <before of the next page, or null>}`."""
    page = await searched(request, Filters, STATEMENTS)
    if isinstance(page, Response):
        return page
    return JSONResponse(
        {
            "events": [one.document() for one in page.records],
            "next": page.before,
            "cursor": page.cursor,
            "order": page.order,
        }
    )


async def searched(request: Request, looked_for: type[LookedFor], table: Table[R]) -> Page[R] | Response:
    """The page of the table that the request asks for, or why there is none."""
    try:
        filters = looked_for.parse(request.query_params)
        before = whole_number(request, "before")
        limit = min(whole_number(request, "limit") or 100, MOST_ROWS)
        return await collector_of(request).readers.run(
            lambda connection: table.page(connection, filters, before, limit)
        )  # fmt: skip
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    except StoreError as error:
        return JSONResponse({"error": str(error)}, 503)


async def list_streams(request: Request) -> Response:
    """Streams with their heads, which a verifier can hold an export to, the alarms that stand, and the store's room."""
    collector = collector_of(request)
    try:
        rows, standing, own, room = await collector.readers.run(
            lambda connection: (
                streams(connection, 10_000), alarms.standing(connection, limit=1_000), readings.head_of(connection),
                place_of(connection, collector.settings, time.time()),
            )
        )  # fmt: skip
    except (StoreError, OSError) as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse(
        {
            "time": time.time(),
            "streams": [asdict(row) for row in rows],
            # The collector's own stream.
            "readings": {"name": own.stream, "seq": own.seq, "hash": own.hash},
            "alarms": [asdict(alarm) for alarm in standing],
            "store": {**asdict(room), "left": room.left, "days_left": room.days_left},
        }
    )


async def export_events(request: Request) -> Response:
    """The record itself as NDJSON, ordered by stream and seq; `?stream=` for one of them.

    Last comes the collector's own stream, for whoever may see who read what.
    """
    stream = request.query_params.get("stream", "")
    viewer: Viewer = request.state.viewer
    parts = _export(collector_of(request), stream, own=viewer.may(Right.READINGS))
    return StreamingResponse(parts, media_type="application/x-ndjson")


async def _export(collector: Collector, stream: str, *, own: bool) -> AsyncIterator[str]:
    """In portions, each a transaction of its own: an export of any size blocks nobody and fits in memory."""
    place: Place = ("", 0, 0)
    after = 0
    try:
        while portion := await collector.readers.run(partial(export, stream=stream, after=place)):
            place = portion[-1][0]
            yield "".join(document + "\n" for _, document in portion)
        own = own and stream in ("", (await collector.readers.run(readings.head_of)).stream)
        while own and (found := await collector.readers.run(partial(readings.export, after=after))):
            after = found[-1][0]
            yield "".join(document + "\n" for _, document in found)
    except StoreError as error:
        # The answer is under way. Cut off in silence, it would pass for the whole.
        _log.error("an export ended early", why=str(error))
        yield json.dumps({"error": f"the export ends here: {error}"}) + "\n"


async def metrics(request: Request) -> Response:
    """Prometheus."""
    collector = collector_of(request)
    try:
        await collector.writer.check()
    except StoreError:
        collector.metrics.writable.set(0)
    else:
        collector.metrics.writable.set(1)
    try:
        counts, open_streams, waiting, emergencies, room = await collector.readers.run(
            lambda connection: (
                alarms.counts(connection),
                connection.execute("SELECT count(*) FROM streams WHERE closed = 0").fetchone()[0],
                waiting_count(connection),
                access.to_review(connection),
                place_of(connection, collector.settings, time.time()),
            )
        )
    except (StoreError, OSError) as error:
        return PlainTextResponse(f"{error}\n", 503)
    collector.metrics.set_alarms(counts)
    collector.metrics.streams.set(open_streams)
    collector.metrics.waiting.set(waiting)
    late = sum(overdue(kept.request, datetime.now(UTC)) for kept in emergencies)
    collector.metrics.emergencies.labels("overdue").set(late)
    collector.metrics.emergencies.labels("due").set(len(emergencies) - late)
    collector.metrics.followers.set(collector.tail.followers + collector.holder.followers)
    collector.metrics.room.set(room)
    return Response(collector.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """A batch can be committed, so that events are taken in; else why not."""
    try:
        await collector_of(request).writer.check()
    except StoreError as error:
        return PlainTextResponse(f"{error}\n", 503)
    return PlainTextResponse("ok\n")
