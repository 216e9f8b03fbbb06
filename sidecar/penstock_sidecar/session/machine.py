"""The machine of one client session: the runtime reports what happened, the machine answers with commands.

Its states and legal events are the table in `states.py`. Each method is one event and returns the commands to perform,
in order. What an event means is in `beginning.py` until there is a server, and then in `running.py`; no I/O, and clocks
are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVarTuple

from penstock_core.approvals.asking import Answered
from penstock_core.identity import Identity
from penstock_core.policy.revocation import Revocation
from penstock_core.resources.grant import Grant
from penstock_core.sql.decision import Denial
from penstock_sidecar.session import refusals
from penstock_sidecar.session.beginning import Beginning
from penstock_sidecar.session.commands import (
    Command,
    IssuedTicket,
    ProxyConfig,
    SessionInfo,
    SessionRules,
    Trail,
    Vouched,
)
from penstock_sidecar.session.door import Door, Inside
from penstock_sidecar.session.evidence import Evidence
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.holding import Asker
from penstock_sidecar.session.opening import loosened
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.running import Running
from penstock_sidecar.session.states import CLOSED, ENDED, TABLE, Event, IllegalEventError, State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import BrokenStreamError
from penstock_sidecar.wire.login import Greeting
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

_Arguments = TypeVarTuple("_Arguments")
_CLIENT_BYTES, _SERVER_BYTES = Event.CLIENT_BYTES, Event.SERVER_BYTES


class Session:
    """One session, from the client's first byte to its end."""

    def __init__(
        self, config: ProxyConfig, info: SessionInfo, trail: Trail, clock: Callable[[], int], door: Door | None = None
    ) -> None:  # fmt: skip
        self._config = config
        self._own = info
        self._trail = trail
        self._clock = clock
        self._beginning = Beginning(config, info, door or Door())
        # Once there is a server.
        self._running: Running | None = None
        self._progress: Progress = self._beginning.progress
        # What ended the session, where that was a fault of the gate's own.
        self.fault: BaseException | None = None

    @property
    def state(self) -> State:
        return self._progress.state

    @property
    def identity(self) -> Identity:
        """Who the client is, as far as it is known; within a context, for whom it acts."""
        context = None if self._running is None else self._running.flow.contexts.now
        return self._beginning.identity if context is None else context.identity

    @property
    def own_identity(self) -> Identity:
        """Who the client is outside of all contexts."""
        return self._beginning.identity

    def runs_within(self, ticket: int) -> bool:
        """Whether something is on its way within the context of that ticket."""
        running = self._running
        context = None if running is None else running.flow.contexts.now
        return running is not None and context is not None and context.ticket == ticket and bool(running.flow.queue)

    @property
    def database(self) -> str:
        """The name of the Database that it is with; empty while the client has not chosen."""
        return self._beginning.database.name

    @property
    def client_waits(self) -> bool:
        """Whether the client's bytes can't be dealt with now, so that no more should be read."""
        if self._running is not None:
            return self._running.client_waits
        return self.state not in (State.OPENING, State.ENCRYPTING, State.PROVING)

    @property
    def server_waits(self) -> bool:
        """The same for the server's bytes."""
        return self._running is not None and self._running.server.holding

    @property
    def flows(self) -> bool:
        """Whether whatever comes from either side can be dealt with at once, as it nearly always can."""
        return self._running is not None and self._running.flows

    @property
    def waits_for_holder(self) -> bool:
        """Whether a statement waits for the holder of requests, and not for the server."""
        return self._running is not None and self._running.client.waits_for_holder

    @property
    def cancel_key(self) -> bytes:
        """The cancel key as the client was given it; clients of protocol 3.0 know keys of four bytes only."""
        accepted = self._beginning.accepted
        short = accepted is None or accepted.version < messages.PROTOCOL_3_2
        return self._own.key[:4] if short else self._own.key

    @property
    def door_key(self) -> Inside | None:
        """What the session is known by at the door, once it runs."""
        return None if self._running is None else self._running.flow

    @property
    def takes_rules(self) -> bool:
        """Whether it has to be told when the rules change."""
        return self.state is not State.CLOSED and Event.RULES_REPLACED in TABLE[self.state]

    # Events.

    def client_bytes(self, data: bytes) -> list[Command]:
        """The client sent something."""
        running = self._running
        return self._step(_CLIENT_BYTES, self._beginning.receive if running is None else running.receive, data)

    def server_bytes(self, data: bytes) -> list[Command]:
        """The server sent something."""
        running = self._running
        if running is None:
            return self._at_server(_SERVER_BYTES, Running.server_bytes, data)
        return self._step(_SERVER_BYTES, running.server_bytes, data)

    def client_closed(self) -> list[Command]:
        """The client is gone; so is the server's side at once, and with it any open transaction."""
        return self._step(Event.CLIENT_CLOSED, self._end, None)

    def server_closed(self, reason: str = "") -> list[Command]:
        """The server is gone."""
        return self._at_server(Event.SERVER_CLOSED, Running.server_closed, reason)

    def encrypted(self, protocol: str | None, binding: bytes | None = None) -> list[Command]:
        """The TLS handshake is done; ALPN came to that protocol, if the client asked for one. `binding` tells the
        channel from others (tls-server-end-point).
        """
        return self._step(Event.ENCRYPTED, self._beginning.encrypted, protocol, binding)

    def handshake_failed(self, reason: str) -> list[Command]:
        """The TLS handshake failed; `reason` is for the log, the client knows by an alert."""
        return self._step(Event.HANDSHAKE_FAILED, self._beginning.close, reason)

    def challenged(self, salt: bytes, iterations: int, nonce: str) -> list[Command]:
        """It is known with what the secret of the client's ticket is proved; `nonce` is for this exchange alone."""
        return self._step(Event.CHALLENGED, self._beginning.challenged, salt, iterations, nonce)

    def identified(self, identity: Identity, said: bytes = b"", bound_to: str = "") -> list[Command]:
        """The token is good; or the ticket for the Database `bound_to` is, and the client is told so by `said`."""
        return self._step(Event.IDENTIFIED, self._beginning.connect, identity, said, bound_to)

    def token_refused(
        self, reason: str, remedy: str = "", claimed: Mapping[str, str] | None = None, sqlstate: str = "28P01"
    ) -> list[Command]:
        """The token or ticket is not good; `reason` is for the client and the log, `claimed` is what a token says, for
        the trail.
        """
        return self._step(Event.TOKEN_REFUSED, self._beginning.refused, reason, remedy, claimed or {}, sqlstate)

    def connected(self, rules: SessionRules, greeting: Greeting, longest: int | None = None) -> list[Command]:
        """Logged in upstream, with statement_timeout limited to `longest`; the server said all this, or more by now."""
        return self._step(Event.CONNECTED, self._run, rules, greeting, longest)

    def connect_failed(self, error: ErrorFields) -> list[Command]:
        """There is no upstream for this client; `error` says why."""
        return self._step(Event.CONNECT_FAILED, self._end, error, error.message)

    def durable(self, ticket: int) -> list[Command]:
        """That batch of bodies, and all before it, are durable."""
        return self._at_server(Event.DURABLE, Running.durable, ticket)

    def audit_failed(self, ticket: int, reason: str) -> list[Command]:
        """That batch of bodies could not be written."""
        return self._at_server(Event.AUDIT_FAILED, Running.audit_failed, ticket, reason)

    def catalog_read(self, *, fresh: bool = True) -> list[Command]:
        """The catalog is as fresh as it gets; the rules were replaced before, if it changed. Not `fresh`: it is not
        known to hold what another session changed, and the statement that waited can't be decided.
        """
        return self._at_server(Event.CATALOG_READ, Running.catalog_read, fresh)

    def door_closed(self, *, alone: bool) -> list[Command]:
        """No other session is inside, so that a change may be committed; or not, after a long time."""
        return self._at_server(Event.DOOR_CLOSED, Running.door_closed, alone)

    def doubt_ended(self, *, fresh: bool) -> list[Command]:
        """The catalog has been read since another session changed it; or could not be, for a long time."""
        return self._at_server(Event.DOUBT_ENDED, Running.doubt_ended, fresh)

    def answered(self, ticket: int, answered: Answered | None, trouble: str = "") -> list[Command]:
        """The holder of requests has answered; or could not be asked, as `trouble` says."""
        return self._at_server(Event.ANSWERED, Running.answered, ticket, answered, trouble)

    def cancelled(self) -> list[Command]:
        """The client does not want to wait for approval any longer."""
        return self._at_server(Event.CANCELLED, Running.cancelled)

    def vouched(self, ticket: int, vouched: Vouched | None, denial: Denial | None = None) -> list[Command]:
        """It is known whether a context is good: for whom the session acts within it, or why it is refused."""
        return self._at_server(Event.VOUCHED, Running.vouched, ticket, vouched, denial)

    def ticket_made(self, made: IssuedTicket) -> list[Command]:
        """The ticket that the client asked for."""
        return self._at_server(Event.TICKET_MADE, Running.ticket_made, made)

    def ticket_refused(self, error: ErrorFields) -> list[Command]:
        """There is no ticket for this client."""
        return self._at_server(Event.TICKET_REFUSED, Running.ticket_refused, error)

    def recall(self) -> None:
        """What the server runs is being cancelled: a change of the catalog waits for it, and it for the change."""
        if self._running is not None:
            self._running.flow.recalled = True

    def moment_over(self, ticket: int) -> list[Command]:
        """That batch of bodies has waited for a moment: what is on its way has to be on record while it runs."""
        if self._running is not None:
            self._running.flow.moment_over(ticket)
        return self._progress.take()

    def flush(self) -> list[Command]:
        """Others wait for what the server has not answered only because nobody asked it to."""
        if self._running is not None and self._running.flow.inside:
            self._running.client.flush()
        return self._progress.take()

    def rules_replaced(self, rules: SessionRules, own: Iterable[Grant] = ()) -> list[Command]:
        """The policy or the catalog changed. `own`: the access for a time that the session has outside of the context
        that holds.
        """
        return self._at_server(Event.RULES_REPLACED, Running.rules_replaced, rules, own)

    def expired(self, *, at_once: bool) -> list[Command]:
        """The identity's token expired: the session ends, at once or when nothing is in flight."""
        return self._step(Event.EXPIRED, self._leave, refusals.fatal("57P01", "the session's token expired"), at_once)

    def revoked(self, why: Revocation) -> list[Command]:
        """The client may have no session any more: this one ends now, or does not begin; either is recorded."""
        return self._step(Event.REVOKED, self._revoke, why)

    def drain(self, reason: str, *, at_once: bool) -> list[Command]:
        """The session has to end, at once or when nothing is in flight; `reason` is for the client."""
        return self._step(Event.DRAIN, self._leave, refusals.fatal("57P01", reason), at_once)

    def failed(self, fault: BaseException) -> list[Command]:
        """What was to be done for the session failed, by a fault of the gate's own."""
        return self._step(Event.DRAIN, self._break, fault)

    # Obeying the table.

    def _step(self, event: Event, action: Callable[[*_Arguments], None], *arguments: *_Arguments) -> list[Command]:
        progress = self._progress
        progress.happens(event)
        if progress.state is CLOSED:
            return []
        try:
            action(*arguments)
        except (BrokenStreamError, MalformedError) as error:
            self._end(refusals.fatal("08P01", f"protocol violation: {error}"), f"protocol violation: {error}")
        except Exception as fault:
            # Whatever it is, the session can't go on.
            self._break(fault)
        progress = self._progress
        if progress.state is CLOSED and self._running is not None:
            self._running.wind_up()
        progress.check()
        todo = progress.take()
        if progress.state is CLOSED:
            self._let_go()
        return todo

    def _break(self, fault: BaseException) -> None:
        """A fault of the gate's own: nothing more is sent, and nobody waits for an answer that never comes."""
        self.fault = fault
        if self._running is not None:
            self._running.flow.to_server.clear()
        words = f"the gate failed ({type(fault).__name__})"
        self._end(refusals.fatal("XX000", words, "connect again, and report it to the Penstock project"), words)

    def _let_go(self) -> None:
        """What ended may stay in memory until somebody looks for garbage; what it was decided by is large."""
        if self._running is not None:
            del self._running.flow.rules
        self._running, self._progress = None, Progress(State.CLOSED)

    def _at_server(
        self, event: Event, action: Callable[[Running, *_Arguments], None], *arguments: *_Arguments
    ) -> list[Command]:
        """An event of a session that has a server, or had one."""
        ended = self.state is ENDED and event not in (Event.DURABLE, Event.AUDIT_FAILED)
        if self._running is not None and not ended:
            return self._step(event, action, self._running, *arguments)
        self._progress.happens(event)
        return []

    # What happens before there is a server as well as afterwards.

    def _end(self, error: ErrorFields | None, problem: str = "") -> None:
        (self._running or self._beginning).end(error, problem)

    def _revoke(self, why: Revocation) -> None:
        error = refusals.fatal(why.sqlstate, why.message, why.remedy)
        if self._running is None:
            self._beginning.end(error, error.message, why.policy)
            return
        if self._running.flow.evidence is not None:
            self._running.flow.evidence.revoked_by(why)
        self._running.end(error, error.message)

    def _leave(self, error: ErrorFields, at_once: bool) -> None:
        if self._running is None:
            self._beginning.end(error)
        else:
            self._running.leave(error, at_once)

    # From the one to the other.

    def _run(self, rules: SessionRules, said: Greeting, longest: int | None) -> None:
        accepted, own = self._beginning.accepted, self._own
        if accepted is None:
            raise IllegalEventError("connected before the client opened")
        database = self._beginning.database
        flow = Flow(rules, self._trail, self._clock, database.door)
        flow.happens(Event.CONNECTED)
        flow.former.longest = longest
        running = Running(flow, own.nobody, self._config.statement_limit, database.name)
        running.client.unlisted_settings = frozenset(name for name in accepted.parameters if "." in name)
        running.client.takes_contexts = self._config.contexts
        running.client.asker = Asker(self.identity, database.name, own.nonce)
        self._progress, self._running = flow, running
        if flow.former.outlasts(rules):
            # The policy changed while the login went on.
            self._turn_away(running, refusals.fatal("57P01", refusals.SHORTER_TIMEOUT))
            return
        flow.former.loosened = loosened(accepted.parameters)
        if flow.former.loosened and rules.masked:
            self._turn_away(running, refusals.NOW_MASKED)
            return
        login, initial = said.parameters.get("session_authorization", ""), said.parameters.get("search_path")
        flow.path.begin(rules.search_path, accepted.search_path, login, initial)
        client = self._beginning.login.client
        flow.evidence = Evidence(
            own.session, database.name, self.identity, client, rules.hmac_key, self._clock(),
            by_ticket=self._beginning.login.by_ticket,
        )  # fmt: skip
        flow.record(self._beginning.login.accepted())
        greeting = [accepted.negotiation, messages.AUTHENTICATION_OK]
        greeting += [messages.parameter_status(name, value) for name, value in said.parameters.items()]
        greeting += [messages.backend_key(said.pid, self.cancel_key), messages.ready()]
        flow.to_client += [part for part in greeting if part]
        flow.enter(State.RUNNING)
        if said.rest:
            running.server.receive(said.rest)
        ahead, self._beginning.ahead = self._beginning.ahead, b""
        if ahead:
            running.client.receive(ahead)

    def _turn_away(self, running: Running, error: ErrorFields) -> None:
        """The server took the client, and the gate does not any more."""
        if (body := self._beginning.login.refused(error)) is not None:
            running.flow.record(body)
        running.end(error)
