"""The way of `SHOW penstock.ticket`: recorded like any statement, and answered by the gate once a ticket is made.

It is answered while nothing else is on its way, so that its place in the stream is plain. In the extended protocol the
server has a query of constants in its place, which describes the row, and whose one row the gate fills; the ticket is
made when that is executed. A refusal goes the way of all refusals, by a statement that must fail. Who gets a ticket is
the runtime's business, as is making it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import contexts, gate_statements, refusals
from penstock_sidecar.session.access_pipeline import AccessPipeline
from penstock_sidecar.session.commands import IssuedTicket, IssueTicket
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, PreparedStatement
from penstock_sidecar.session.refusals import gate_denial
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot
from penstock_sidecar.wire.messages import BindHead, ErrorFields

_TEXT = f"SHOW {gate_statements.TICKET}"
_NOT_ALONE = gate_denial(
    f"{_TEXT} is for the gate, and stands with statements for the server", f"send {_TEXT} by itself", "0A000"
)
_BUSY = gate_denial(
    f"{_TEXT} came while other statements are on their way", "send it once they are answered", "55000"
)  # fmt: skip
# EXECUTE would have the server run what it has in its place.
BY_NAME = gate_denial(
    f"{_TEXT} can't be run by EXECUTE of its prepared statement", f"send {_TEXT} itself, or Bind and Execute", "0A000"
)
_COLUMNS = ("user", "password", "expires")
# What the server describes, and runs, in its place.
_IN_PLACE = "SELECT " + ", ".join(f'NULL::pg_catalog.text AS "{name}"' for name in _COLUMNS)
# What becomes of a Parse that asks for a ticket.
SHOWN = Decision(Action.REWRITE, _IN_PLACE, verbs=("show",), audit_text=_TEXT)
_ON_RECORD = Decision(Action.ALLOW, "", verbs=("show",), audit_text=_TEXT)
_TEXT_TYPE = 25
_PARSE = ord("P")


@dataclass(slots=True)
class _Issuing:
    """A ticket that was asked for."""

    spot: Spot
    pending: Pending
    # The batch of bodies that its intent is in.
    batch: int
    # The runtime was asked for it; and has made it.
    asked: bool = False
    made: IssuedTicket | None = None
    # What was bound to ask for it.
    portal: Portal | None = None


class TicketPipeline(AccessPipeline):
    """Adds to the way to the server what goes no further than the gate."""

    def __init__(self, flow: Flow, nobody: str, limit: int, database: str) -> None:
        super().__init__(flow, nobody, limit)
        # The Database that tickets are for.
        self._database = database
        self._issuing: _Issuing | None = None
        # What asks for a ticket waits for the answers to what was sent before it.
        self._waits_for_server = False

    def _decide(self, spot: Spot, raw: bytes, types: tuple[int, ...] = ()) -> tuple[str, Decision | None]:
        """As it is; but a Parse that asks for a ticket is for nobody else to decide about."""
        if spot.kind != _PARSE or not spot.complete or not gate_statements.asks_for_ticket(raw):
            return super()._decide(spot, raw, types)
        return raw.decode(), SHOWN if gate_statements.is_alone(raw) else _NOT_ALONE

    def _is_for_gate(self, spot: Spot, raw: bytes) -> bool:
        """Whether a Query asks for a ticket; then it is dealt with."""
        if not spot.complete or not gate_statements.asks_for_ticket(raw):
            return False
        flow, text = self._flow, raw.decode()
        denial = None
        if not gate_statements.is_alone(raw):
            denial = _NOT_ALONE
        elif flow.queue or flow.withholds or flow.doubted or flow.unsynced or flow.unsure or flow.status == b"E":
            # Of a transaction that has failed, the server itself says so.
            denial = _BUSY
        pending = Pending(AnswerKind.QUERY, expected=refusals.UNDEFINED_COLUMN)
        if denial is not None:
            self._refuse(spot, denial, text, pending, refusals.FAILING_QUERY)
            return True
        pending.running = flow.begin(_ON_RECORD, text, "simple", None)
        self._issue(_Issuing(spot, pending, flow.ticket))
        return True

    def _bind_ticket(self, head: BindHead, statement: PreparedStatement) -> None:
        """A Bind of what asks for a ticket: the server has a query of constants there, whoever may do what."""
        flow = self._flow
        former = flow.portals.pop(head.portal, None)
        pending = Pending(AnswerKind.BIND, drops=former.take() if former is not None else None)
        portal = Portal(statement, statement.decision, flow.epoch, head.parameters, head.portal)
        flow.portals[head.portal] = pending.opens = portal
        flow.push(pending)

    def _execute_ticket(self, spot: Spot, portal: Portal, pending: Pending) -> None:
        """An Execute of it: alone on its way, and once for each Bind."""
        flow, statement = self._flow, portal.statement
        if flow.contexts.now is not None:
            # Who would be given a ticket is not who the statement is recorded for.
            pending.expected = refusals.UNDEFINED_PORTAL
            denial = Decision(Action.DENY, "", verbs=("show",), denial=contexts.NO_TICKET)
            self._refuse(spot, denial, statement.text, pending, messages.execute(self._nobody))
            return
        if flow.queue:
            self._waits_for_server = True
            self._stop_before(spot, State.ISSUING, messages.FLUSH)
            return
        pending.running = flow.begin(_ON_RECORD, statement.text, "extended", portal.parameters)
        if portal.given_out:
            # The server has no second row of it.
            self._send_now(spot, pending, None, statement.decision)
            return
        self._issue(_Issuing(spot, pending, flow.ticket, portal=portal))

    def go_on_issuing(self, *, tellable: bool) -> None:
        """The server has answered something; `tellable`: the client can be told something. Raises as `receive`."""
        if not self._waits_for_server:
            if tellable:
                self.hand_out()
            return
        if self._flow.queue and not self._flow.copying_in:
            return
        self._waits_for_server = False
        self._flow.enter(State.RUNNING)
        self.resume()

    def _issue(self, issuing: _Issuing) -> None:
        flow = self._flow
        self._forward(issuing.spot.start)
        self._issuing = issuing
        flow.enter(State.ISSUING)
        if flow.rules.on_failure == "block":
            flow.report = True
        else:
            self._ask_for_ticket()

    def _ask_for_ticket(self) -> None:
        issuing = self._issuing
        if issuing is not None and not issuing.asked:
            issuing.asked = True
            self._flow.commands.append(IssueTicket(self._database))

    def ticket_recorded(self) -> None:
        """Bodies have become durable: that a ticket was asked for may be among them."""
        if self._issuing is not None and self._issuing.batch <= self._flow.durable:
            self._ask_for_ticket()

    def ticket_unrecorded(self, batch: int, reason: str) -> None:
        """Bodies could not be written: if these tell that a ticket was asked for, none is made. Raises as `receive`."""
        issuing = self._issuing
        if issuing is not None and not issuing.asked and issuing.batch == batch:
            issuing.pending.running = None
            self.ticket_refused(refusals.unrecorded(reason))

    def ticket_refused(self, error: ErrorFields) -> None:
        """There is no ticket for this session. Raises as `receive`."""
        issuing, self._issuing = self._issuing, None
        if issuing is None:
            return
        self._flow.enter(State.RUNNING)
        self._send_failing(issuing.spot, issuing.pending, error)
        self.resume()

    def ticket_made(self, made: IssuedTicket) -> None:
        """A ticket was made for this session; `hand_out` when the client can be told."""
        if self._issuing is not None:
            self._issuing.made = made

    def hand_out(self) -> None:
        """Tell the client of its ticket, if one was made: nothing else is in the stream. Raises as `receive`."""
        issuing, flow = self._issuing, self._flow
        if issuing is None or issuing.made is None:
            return
        self._issuing, made = None, issuing.made
        if issuing.portal is not None:
            self._let_run(issuing, issuing.portal, made)
            return
        answer = _answer(made, flow.status)
        flow.to_client.append(answer)
        if issuing.pending.running is not None:
            issuing.pending.running.rows = 1
            issuing.pending.running.ticket = made.name
            flow.finish(issuing.pending.running, "ok", len(answer))
        self._replace(issuing.spot, b"")
        flow.enter(State.RUNNING)
        self.resume()

    def _let_run(self, issuing: _Issuing, portal: Portal, made: IssuedTicket) -> None:
        """The server is to run what stands in its place, whose row is the ticket. Nothing else is on its way."""
        flow = self._flow
        portal.given_out = True
        if issuing.pending.running is not None:
            issuing.pending.running.ticket = made.name
        flow.contexts.echo = messages.row(*(one.encode() for one in _values(made)))
        self._send_now(issuing.spot, issuing.pending, None, portal.decision)
        flow.enter(State.RUNNING)
        self.resume()

    def abandon_ticket(self) -> None:
        """The session is over: nobody is told of the ticket."""
        issuing, self._issuing = self._issuing, None
        if issuing is not None and issuing.pending.running is not None:
            self._flow.finish(issuing.pending.running, "unknown" if issuing.asked else "unexecuted")


def _answer(made: IssuedTicket, status: bytes) -> bytes:
    """One row, as the server would answer a SHOW."""
    described = b"".join(
        name.encode() + b"\x00" + struct.pack(">IhIhih", 0, 0, _TEXT_TYPE, -1, -1, 0) for name in _COLUMNS
    )
    parts: Sequence[bytes] = (
        messages.message(b"T", struct.pack(">h", len(_COLUMNS)) + described),
        messages.row(*(one.encode() for one in _values(made))),
        messages.message(b"C", b"SHOW\x00"),
        messages.ready(status),
    )
    return b"".join(parts)


def _values(made: IssuedTicket) -> tuple[str, str, str]:
    return made.name, made.secret, made.until
