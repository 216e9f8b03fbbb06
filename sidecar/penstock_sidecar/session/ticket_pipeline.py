"""The way of `SHOW penstock.ticket`: recorded like any statement, and answered by the gate once a ticket is made.

It is answered while nothing else is on its way, so that its place in the stream is plain. A refusal goes the way of all
refusals, by a statement that must fail. Who gets a ticket is the runtime's business, as is making it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import gate_statements, refusals
from penstock_sidecar.session.access_pipeline import AccessPipeline
from penstock_sidecar.session.commands import IssuedTicket, IssueTicket
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.session.refusals import gate_denial
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot
from penstock_sidecar.wire.messages import ErrorFields

_TEXT = f"SHOW {gate_statements.TICKET}"
_NOT_ALONE = gate_denial(
    f"{_TEXT} is for the gate, and stands with statements for the server", f"send {_TEXT} by itself", "0A000"
)
_BUSY = gate_denial(
    f"{_TEXT} came while other statements are on their way", "send it once they are answered", "55000"
)  # fmt: skip
BY_QUERY = gate_denial(
    f"{_TEXT} is answered in the simple query protocol only", "send it without parameters, as psql does", "0A000"
)
_TEXT_TYPE = 25


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


class TicketPipeline(AccessPipeline):
    """Adds to the way to the server what goes no further than the gate."""

    def __init__(self, flow: Flow, nobody: str, limit: int, database: str) -> None:
        super().__init__(flow, nobody, limit)
        # The Database that tickets are for.
        self._database = database
        self._issuing: _Issuing | None = None

    def _is_for_gate(self, spot: Spot, raw: bytes) -> bool:
        """Whether a Query asks for a ticket; then it is dealt with."""
        if not spot.complete or not gate_statements.asks_for_ticket(raw):
            return False
        flow, text = self._flow, raw.decode()
        denial = None
        if not gate_statements.is_alone(raw):
            denial = _NOT_ALONE
        elif flow.queue or flow.held or flow.unsynced or flow.unsure or flow.status == b"E":
            # Of a transaction that has failed, the server itself says so.
            denial = _BUSY
        pending = Pending(AnswerKind.QUERY, expected=refusals.UNDEFINED_COLUMN)
        if denial is not None:
            self._refuse(spot, denial, text, pending, refusals.FAILING_QUERY)
            return True
        shown = Decision(Action.ALLOW, "", verbs=("show",), audit_text=_TEXT)
        pending.running = flow.begin(shown, text, "simple", None)
        self._forward(spot.start)
        self._issuing = _Issuing(spot, pending, flow.ticket)
        flow.enter(State.ISSUING)
        if flow.rules.on_failure == "block":
            flow.report = True
        else:
            self._ask_for_ticket()
        return True

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
        answer = _answer(made, flow.status)
        flow.to_client.append(answer)
        if issuing.pending.running is not None:
            issuing.pending.running.rows = 1
            issuing.pending.running.ticket = made.name
            flow.finish(issuing.pending.running, "ok", len(answer))
        self._replace(issuing.spot, b"")
        flow.enter(State.RUNNING)
        self.resume()

    def abandon_ticket(self) -> None:
        """The session is over: nobody is told of the ticket."""
        issuing, self._issuing = self._issuing, None
        if issuing is not None and issuing.pending.running is not None:
            self._flow.finish(issuing.pending.running, "unknown" if issuing.asked else "unexecuted")


def _answer(made: IssuedTicket, status: bytes) -> bytes:
    """One row, as the server would answer a SHOW."""
    values = {"user": made.name, "password": made.secret, "expires": made.until}
    described = b"".join(
        name.encode() + b"\x00" + struct.pack(">IhIhih", 0, 0, _TEXT_TYPE, -1, -1, 0) for name in values
    )
    row = b"".join(_counted(value) for value in values.values())
    parts: Sequence[bytes] = (
        messages.message(b"T", struct.pack(">h", len(values)) + described),
        messages.message(b"D", struct.pack(">h", len(values)) + row),
        messages.message(b"C", b"SHOW\x00"),
        messages.ready(status),
    )
    return b"".join(parts)


def _counted(value: str) -> bytes:
    return struct.pack(">i", len(value)) + value.encode()
