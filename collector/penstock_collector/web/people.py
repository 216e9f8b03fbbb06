"""Who is signed in, for those who may end it; and what everybody has read, for auditors.

What doesn't belong: sessions (`penstock_collector.auth.sessions`), recording (`penstock_collector.readings`).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter
from penstock_collector.store import readings
from penstock_collector.store.database import StoreError
from penstock_collector.store.readings import ReadingRecord
from penstock_collector.web.bodies import read_form, refuse
from penstock_collector.web.guards import reading
from penstock_collector.web.pages import bar, whole_number
from penstock_collector.web.rendering import problem, render
from penstock_collector.web.security import from_own_page

_MOST_SHOWN = 100
_MOST_LISTED = 1000


async def sign_ins(request: Request) -> Response:
    """Who is signed in."""
    collector = collector_of(request)
    try:
        counts = await collector.readers.run(bar)
    except StoreError as error:
        return problem(request, 503, str(error))
    offset = time.time() - time.monotonic()
    sessions = [
        {"session": one, "viewer": one.viewer_named, "began": one.began + offset, "used": one.used + offset}
        for one in collector.viewers.sessions.listed()
    ]
    return render(request, "sign_ins.html", sessions=sessions, **counts)


async def end_sign_in(request: Request) -> Response:
    """End somebody's sign-in, at once."""
    if not from_own_page(request):
        return problem(request, 403, "That form was not sent from this page.")
    collector = collector_of(request)
    ended = collector.viewers.sessions.end_by_id((await read_form(request)).get("session", ""))
    if ended is None:
        return problem(request, 404, "That sign-in has ended already.")
    with contextlib.suppress(StoreError):
        # It has ended, recorded or not.
        await collector.readings.record(reading(request, "ended a sign-in", f"{ended.viewer.name} {ended.id}"))
    return RedirectResponse("/sign-ins", 303)


async def show_readings(request: Request) -> Response:
    """Who read what, latest first."""
    try:
        who, action, before = _wanted(request)
        found, counts = await collector_of(request).readers.run(
            lambda connection: (readings.listed(connection, who, action, before, _MOST_SHOWN + 1), bar(connection))
        )
    except BadFilter as error:
        return problem(request, 400, str(error))
    except StoreError as error:
        return problem(request, 503, str(error))
    shown = found[:_MOST_SHOWN]
    query = {name: value for name, value in (("who", who), ("action", action)) if value}
    older = urlencode({**query, "before": shown[-1].seq}) if len(found) > _MOST_SHOWN else ""
    return render(request, "readings.html", found=shown, who=who, action=action, older=older, **counts)


async def list_readings(request: Request) -> Response:
    """`{"readings": […], "next": <before of the next page, or null>}`, latest first."""
    try:
        who, action, before = _wanted(request)
        limit = min(whole_number(request, "limit") or 100, _MOST_LISTED)

        def read(connection: sqlite3.Connection) -> list[ReadingRecord]:
            return readings.listed(connection, who, action, before, limit + 1)

        found = await collector_of(request).readers.run(read)
    except BadFilter as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    next_ = found[limit - 1].seq if len(found) > limit else None
    return JSONResponse({"readings": [json.loads(one.document) for one in found[:limit]], "next": next_})


def _wanted(request: Request) -> tuple[str, str, int | None]:
    """Of whom, of which kind, and before which. Raises BadFilter."""
    who, action = (request.query_params.get(name, "").strip() for name in ("who", "action"))
    if len(who) > 300 or len(action) > 100:
        raise BadFilter("who is at most 300 characters, action 100")
    return who, action, whole_number(request, "before")
