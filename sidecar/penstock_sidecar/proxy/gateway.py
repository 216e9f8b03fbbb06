"""The proxy as a whole: its listener, its connections and what they share; cancelling and draining.

One connection is `connection.py`'s; what decides is `rules_provider.py`'s.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import structlog

from penstock_core.conditions import Truth
from penstock_core.identity import Identity
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.approval_requests import ApprovalRequests
from penstock_sidecar.proxy.certificate import Certificate
from penstock_sidecar.proxy.connection import Accepted, Connection
from penstock_sidecar.proxy.deliberation import Deliberation
from penstock_sidecar.proxy.log_throttle import LogThrottle
from penstock_sidecar.proxy.metrics import ProxyMetrics
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.tokens import TokenVerifier
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.proxy.upstream import Upstream, UpstreamError
from penstock_sidecar.session.commands import ProxyConfig, SessionInfo
from penstock_sidecar.session.door import Inside
from penstock_sidecar.session.refusals import fatal

_log = structlog.get_logger(__name__)

_BACKLOG = 512
# Connections that say nothing, or not enough to begin a session: beyond, the oldest makes way, so that whoever can
# connect can neither take all memory nor shut out the others.
MOST_OPENING = 1000
# Sessions that are refused to a revoked identity are recorded once in this time: whoever is revoked and tries again and
# again must not fill the trail.
TELL_SECONDS = 10.0
_STOPPING = "the gate is shutting down"


class Gateway:
    """Listens, and knows every connection."""

    def __init__(
        self, config: ProxyConfig, rules_provider: RulesProvider, trail: AuditTrail, tokens: TokenVerifier | None,
        certificate: Certificate | None = None, approval_requests: ApprovalRequests | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self.rules_provider = rules_provider
        self.trail = trail
        self.tokens = tokens
        self.certificate = certificate
        self.approval_requests = approval_requests
        self.deliberation = Deliberation()
        self.metrics = ProxyMetrics()
        self.log_throttle = LogThrottle()
        self.connections: set[Connection] = set()
        self._opening: dict[Connection, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # Of whom it was recorded, and when, that sessions are refused.
        self._told: dict[Identity, float] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        rules_provider.on_change = self._rules_changed
        rules_provider.conditions.on_time = self._time_passed
        rules_provider.on_move = lambda: self._leave("the database moved to another server; connect again")
        rules_provider.on_wait = self._flush
        rules_provider.on_fresh = self._doubt_ended
        rules_provider.on_blocked = self._recall
        rules_provider.process_of = self._process_of
        rules_provider.doubting = self._doubting
        rules_provider.in_use = lambda: bool(self.connections)

    @property
    def config(self) -> ProxyConfig:
        """What a session that begins now is held to."""
        bundle = self.rules_provider.bundle
        return self._config if bundle is None else replace(self._config, dbname=bundle.database.spec.dbname)

    async def listen(self, host: str, port: int) -> int:
        """Accept connections; the port that it came to. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Accepted(self), host, port, backlog=_BACKLOG)
        return int(self._server.sockets[0].getsockname()[1])

    async def drain(self, seconds: float) -> None:
        """Accept no more, end sessions as they become idle, and after a while all that are left."""
        if self._server is not None:
            self._server.close()
        self._leave(_STOPPING)
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

    async def connect(self, parameters: dict[str, str]) -> Upstream:
        """A session with the server. Raises UpstreamError."""
        server, bundle = self.rules_provider.server, self.rules_provider.bundle
        if server is None or bundle is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        return await upstream.connect(server, {**parameters, "database": bundle.database.spec.dbname})

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

    def told_refused(self, identity: Identity) -> bool:
        """Whether it is on record, as of a moment ago, that sessions of the identity are refused; it is from now on."""
        now = asyncio.get_running_loop().time()
        self._told = {who: when for who, when in self._told.items() if now - when < TELL_SECONDS}
        return self._told.setdefault(identity, now) != now or len(self._told) > MOST_OPENING

    def cancel(self, pid: int, key: bytes) -> asyncio.Task[None] | None:
        """Cancel what runs in the session with that key: the task that does, or None where there is no such session."""
        server = self.rules_provider.server
        for connection in self.connections:
            session = connection.upstream
            if session is None or server is None or session.greeting.pid != pid:
                continue
            # The process number is the server's own, so that clients know it again in notifications; the key is ours.
            if secrets.compare_digest(connection.session.cancel_key, key):
                if not connection.session.waits_for_holder:
                    return self.interrupt(session)
                connection.perform(connection.session.cancelled())
                return None
        return None

    def interrupt(self, session: Upstream) -> asyncio.Task[None] | None:
        """Cancel what runs in that session with the server: the task that does."""
        server = self.rules_provider.server
        if server is None:
            return None
        return self._spawn(upstream.cancel(server, session.greeting.pid, session.greeting.key))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _leave(self, reason: str) -> None:
        for connection in tuple(self.connections):
            connection.leave(reason, at_once=False)

    def _flush(self) -> None:
        for connection in tuple(self.connections):
            connection.flush()

    def _doubt_ended(self, fresh: bool) -> None:
        door = self.rules_provider.door
        for connection in tuple(self.connections):
            # One that goes on may itself change the catalog.
            key = connection.session.door_key
            if key is not None and key in door.in_doubt and (door.open or not fresh):
                door.in_doubt.discard(key)
                connection.doubt_ended(fresh=fresh)

    def _doubting(self) -> list[tuple[Identity, str]]:
        doubtful = self.rules_provider.door.in_doubt
        return [
            (one.session.identity, one.client_address) for one in self.connections if one.session.door_key in doubtful
        ]

    def _process_of(self, who: Inside) -> int | None:
        connection = next((one for one in self.connections if one.session.door_key is who), None)
        session = connection.upstream if connection is not None else None
        return session.greeting.pid if session is not None else None

    def _recall(self, process: int) -> None:
        for connection in tuple(self.connections):
            if connection.upstream is not None and connection.upstream.greeting.pid == process:
                connection.recall()

    def _time_passed(self) -> None:
        """Conditions may have come to something else; those of one identity at one address come to the same."""
        known: dict[tuple[Identity, str], tuple[Truth | str, ...]] = {}
        for connection in tuple(self.connections):
            try:
                who = (connection.session.identity, connection.client_address)
                if who not in known:
                    known[who] = self.rules_provider.conditions.truths(*who)
                connection.time_passed(known[who])
            except Exception:
                # It must not go on by what held before, nor keep the others from being looked at.
                _log.exception("conditions could not be evaluated anew; the session ends")
                connection.leave("the policy's conditions could not be evaluated; connect again", at_once=True)

    def _revoke(self, connection: Connection, policy: str) -> None:
        try:
            connection.revoke(policy)
        except Exception:
            # Whatever is wrong with one session, it has to end, and so have the others.
            _log.exception("a session that was revoked could not be ended in words")
            connection.cut()

    def _rules_changed(self) -> None:
        for connection in tuple(self.connections):
            # First of all: whatever else there is to do takes its time.
            if (policy := self.rules_provider.revoked(connection.session.identity)) is not None:
                self._revoke(connection, policy)
        for connection in tuple(self.connections):
            connection.rules_changed()
