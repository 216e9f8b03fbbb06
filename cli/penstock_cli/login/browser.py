"""The browser flow: the authorization code with PKCE (RFC 7636), which comes back to a port of this machine (RFC 8252).

State, nonce and the issuer's own name (RFC 9207) are checked before the code is used. What doesn't belong: what becomes
of the tokens (`kept.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socketserver
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlencode, urlsplit

from penstock_cli.failures import Unusable
from penstock_cli.login.issuer import Granted, Issuer
from penstock_cli.terminal_text import printable

WAIT_SECONDS = 300.0
_PATH = "/callback"
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>Penstock</title>
<p>That is all: go back to your terminal. You may close this page.</p>
"""


@dataclass
class _Attempt:
    """One login, and what came back for it."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    answer: dict[str, str] | None = None

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


def logged_in(
    issuer: Issuer, tell: Callable[[str], None], open_page: Callable[[str], object], wait: float = WAIT_SECONDS
) -> tuple[Granted, str]:
    """What the issuer gives once somebody has said yes, and the nonce that its ID token has. Raises Unusable.

    `tell` shows a line to the person; `open_page` opens a page in their browser.
    """
    attempt = _Attempt()
    with _Listener(attempt) as listener:
        back = f"http://127.0.0.1:{listener.server_address[1]}{_PATH}"
        url = _authorization(issuer, attempt, back)
        tell(f"log in in your browser; if it does not open, go to {printable(url)}")
        open_page(url)
        listener.serve(wait)
    code = _code(issuer, attempt)
    grant = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": attempt.verifier,
        **{name: value for name, value in issuer.wanted().items() if name != "scope"},
    }  # fmt: skip
    return issuer.tokens(grant), attempt.nonce


def _authorization(issuer: Issuer, attempt: _Attempt, back: str) -> str:
    url = issuer.endpoint("authorization_endpoint")
    if not url:
        raise Unusable("the issuer has no authorization_endpoint: log in with --device")
    query = {
        "response_type": "code", "client_id": issuer.settings.client_id, "redirect_uri": back, "state": attempt.state,
        "nonce": attempt.nonce, "code_challenge": attempt.challenge, "code_challenge_method": "S256", **issuer.wanted(),
    }  # fmt: skip
    if issuer.settings.prompt is not None:
        query["prompt"] = issuer.settings.prompt
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def _code(issuer: Issuer, attempt: _Attempt) -> str:
    """The code that came back, if it is of this login and of this issuer. Raises Unusable."""
    answer = attempt.answer
    if answer is None:
        raise Unusable("nobody has logged in in time; try again, or with --device")
    told = answer.get("iss")
    required = issuer.metadata.get("authorization_response_iss_parameter_supported") is True
    if (told is None and required) or (told is not None and told != issuer.settings.issuer):
        raise Unusable("what came back is not of the issuer that was asked (iss): somebody may have mixed them up")
    if "error" in answer:
        words = [printable(answer.get(name, ""))[:300] for name in ("error", "error_description")]
        raise Unusable(f"the login was refused in the browser: {': '.join(filter(None, words))}")
    if not answer.get("code"):
        raise Unusable("what came back holds no code")
    return answer["code"]


class _Listener(socketserver.TCPServer):
    """Waits on a port of this machine for what the browser brings."""

    allow_reuse_address = False

    def __init__(self, attempt: _Attempt) -> None:
        self.attempt = attempt
        super().__init__(("127.0.0.1", 0), _Handler)

    def serve(self, seconds: float) -> None:
        """Until the answer came, or for so long."""
        until = time.monotonic() + seconds
        while self.attempt.answer is None and (left := until - time.monotonic()) > 0:
            self.timeout = left
            self.handle_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no error of anybody's."""


class _Handler(BaseHTTPRequestHandler):
    """Takes the one answer that has the state of this login, and no other."""

    server: _Listener
    timeout = 5

    def do_GET(self) -> None:
        attempt, said = self.server.attempt, _fields(self.path)
        if not hmac.compare_digest(said.get("state", "").encode(), attempt.state.encode()):
            self._say(404, b"This is not what is waited for here.\n", "text/plain; charset=utf-8")
            return
        self._say(200, _PAGE, "text/html; charset=utf-8")
        attempt.answer = said

    def _say(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": kind, "content-length": str(len(body)), "connection": "close", "cache-control": "no-store",
            "referrer-policy": "no-referrer", "content-security-policy": "default-src 'none'",
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The request has the code."""


def _fields(path: str) -> dict[str, str]:
    """What a request says to the one address that there is; nothing, where it says one thing twice, or is no such."""
    try:
        parts = urlsplit(path)
        said = parse_qs(parts.query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    if parts.path != _PATH or any(len(values) > 1 for values in said.values()):
        return {}
    return {name: values[0] for name, values in said.items()}
