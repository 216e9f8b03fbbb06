"""Legal holds over HTTP: those that were set, setting and releasing one. Who did so is a reading, in its transaction.

What doesn't belong: what a hold covers (`penstock_collector.store.holds`), the page that shows them (`pages.py`).
"""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from penstock_collector.approvals.comment import BadCommentError, one_line
from penstock_collector.auth.viewer import Viewer
from penstock_collector.collector import collector_of
from penstock_collector.lookup import BadFilter, as_moment, as_text
from penstock_collector.store import holds
from penstock_collector.store.database import StoreError
from penstock_collector.store.holds import Hold, NoHold
from penstock_collector.web.bodies import NotTakenError, read_form, read_json, refuse
from penstock_collector.web.guards import reading
from penstock_collector.web.pages import whole_number
from penstock_collector.web.rendering import problem
from penstock_collector.web.security import from_own_page

_MOST_BODY_BYTES = 16 * 1024
_MOST_LISTED = 1000
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class _Wanted(BaseModel):
    """What a program sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    stream: str = ""
    database: str = ""
    since: str = ""
    until: str = ""
    reason: str


async def list_holds(request: Request) -> Response:
    """Those that stand, and those that were released, latest first.

    `{"holds": […], "next": <before of the next page, or null>}`.
    """
    try:
        before = whole_number(request, "before")
        limit = min(whole_number(request, "limit") or _MOST_LISTED, _MOST_LISTED)
        found = await collector_of(request).readers.run(lambda connection: holds.page(connection, limit + 1, before))
    except BadFilter as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))
    next_ = found[limit - 1].id if len(found) > limit else None
    return JSONResponse({"holds": [asdict(hold) for hold in found[:limit]], "next": next_})


async def post_hold(request: Request) -> Response:
    """Set one: `{"stream": "…", "database": "shop", "since": "…", "until": "…", "reason": "…"}`."""
    if not from_own_page(request):
        return refuse(403, "this was not sent from a page of the collector")
    try:
        wanted = await read_json(
            request, _Wanted, _MOST_BODY_BYTES, "a hold",
            '{"stream": "…", "database": "…", "since": "…", "until": "…", "reason": "…"}, with the reason',
        )  # fmt: skip
        return JSONResponse(asdict(await _place(request, wanted)))
    except NotTakenError as error:
        return refuse(error.status, str(error))
    except (BadFilter, BadCommentError, NoHold) as error:
        return refuse(400, str(error))
    except StoreError as error:
        return refuse(503, str(error))


async def post_release(request: Request) -> Response:
    """Release one, by a program."""
    if not from_own_page(request):
        return refuse(403, "this was not sent from a page of the collector")
    try:
        released = await _release(request, int(request.path_params["number"]))
    except StoreError as error:
        return refuse(503, str(error))
    if released is None:
        return refuse(404, "no such hold stands")
    return JSONResponse({"released": released.id})


async def change_on_page(request: Request) -> Response:
    """Set one by the form of the page, or release the one that it names."""
    if not from_own_page(request):
        return problem(request, 403, "That form was not sent from this page.")
    form = await read_form(request)
    try:
        if "release" in form:
            number = form["release"]
            known = number.isascii() and number.isdecimal() and len(number) < 17
            if not known or await _release(request, int(number)) is None:
                return problem(request, 404, "No such hold stands.")
        else:
            given = {name: form.get(name, "") for name in _Wanted.model_fields}
            await _place(request, _Wanted(**given))
    except (BadFilter, BadCommentError, NoHold) as error:
        return problem(request, 400, f"Nothing is held: {error}.")
    except StoreError as error:
        return problem(request, 503, str(error))
    return RedirectResponse("/streams#holds", 303)


async def _place(request: Request, wanted: _Wanted) -> Hold:
    """Raises BadFilter, BadCommentError, NoHold, StoreError."""
    stream, database = as_text("stream", wanted.stream), as_text("database", wanted.database)
    since = as_moment("since", wanted.since.strip())
    # A day is held to its end.
    last = wanted.until.strip()
    until = as_moment("until", f"{last}T23:59:59" if _DAY.fullmatch(last) else last)
    reason = one_line(wanted.reason)
    if not any((stream, database, since, until)):
        raise BadFilter("a hold covers a stream, a database or a time; give one of them")
    if not reason:
        raise BadFilter("a hold needs a reason: say why")
    if since and until and since > until:
        raise BadFilter("since is not later than until")
    viewer: Viewer = request.state.viewer
    collector = collector_of(request)

    def place(connection: sqlite3.Connection) -> Hold:
        hold = holds.place(
            connection, stream=stream, database=database, since=since, until=until, reason=reason, by=viewer.name,
            now=time.time(),
        )  # fmt: skip
        what = f"hold {hold.id}: {hold.words()}"
        collector.readings.seal(connection, reading(request, "set a hold", what, reason=reason))
        return hold

    return await collector.writer.run(place)


async def _release(request: Request, number: int) -> Hold | None:
    """Raises StoreError."""
    viewer: Viewer = request.state.viewer
    collector = collector_of(request)

    def release(connection: sqlite3.Connection) -> Hold | None:
        hold = holds.release(connection, number, viewer.name, time.time())
        if hold is not None:
            what = f"hold {hold.id}: {hold.words()}"
            collector.readings.seal(connection, reading(request, "released a hold", what))
        return hold

    return await collector.writer.run(release)
