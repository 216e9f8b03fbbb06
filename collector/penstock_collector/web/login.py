"""Logging in and out: a viewer token or a link that works once, against a session cookie.

What doesn't belong: what a session is (`penstock_collector.auth.viewers`).
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from penstock_collector.auth.viewers import SESSION_SECONDS, TooManyFailures
from penstock_collector.collector import collector_of
from penstock_collector.web.rendering import render
from penstock_collector.web.security import address, cookie_name, from_own_page, viewer_of

_MOST_FORM_BYTES = 32 * 1024
_WRONG = "That token is not known here."
_SLOW_DOWN = "Too many failed attempts. Try again in a few minutes."
_FOREIGN = "That form was not sent from this page. Try again here."
_USED = "That link was used already, or is older than ten minutes. Log in with a viewer token."


async def show_login(request: Request) -> Response:
    """The form; or with `?ticket=`, logged in at once."""
    target = _target(request.query_params.get("next", ""))
    ticket = request.query_params.get("ticket")
    if ticket:
        try:
            secret = collector_of(request).viewers.redeem(ticket, address(request))
        except TooManyFailures:
            return _form(request, target, _SLOW_DOWN, 429)
        if secret is None:
            return _form(request, target, _USED, 403)
        # A page and not a redirect: a strict cookie is not sent along where a redirect comes from another site.
        return _logged_in(request, render(request, "welcome.html", target=target), secret)
    try:
        if viewer_of(request) is not None:
            return RedirectResponse(target, 303)
    except TooManyFailures:
        return _form(request, target, _SLOW_DOWN, 429)
    return _form(request, target)


async def log_in(request: Request) -> Response:
    """The form was sent."""
    form = await read_form(request)
    target = _target(form.get("next", ""))
    if not from_own_page(request):
        return _form(request, target, _FOREIGN, 403)
    try:
        secret = collector_of(request).viewers.log_in(form.get("token", "").strip(), address(request))
    except TooManyFailures:
        return _form(request, target, _SLOW_DOWN, 429)
    if secret is None:
        return _form(request, target, _WRONG, 403)
    return _logged_in(request, RedirectResponse(target, 303), secret)


async def log_out(request: Request) -> Response:
    """End the session."""
    if not from_own_page(request):
        return _form(request, "/", _FOREIGN, 403)
    collector = collector_of(request)
    name = cookie_name(collector)
    collector.viewers.log_out(request.cookies.get(name, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(name, secure=collector.settings.cookies_only_over_tls, httponly=True, samesite="strict")
    return response


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form, each once; empty if it is larger than any of ours."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return {}
        fields = parse_qs(body.decode(), max_num_fields=20)
    except (ClientDisconnect, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items()}


def _logged_in(request: Request, response: Response, secret: str) -> Response:
    collector = collector_of(request)
    response.set_cookie(
        cookie_name(collector),
        secret,
        max_age=int(SESSION_SECONDS),
        secure=collector.settings.cookies_only_over_tls,
        httponly=True,
        samesite="strict",
    )
    return response


def _target(value: str) -> str:
    """A path of our own to go on to; anything that could lead elsewhere becomes the first page."""
    safe = value.startswith("/") and not value.startswith(("//", "/\\")) and value.isprintable()
    return value if safe and value.partition("?")[0] not in ("/login", "/logout") else "/"


def _form(request: Request, target: str, problem: str = "", status: int = 200) -> Response:
    return render(request, "login.html", status, target=target, problem=problem)
