"""The page that lets people in: with a token, or a link that works once; and the way out.

What doesn't belong: the provider's part (`sign_in.py`), what a session is (`penstock_collector.auth.sessions`).
"""

from __future__ import annotations

import contextlib

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from penstock_collector.auth.id_token import SignInError
from penstock_collector.auth.sessions import Session
from penstock_collector.auth.viewers import TooManyFailures
from penstock_collector.collector import collector_of
from penstock_collector.readings import Reading
from penstock_collector.store.database import StoreError
from penstock_collector.web.bodies import read_form
from penstock_collector.web.rendering import render
from penstock_collector.web.security import address, cookie_name, from_own_page, viewer_of
from penstock_collector.web.shares import shares_of

_log = structlog.get_logger(__name__)

_WRONG = "That token is not known here."
_SLOW_DOWN = "Too many failed attempts. Try again in a few minutes."
_FOREIGN = "That form was not sent from this page. Try again here."
_USED = "That link was used already, or is older than ten minutes. Sign in with a viewer token."


async def show_login(request: Request) -> Response:
    """The form; or with `?ticket=`, a button alone: whatever looks at links on their way would use it up otherwise."""
    target = own_path(request.query_params.get("next", ""))
    if ticket := request.query_params.get("ticket"):
        return render(request, "login_link.html", target=target, ticket=ticket)
    try:
        if viewer_of(request) is not None:
            return RedirectResponse(target, 303)
    except TooManyFailures:
        return form(request, target, _SLOW_DOWN, 429)
    return form(request, target)


async def log_in(request: Request) -> Response:
    """The form was sent."""
    fields = await read_form(request)
    target = own_path(fields.get("next", ""))
    if not from_own_page(request):
        return form(request, target, _FOREIGN, 403)
    viewers, ticket = collector_of(request).viewers, fields.get("ticket", "")
    try:
        if ticket:
            secret = viewers.redeem(ticket, address(request))
        else:
            secret = await viewers.sign_in_by_token(fields.get("token", "").strip(), address(request))
    except TooManyFailures:
        return form(request, target, _SLOW_DOWN, 429)
    except SignInError as error:
        return await failed(request, target, str(error), error.status)
    if secret is None:
        return await failed(request, target, _USED if ticket else _WRONG)
    return await let_in(request, target, secret)


async def let_in(request: Request, target: str, secret: str, *, recorded: bool = False) -> Response:
    """With a new session, whose beginning is on record before it is given; an older one of the browser's ends."""
    collector = collector_of(request)
    viewer, session = collector.viewers.of_session(secret), collector.viewers.sessions.find(secret)
    if viewer is None or session is None:
        return form(request, target, _WRONG, 403)
    if not recorded:
        try:
            await collector.readings.record(Reading("signed in", viewer, address(request)))
        except StoreError as error:
            collector.viewers.log_out(secret)
            return form(request, target, f"Signing in can't be recorded, and so is not possible: {error}.", 503)
    name = cookie_name(collector)
    if before := request.cookies.get(name):
        collector.viewers.log_out(before)
    _log.info("signed in", **viewer.document(), session=viewer.session)
    response = RedirectResponse(target, 303)
    response.set_cookie(
        name,
        secret,
        max_age=int(session.expires - session.began),
        secure=collector.settings.cookies_only_over_tls,
        httponly=True,
        samesite="lax",
    )
    return response


async def failed(request: Request, target: str, said: str, status: int = 403) -> Response:
    """Nobody is let in, which is on record if it can be."""
    # Strangers can have as many as they like.
    shares_of(request).log.warn("sign-in failed", why=said, address=address(request))
    with contextlib.suppress(StoreError):
        await collector_of(request).readings.failure(Reading("sign-in failed", address=address(request), reason=said))
    return form(request, target, said, status)


async def log_out(request: Request) -> Response:
    """End the session, here and, of who signed in with the provider, there."""
    if not from_own_page(request):
        return form(request, "/", _FOREIGN, 403)
    collector = collector_of(request)
    name = cookie_name(collector)
    ended = collector.viewers.log_out(request.cookies.get(name, ""))
    response: Response = RedirectResponse("/login", 303)
    if ended is not None:
        with contextlib.suppress(StoreError):
            await collector.readings.record(Reading("signed out", ended.viewer_named, address(request)))
        if url := await _elsewhere(request, ended):
            # A page and not a redirect: a form of ours leads nowhere else, as its policy says.
            response = render(request, "signed_out.html", target=url, provider=collector.settings.provider_name)
    response.delete_cookie(name, secure=collector.settings.cookies_only_over_tls, httponly=True, samesite="lax")
    return response


async def _elsewhere(request: Request, ended: Session) -> str:
    sign_in = collector_of(request).viewers.sign_in
    if sign_in is None or ended.signed_in is None:
        return ""
    try:
        return await sign_in.sign_out_url(ended.signed_in)
    except SignInError as error:
        _log.warning("signed out here, and not with the provider", why=str(error))
        return ""


def own_path(value: str) -> str:
    """A path of our own to go on to; anything that could lead elsewhere becomes the first page."""
    safe = value.startswith("/") and not value.startswith(("//", "/\\")) and value.isprintable()
    path = value.partition("?")[0]
    return value if safe and path not in ("/login", "/logout") and not path.startswith("/login/") else "/"


def form(request: Request, target: str, problem: str = "", status: int = 200) -> Response:
    """The page that lets people in."""
    collector = collector_of(request)
    provider, cluster = collector.settings.provider_name, collector.viewers.cluster
    by_cluster = cluster is not None and cluster.sign_in
    return render(
        request, "login.html", status, target=target, problem=problem, provider=provider, by_cluster=by_cluster
    )
