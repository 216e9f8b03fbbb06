"""The way of the statements that give a transaction its context: they wait for the verdict about their token.

What such a statement says to the server holds no token. The message that carries it out is looked at again once all
that was sent before is answered, and once it is known whether the token is good; what the client sent behind it waits.
What a context means for what comes behind is `contexts.py`'s, how its texts are recognised `gate_statements.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock_core.policy.holding import Holding
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.session import contexts, gate_statements, refusals
from penstock_sidecar.session.commands import VerifyContext, Vouched
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.gate_statements import TEXT_TYPES, ContextStatement, gate_statement
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, PreparedStatement
from penstock_sidecar.session.proving import LONGEST_TOKEN
from penstock_sidecar.session.states import RUNNING, IllegalEventError, State
from penstock_sidecar.session.ticket_pipeline import BY_NAME as TICKET_BY_NAME
from penstock_sidecar.session.ticket_pipeline import TicketPipeline
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import PREFIX, Spot
from penstock_sidecar.wire.messages import BindHead

# No text that sets a context is longer, and a look at all others costs little.
_LONGEST = 131_072
_QUERY = ord("Q")
# No approval is for what the gate says itself, which changes nothing that a statement could mean.
_NOTHING_HELD = Holding()


@dataclass(slots=True)
class _Vouching:
    """A statement that waits for the verdict about its token."""

    spot: Spot
    token: str
    # What was asked under which ticket; 0: nothing so far. Whether the answer is still to come.
    ticket: int = 0
    due: bool = False
    vouched: Vouched | None = None
    denial: Denial | None = None


class ContextPipeline(TicketPipeline):
    """Adds to the way to the server what contexts need."""

    def __init__(self, flow: Flow, nobody: str, limit: int, database: str) -> None:
        super().__init__(flow, nobody, limit, database)
        # Whether there is an issuer of contexts.
        self.takes_contexts = False
        self._vouching: _Vouching | None = None
        self._vouched = 0
        # What the text was to the gate that was decided last.
        self._sets: ContextStatement | None = None

    @property
    def context_waits_for_server(self) -> bool:
        """Whether a statement that sets a context waits for the answers to what was sent before."""
        return self._vouching is not None and not self._vouching.due

    # Texts.

    def _decide(self, spot: Spot, raw: bytes, types: tuple[int, ...] = ()) -> tuple[str, Decision | None]:
        """As it is; but what is addressed to the gate is for nobody else to decide about."""
        self._sets = None
        found = self._addressed(raw) if spot.complete else None
        if found is None:
            text, decision = super()._decide(spot, raw, types)
            return text, self._by_name(decision)
        if isinstance(found, Denial):
            return "", _refused(found)
        if spot.kind == _QUERY:
            denial = contexts.NO_PARAMETER if found.token is None else None
            return found.recorded, self._adopt(spot, found, found.token or "") if denial is None else _refused(denial)
        if found.begins:
            return found.recorded, _refused(contexts.NO_PARAMETER)
        if not TEXT_TYPES.issuperset(types):
            return found.recorded, _refused(contexts.NO_TEXT)
        self._sets = found
        return found.recorded, _accepted(found)

    def _addressed(self, raw: bytes) -> ContextStatement | Denial | None:
        """What a text is to the gate, at little cost where it is nothing."""
        if len(raw) > _LONGEST:
            return None
        lowered = raw.lower()
        if b"penstock" not in lowered and b"u&" not in lowered:
            return None
        try:
            found = gate_statement(raw.decode())
        except UnicodeDecodeError:
            return None
        if isinstance(found, ContextStatement) and not self.takes_contexts:
            return contexts.UNCONFIGURED
        return found

    def _by_name(self, decision: Decision | None) -> Decision | None:
        """The decision, unless the text runs by its name what sets a context: the server would know nothing of it."""
        statements = self._flow.statements
        if decision is None or not decision.executes:
            return decision
        made = [one for name in decision.executes if (one := statements.get(name)) is not None]
        if any(one.gives_ticket for one in made):
            return TICKET_BY_NAME
        return _refused(contexts.BY_NAME) if any(one.sets_context for one in made) else decision

    def _admit(self, spot: Spot, decision: Decision) -> Decision | None:
        return super()._admit(spot, self._flow.contexts.bounded(decision))

    def _is_for_gate(self, spot: Spot, raw: bytes) -> bool:
        """As it is; but within a context, who would be given a ticket is not who the statement is recorded for."""
        if self._flow.contexts.now is None or not gate_statements.asks_for_ticket(raw):
            return super()._is_for_gate(spot, raw)
        pending = Pending(AnswerKind.QUERY, expected=refusals.UNDEFINED_COLUMN)
        self._refuse(spot, _refused(contexts.NO_TICKET), raw.decode(), pending, refusals.FAILING_QUERY)
        return True

    # The extended protocol.

    def _bind_context(self, spot: Spot, head: BindHead, statement: PreparedStatement, sets: ContextStatement) -> None:
        """A Bind of what sets a context: the server gets the message without its token."""
        flow = self._flow
        former = flow.portals.pop(head.portal, None)
        pending = Pending(AnswerKind.BIND, drops=former.take() if former is not None else None)
        token, replacement = sets.token, None
        if token is None:
            body, given, rest = self._chunk[spot.start + 5 : spot.end], None, b""
            # A longer message may come in pieces, of which the first alone is looked at.
            long = not spot.complete or spot.end - spot.start > PREFIX
            if not long:
                given, rest = messages.with_parameter(body, head, b"")
            denial = contexts.LONG if long else contexts.NO_PARAMETER if given is None else None
            if denial is not None:
                pending.expected = refusals.UNDEFINED_STATEMENT
                self._refuse(spot, _refused(denial), statement.text, pending, messages.bind("", self._nobody))
                return
            token, replacement = (given or b"").decode(errors="replace"), messages.message(b"B", rest)
        portal = Portal(statement, statement.decision, flow.epoch, head.parameters, head.portal, token=token)
        flow.portals[head.portal] = pending.opens = portal
        flow.push(pending)
        if replacement is not None:
            self._replace(spot, replacement)

    # The verdict.

    def _adopt(self, spot: Spot, sets: ContextStatement, token: str) -> Decision | None:
        """What becomes of a statement that sets a context: it is carried out, and the context holds from here on; or it
        is refused; None: it has to wait.
        """
        vouching, self._vouching = self._vouching, None
        flow, known = self._flow, self._flow.contexts
        if vouching is None or vouching.spot is not spot or vouching.token != token:
            vouching = _Vouching(spot, token)
        if flow.queue:
            # Alone, so that the state of the transaction is known.
            self._pause_vouching(spot, vouching, messages.FLUSH)
            return None
        denial = known.unopened(begins=sets.begins) or (contexts.LONG if len(token) > LONGEST_TOKEN else None)
        if denial is not None:
            return _refused(denial)
        if not vouching.ticket:
            self._vouched += 1
            vouching.ticket, vouching.due = self._vouched, True
            flow.commands.append(VerifyContext(vouching.ticket, token))
            self._pause_vouching(spot, vouching)
            return None
        if vouching.due:
            self._pause_vouching(spot, vouching)
            return None
        vouched = vouching.vouched
        denial = vouching.denial if vouched is None else known.unfitting(vouched)
        if denial is not None or vouched is None:
            return _refused(denial or contexts.OUTSIDE)
        if self.asker is None:
            raise IllegalEventError("a context is set before it is known who the session is")
        known.begin(vouching.ticket, vouched, self.asker.identity)
        # Nothing else is on its way: the next row is that one's.
        known.echo = messages.row(token.encode()) if sets.calls else None
        return _accepted(sets)

    def _pause_vouching(self, spot: Spot, vouching: _Vouching, sent: bytes = b"") -> None:
        self._vouching = vouching
        self._stop_before(spot, State.VOUCHING, sent)

    def go_on_vouching(self) -> None:
        """The server has answered what was sent before. Raises as `receive`."""
        self._flow.enter(RUNNING)
        if self._flow.skipping:
            self._vouching = None
        self.resume()

    def vouched(self, ticket: int, vouched: Vouched | None, denial: Denial | None) -> None:
        """It is known whether the token is good. Raises as `receive`."""
        vouching = self._vouching
        if vouching is None or vouching.ticket != ticket or not vouching.due:
            return
        vouching.due, vouching.vouched, vouching.denial = False, vouched, denial
        if self._flow.state is State.VOUCHING:
            self._flow.enter(RUNNING)
            self.resume()


def _accepted(sets: ContextStatement) -> Decision:
    """What is sent and recorded of a statement that sets a context."""
    return Decision(Action.REWRITE, sets.text, verbs=("set",), audit_text=sets.recorded, holding=_NOTHING_HELD)


def _refused(denial: Denial) -> Decision:
    return Decision(Action.DENY, "", verbs=("set",), denial=denial)
