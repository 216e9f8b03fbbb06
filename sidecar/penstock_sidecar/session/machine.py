"""The machine of one client session: the runtime reports what happened, the machine answers with commands.

Its states and legal events are the table in `states.py`. Each method is one event and returns the commands to perform,
in order. What single messages mean is in `client_side.py` and `server_side.py`; no I/O, and clocks are arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_core.identity import Identity
from penstock_sidecar.session import commands, refusals
from penstock_sidecar.session.beginning import Beginning
from penstock_sidecar.session.client_side import ClientSide
from penstock_sidecar.session.commands import Close, Command, Particulars, Rules, Terms, Trail
from penstock_sidecar.session.door import Door, Inside
from penstock_sidecar.session.evidence import Evidence
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.server_side import ServerSide
from penstock_sidecar.session.states import TABLE, Event, IllegalEventError, State, check
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import BrokenStreamError
from penstock_sidecar.wire.login import Greeting
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# How much a client may send ahead while it is being logged in.
_MOST_AHEAD = 1 << 20
# Messages that the server has not answered. Its own buffer for answers holds some 1,600 that it may keep to itself.
_MOST_IN_FLIGHT = 20_000


class Session(Beginning):
    """One session, from the client's first byte to its end."""

    def __init__(
        self, terms: Terms, particulars: Particulars, trail: Trail, clock: Callable[[], int], door: Door | None = None
    ) -> None:  # fmt: skip
        super().__init__(terms, Flow(trail, clock, door))
        self._own = particulars
        self._client = ClientSide(self._flow, particulars.nobody, terms.statement_limit)
        self._server: ServerSide | None = None

    @property
    def state(self) -> State:
        return self._flow.state

    @property
    def client_waits(self) -> bool:
        """Whether the client's bytes can't be dealt with now, so that no more should be read."""
        flow = self._flow
        if flow.state is State.RUNNING:
            return len(flow.queue) > _MOST_IN_FLIGHT
        if flow.state in (State.COUNTING, State.SETTLING, State.CHANGING):
            # That may take long, and a client that goes must be noticed.
            return self._client.waiting > _MOST_AHEAD
        return flow.state not in (State.OPENING, State.ENCRYPTING, State.PROVING)

    @property
    def server_waits(self) -> bool:
        """The same for the server's bytes."""
        return self._server is not None and self._server.holding

    @property
    def flows(self) -> bool:
        """Whether whatever comes from either side can be dealt with at once, as it nearly always can."""
        flow, server = self._flow, self._server
        return (
            flow.state is State.RUNNING
            and len(flow.queue) <= _MOST_IN_FLIGHT
            and server is not None
            and not server.holding
        )

    @property
    def cancel_key(self) -> bytes:
        """The cancel key as the client was given it; clients of protocol 3.0 know keys of four bytes only."""
        short = self._opened is None or self._opened.version < messages.PROTOCOL_3_2
        return self._own.key[:4] if short else self._own.key

    @property
    def door_key(self) -> Inside:
        """What the session is known by at the door."""
        return self._flow

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight, nor any transaction open."""
        return not self._flow.queue and self._flow.status == b"I"

    @property
    def takes_rules(self) -> bool:
        """Whether it has to be told when the rules change."""
        return not self._closed and Event.RULES_REPLACED in TABLE[self._flow.state]

    @property
    def _closed(self) -> bool:
        return self._flow.state is State.CLOSED

    # Events.

    def client_bytes(self, data: bytes) -> list[Command]:
        """The client sent something."""
        flow = self._flow
        state = flow.state
        if state is State.RUNNING:
            try:
                self._client.receive(data)
            except (BrokenStreamError, MalformedError) as error:
                self._break(f"protocol violation: {error}")
            if self._closed:
                self._wind_up()
            return flow.take()
        return self._step(Event.CLIENT_BYTES, self._early_bytes, data)

    def server_bytes(self, data: bytes) -> list[Command]:
        """The server sent something."""
        flow = self._flow
        if flow.state is State.CLOSED:
            return []
        server = self._running(Event.SERVER_BYTES)
        try:
            server.receive(data)
        except BrokenStreamError as error:
            self._end(refusals.fatal("08P01", f"what the database sent can't be understood: {error}"), str(error))
        flow.note_answers()
        self._go_on()
        if self._closed:
            self._wind_up()
        return flow.take()

    def client_closed(self) -> list[Command]:
        """The client is gone; so is the server's side at once, and with it any open transaction."""
        return self._step(Event.CLIENT_CLOSED, self._end, None)

    def server_closed(self, reason: str = "") -> list[Command]:
        """The server is gone."""
        return self._step(Event.SERVER_CLOSED, self._lost, reason)

    def encrypted(self, protocol: str | None) -> list[Command]:
        """The TLS handshake is done; ALPN came to that protocol, if the client asked for one."""
        return self._step(Event.ENCRYPTED, self._go_on_encrypted, protocol)

    def handshake_failed(self, reason: str) -> list[Command]:
        """The TLS handshake failed; `reason` is for the log, the client knows by an alert."""
        return self._step(Event.HANDSHAKE_FAILED, self._close, reason)

    def identified(self, identity: Identity) -> list[Command]:
        """The token is good."""
        return self._step(Event.IDENTIFIED, self._connect, identity)

    def token_refused(self, reason: str) -> list[Command]:
        """The token is not good; `reason` is for the client and the log."""
        return self._step(Event.TOKEN_REFUSED, self._end, refusals.fatal("28P01", reason), reason)

    def connected(self, rules: Rules, greeting: Greeting, longest: int | None = None) -> list[Command]:
        """Logged in upstream, with statement_timeout limited to `longest`; the server said all this, or more by now."""
        return self._step(Event.CONNECTED, self._run, rules, greeting, longest)

    def connect_failed(self, error: ErrorFields) -> list[Command]:
        """There is no upstream for this client; `error` says why."""
        return self._step(Event.CONNECT_FAILED, self._end, error, error.message)

    def durable(self, ticket: int) -> list[Command]:
        """That batch of bodies, and all before it, are durable."""
        return self._step(Event.DURABLE, self._durable, ticket)

    def audit_failed(self, ticket: int, reason: str) -> list[Command]:
        """That batch of bodies could not be written."""
        return self._step(Event.AUDIT_FAILED, self._unrecorded, ticket, reason)

    def catalog_read(self, *, fresh: bool = True) -> list[Command]:
        """The catalog is as fresh as it gets; the rules were replaced before, if it changed. Not `fresh`: it is not
        known to hold what another session changed, and the statement that waited can't be decided.
        """
        return self._step(Event.CATALOG_READ, self._resolved, fresh)

    def door_closed(self, *, alone: bool) -> list[Command]:
        """No other session is inside, so that a change may be committed; or not, after a long time."""
        return self._step(Event.DOOR_CLOSED, self._client_effect, alone)

    def doubt_ended(self, *, fresh: bool) -> list[Command]:
        """The catalog has been read since another session changed it; or could not be, for a long time."""
        return self._step(Event.DOUBT_ENDED, self._doubt_ended, fresh)

    def recall(self) -> None:
        """What the server runs is being cancelled: a change of the catalog waits for it, and it for the change."""
        self._flow.recalled = True

    def flush(self) -> list[Command]:
        """Others wait for what the server has not answered only because nobody asked it to."""
        if self._flow.inside and self._server is not None:
            self._client.flush()
        return self._flow.take()

    def rules_replaced(self, rules: Rules) -> list[Command]:
        """The policy or the catalog changed."""
        return self._step(Event.RULES_REPLACED, self._replace_rules, rules)

    def expired(self, *, at_once: bool) -> list[Command]:
        """The identity's token expired: the session ends, at once or when nothing is in flight."""
        return self._step(Event.EXPIRED, self._leave, refusals.fatal("57P01", "the session's token expired"), at_once)

    def drain(self, reason: str, *, at_once: bool) -> list[Command]:
        """The session has to end, at once or when nothing is in flight; `reason` is for the client."""
        return self._step(Event.DRAIN, self._leave, refusals.fatal("57P01", reason), at_once)

    # Obeying the table.

    def _step(self, event: Event, action: Callable[..., object], *arguments: object) -> list[Command]:
        flow = self._flow
        before = flow.state
        check(before, event)
        if before is State.CLOSED:
            return []
        try:
            action(*arguments)
        except (BrokenStreamError, MalformedError) as error:
            self._break(f"protocol violation: {error}")
        if self._closed:
            self._wind_up()
        if flow.state not in TABLE[before][event]:
            raise IllegalEventError(f"{event} leads from {before} to {flow.state}, which the table lacks")
        return flow.take()

    def _running(self, event: Event) -> ServerSide:
        check(self._flow.state, event)
        if self._server is None:
            raise IllegalEventError(f"{event} without a server")
        return self._server

    # Before the session runs.

    def _early_bytes(self, data: bytes) -> None:
        state = self._flow.state
        if state is State.OPENING:
            self._open(data)
        elif state is State.PROVING:
            self._ahead += data
            self._prove()
        elif self._server is not None:
            self._client.receive(data)
        else:
            self._ahead += data
            if len(self._ahead) > _MOST_AHEAD:
                self._break("too much was sent before the session was ready")

    def _run(self, rules: Rules, said: Greeting, longest: int | None) -> None:
        flow, opened, own = self._flow, self._opened, self._own
        if opened is None:
            raise IllegalEventError("connected before the client opened")
        flow.rules, flow.longest = rules, longest
        if flow.outlasts:
            # The policy changed while the login went on.
            self._end(refusals.fatal("57P01", refusals.SHORTER_TIMEOUT))
            return
        login, initial = said.parameters.get("session_authorization", ""), said.parameters.get("search_path")
        flow.path.begin(rules.search_path, opened.search_path, login, initial)
        client = {
            "addr": own.address, "application": opened.application, "user": opened.user, "database": self._terms.dbname,
        }  # fmt: skip
        flow.evidence = Evidence(own.session, self._terms.database, self.identity, client, rules.hmac_key)
        flow.record(flow.evidence.start())
        greeting = [opened.negotiation, messages.AUTHENTICATION_OK]
        greeting += [messages.parameter_status(name, value) for name, value in said.parameters.items()]
        greeting += [messages.backend_key(said.pid, self.cancel_key), messages.ready()]
        flow.to_client += [part for part in greeting if part]
        flow.state = State.RUNNING
        self._server = ServerSide(flow, own.nobody)
        ahead, self._ahead = self._ahead, b""
        if said.rest:
            self._server.receive(said.rest)
        if ahead:
            self._client.receive(ahead)

    # While it runs.

    def _durable(self, ticket: int) -> None:
        flow, client = self._flow, self._client
        flow.durable = max(flow.durable, ticket)
        if self._server is not None:
            self._server.release()
        flow.note_answers()
        self._go_on()
        if client.held is not None and client.held.ticket <= flow.durable:
            client.release()
        self._part()

    def _unrecorded(self, ticket: int, reason: str) -> None:
        flow, client = self._flow, self._client
        if flow.awaited >= ticket:
            # It runs already; its results must not be seen, and what it began must not last.
            error = refusals.unrecorded(reason)._replace(
                severity="FATAL", message=f"penstock: the audit trail can't be written ({reason})"
            )
            self._end(error, f"the audit trail can't be written: {reason}")
        elif client.held is not None and client.held.ticket == ticket:
            client.release(reason)

    def _doubt_ended(self, fresh: bool) -> None:
        flow = self._flow
        flow.doubted = False
        between = self._server is None or self._server.between_messages
        if flow.queue and not (fresh and flow.holds(answering=not between)):
            error = refusals.MEANS_ANOTHER if fresh else refusals.denied(refusals.CATALOG_UNKNOWN)
            if not between or not flow.withholdable:
                self._end(error._replace(severity="FATAL"), error.message)
                flow.commands.append(commands.Interrupt())
                return
            flow.withhold(error)
        if self._server is not None:
            self._server.release()
        flow.note_answers()
        self._go_on()
        self._part()

    def _go_on(self) -> None:
        """Let the client's messages go on, if they waited for a statement that is answered by now."""
        flow, client = self._flow, self._client
        if self._server is None:
            return
        counted = flow.state is State.COUNTING and not flow.counting
        try:
            if counted or (flow.state is State.SETTLING and flow.settled):
                self._server.hop_rows()
                client.go_on() if counted else client.settled()
            elif flow.state is State.CHANGING and (flow.copying_in or not flow.queue):
                client.answered()
        except (BrokenStreamError, MalformedError) as error:
            self._break(f"protocol violation: {error}")

    def _resolved(self, fresh: bool) -> None:
        self._flow.state = State.RUNNING
        self._client.resolved(fresh)

    def _client_effect(self, alone: bool) -> None:
        self._client.take_effect(alone)

    def _replace_rules(self, rules: Rules) -> None:
        flow = self._flow
        if flow.unvetted and flow.rules.observing and not rules.observing:
            self._end(refusals.NOW_ENFORCED, "")
            return
        flow.replace_rules(rules)
        limit = rules.statement_timeout
        if limit is not None and flow.outlasts:
            flow.commands.append(commands.EndWithin(limit / 1000, refusals.SHORTER_TIMEOUT))
            self._leave(refusals.fatal("57P01", refusals.SHORTER_TIMEOUT), at_once=False)
        flow.longest = limit

    def _leave(self, error: ErrorFields, at_once: bool) -> None:
        if at_once or self._server is None:
            self._end(error, "")
            return
        self._server.farewell = error
        self._part()

    def _part(self) -> None:
        if self._server is not None:
            self._server.part()

    def _lost(self, reason: str) -> None:
        said = self._server is not None and self._server.said_fatal
        text = reason or "the database closed the connection"
        self._end(None if said else refusals.fatal("08006", text), "" if said else text)

    # The end.

    def _break(self, text: str) -> None:
        self._end(refusals.fatal("08P01", text), text)

    def _end(self, error: ErrorFields | None, problem: str = "") -> None:
        """Close; the client reads `error`, if it can be put into the stream."""
        readable = self._flow.state is not State.ENCRYPTING
        if error is not None and readable and (self._server is None or self._server.between_messages):
            self._flow.to_client.append(messages.error_response(error))
        self._close(problem)

    def _close(self, problem: str) -> None:
        self._flow.commands.append(Close(problem))
        self._flow.state = State.CLOSED

    def _wind_up(self) -> None:
        """Record what is left open: outcomes that nobody will learn, and the session's end."""
        flow = self._flow
        for pending in self._client.unsent():
            if pending.running is not None:
                pending.running.sqlstate = pending.running.sqlstate or "57014"
            flow.skip(pending, recorded=True)
        self._client.held = None
        flow.leave_door()
        flow.abandon()
        if flow.evidence is not None:
            flow.record(flow.evidence.end())
            flow.evidence = None
