"""Each kind of message from the client while a session runs, and what it means for statements and portals.

How one is decided about, recorded and sent is `client_pipeline.py`'s; the server's answers are `server_side.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import fastpath, in_flight, refusals
from penstock_sidecar.session.commands import Close
from penstock_sidecar.session.context_pipeline import ContextPipeline
from penstock_sidecar.session.evidence import BYE
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, PreparedStatement
from penstock_sidecar.session.message_fields import EMPTY
from penstock_sidecar.session.parameter_values import MOST
from penstock_sidecar.session.states import State
from penstock_sidecar.session.ticket_pipeline import SHOWN
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import PREFIX, BrokenStreamError, Spot
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# The type byte and the length of a message, and nothing else.
_NO_BODY = 5


class ClientSide(ContextPipeline):
    """The direction from client to server."""

    def __init__(self, flow: Flow, nobody: str, limit: int, database: str = "") -> None:
        super().__init__(flow, nobody, limit, database)
        self._handlers: dict[int, Callable[[Spot], None]] = {
            ord("Q"): self._query, ord("P"): self._parse, ord("B"): self._bind, ord("E"): self._execute,
            ord("D"): self._describe, ord("C"): self._close, ord("S"): self._sync, ord("H"): self._flush,
            ord("c"): self._copy_end, ord("f"): self._copy_end, ord("F"): self._function_call,
            ord("X"): self._terminate, ord("p"): self._password,
        }  # fmt: skip

    def _handle(self, spot: Spot) -> None:
        if spot.kind in EMPTY and spot.end - spot.start != _NO_BODY:
            raise MalformedError(f"a message {chr(spot.kind)!r} that should be empty")
        self._handlers[spot.kind](spot)

    # The simple protocol.

    def _query(self, spot: Spot) -> None:
        begin = spot.start + 5
        end = max(begin, spot.end - 1)
        if spot.complete and self._chunk.find(b"\x00", begin, spot.end) != end:
            raise MalformedError("a Query message without an end")
        raw = self._chunk[begin:end]
        if self._is_for_gate(spot, raw):
            return
        text, decision = self._decide(spot, raw)
        if decision is not None and decision.holding is not None:
            decision = self._hold(spot, text, decision)
        if decision is None:
            return
        pending = Pending(AnswerKind.QUERY)
        if decision.action is Action.DENY:
            pending.expected = refusals.UNDEFINED_COLUMN
            self._refuse(spot, decision, text, pending, refusals.FAILING_QUERY)
            return
        replacement = messages.query(decision.text) if decision.action is Action.REWRITE else None
        self._start_statement(spot, pending, decision, text, replacement=replacement)

    def _function_call(self, spot: Spot) -> None:
        pending = Pending(AnswerKind.QUERY, expected=refusals.UNDEFINED_COLUMN)
        text = fastpath.statement(self._chunk[spot.start + 5 : spot.end])
        decided = self._flow.decide(text) if text else self._own(refusals.FUNCTION_CALL, "")
        decision = self._admit(spot, decided)
        if decision is not None and decision.holding is not None:
            decision = self._hold(spot, text, decision)
        if decision is None:
            return
        if decision.action is Action.REWRITE:
            # There is no text in the call that could be another.
            decision = self._own(refusals.FUNCTION_CALL, text)
        if decision.action is Action.DENY:
            self._refuse(spot, decision, text, pending, refusals.FAILING_QUERY)
            return
        self._start_statement(spot, pending, decision, text)

    # The extended protocol.

    def _parse(self, spot: Spot) -> None:
        body = self._chunk[spot.start + 5 : spot.end]
        name, raw, oids = messages.read_parse(body, spot.complete)
        types = messages.declared_types(oids)
        text, decision = self._decide(spot, raw, types)
        if decision is None:
            return
        flow = self._flow
        if decision.action is Action.DENY:
            # To fail, it leaves a named statement that is there; the unnamed one is gone then.
            former = None if name else flow.statements.pop("", None)
            pending = Pending(AnswerKind.PARSE, expected=refusals.UNDEFINED_COLUMN)
            pending.undo = lambda skipped: self._left(former, skipped)
            self._refuse(spot, decision, text, pending, messages.parse(name, refusals.FAILING_TEXT))
            return
        replaced = flow.statements.get(name)
        made = PreparedStatement(name, text, oids, decision, flow.epoch, decision.text, types, replaced, flow.path.now)
        made.surroundings = flow.surroundings.now
        made.sets_context, made.gives_ticket = self._sets, decision is SHOWN
        flow.statements[name] = made
        pending = Pending(AnswerKind.PARSE, redact=decision.redact_errors, text=text, types=types, decision=decision)
        pending.makes = made
        pending.undo = lambda skipped: self._unmade(made, skipped)
        replacement = messages.parse(name, decision.text, oids) if decision.action is Action.REWRITE else None
        if decision.runs_code_when_parsed:
            self._run_on_the_way(decision)
            self._start_statement(spot, pending, decision, text, None, replacement)
            return
        flow.push(pending)
        if replacement is not None:
            self._replace(spot, replacement)

    def _left(self, former: PreparedStatement | None, skipped: bool) -> None:
        """A Parse under no name was refused; if the server skipped even that, it has the former one still."""
        if former is not None and skipped:
            self._flow.statements.setdefault("", former)

    def _unmade(self, made: PreparedStatement, skipped: bool) -> None:
        """A Parse failed, or was skipped: what was there before is there again, if no later one has taken its place.

        The server forgets the unnamed statement before it tries to parse another.
        """
        statements = self._flow.statements
        if not made.name and not skipped:
            made.replaced = None
        newest = statements.get(made.name)
        if newest is made and made.replaced is not None:
            statements[made.name] = made.replaced
        elif newest is made:
            del statements[made.name]
        while newest is not None and newest is not made:
            if newest.replaced is made:
                newest.replaced = made.replaced
            newest = newest.replaced

    def _bind(self, spot: Spot) -> None:
        """Planning runs code, so that a statement is recorded here and not only where it is executed."""
        head = messages.read_bind(self._chunk[spot.start + 5 : spot.end], spot.complete)
        flow = self._flow
        statement = flow.statements.get(head.statement) or self._prepared_in_sql(head.statement)
        if statement is not None and statement.sets_context is not None:
            self._bind_context(spot, head, statement, statement.sets_context)
            return
        if statement is not None and statement.gives_ticket:
            self._bind_ticket(head, statement)
            return
        decision = self._decide_bound(spot, statement) if statement is not None else None
        if flow.state is not State.RUNNING:
            return
        portal = None
        if statement is not None and decision is not None:
            portal = Portal(statement, decision, flow.epoch, head.parameters, head.portal, bound=head.parameters != 0)
            asks = decision.cost_limit is not None or decision.holding is not None
            if asks and spot.complete and spot.end - spot.start <= PREFIX:
                portal.given = messages.parameters_of(self._chunk[spot.start + 5 : spot.end], head)
            if flow.rules.in_emergency:
                begin = spot.start + 5 + head.names_end
                portal.told = self._chunk[begin : max(begin, min(spot.end, spot.start + MOST))]
            if decision.holding is not None and (decision := self._hold_bound(spot, portal)) is None:
                return
        former = flow.portals.pop(head.portal, None)
        pending = Pending(AnswerKind.BIND, drops=former.take() if former is not None else None)
        if statement is None or decision is None or portal is None:
            missing = f'prepared statement "{head.statement}" does not exist'
            if not head.statement:
                missing = "unnamed prepared statement does not exist"
            self._fail_in_place(spot, pending, ErrorFields("ERROR", refusals.UNDEFINED_STATEMENT, missing))
            return
        if decision.action is Action.DENY:
            pending.expected = refusals.UNDEFINED_STATEMENT
            self._refuse(spot, decision, statement.text, pending, messages.bind("", self._nobody))
            return
        statement.decision, statement.epoch, statement.path = decision, flow.epoch, flow.path.now
        if self._is_of_before(statement, decision) and statement.on_server is not None:
            # What literals and names mean was found out when it was parsed; it was decided about as if that were now.
            statement.on_server = ""
        statement.surroundings = flow.surroundings.now
        self._run_on_the_way(decision)
        # Planning it changes nothing of what its own names mean: the server has found these already.
        portal.decision, portal.epoch, portal.surroundings = decision, flow.epoch, flow.surroundings.now
        flow.portals[head.portal] = pending.opens = portal
        pending.redact, pending.types = decision.redact_errors, statement.types
        self._start_statement(spot, pending, decision, statement.text, head.parameters, given=portal.told)
        portal.recorded(pending.running)

    def _prepared_in_sql(self, name: str) -> PreparedStatement | None:
        """What PREPARE made may be bound, too: that is decided about as its EXECUTE."""
        flow = self._flow
        if not name or not flow.sql_prepared.prepared(name):
            return None
        text = 'EXECUTE "{}"'.format(name.replace('"', '""'))
        decision = flow.decide(text)
        now = flow.surroundings.now
        return PreparedStatement(
            name, text, b"\x00\x00", decision, flow.epoch, decision.text, path=flow.path.now, surroundings=now
        )

    def _decide_bound(self, spot: Spot, statement: PreparedStatement) -> Decision | None:
        """What becomes of a statement that is to be bound; None: that has to wait for a fresh catalog."""
        flow, decision = self._flow, statement.decision
        admitted = self._admit(spot, decision)
        if admitted is not decision:
            return admitted
        # The server finds anew what names mean, under the path of now.
        moved = (statement.epoch, statement.path) != (flow.epoch, flow.path.now)
        if moved or decision.executes or self._is_of_before(statement, decision):
            decision = flow.decide(statement.text, statement.types)
            if self._defer(spot, decision, statement.text, statement.types):
                return None
            if (refused := flow.refused_by_name(decision)) is not None:
                return refused
            moved = statement.epoch == flow.epoch and decision.text not in ("", statement.decision.text)
            if moved and not flow.rules.decider.alike(statement.decision, decision):
                return refusals.OTHER_COLUMNS
        return decision

    def _is_of_before(self, statement: PreparedStatement, decision: Decision) -> bool:
        """Whether settings or temporary tables changed since it was parsed, where that may count."""
        return decision.holding is not None and statement.surroundings != self._flow.surroundings.now

    def _declared_in_sql(self, name: str) -> Portal | None:
        """What DECLARE made is a portal, too: to execute it is decided about as its FETCH."""
        flow = self._flow
        if not name or not flow.sql_prepared.declared(name):
            return None
        text = 'FETCH ALL FROM "{}"'.format(name.replace('"', '""'))
        decision = flow.decide(text)
        statement = PreparedStatement(name, text, b"\x00\x00", decision, flow.epoch, decision.text)
        tally = flow.sql_prepared.tally(name)
        flow.portals[name] = portal = Portal(statement, decision, flow.epoch, None, name, open=True, tally=tally)
        portal.surroundings = flow.surroundings.now
        return portal

    def _decide_executed(self, spot: Spot, portal: Portal) -> Decision | None:
        """What becomes of a portal that is to be executed; None: that has to wait for a fresh catalog."""
        flow, decision, statement = self._flow, portal.decision, portal.statement
        admitted = self._admit(spot, decision)
        if admitted is not decision:
            return admitted
        if portal.epoch != flow.epoch:
            decision = flow.decide(statement.text, statement.types)
            if self._defer(spot, decision, statement.text, statement.types):
                return None
            if decision.action is not Action.DENY and not _as_bound(decision, portal.decision):
                return refusals.stale(decision)
        return flow.refused_by_name(decision) or decision

    def _execute(self, spot: Spot) -> None:
        name, asked = messages.read_execute(self._chunk[spot.start + 5 : spot.end])
        flow = self._flow
        portal = flow.portals.get(name) or self._declared_in_sql(name)
        pending = Pending(AnswerKind.EXECUTE, asked=asked)
        if portal is None:
            self._fail_in_place(spot, pending, refusals.missing_portal(name))
            return
        statement = portal.statement
        if statement.gives_ticket:
            self._execute_ticket(spot, portal, pending)
            return
        sets = statement.sets_context
        decision = self._decide_executed(spot, portal) if sets is None else self._adopt(spot, sets, portal.token)
        if decision is not None and decision.holding is not None:
            decision = self._hold(spot, statement.text, decision, portal)
        if decision is None:
            return
        if decision.action is Action.DENY:
            pending.expected = refusals.UNDEFINED_PORTAL
            self._refuse(spot, decision, statement.text, pending, messages.execute(self._nobody))
            return
        pending.running, pending.types = portal.take(), statement.types
        renewed = portal.epoch != flow.epoch or (decision.approvals and decision is not portal.decision)
        if pending.running is not None and renewed and not flow.tells(pending.running, decision, portal):
            # It was recorded when it was bound: by other rules, perhaps for another, or without its approval.
            flow.finish(pending.running, "unexecuted")
            pending.running = None
        portal.decision, portal.epoch = decision, flow.epoch
        self._start_statement(spot, pending, decision, statement.text, portal.parameters, given=portal.told)

    def _describe(self, spot: Spot) -> None:
        flow = self._flow
        kind, name = messages.read_target(self._chunk[spot.start + 5 : spot.end])
        statement = flow.statements.get(name) if kind == b"S" else None
        if statement is not None and statement.decision.runs_code_when_parsed:
            # The server parses it once more, if anything that it depends on has changed.
            pending = Pending(AnswerKind.DESCRIBE, redact=statement.decision.redact_errors, types=statement.types)
            self._run_on_the_way(statement.decision)
            self._start_statement(spot, pending, statement.decision, statement.text)
            return
        if statement is not None:
            flow.queue.append(Pending(AnswerKind.DESCRIBE, makes=statement))
            return
        portal = flow.portals.get(name) if kind == b"P" else None
        waits = portal is not None and portal.running is not None
        flow.queue.append(in_flight.OF_PORTAL if waits else in_flight.OF_NOTHING)

    def _close(self, spot: Spot) -> None:
        kind, name = messages.read_target(self._chunk[spot.start + 5 : spot.end])
        flow = self._flow
        pending = Pending(AnswerKind.CLOSE)
        if kind == b"S":
            gone = flow.statements.pop(name, None)
            if gone is not None:
                # Of the unnamed one a later one may have taken the place; under a name none could.
                pending.undo = lambda _: flow.statements.update({name: gone if name else flow.statements.get("", gone)})
        else:
            closed = flow.portals.pop(name, None)
            if closed is not None:
                pending.drops = closed.take()
                pending.undo = lambda _: flow.portals.update({name: closed})
        flow.push(pending)

    def _sync(self, spot: Spot) -> None:
        flow = self._flow
        if flow.copying_in:
            return
        if flow.altered and not flow.stays_in_block:
            self.sync(spot)
            return
        flow.skipping = False
        flow.queue.append(in_flight.OF_SYNC)

    def _flush(self, spot: Spot) -> None:
        """Not answered."""

    def _copy_end(self, spot: Spot) -> None:
        flow = self._flow
        if flow.copying_in:
            flow.copying_in = False
            if flow.counting:
                self._forward(spot.end)
                flow.to_server.append(messages.FLUSH)
                flow.enter(State.COUNTING)
            elif not flow.settled:
                self._forward(spot.end)
                flow.enter(State.SETTLING)
        elif flow.queue:
            flow.push(Pending(AnswerKind.COPY_END))

    def _terminate(self, spot: Spot) -> None:
        self._forward(spot.end)
        if self._flow.evidence is not None:
            self._flow.evidence.ended_by(BYE)
        self._flow.commands.append(Close(""))
        self._flow.enter(State.CLOSED)

    def _password(self, spot: Spot) -> None:
        raise BrokenStreamError("a password where none was asked for")


def _as_bound(now: Decision, then: Decision) -> bool:
    """Whether a portal is what it was bound as, whose names were found then: the same text, of the same tables."""
    does = (None if one.holding is None else one.holding.does for one in (now, then))
    return now.text == then.text and (now.holding is None or then.holding is None or len(set(does)) == 1)
