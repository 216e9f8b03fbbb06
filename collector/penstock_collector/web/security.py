"""What holds for every request: security headers, who asks, and that a form came from our own pages.

What doesn't belong: checking tokens and sessions (`penstock_collector.auth.viewers`), which path needs what (`app.py`),
and keeping to it (`guards.py`).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock_collector.auth.roles import Right
from penstock_collector.auth.viewer import Viewer
from penstock_collector.auth.viewers import TooManyFailures
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


class SecurityHeaders:
    """Adds to every answer what keeps browsers from doing more with it than is meant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                _secure(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _secure(headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    # The trail is nobody's to keep but ours; static files say otherwise themselves.
    headers.setdefault("cache-control", "no-store")


def secured(response: Response) -> Response:
    """An answer that goes out beside the middleware."""
    _secure(response.headers)
    return response


def bearer(connection: HTTPConnection) -> str:
    """The token of the Authorization header, "" if there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def address(connection: HTTPConnection) -> str:
    """Who the other end of the connection is, for slowing down guesses."""
    return connection.client.host if connection.client else ""


def cookie_name(collector: Collector, name: str = "penstock") -> str:
    """A cookie of ours; `__Host-` makes browsers insist on TLS, on this very host."""
    return f"__Host-{name}" if collector.settings.cookies_only_over_tls else name


def session_secret(connection: HTTPConnection) -> str:
    """That of the session by which somebody is there; "" for who sends a token of their own with each request."""
    return "" if bearer(connection) else connection.cookies.get(cookie_name(collector_of(connection)), "")


def viewer_of(connection: HTTPConnection, *, by_person: bool = True) -> Viewer | None:
    """Who reads: by bearer token or session; by a session's open page, unless `by_person`. Raises TooManyFailures."""
    collector = collector_of(connection)
    token = bearer(connection)
    if token:
        return collector.viewers.of_token(token, address(connection))
    secret = session_secret(connection)
    return collector.viewers.of_session(secret, by_person=by_person) if secret else None


def still(connection: HTTPConnection, right: Right) -> Viewer | None:
    """Who follows an open page, as long as they may; None from then on."""
    try:
        viewer = viewer_of(connection, by_person=False)
    except TooManyFailures:
        return None
    return viewer if viewer is not None and viewer.may(right) else None


def from_own_page(request: Request) -> bool:
    """Whether a form was sent by one of our pages (or by no browser at all)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
