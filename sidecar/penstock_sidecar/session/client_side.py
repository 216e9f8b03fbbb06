"""Each kind of message from the client while a session runs, and what it means for statements and portals.

How one is decided about, recorded and sent is `passage.py`'s; the server's answers are `server_side.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_core.sql.decision import Action
from penstock_sidecar.session import fastpath, refusals
from penstock_sidecar.session.changes import Changes
from penstock_sidecar.session.commands import Close
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.pending import Kind, Pending, Portal, Statement
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import BrokenStreamError, Spot
from penstock_sidecar.wire.messages import ErrorFields, MalformedError, read_text

# Of these nothing is ever noted, so that one entry serves all.
_BIND, _DESCRIBE, _SYNC = Pending(Kind.BIND), Pending(Kind.DESCRIBE), Pending(Kind.SYNC)


class ClientSide(Changes):
    """The direction from client to server."""

    def __init__(self, flow: Flow, nobody: str, limit: int) -> None:
        super().__init__(flow, nobody, limit)
        self._handlers: dict[int, Callable[[Spot], None]] = {
            ord("Q"): self._query, ord("P"): self._parse, ord("B"): self._bind, ord("E"): self._execute,
            ord("D"): self._describe, ord("C"): self._close, ord("S"): self._sync, ord("H"): self._flush,
            ord("c"): self._copy_end, ord("f"): self._copy_end, ord("F"): self._function_call,
            ord("X"): self._terminate, ord("p"): self._password,
        }  # fmt: skip

    def _handle(self, spot: Spot) -> None:
        self._handlers[spot.kind](spot)

    # The simple protocol.

    def _query(self, spot: Spot) -> None:
        end = spot.end - 1
        if spot.complete and self._chunk.find(b"\x00", spot.start + 5, spot.end) != end:
            raise MalformedError("a Query message without an end")
        text, decision = self._decide(spot, self._chunk[spot.start + 5 : end])
        if decision is None:
            return
        pending = Pending(Kind.QUERY)
        if decision.action is Action.DENY:
            pending.expected = refusals.UNDEFINED_COLUMN
            self._refuse(spot, decision, text, pending, refusals.FAILING_QUERY)
            return
        replacement = messages.query(decision.text) if decision.action is Action.REWRITE else None
        self._start_statement(spot, pending, decision, text, replacement=replacement)

    def _function_call(self, spot: Spot) -> None:
        pending = Pending(Kind.QUERY, expected=refusals.UNDEFINED_COLUMN)
        text = fastpath.statement(self._chunk[spot.start + 5 : spot.end])
        decided = self._flow.decide(text) if text else self._own(refusals.FUNCTION_CALL, "")
        decision = self._admit(spot, decided)
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
        name, at = read_text(body, 0)
        end = body.find(b"\x00", at)
        if spot.complete and end < 0:
            raise MalformedError("a Parse message without an end")
        text, decision = self._decide(spot, body[at:end])
        if decision is None:
            return
        flow = self._flow
        if decision.action is Action.DENY:
            # To fail, it leaves a named statement that is there; the unnamed one is gone whatever becomes of it.
            if not name:
                flow.statements.pop("", None)
            pending = Pending(Kind.PARSE, expected=refusals.UNDEFINED_COLUMN)
            self._refuse(spot, decision, text, pending, messages.parse(name, refusals.FAILING_TEXT))
            return
        oids = body[end + 1 :]
        replaced = flow.statements.get(name) if name else None
        made = Statement(name, text, oids, decision, flow.epoch, decision.text, replaced)
        flow.statements[name] = made
        flow.push(Pending(Kind.PARSE, redact=decision.redact_errors, undo=lambda: self._unmade(made)))
        if decision.action is Action.REWRITE:
            self._replace(spot, messages.parse(name, decision.text, oids))

    def _unmade(self, made: Statement) -> None:
        """A Parse failed: what it was to take the place of is there again, if no later one has taken it."""
        statements = self._flow.statements
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
        head = messages.read_bind(self._chunk[spot.start + 5 : spot.end], spot.complete)
        flow = self._flow
        statement = flow.statements.get(head.statement)
        flow.portals.pop(head.portal, None)
        if statement is None:
            missing = f'prepared statement "{head.statement}" does not exist'
            if not head.statement:
                missing = "unnamed prepared statement does not exist"
            self._fail_in_place(spot, Kind.BIND, ErrorFields("ERROR", refusals.UNDEFINED_STATEMENT, missing))
            return
        admitted = self._admit(spot, statement.decision)
        if admitted is None:
            return
        if statement.epoch != flow.epoch or admitted is not statement.decision:
            decision = flow.decide(statement.text) if admitted is statement.decision else admitted
            if decision.action is Action.DENY:
                pending = Pending(Kind.BIND, expected=refusals.UNDEFINED_STATEMENT)
                self._refuse(spot, decision, statement.text, pending, messages.bind("", self._nobody))
                return
            statement.decision, statement.epoch = decision, flow.epoch
        if statement.on_server != statement.decision.text:
            self._parse_again(spot, statement)
        if statement.decision.changes_catalog:
            # Planning runs functions, too.
            flow.alter()
        flow.unsynced = True
        flow.portals[head.portal] = Portal(statement, statement.decision, flow.epoch, head.parameters)
        flow.queue.append(Pending(Kind.BIND, redact=True) if statement.decision.redact_errors else _BIND)

    def _parse_again(self, spot: Spot, statement: Statement) -> None:
        """Before a Bind: prepare the statement anew as it is decided now, without the client noticing."""
        flow = self._flow

        def undo() -> None:
            statement.on_server = None

        self._forward(spot.start)
        if statement.name and statement.on_server is not None:
            flow.push(Pending(Kind.CLOSE, swallow=True, undo=undo))
            flow.to_server.append(messages.close_statement(statement.name))
        flow.push(Pending(Kind.PARSE, swallow=True, redact=statement.decision.redact_errors, undo=undo))
        flow.to_server.append(messages.parse(statement.name, statement.decision.text, statement.oids))
        statement.on_server = statement.decision.text

    def _fail_in_place(self, spot: Spot, kind: Kind, error: ErrorFields) -> None:
        """Send a Bind or Execute of what does not exist, whose error is replaced by this one."""
        if kind is Kind.BIND:
            pending, failing = (
                Pending(kind, error, refusals.UNDEFINED_STATEMENT), messages.bind("", self._nobody)
            )  # fmt: skip
        else:
            pending, failing = Pending(kind, error, refusals.UNDEFINED_PORTAL), messages.execute(self._nobody)
        self._flow.push(pending)
        self._replace(spot, failing)

    def _execute(self, spot: Spot) -> None:
        name, _ = messages.read_execute(self._chunk[spot.start + 5 : spot.end])
        flow = self._flow
        portal = flow.portals.get(name)
        if portal is None:
            missing = f'portal "{name}" does not exist'
            self._fail_in_place(spot, Kind.EXECUTE, ErrorFields("ERROR", refusals.UNDEFINED_PORTAL, missing))
            return
        admitted = self._admit(spot, portal.decision)
        if admitted is None:
            return
        if portal.epoch != flow.epoch or admitted is not portal.decision:
            decision = flow.decide(portal.statement.text) if admitted is portal.decision else admitted
            if decision.action is not Action.DENY and decision.text != portal.decision.text:
                decision = refusals.stale(decision)
            if decision.action is Action.DENY:
                pending = Pending(Kind.EXECUTE, expected=refusals.UNDEFINED_PORTAL)
                self._refuse(spot, decision, portal.statement.text, pending, messages.execute(self._nobody))
                return
            portal.decision, portal.epoch = decision, flow.epoch
        decision = portal.decision
        if flow.runs_stale_object(decision):
            pending = Pending(Kind.EXECUTE, expected=refusals.UNDEFINED_PORTAL)
            text = portal.statement.text
            self._refuse(spot, refusals.STALE_SQL_OBJECT, text, pending, messages.execute(self._nobody))
            return
        self._start_statement(spot, Pending(Kind.EXECUTE), decision, portal.statement.text, portal.parameters)

    def _describe(self, spot: Spot) -> None:
        self._flow.queue.append(_DESCRIBE)

    def _close(self, spot: Spot) -> None:
        body = self._chunk[spot.start + 5 : spot.end]
        name, _ = read_text(body, 1)
        flow = self._flow
        pending = Pending(Kind.CLOSE)
        if body[:1] == b"S":
            gone = flow.statements.pop(name, None)
            if gone is not None:
                # Of the unnamed one a later one may have taken the place; under a name none could.
                pending.undo = lambda: flow.statements.update({name: gone if name else flow.statements.get("", gone)})
        else:
            closed = flow.portals.pop(name, None)
            if closed is not None:
                pending.undo = lambda: flow.portals.update({name: closed})
        flow.push(pending)

    def _sync(self, spot: Spot) -> None:
        flow = self._flow
        if flow.copying_in:
            return
        if flow.altered and not flow.in_block:
            self.sync(spot)
            return
        flow.skipping = False
        flow.queue.append(_SYNC)

    def _flush(self, spot: Spot) -> None:
        """Not answered."""

    def _copy_end(self, spot: Spot) -> None:
        flow = self._flow
        if flow.copying_in:
            flow.copying_in = False
        elif flow.queue:
            flow.push(Pending(Kind.COPY_END))

    def _terminate(self, spot: Spot) -> None:
        self._forward(spot.end)
        self._flow.commands.append(Close(""))
        self._flow.state = State.CLOSED

    def _password(self, spot: Spot) -> None:
        raise BrokenStreamError("a password where none was asked for")
