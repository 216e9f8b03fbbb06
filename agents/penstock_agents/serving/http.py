"""Many agents over streamable HTTP: an OAuth resource server that tells where to get tokens, and serves who has one.

The protocol, its sessions and their limits are the SDK's. What doesn't belong: tokens (`authorization.py`,
`token_exchange.py`), agents (`agents.py`), what holds before it is known who asks (`penstock_entrance`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import structlog
import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from penstock_agents.calls import Agent
from penstock_agents.gate.credentials import Credential
from penstock_agents.gate.requests import CollectorRequests
from penstock_agents.gate.session import GateSession
from penstock_agents.http_settings import HttpSettings
from penstock_agents.serving.agents import Agents, name_of
from penstock_agents.serving.authorization import Verifier
from penstock_agents.serving.idle import closing_idle
from penstock_agents.serving.protocol import mcp_server
from penstock_agents.serving.token_exchange import TokenExchange
from penstock_agents.settings import Settings
from penstock_agents.tools.offered import offered
from penstock_entrance.certificate_files import CertificateFiles
from penstock_entrance.guarded_http import config, known, quiet_accepting
from penstock_entrance.open_files import most_connections
from penstock_entrance.visitors import Visitors
from penstock_sidecar.settings import SettingsError

_log = structlog.get_logger(__name__)

_SESSION_IDLE_SECONDS = 1800.0
_GRACE_SECONDS = 5
# However few files may be open.
_LEAST_CONNECTIONS = 64


def app(settings: Settings, http: HttpSettings) -> Starlette:
    """The whole of it for an ASGI server."""
    requests = CollectorRequests(settings.collector) if settings.collector is not None else None

    def make(credential: Credential) -> Agent:
        session = GateSession(settings.gate, credential, settings.limits.statement_seconds)
        return Agent(session, settings.limits, requests)

    agents = Agents(TokenExchange(http.exchange, http.issuer.subject_claim), make, http.max_sessions)

    @contextlib.asynccontextmanager
    async def lifespan(_server: object) -> AsyncIterator[None]:
        try:
            async with closing_idle(agents.close_idle):
                yield
        finally:
            await agents.close()

    tools = offered(writes=not settings.read_only, follows=requests is not None)
    application = mcp_server(tools, agents.of, lifespan).streamable_http_app(
        streamable_http_path=http.path,
        max_request_body_size=http.max_body_bytes,
        session_idle_timeout=_SESSION_IDLE_SECONDS,
        max_sessions=http.max_sessions,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=http.hosts,
            allowed_origins=list(http.allowed_origins),
        ),
        # By the model's own reading of URLs, which adds no slash: an issuer is compared letter by letter.
        auth=AuthSettings.model_validate(
            {
                "issuer_url": http.issuer.issuer,
                "resource_server_url": http.url,
                "required_scopes": list(http.required_scopes) or None,
                # The verifier checks the audience, which not every issuer lets be a URL.
                "validate_token_resource": False,
            }
        ),
        token_verifier=Verifier(http.issuer),
    )
    # Last, and so behind what verifies tokens.
    application.user_middleware.append(Middleware(_Names))
    return application


class _Names:
    """Tells the entrance whose a connection is, once the token of a request on it was verified."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = scope.get("user")
        if isinstance(user, AuthenticatedUser):
            known(HTTPConnection(scope), name_of(user.access_token))
        await self._inner(scope, receive, send)


async def serve(
    settings: Settings, http: HttpSettings, started: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve until SIGTERM; `started` gets what can be told to end. Raises SettingsError."""
    certificate = _certificate(http)
    listener = _listen(http)
    # Each agent has a session at the gate, which is an open file.
    visitors = Visitors(most=max(_LEAST_CONNECTIONS, most_connections() - http.max_sessions))
    quiet_accepting(asyncio.get_running_loop(), visitors.log)
    application = app(settings, http)
    server = uvicorn.Server(
        config(application, visitors, certificate.context if certificate is not None else None, grace=_GRACE_SECONDS)
    )
    following = asyncio.create_task(certificate.follow()) if certificate is not None else None
    try:
        async with application.router.lifespan_context(application):
            _log.info("serving agents", url=http.url, port=listener.getsockname()[1])
            if started is not None:
                started(server)
            await server.serve([listener])
    finally:
        if following is not None:
            following.cancel()
        listener.close()
        visitors.log.sum_up()


def _certificate(http: HttpSettings) -> CertificateFiles | None:
    try:
        return CertificateFiles.of(http.cert_file, http.key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"http.certFile, http.keyFile: they can't be used: {error}") from None


def _listen(http: HttpSettings) -> socket.socket:
    host = http.listen.host
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, http.listen.port))
    except OSError as error:
        listener.close()
        raise SettingsError(f"http.listen: {os.strerror(error.errno or 0)}") from None
    listener.setblocking(False)
    return listener
