"""Signing in with the provider: the way there, and the way back.

What doesn't belong: what is checked (`penstock_collector.auth.sign_in`), tokens and links (`login.py`).
"""

from __future__ import annotations

import sqlite3
import time
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from penstock_collector.auth.half_done import HALF_DONE_SECONDS
from penstock_collector.auth.id_token import SignInError
from penstock_collector.auth.sign_in import SignedIn
from penstock_collector.collector import Collector, collector_of
from penstock_collector.readings import Reading
from penstock_collector.store import people
from penstock_collector.store.database import StoreError
from penstock_collector.web.login import failed, form, let_in, own_path
from penstock_collector.web.rendering import problem
from penstock_collector.web.security import address, cookie_name

_COOKIE = "penstock-sign-in"


async def go(request: Request) -> Response:
    """To the provider."""
    collector = collector_of(request)
    sign_in, settings = collector.viewers.sign_in, collector.settings
    target = own_path(request.query_params.get("next", ""))
    if sign_in is None:
        return problem(request, 404, "Nobody signs in with a provider here.")
    if request.headers.get("host", "").lower() != _host(settings.public_url) and not request.query_params.get("here"):
        # The way back leads there, and the cookie has to be where it ends. Once only: a proxy may name another host.
        return RedirectResponse(f"{settings.public_url}/login/provider?here=1&next={quote(target, safe='')}", 303)
    try:
        url, sealed = await sign_in.begin(target)
    except SignInError as error:
        return form(request, target, str(error), error.status)
    response = RedirectResponse(url, 303)
    response.set_cookie(
        cookie_name(collector, _COOKIE), sealed, max_age=HALF_DONE_SECONDS, httponly=True, samesite="lax",
        secure=settings.cookies_only_over_tls,
    )  # fmt: skip
    return response


def _host(url: str) -> str:
    """As browsers name it: without the port that goes without saying."""
    parts = urlsplit(url)
    usual = {"https": ":443", "http": ":80"}[parts.scheme]
    return parts.netloc.lower().removesuffix(usual)


async def come_back(request: Request) -> Response:
    """From the provider, with a code."""
    collector = collector_of(request)
    sign_in = collector.viewers.sign_in
    if sign_in is None:
        return problem(request, 404, "Nobody signs in with a provider here.")
    cookie, target = cookie_name(collector, _COOKIE), "/"
    try:
        one = sign_in.come_back(request.query_params, request.cookies.get(cookie, ""))
        target = own_path(one.target)
        response = await _let_in(request, target, await sign_in.finish(one, request.query_params))
    except SignInError as error:
        response = await failed(request, target, str(error), error.status)
    response.delete_cookie(cookie, secure=collector.settings.cookies_only_over_tls, httponly=True, samesite="lax")
    return response


async def _let_in(request: Request, target: str, signed_in: SignedIn) -> Response:
    collector = collector_of(request)
    secret, viewer = collector.viewers.admit(signed_in, address(request))
    try:
        await _record(collector, Reading("signed in", viewer, address(request)), signed_in)
    except StoreError as error:
        collector.viewers.log_out(secret)
        return form(request, target, f"Signing in can't be recorded, and so is not possible: {error}.", 503)
    return await let_in(request, target, secret, recorded=True)


async def _record(collector: Collector, reading: Reading, signed_in: SignedIn) -> None:
    person = signed_in.person

    def job(connection: sqlite3.Connection) -> None:
        people.meet(connection, person.issuer, person.subject, person.names, time.time())
        collector.readings.seal(connection, reading)

    await collector.writer.run(job)
