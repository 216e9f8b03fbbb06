"""The live tail: server-sent events, as rows for the page or as JSON for programs.

Each event's id is a cursor, so that a client that reconnects with Last-Event-ID misses nothing. What doesn't belong:
finding what is new (`penstock_collector.tail`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Generic

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.login_search import LOGINS, LoginFilters, LoginRecord
from penstock_collector.lookup import BadFilter, NewRecords, R, Record, cursor
from penstock_collector.search import STATEMENTS, Filters, StatementRecord
from penstock_collector.store.database import StoreError
from penstock_collector.web.following import Following
from penstock_collector.web.pages import whole_number
from penstock_collector.web.rendering import fragment
from penstock_collector.web.security import still


@dataclass(frozen=True, slots=True)
class _Kind(Generic[R]):
    """What can be followed: statements, or logins."""

    # Of its events, and the template of its rows.
    name: str
    row: str
    # From the query of the URL, what finds what is new. Raises BadFilter.
    changes: Callable[[Mapping[str, str]], Callable[[sqlite3.Connection, int], NewRecords[R]]]


def _statements(query: Mapping[str, str]) -> Callable[[sqlite3.Connection, int], NewRecords[StatementRecord]]:
    filters = Filters.parse(query)
    return lambda connection, after: STATEMENTS.changes(connection, filters, after)


def _logins(query: Mapping[str, str]) -> Callable[[sqlite3.Connection, int], NewRecords[LoginRecord]]:
    filters = LoginFilters.parse(query)
    return lambda connection, after: LOGINS.changes(connection, filters, after)


_STATEMENTS = _Kind("statement", "row.html", _statements)
_LOGINS = _Kind("login", "login_row.html", _logins)


async def tail(request: Request) -> Response:
    """Follow the statements from `Last-Event-ID`, `after`, or now on."""
    return await _follow(request, _STATEMENTS)


async def login_tail(request: Request) -> Response:
    """Follow the logins, in the same way."""
    return await _follow(request, _LOGINS)


async def _follow(request: Request, kind: _Kind[R]) -> Response:
    collector = collector_of(request)
    try:
        changes = kind.changes(request.query_params)
        after = last_event_id(request, whole_number(request, "after"))
        if after is None:
            after = await collector.readers.run(cursor)
    except BadFilter as error:
        return JSONResponse({"error": str(error)}, 400)
    except StoreError as error:
        return JSONResponse({"error": str(error)}, 503, headers={"retry-after": "5"})
    row = kind.row if request.query_params.get("format") == "html" else ""
    viewer: Viewer = request.state.viewer
    return Following(
        _events(request, changes, after, kind.name, row), partial(collector.tail.place, viewer.name)
    )  # fmt: skip


def last_event_id(request: Request, otherwise: int | None) -> int | None:
    """Where a browser that connects again left off."""
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdecimal() and len(last) < 17 else otherwise


async def _events(
    request: Request,
    changes: Callable[[sqlite3.Connection, int], NewRecords[R]],
    after: int,
    name: str,
    row: str,
) -> AsyncIterator[str]:
    collector = collector_of(request)

    def who() -> Viewer | None:
        return still(request, Right.STATEMENTS)

    def allowed() -> bool:
        return who() is not None

    # Sent at once, so that the browser knows that it is connected.
    yield "retry: 1000\n: following\n\n"
    try:
        async with aclosing(collector.tail.follow(changes, after, allowed)) as found:
            async for new in found:
                yield ": still here\n\n" if new is None else _portion(new, name, row, who())
    except StoreError as error:
        yield event("problem", json.dumps({"error": str(error)}))
        return
    if not allowed():
        yield event("ended", json.dumps({"error": "the session has ended"}))


def _portion(new: NewRecords[R], name: str, row: str, who: Viewer | None) -> str:
    """As JSON, or as rows of that template for that viewer."""
    parts = [event("gap", json.dumps({"skipped": new.skipped}))] if new.skipped else []
    parts += [
        event(name, json.dumps(_row(one, row, who) if row else one.document()), one.changed) for one in new.records
    ]
    return "".join(parts)


def _row(one: Record, row: str, who: Viewer | None) -> dict[str, object]:
    return {"id": one.id, "html": fragment(row, one=one, me=who, fresh=True)}


def event(name: str, data: str, id_: int | None = None) -> str:
    """One server-sent event; JSON has no line breaks."""
    return ("" if id_ is None else f"id: {id_}\n") + f"event: {name}\ndata: {data}\n\n"
