"""Many agents over streamable HTTP: an OAuth resource server that tells where to get tokens, and serves who has one.

The protocol, its sessions and their limits are the SDK's. What doesn't belong: tokens (`authorization.py`,
`token_exchange.py`), agents (`agents.py`).
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
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from penstock_agents.calls import Agent
from penstock_agents.gate.credentials import Credential
from penstock_agents.gate.requests import CollectorRequests
from penstock_agents.gate.session import GateSession
from penstock_agents.http_settings import HttpSettings
from penstock_agents.serving.agents import Agents
from penstock_agents.serving.authorization import Verifier
from penstock_agents.serving.idle import closing_idle
from penstock_agents.serving.protocol import mcp_server
from penstock_agents.serving.token_exchange import TokenExchange
from penstock_agents.settings import Settings
from penstock_agents.tools.offered import offered
from penstock_sidecar.settings import SettingsError

_log = structlog.get_logger(__name__)

_SESSION_IDLE_SECONDS = 1800.0
_GRACE_SECONDS = 5
_MOST_CONNECTIONS = 1000
_TLS_CHECK_SECONDS = 10.0


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
    return mcp_server(tools, agents.of, lifespan).streamable_http_app(
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


async def serve(
    settings: Settings, http: HttpSettings, started: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve until SIGTERM; `started` gets what can be told to end. Raises SettingsError."""
    listener = _listen(http)
    config = _config(app(settings, http), http)
    port = listener.getsockname()[1]
    _log.info("serving agents", url=http.url, port=port)
    server = uvicorn.Server(config)
    if started is not None:
        started(server)
    renewing = asyncio.create_task(_renew(config, http), name="renewing the certificate")
    try:
        await server.serve([listener])
    finally:
        renewing.cancel()
        listener.close()


async def _renew(config: uvicorn.Config, http: HttpSettings) -> None:
    """Show clients the certificate that is in the files now; while these can't be used, the last good one."""
    if config.ssl is None or http.cert_file is None or http.key_file is None:
        return
    known = _stamps(http)
    while True:
        await asyncio.sleep(_TLS_CHECK_SECONDS)
        stamps = _stamps(http)
        if stamps == known or None in stamps:
            continue
        try:
            # Into another first: half of a pair would spoil the one in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.cert_file, http.key_file)
            config.ssl.load_cert_chain(http.cert_file, http.key_file)
            known = stamps
        except (OSError, ssl.SSLError) as error:
            _log.warning("the new certificate can't be used", why=type(error).__name__)


def _stamps(http: HttpSettings) -> tuple[int | None, ...]:
    found: list[int | None] = []
    for file in (http.cert_file, http.key_file):
        try:
            found.append(file.stat().st_mtime_ns if file is not None else None)
        except OSError:
            found.append(None)
    return tuple(found)


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


def _config(application: Starlette, http: HttpSettings) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=http.cert_file,
        ssl_keyfile=http.key_file,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"http.certFile, http.keyFile: they can't be used: {error}") from None
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config
