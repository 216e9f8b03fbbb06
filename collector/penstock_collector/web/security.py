"""What holds for every request: security headers, who asks, and that a form came from our own pages.

What doesn't belong: checking tokens and sessions (`penstock_collector.auth.viewers`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock_collector.auth.viewers import TooManyFailures, Viewer
from penstock_collector.collector import Collector, collector_of

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

Handler = Callable[[Request], Awaitable[Response]]


class SecurityHeaders:
    """Adds to every answer what keeps browsers from doing more with it than is meant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                # The trail is nobody's to keep but ours; static files say otherwise themselves.
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def bearer(connection: HTTPConnection) -> str:
    """The token of the Authorization header, "" if there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def address(connection: HTTPConnection) -> str:
    """Who the other end of the connection is, for slowing down guesses."""
    return connection.client.host if connection.client else ""


def cookie_name(collector: Collector) -> str:
    """The session cookie; `__Host-` makes browsers insist on TLS, on this very host."""
    return "__Host-penstock" if collector.settings.cookies_only_over_tls else "penstock"


def viewer_of(connection: HTTPConnection) -> Viewer | None:
    """Who reads: by bearer token or session. Raises TooManyFailures."""
    collector = collector_of(connection)
    token = bearer(connection)
    if token:
        return collector.viewers.of_token(token, address(connection))
    secret = connection.cookies.get(cookie_name(collector), "")
    return collector.viewers.of_session(secret) if secret else None


def from_own_page(request: Request) -> bool:
    """Whether a form was sent by one of our pages (or by no browser at all)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def page(handler: Handler) -> Handler:
    """For people: who is not logged in is asked to."""

    async def guarded(request: Request) -> Response:
        viewer = _viewer(request)
        if viewer is None:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse("/login" if target == "/" else f"/login?next={quote(target, safe='')}", 303)
        request.state.viewer = viewer
        return await handler(request)

    return guarded


def api(handler: Handler) -> Handler:
    """For programs: who shows no valid token or session gets 401."""

    async def guarded(request: Request) -> Response:
        viewer = _viewer(request)
        if viewer is None:
            headers = {"www-authenticate": 'Bearer realm="penstock"'}
            return JSONResponse({"error": "log in, or send a viewer token"}, 401, headers=headers)
        request.state.viewer = viewer
        return await handler(request)

    return guarded


def _viewer(request: Request) -> Viewer | None:
    try:
        return viewer_of(request)
    except TooManyFailures:
        return None
