"""The proxy as a whole: its listener, its connections and what they share; cancelling and draining.

One connection is `connection.py`'s; the databases are `served_database.py`'s, and what decides `rules_provider.py`'s.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import structlog

from penstock_core.identity import Identity
from penstock_entrance.log_throttle import LogThrottle
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.approval_requests import ApprovalRequests
from penstock_sidecar.proxy.certificate import Certificate
from penstock_sidecar.proxy.connection import Accepted, Connection
from penstock_sidecar.proxy.context_tokens import ContextVerifier
from penstock_sidecar.proxy.deliberation import Deliberation
from penstock_sidecar.proxy.metrics import ProxyMetrics
from penstock_sidecar.proxy.moments import Moments
from penstock_sidecar.proxy.served_database import ServedDatabase
from penstock_sidecar.proxy.tickets import Tickets
from penstock_sidecar.proxy.tokens import TokenVerifier
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.proxy.upstream import Upstream
from penstock_sidecar.session.choosing import Candidate, SessionDatabase, choose
from penstock_sidecar.session.commands import ProxyConfig, SessionInfo
from penstock_sidecar.wire.messages import ErrorFields

_log = structlog.get_logger(__name__)

BACKLOG = 512
# Connections that say nothing, or not enough to begin a session: beyond, the oldest makes way, so that whoever can
# connect can neither take all memory nor shut out the others.
MOST_OPENING = 1000
_STOPPING = "the gate is shutting down"


class Gateway:
    """Listens, and knows every connection."""

    def __init__(
        self, config: ProxyConfig, databases: Sequence[ServedDatabase], trail: AuditTrail,
        tokens: TokenVerifier | None,
        certificate: Certificate | None = None, approval_requests: ApprovalRequests | None = None,
        tickets: Tickets | None = None, contexts: ContextVerifier | None = None,
    ) -> None:  # fmt: skip
        self.databases = {one.name: one for one in databases}
        self._config = config
        self.trail = trail
        self.tokens = tokens
        self.contexts = contexts
        self.certificate = certificate
        self.approval_requests = approval_requests
        self.tickets = tickets
        self.deliberation = Deliberation()
        self.moments = Moments()
        self.metrics = ProxyMetrics()
        self.log_throttle = LogThrottle()
        self.connections: set[Connection] = set()
        self._opening: dict[Connection, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        # Where a gate has several workers, and the session may be with another.
        self.cancel_elsewhere: Callable[[int, bytes], Coroutine[Any, Any, None]] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def workload(self) -> Identity:
        """Who a client is without a token."""
        return self._config.workload

    def config(self, only: ServedDatabase | None) -> ProxyConfig:
        """What a session that begins now is held to, at a place for one database, or for all."""
        if only is None:
            return replace(self._config, choose=self._choose)
        return replace(self._config, database=only.name, dbname=only.dbname)

    def _choose(self, asked: str, identity: Identity) -> SessionDatabase | ErrorFields:
        found = choose(asked, [one.candidate(identity) for one in self.databases.values()])
        return self.databases[found.name].chosen if isinstance(found, Candidate) else found

    async def listen(self, host: str, port: int, database: str = "") -> int:
        """Accept connections, to that database where one is named; the port that it came to. Raises OSError."""
        loop, only = asyncio.get_running_loop(), self.databases.get(database)
        server = await loop.create_server(lambda: Accepted(self, only), host, port, backlog=BACKLOG)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def share(self, sockets: Sequence[socket.socket], database: str = "") -> int:
        """The same at sockets that listen already, where others accept, too."""
        loop, only = asyncio.get_running_loop(), self.databases.get(database)
        for one in sockets:
            server = await loop.create_server(lambda: Accepted(self, only), sock=one, backlog=BACKLOG)
            self._servers.append(server)
        return int(sockets[0].getsockname()[1])

    async def drain(self, seconds: float) -> None:
        """Accept no more, end sessions as they become idle, and after a while all that are left."""
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.leave(_STOPPING, at_once=False)
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            _log.warning("sessions were cut off at shutdown", sessions=len(self.connections))
            for connection in tuple(self.connections):
                connection.leave(_STOPPING, at_once=True)
            try:
                async with asyncio.timeout(10):
                    await self._empty.wait()
            except TimeoutError:
                _log.warning("connections are still closing", sessions=len(self.connections))
        self.log_throttle.sum_up()
        self.deliberation.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What connections report.

    def register(self, connection: Connection, address: str) -> SessionInfo:
        """A new connection; what tells it from the others."""
        self.connections.add(connection)
        self._empty.clear()
        self.metrics.sessions_total += 1
        self._opening[connection] = None
        if len(self._opening) > MOST_OPENING:
            oldest = next(iter(self._opening))
            self.opened(oldest)
            oldest.make_way()
        return SessionInfo(secrets.token_hex(8), address, secrets.token_bytes(32), secrets.token_hex(16))

    def opened(self, connection: Connection) -> None:
        """It has said who it is and what it wants."""
        self._opening.pop(connection, None)

    def unregister(self, connection: Connection) -> None:
        """It is gone."""
        self.opened(connection)
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def cancel(self, pid: int, key: bytes) -> asyncio.Task[None] | None:
        """Cancel what runs in the session with that key, wherever it is: the task that does, where there is one."""
        found = self.cancel_here(pid, key)
        if found is None and self.cancel_elsewhere is not None:
            return self._spawn(self.cancel_elsewhere(pid, key))
        return found

    def cancel_here(self, pid: int, key: bytes) -> asyncio.Task[None] | None:
        """The same of this process's sessions."""
        for connection in self.connections:
            session = connection.upstream
            if session is None or session.greeting.pid != pid:
                continue
            # The process number is the server's own, so that clients know it again in notifications, and several
            # servers may have the same; the key is ours.
            if secrets.compare_digest(connection.session.cancel_key, key):
                if not connection.session.waits_for_holder:
                    return self.interrupt(session)
                connection.perform(connection.session.cancelled())
                return None
        return None

    def interrupt(self, session: Upstream) -> asyncio.Task[None]:
        """Cancel what runs in that session with its server: the task that does."""
        return self._spawn(upstream.cancel(session.server, session.greeting.pid, session.greeting.key))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
