"""What each path needs: a right, and that the reading is recorded; or nothing, which it says too.

What doesn't belong: which path needs what (`app.py`), the table of rights (`auth/roles.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from penstock_collector.auth.kubernetes import ReviewUnavailable
from penstock_collector.auth.roles import Right, who_may
from penstock_collector.auth.viewer import Viewer
from penstock_collector.auth.viewers import TooManyFailures
from penstock_collector.collector import collector_of
from penstock_collector.readings import Reading
from penstock_collector.store.database import StoreError
from penstock_collector.store.fair_turns import VIEWER, on_behalf_of
from penstock_collector.web.bodies import refuse
from penstock_collector.web.parameters import objection
from penstock_collector.web.rendering import problem
from penstock_collector.web.security import address, bearer, cookie_name, viewer_of
from penstock_entrance.guarded_http import known

_log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
# Everybody may; or gates, whose tokens the handler itself checks.
Others = Literal["everybody", "gates"]
_UNSAID = frozenset({"format", "ticket"})
# As others call it; nobody sees it.
_NOBODY_WAITS = 499


class Guarded:
    """A handler that says what it needs, and what the record calls that it was used."""

    def __init__(self, needs: Right | Others, action: str, answer: Handler) -> None:
        self.needs = needs
        self.action = action
        # The parameters of the query that mean something (`parameters.py`).
        self.takes: tuple[str, ...] = ()
        self._answer = answer

    async def __call__(self, request: Request) -> Response:
        request.state.takes = self.takes
        if self.needs == "gates" and (said := objection(request, self.takes)):
            return refuse(400, said)
        return await self._answer(request)


def open_to(others: Others, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """For what shows nothing, or checks by itself."""
    return _route(Guarded(others, "", handler))


def page(right: Right, handler: Handler, action: str = "") -> Callable[[Request], Awaitable[Response]]:
    """For people: who is not signed in is asked to. Without an action, the handler records by itself."""
    return _route(Guarded(right, action, partial(_guard, right, action, handler, _Page)))


def api(right: Right, handler: Handler, action: str = "") -> Callable[[Request], Awaitable[Response]]:
    """For programs: who shows no valid token or session gets 401."""
    return _route(Guarded(right, action, partial(_guard, right, action, handler, _Api)))


def _route(guarded: Guarded) -> Callable[[Request], Awaitable[Response]]:
    # Starlette takes functions for handlers and objects for applications.
    async def endpoint(request: Request) -> Response:
        return await guarded(request)

    endpoint.guarded = guarded  # type: ignore[attr-defined] # for whoever goes over the routes
    return endpoint


class _Page:
    """How people are told."""

    @staticmethod
    def unknown(request: Request) -> Response:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/login" if target == "/" else f"/login?next={quote(target, safe='')}", 303)

    @staticmethod
    def refused(request: Request, status: int, said: str) -> Response:
        return problem(request, status, said)


class _Api:
    """How programs are told."""

    @staticmethod
    def unknown(_request: Request) -> Response:
        headers = {"www-authenticate": 'Bearer realm="penstock"'}
        return JSONResponse({"error": "sign in, or send a viewer token"}, 401, headers=headers)

    @staticmethod
    def refused(_request: Request, status: int, said: str) -> Response:
        return JSONResponse({"error": said}, status, headers={"retry-after": "2"} if status == 503 else None)


async def _guard(right: Right, action: str, handler: Handler, tell: type[_Page | _Api], request: Request) -> Response:
    # That a live page connects again is no sign of a person.
    try:
        viewer = await _viewer(request, by_person=action != "followed")
    except ReviewUnavailable as error:
        _log.warning("cannot check a reader", why=str(error))
        return tell.refused(request, 503, "The token can't be checked at the moment.")
    if viewer is None:
        return tell.unknown(request)
    request.state.viewer = viewer
    known(request, VIEWER + viewer.name)
    on_behalf_of.set(VIEWER + viewer.name)
    readings = collector_of(request).readings
    if not viewer.may(right):
        if request.url.path == "/" and viewer.may(Right.REQUESTS):
            return RedirectResponse("/requests", 303)
        said = _lacking(viewer, right)
        with contextlib.suppress(StoreError):
            await readings.failure(reading(request, action or "tried", result="refused", reason=said))
        return tell.refused(request, 403, said)
    if said := objection(request, request.state.takes):
        # On record as any other.
        handler = partial(_object, tell, said)
    if not action:
        return await handler(request)
    # The disk and the search work at the same time; nothing is given before both are done.
    recording = asyncio.create_task(readings.record(reading(request, action)), name="record a reading")
    try:
        response = await while_connected(request, handler)
    finally:
        await asyncio.wait([recording])
        unrecorded = recording.exception()
    if unrecorded is not None:
        return tell.refused(request, 503, f"This reading can't be recorded, and so is not given: {unrecorded}.")
    return response


async def while_connected(request: Request, handler: Handler) -> Response:
    """The answer, which is looked for no longer than somebody waits for it."""
    if request.method != "GET":
        return await handler(request)
    answering = asyncio.ensure_future(handler(request))
    leaving = asyncio.create_task(_left(request), name="whether somebody waits")
    try:
        await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else Response(status_code=_NOBODY_WAITS)
    finally:
        answering.cancel()
        leaving.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _object(tell: type[_Page | _Api], said: str, request: Request) -> Response:
    return tell.refused(request, 400, said)


def reading(request: Request, action: str, what: str = "", *, result: str = "", reason: str = "") -> Reading:
    """A request as the record has it."""
    filters = {name: value for name, value in request.query_params.items() if name not in _UNSAID}
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    return Reading(action, viewer, address(request), what or request.url.path, filters, result, reason)


def _lacking(viewer: Viewer, right: Right) -> str:
    has = ", ".join(sorted(viewer.roles)) or "no role"
    return f"You may not {right}: you have {has}, and it needs {' or '.join(who_may(right))}."


async def _viewer(request: Request, *, by_person: bool) -> Viewer | None:
    collector = collector_of(request)
    token = bearer(request)
    try:
        if token:
            await collector.viewers.ask_about(token)
        else:
            await collector.viewers.look_again(request.cookies.get(cookie_name(collector), ""))
        viewer = viewer_of(request, by_person=by_person)
    except TooManyFailures:
        return None
    if viewer is None and token:
        with contextlib.suppress(StoreError):
            await collector.readings.failure(reading(request, "sign-in failed", reason="no such token"))
    return viewer
