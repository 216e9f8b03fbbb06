"""One client's connection and its server's: reports to the session's machine what happens, performs what it commands.

Reading from one side stops while the other side's buffers are full or the machine can't go on, so that memory stays
flat whatever either side does. What messages mean is `penstock_sidecar.session`'s.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import structlog

from penstock_core.conditions import Truth
from penstock_core.identity import Identity
from penstock_core.policy.revocation import Revocation
from penstock_entrance.channel import Channel
from penstock_sidecar.proxy import approval_requests, catalog_commands, peers, upstream
from penstock_sidecar.proxy.certificate import CertificateError
from penstock_sidecar.proxy.credentials import Credentials
from penstock_sidecar.proxy.server_end import CLOSING_SECONDS, HIGH_WATER, ServerEnd
from penstock_sidecar.proxy.tls import client_trouble
from penstock_sidecar.proxy.upstream import Upstream, UpstreamError
from penstock_sidecar.proxy.vouching import Vouching
from penstock_sidecar.session import commands, opening
from penstock_sidecar.session.commands import Command, SessionRules
from penstock_sidecar.session.machine import Session
from penstock_sidecar.session.states import IllegalEventError, State
from penstock_sidecar.shipping.errors import SpoolError
from penstock_sidecar.wire.messages import ErrorFields

if TYPE_CHECKING:
    from penstock_sidecar.proxy.gateway import Gateway
    from penstock_sidecar.proxy.rules_provider import RulesProvider
    from penstock_sidecar.proxy.served_database import ServedDatabase

# How long a client may take to open a session and prove itself.
OPENING_SECONDS = 30.0

_log = structlog.get_logger(__name__)


def _microseconds() -> int:
    return time.monotonic_ns() // 1000


class Accepted(asyncio.Protocol):
    """A connection at the moment when it is accepted."""

    def __init__(self, gateway: Gateway, only: ServedDatabase | None) -> None:
        self._gateway = gateway
        self._only = only

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(Connection(self._gateway, cast("asyncio.Transport", transport), self._only))


class Connection(asyncio.Protocol):
    """A client, and the session it has."""

    def __init__(self, gateway: Gateway, transport: asyncio.Transport, only: ServedDatabase | None) -> None:
        """`only`: the database that all sessions are with that begin where this one came."""
        self._gateway = gateway
        self._transport = transport
        self._server: ServerEnd | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._client_paused = False
        self._closing = False
        # Both sides were read from when that was looked at last, and nobody's buffer was full.
        self._unthrottled = False
        # The client's or the server's buffer is full.
        self.client_full = False
        self.server_full = False
        # The session at the server, for cancelling.
        self.upstream: Upstream | None = None
        transport.set_write_buffer_limits(high=HIGH_WATER)
        upstream.keep_alive(transport)
        peer = transport.get_extra_info("peername")
        self.client_address = peers.address(peer)
        # What conditions that depend on the time came to when the rules of now were made.
        self._truths: tuple[Truth | str, ...] = ()
        self._vouching = Vouching(self, gateway)
        self.info = gateway.register(self, peers.place(peer))
        # The one that the session is with; None until the client has chosen.
        self._database: ServedDatabase | None = None
        door = None
        if only is not None:
            self._enter(only)
            door = only.rules_provider.door
        self.session = Session(gateway.config(only), self.info, gateway.trail, _microseconds, door)
        self._credentials = Credentials(gateway, only, self.session, self.perform, self._later)
        # What tells its encrypted channel from others.
        self._binding: bytes | None = None
        self._later(OPENING_SECONDS, self._give_up)

    # What asyncio reports.

    def data_received(self, data: bytes) -> None:
        began = time.perf_counter()
        self.perform(self.session.client_bytes(data))
        self._gateway.metrics.observe_latency(time.perf_counter() - began)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._vouching.stop()
        self.perform(self.session.client_closed())
        # They have this connection, too: nobody should have to look for such a pair.
        del self._credentials, self._vouching
        if self._server is not None:
            self._server.abort()
            self._server = None
        if self._database is not None:
            self._database.connections.discard(self)
            if self.upstream is not None:
                self._database.session_ended()
        self._gateway.unregister(self)

    def pause_writing(self) -> None:
        self.client_full = True
        self._throttle()

    def resume_writing(self) -> None:
        self.client_full = False
        self._throttle()

    # What the server's end reports.

    def server_bytes(self, data: bytes) -> None:
        self.perform(self.session.server_bytes(data))

    def server_lost(self) -> None:
        if self.session.state is not State.CLOSED and self._database is not None:
            self._database.upstream_errors += 1
        self.perform(self.session.server_closed())

    def server_writes(self, full: bool) -> None:
        self.server_full = full
        self._throttle()

    # What the gateway reports.

    def leave(self, reason: str, *, at_once: bool) -> None:
        """The proxy stops, or the database moved."""
        self.perform(self.session.drain(reason, at_once=at_once))

    def make_way(self) -> None:
        """Others want to begin, and this one takes its time."""
        own = self.info
        self._gateway.log_throttle.warn(
            "too many connections wait to begin, so the oldest was closed", session=own.session, client=own.address
        )
        self._transport.abort()

    def rules_changed(self) -> None:
        """What statements are decided by changed."""
        if self.session.takes_rules:
            rules, session = self._rules_now(), self.session
            own = self.rules_provider.conditions.access(session.own_identity, self.client_address)
            self.perform(session.rules_replaced(rules, own))

    def revoke(self, why: Revocation) -> None:
        """The client's identity may have no session any more: nothing more of it runs."""
        self.interrupt()
        self.perform(self.session.revoked(why))

    def cut(self) -> None:
        """Without a word, and with whatever runs at the server."""
        self._transport.abort()

    def time_passed(self, truths: tuple[Truth | str, ...]) -> None:
        """Conditions come to this now."""
        if truths != self._truths and self.session.takes_rules:
            self.rules_changed()

    def _enter(self, database: ServedDatabase) -> None:
        """The session is with that one from now on, and told what concerns it."""
        self._database = database
        database.connections.add(self)

    @property
    def rules_provider(self) -> RulesProvider:
        """Its database's."""
        if self._database is None:
            raise IllegalEventError("no database was chosen")
        return self._database.rules_provider

    def _rules_now(self) -> SessionRules:
        """Raises UpstreamError."""
        return self.rules_for(self.session.identity)

    def rules_for(self, identity: Identity) -> SessionRules:
        """What that identity's statements, the client's from now on, are decided by now. Raises UpstreamError."""
        provider = self.rules_provider
        # Before the rules are made: what comes to something else in between is noticed a second later.
        self._truths = provider.conditions.truths(identity, self.session.own_identity, self.client_address)
        return provider.rules_now(identity, self.client_address)

    def doubt_ended(self, *, fresh: bool) -> None:
        """The catalog was read after a change, or could not be."""
        self.perform(self.session.doubt_ended(fresh=fresh))

    def recall(self) -> None:
        """A change of the catalog waits for what the server runs, and it for the change."""
        self.session.recall()
        self.interrupt()

    def interrupt(self) -> None:
        """Cancel what the server runs for the session."""
        if self.upstream is not None:
            self._gateway.interrupt(self.upstream)

    def flush(self) -> None:
        """Others wait for what this session has on its way."""
        self.perform(self.session.flush())

    # Performing commands.

    def perform(self, todo: Iterable[Command]) -> None:
        """Do what the machine wants done, in order."""
        for command in todo:
            kind = type(command)
            if kind is commands.ToClient:
                self._transport.write(command.data)  # type: ignore[union-attr]  # by its type
            elif kind is commands.ToServer:
                if self._server is not None:
                    self._server.write(command.data)  # type: ignore[union-attr]  # by its type
            elif kind is commands.Record:
                self._record(cast("commands.Record", command))
            elif kind is commands.AwaitMoment:
                moment = cast("commands.AwaitMoment", command)
                self._gateway.moments.begin(self._moment_over, moment.ticket)
            else:
                self._perform_rare(command)
        if not (self._unthrottled and self.session.flows):
            self._throttle()

    def _record(self, record: commands.Record) -> None:
        trail = self._gateway.trail
        if not record.report:
            trail.append(record.bodies)
            return
        trail.append_durably(record.bodies, partial(self._recorded, record.ticket))

    def _moment_over(self, ticket: int) -> None:
        self.perform(self.session.moment_over(ticket))

    def _recorded(self, ticket: int, error: SpoolError | None) -> None:
        if self.session.state is State.CLOSED:
            return
        self.perform(self.session.durable(ticket) if error is None else self.session.audit_failed(ticket, str(error)))

    def _perform_rare(self, command: Command) -> None:
        if isinstance(command, commands.Close):
            self._close(command.problem)
        elif isinstance(command, commands.StartTls):
            self._start_tls(command.first)
        elif isinstance(command, commands.Connect):
            self._gateway.opened(self)
            # In the same moment as it was chosen: whatever happens to it from now on concerns this session.
            database = self._database or self._gateway.databases[self.session.database]
            self._enter(database)
            self._spawn(self._connect(database, command.parameters))
        elif isinstance(command, commands.Verify | commands.Challenge | commands.Redeem | commands.IssueTicket):
            self._spawn(self._credentials.judge(command))
        elif isinstance(command, commands.Cancel):
            self._gateway.opened(self)
            self._spawn(self._cancel(command.pid, command.key))
        elif isinstance(command, commands.VerifyContext):
            self._spawn(self._vouching.decide(command))
        elif isinstance(command, commands.EndWithin):
            reason = command.reason
            self._later(command.seconds, lambda: self._end_now(reason))
        else:
            self._perform_for_statements(command)

    def _perform_for_statements(self, command: Command) -> None:
        if isinstance(command, commands.Deliberate):
            self._spawn(self._deliberate(command))
        elif isinstance(command, commands.AskApproval | commands.AwaitApproval | commands.AskAccess):
            self._spawn(self._approval(command))
        elif isinstance(command, commands.Interrupt):
            self.interrupt()
        elif (work := catalog_commands.work(self, command)) is not None:
            self._spawn(work)

    def _end_now(self, reason: str) -> None:
        """The time is up, whatever runs: the server would not notice soon that nobody waits for it."""
        self.interrupt()
        self.perform(self.session.drain(reason, at_once=True))

    def _close(self, problem: str) -> None:
        if self.session.fault is not None:
            _log.error("a session ended by a fault", session=self.info.session, exc_info=self.session.fault)
        elif problem:
            own = self.info
            self._gateway.log_throttle.warn(
                problem, session=own.session, client=own.address, identity=self.session.identity.name
            )
        self._closing = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._server is not None:
            self._server.close()
        if not self._transport.is_closing():
            self._transport.close()
            self._later(CLOSING_SECONDS, self._transport.abort)

    def _throttle(self) -> None:
        """Read from a side only while what it sends can go somewhere."""
        pause = (self.server_full or self.session.client_waits) and not self._closing
        if pause != self._client_paused and not self._transport.is_closing():
            self._client_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        wait = self.client_full or self.session.server_waits
        if self._server is not None:
            self._server.throttle(wait)
        self._unthrottled = not (pause or wait or self._client_paused or self._closing or self.server_full) and (
            self._server is not None and self._server.reads
        )

    def _start_tls(self, first: bytes) -> None:
        certificate = self._gateway.certificate
        try:
            if certificate is None:
                raise CertificateError("tls: is not configured")
            context, self._binding = certificate.context(), certificate.binding
        except CertificateError as error:
            self.perform(self.session.handshake_failed(str(error)))
            return
        channel = Channel(self._transport, context, self, self._shaken)
        self._transport = channel
        channel.begin(first)

    def _shaken(self, protocol: str | None, error: ssl.SSLError | None) -> None:
        if error is not None:
            self.perform(self.session.handshake_failed(client_trouble(error)))
        else:
            self.perform(self.session.encrypted(protocol, self._binding))

    # What takes a while.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            if self.session.state is State.CLOSED:
                _log.error("a fault behind the end of a session", session=self.info.session, exc_info=fault)
            self.perform(self.session.failed(fault))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(max(0.0, seconds), action))

    def _give_up(self) -> None:
        if self.session.state in (State.OPENING, State.ENCRYPTING, State.PROVING):
            self._transport.abort()

    async def _connect(self, database: ServedDatabase, parameters: dict[str, str]) -> None:
        provider = database.rules_provider
        if (why := provider.revoked(self.session.identity)) is not None:
            self.revoke(why)
            return
        try:
            rules = await provider.rules(self.session.identity, self.client_address)
            longest = rules.statement_timeout
            limited = opening.permitted(parameters, rules.decider) or opening.limited(
                parameters, longest, provider.default_timeout
            )
            if isinstance(limited, ErrorFields):
                self.perform(self.session.connect_failed(limited))
                return
            connected = await database.connect(limited)
        except UpstreamError as error:
            database.upstream_errors += 1
            self.perform(self.session.connect_failed(error.fields))
            return
        # Rules may have been replaced while the login went on; even the server may.
        try:
            rules = self._rules_now()
        except UpstreamError as error:
            connected.transport.abort()
            self.perform(self.session.connect_failed(error.fields))
            return
        self.upstream = connected
        database.had_session = True
        self._server = ServerEnd(self, connected.transport)
        provider.session_begins()
        self.perform(self.session.connected(rules, connected.greeting, longest))
        self._server.begin()

    async def _cancel(self, pid: int, key: bytes) -> None:
        under_way = self._gateway.cancel(pid, key)
        if under_way is not None:
            # It goes on even if who asked for it does not wait.
            await asyncio.wait([under_way])
        self._close("")

    async def _deliberate(self, command: commands.Deliberate) -> None:
        await self._gateway.deliberation.decide(command.decider, command.question, self.session.identity)
        if self.session.state is State.RESOLVING:
            self.perform(self.session.catalog_read())

    async def _approval(self, command: commands.AskApproval | commands.AwaitApproval | commands.AskAccess) -> None:
        answered, trouble = await approval_requests.carried_out(command, self._gateway.approval_requests)
        self.perform(self.session.answered(command.ticket, answered, trouble))
