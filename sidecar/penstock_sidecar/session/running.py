"""A session that has a server: what each event means for both of its directions.

What single messages mean is in `client_side.py` and `server_side.py`, a session without a server in `beginning.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock_core.approvals.asking import Answered
from penstock_core.resources.grant import Grant
from penstock_core.sql.decision import Denial
from penstock_sidecar.session import commands, former_access, refusals, withholding
from penstock_sidecar.session.client_side import ClientSide
from penstock_sidecar.session.commands import Close, IssuedTicket, SessionRules, Vouched
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.server_side import ServerSide
from penstock_sidecar.session.states import ENDED, RUNNING, State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import BrokenStreamError
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# How much of a client's messages may wait while a statement takes long.
_MOST_WAITING = 1 << 20
# Messages that the server has not answered. Its own buffer for answers holds some 1,600 that it may keep to itself.
_MOST_IN_FLIGHT = 20_000


# What may take long, so that a client that goes must be noticed.
_LONG = frozenset({State.COUNTING, State.SETTLING, State.HELD, State.VOUCHING, State.ISSUING, State.CHANGING})


class Running:
    """Both directions of one session, and what they share."""

    def __init__(self, flow: Flow, nobody: str, statement_limit: int, database: str = "") -> None:
        """`database`: the Database that tickets are for."""
        self.flow = flow
        self.client = ClientSide(flow, nobody, statement_limit, database)
        # What the client sends.
        self.receive = self.client.receive
        self.server = ServerSide(flow, nobody)
        # What the client reads last, where the server went without a word.
        self._last: ErrorFields | None = None
        self.client.look_far(flow.rules.in_emergency)

    @property
    def client_waits(self) -> bool:
        """Whether the client's bytes can't be dealt with now, so that no more should be read."""
        flow = self.flow
        if flow.state is RUNNING:
            return len(flow.queue) > _MOST_IN_FLIGHT
        if flow.state in _LONG:
            return self.client.waiting > _MOST_WAITING
        return True

    @property
    def flows(self) -> bool:
        """Whether whatever comes from either side can be dealt with at once, as it nearly always can."""
        flow = self.flow
        return flow.state is RUNNING and len(flow.queue) <= _MOST_IN_FLIGHT and not self.server.holding

    # Events; each method is one, as the runtime reports it. Those of the client raise as `ClientSide.receive`.

    def server_bytes(self, data: bytes) -> None:
        """The server sent something."""
        try:
            self.server.receive(data)
        except (BrokenStreamError, MalformedError) as error:
            self.end(refusals.fatal("08P01", f"what the database sent can't be understood: {error}"), str(error))
        self.flow.note_answers()
        self._go_on()

    def server_closed(self, reason: str) -> None:
        """The server is gone; the client reads all that it said, once that is on record."""
        said = self.server.said_fatal
        text = reason or "the database closed the connection"
        self._note_end("the database ended the session" if said else text)
        self._last = None if said else refusals.fatal("08006", text)
        if not self.flow.withholds:
            self._end_after_server()
            return
        self.receive = self._read_no_more
        self.wind_up()
        self.flow.await_record(at_once=True)
        self.flow.enter(State.ENDED)

    def _end_after_server(self) -> None:
        self.end(self._last, "" if self._last is None else self._last.message)

    def _read_no_more(self, data: bytes) -> None:
        """What the client sends to a server that is gone."""

    def durable(self, ticket: int) -> None:
        """That batch of bodies, and all before it, are durable."""
        flow, client = self.flow, self.client
        flow.recorded(ticket)
        if flow.state is ENDED:
            if not flow.withholds:
                self._end_after_server()
            return
        if client.awaiting_durability is not None and client.awaiting_durability.ticket <= flow.durable:
            client.release()
        client.ticket_recorded()
        self.server.part()

    def audit_failed(self, ticket: int, reason: str) -> None:
        """That batch of bodies could not be written."""
        flow, client = self.flow, self.client
        if flow.awaited >= ticket:
            # It runs already; its results must not be seen, and what it began must not last.
            error = refusals.unrecorded(reason)._replace(
                severity="FATAL", message=f"penstock: the audit trail can't be written ({reason})"
            )
            self.end(error, f"the audit trail can't be written: {reason}")
        elif client.awaiting_durability is not None and client.awaiting_durability.ticket == ticket:
            client.release(reason)
        else:
            client.ticket_unrecorded(ticket, reason)

    def doubt_ended(self, fresh: bool) -> None:
        """The catalog has been read since another session changed it; or could not be, for a long time."""
        flow = self.flow
        flow.doubted = False
        between = self.server.between_messages
        if flow.queue and not (fresh and withholding.holds(flow, answering=not between)):
            error = refusals.MEANS_ANOTHER if fresh else refusals.denied(refusals.CATALOG_UNKNOWN)
            if not between or not withholding.withholdable(flow):
                self.end(error._replace(severity="FATAL"), error.message)
                flow.commands.append(commands.Interrupt())
                return
            withholding.withhold(flow, error)
        self._release()
        self.server.part()

    def catalog_read(self, fresh: bool) -> None:
        """The catalog is as fresh as it gets."""
        self.flow.enter(State.RUNNING)
        self.client.resolved(fresh)

    def door_closed(self, alone: bool) -> None:
        """No other session is inside, so that a change may be committed; or not, after a long time."""
        self.client.take_effect(alone)

    def answered(self, ticket: int, answered: Answered | None, trouble: str) -> None:
        """The holder of requests has answered, or could not be asked."""
        if self.server.farewell is not None and self.client.waits_for_holder:
            self.end(self.server.farewell)
            return
        self.client.answered_by_holder(ticket, answered, trouble)
        self._tell()

    def cancelled(self) -> None:
        """The client does not want to wait for approval any longer."""
        self.client.stop_waiting()

    def vouched(self, ticket: int, vouched: Vouched | None, denial: Denial | None) -> None:
        """It is known whether a context is good: for whom the session acts then, or why not."""
        if vouched is not None and (error := self.flow.former.ended_by(vouched.rules, self.flow.rules)) is not None:
            # As when rules are replaced: what was set up by some may be what others would never have let happen.
            self.end(error)
            return
        self.client.vouched(ticket, vouched, denial)

    def ticket_made(self, made: IssuedTicket) -> None:
        """The ticket that the client asked for."""
        self.client.ticket_made(made)
        self._go_on()
        self.server.part()

    def ticket_refused(self, error: ErrorFields) -> None:
        """There is no ticket for this client."""
        self.client.ticket_refused(error)

    def _tell(self) -> None:
        """What a client is told whose statement waits, where it can be put into the stream."""
        notice, self.client.notice = self.client.notice, None
        if notice is not None and self.server.between_messages and self.flow.state is State.HELD:
            self.flow.to_client.append(messages.notice_response(notice))

    def rules_replaced(self, rules: SessionRules, own: Iterable[Grant]) -> None:
        """The policy or the catalog changed; `own` is the session's own access, where a context holds."""
        flow = self.flow
        if (error := flow.former.ended_by(rules, flow.rules)) is not None:
            self.end(error)
            return
        if (over := flow.former.access.over(rules.access, own)) is not None:
            if flow.evidence is not None:
                flow.evidence.access_ended(over.policy)
            error = former_access.ended(over)
            self.end(error, error.message)
            flow.commands.append(commands.Interrupt())
            return
        flow.replace_rules(rules)
        self.client.look_far(rules.in_emergency)
        flow.contexts.rules_changed()
        limit = rules.statement_timeout
        if limit is not None and flow.former.outlasts(rules):
            flow.commands.append(commands.EndWithin(limit / 1000, refusals.SHORTER_TIMEOUT))
            self.leave(refusals.fatal("57P01", refusals.SHORTER_TIMEOUT), at_once=False)
        flow.former.longest = limit

    def leave(self, error: ErrorFields, at_once: bool) -> None:
        """The session has to end: at once, or when nothing is in flight."""
        idle = self.client.waits_for_holder and self.flow.status == b"I"
        if at_once or (idle and not self.server.holding):
            self.end(error)
            return
        self.server.farewell = error
        self.server.part()

    # Going on, and the end.

    def _release(self) -> None:
        self.server.release()
        self.flow.note_answers()
        self._go_on()

    def _go_on(self) -> None:
        """Let the client's messages go on, if they waited for a statement that is answered by now."""
        flow, client = self.flow, self.client
        # While its data is copied, messages flow.
        counted = flow.counted is not None and not flow.counting and flow.state in (RUNNING, State.COUNTING)
        if flow.state is RUNNING and not counted:
            return
        try:
            if flow.state is State.COUNTING and flow.copying_in:
                client.copy_counted()
            elif counted or (flow.state is State.SETTLING and flow.settled):
                self.server.hop_rows()
                client.go_on() if counted else client.settled()
            elif flow.state is State.HELD:
                if client.waits_for_server and (flow.copying_in or not flow.queue):
                    self.server.hop_rows()
                    client.go_on_held()
            elif flow.state is State.VOUCHING:
                if client.context_waits_for_server and (flow.copying_in or not flow.queue):
                    client.go_on_vouching()
            elif flow.state is State.ISSUING:
                client.go_on_issuing(tellable=self.server.between_messages and not self.server.holding)
            elif flow.state is State.CHANGING and (flow.copying_in or not flow.queue):
                client.answered()
        except (BrokenStreamError, MalformedError) as error:
            self.broken(error)

    def broken(self, error: Exception) -> None:
        """What the client sent breaks the protocol."""
        text = f"protocol violation: {error}"
        self.end(refusals.fatal("08P01", text), text)

    def end(self, error: ErrorFields | None, problem: str = "") -> None:
        """Close; the client reads `error`, if it can be put into the stream."""
        if error is not None:
            self._note_end(error)
        tellable = self.flow.unseen_from_message if self.flow.unseen else self.server.between_messages
        self.flow.drop_unseen()
        if error is not None and tellable:
            self.flow.to_client.append(messages.error_response(error))
        self.flow.commands.append(Close(problem))
        self.flow.enter(State.CLOSED)

    def _note_end(self, why: str | ErrorFields) -> None:
        if self.flow.evidence is not None:
            self.flow.evidence.ended_by(why)

    def wind_up(self) -> None:
        """Record what is left open: outcomes that nobody will learn, and the session's end."""
        flow = self.flow
        for pending in self.client.unsent():
            if pending.running is not None:
                pending.running.sqlstate, pending.running.unsent = pending.running.sqlstate or "57014", True
            flow.skip(pending, recorded=True)
        self.client.awaiting_durability = None
        self.client.abandon_held()
        self.client.abandon_ticket()
        flow.leave_door()
        flow.abandon(self.server.delivered.before)
        if flow.evidence is not None:
            flow.record(flow.evidence.end(flow.clock(), flow.told))
            flow.evidence = None
