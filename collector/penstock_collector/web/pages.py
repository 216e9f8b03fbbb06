"""The pages: statements as they happen and as they happened, one statement, the streams and their alarms.

What doesn't belong: JSON (`api.py`), the stream behind the first page (`live.py`).
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter, LookedFor, Page, R, Table
from penstock_collector.retention import place_of
from penstock_collector.search import STATEMENTS, Filters, detail, stream_count, streams
from penstock_collector.store import access, alarms, holds
from penstock_collector.store.database import StoreError
from penstock_collector.store.requests import Kept, due_count
from penstock_collector.web.rendering import problem, render
from penstock_core.approvals.access import overdue

PAGE_ROWS = 100
_MOST_PAST_ALARMS = 200
_MOST_STREAMS_SHOWN = 500
# Filters that the form has no fields for: they come by links, and show as chips.
_CHIPS = ("verb", "relation", "stream", "session", "request", "since", "until")


async def statements(request: Request) -> Response:
    """History, and on its first page what happens now."""
    return await listing(request, "statements.html", Filters, STATEMENTS, _CHIPS)


async def listing(
    request: Request, template: str, looked_for: type[LookedFor], table: Table[R], chips: tuple[str, ...]
) -> Response:
    """The page of what is looked for in a table, by that template; what is new comes from the path with `tail` behind.

    `chips`: filters that the form has no fields for.
    """
    try:
        filters = looked_for.parse(request.query_params)
        before = whole_number(request, "before")
    except BadFilter as error:
        return problem(request, 400, str(error))

    def read(connection: sqlite3.Connection) -> tuple[Page[R], dict[str, int]]:
        return table.page(connection, filters, before, PAGE_ROWS), bar(connection)

    try:
        page, counts = await collector_of(request).readers.run(read)
    except StoreError as error:
        return problem(request, 503, str(error))
    path = request.url.path
    return render(
        request,
        template,
        page=page,
        filters=filters,
        chips=[
            (name, value, _with(path, filters.query(**{name: ""})))
            for name in chips
            if (value := getattr(filters, name))
        ],
        live=before is None,
        follow=f"{path.rstrip('/')}/tail?" + filters.query(after=str(page.cursor), format="html"),
        older=_with(path, filters.query(before=str(page.before))) if page.before is not None else "",
        latest=_with(path, filters.query()) if before is not None else "",
        filtered=bool(filters.query()),
        **counts,
    )


def bar(connection: sqlite3.Connection) -> dict[str, int]:
    """What the bar on top of every page counts."""
    return {
        # As people see them: a card for each kind.
        "alarm_count": sum(count > 0 for count in alarms.counts(connection).values()) + access.review_count(connection),
        "waiting_count": due_count(connection),
    }


def _with(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def whole_number(request: Request, name: str) -> int | None:
    """A number of the query, None if it is not there. Raises BadFilter."""
    value = request.query_params.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 17):
        raise BadFilter(f"{name} is a whole number, not {value!r}")
    return int(value)


async def statement(request: Request) -> Response:
    """All about one event of a stream, and the statement it belongs to."""
    stream = f"{request.path_params['owner']}/{request.path_params['boot']}"
    given: str = request.path_params["seq"]
    if not (given.isascii() and given.isdecimal() and len(given) < 17):
        return problem(request, 404, "There is no such page.")
    seq = int(given)
    try:
        found, counts = await collector_of(request).readers.run(
            lambda connection: (detail(connection, stream, seq), bar(connection))
        )
    except StoreError as error:
        return problem(request, 503, str(error))
    if found is None:
        return problem(request, 404, f"Nothing is known of event {seq} of stream {stream}.")
    return render(request, "statement.html", found=found, **counts)


async def stream_list(request: Request) -> Response:
    """The streams, their heads and what is wrong with them."""
    collector = collector_of(request)
    viewer: Viewer = request.state.viewer
    most_past = _MOST_PAST_ALARMS if viewer.may(Right.PAST_ALARMS) else 0
    try:
        rows, total, cards, past, emergencies, counts, held, room = await collector.readers.run(
            lambda connection: (
                streams(connection, _MOST_STREAMS_SHOWN),
                stream_count(connection),
                alarms.cards(connection),
                alarms.past(connection, most_past),
                access.to_review(connection),
                bar(connection),
                holds.listed(connection, _MOST_PAST_ALARMS) if viewer.may(Right.HOLDS) else [],
                place_of(connection, collector.settings, time.time()),
            )
        )
    except (StoreError, OSError) as error:
        return problem(request, 503, str(error))
    return render(
        request,
        "streams.html",
        streams=rows,
        total=total,
        room=room,
        holds=held,
        cards=cards,
        past=past,
        emergencies=[(kept, _late(kept)) for kept in emergencies],
        silent_after=time.time() - 3 * collector.settings.heartbeat_seconds,
        **counts,
    )


def _late(kept: Kept) -> bool:
    """Whether its review is overdue."""
    return overdue(kept.request, datetime.now(UTC))
