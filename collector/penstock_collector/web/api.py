"""The JSON API for reading: search and streams; and the probes.

What doesn't belong: pages, the export (`exporting.py`), taking in events (`ingest.py`).
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from penstock_collector.collector import collector_of
from penstock_collector.lookup import MOST_ROWS, BadFilter, LookedFor, Page, R, Table
from penstock_collector.retention import place_of
from penstock_collector.search import STATEMENTS, Filters, StreamRow, stream_count, streams, streams_behind
from penstock_collector.store import access, alarms, readings
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import waiting_count
from penstock_collector.web.pages import whole_number
from penstock_core.approvals.access import overdue

MOST_STREAMS = 10_000


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
    """Streams with their heads, which a verifier can hold an export to, the alarms that stand, and the store's room.

    The latest heard of, and how many there are; with `?after=` (first of nothing, then of each `next`), all by name.
    """
    collector, after = collector_of(request), request.query_params.get("after")

    def found(connection: sqlite3.Connection) -> tuple[list[StreamRow], int]:
        paged = streams(connection, MOST_STREAMS) if after is None else streams_behind(connection, after, MOST_STREAMS)
        return paged, stream_count(connection)

    try:
        (rows, total), standing, own, room = await collector.readers.run(
            lambda connection: (
                found(connection), alarms.standing(connection, limit=1_000), readings.head_of(connection),
                place_of(connection, collector.settings, time.time()),
            )
        )  # fmt: skip
    except (StoreError, OSError) as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse(
        {
            "time": time.time(),
            "streams": [asdict(row) for row in rows],
            "total": total,
            "next": rows[-1].name if after is not None and len(rows) == MOST_STREAMS else None,
            # The collector's own stream.
            "readings": {"name": own.stream, "seq": own.seq, "hash": own.hash},
            "alarms": [asdict(alarm) for alarm in standing],
            "store": {**asdict(room), "left": room.left, "days_left": room.days_left},
        }
    )


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
    collector.metrics.followers.set(collector.tail.followers)
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
