"""What becomes of each message from the client while a session runs: forwarded, rewritten, refused, or made to wait.

The server's answers are `server_side.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import fastpath, refusals
from penstock_sidecar.session.commands import Close, RefreshCatalog
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.pending import Kind, Pending, Portal, Statement
from penstock_sidecar.session.states import State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import FROM_CLIENT, BrokenStreamError, Scanner, Spot
from penstock_sidecar.wire.messages import ErrorFields, MalformedError, read_text

# Messages that the server does not skip after an error in the extended protocol.
_NEVER_SKIPPED = frozenset(b"SXcf")
# What may come while the server takes COPY data. It takes anything else for an error in the data, and forgets it.
_WHILE_COPYING = frozenset(b"SXcfH")


@dataclass(slots=True)
class Held:
    """A statement that waits for its intent to become durable."""

    ticket: int
    spot: Spot
    pending: Pending
    # What to send for it; None: as it came.
    replacement: bytes | None
    decision: Decision


# Of these nothing is ever noted, so that one entry serves all.
_BIND, _DESCRIBE, _SYNC = Pending(Kind.BIND), Pending(Kind.DESCRIBE), Pending(Kind.SYNC)


class ClientSide:
    """The direction from client to server."""

    def __init__(self, flow: Flow, nonce: str, limit: int) -> None:
        self._flow = flow
        # No client can have a statement or portal of this name.
        self._nobody = f"penstock_{nonce}"
        self._limit = limit
        self._scanner = Scanner(FROM_CLIENT, limit=limit)
        self._chunk = b""
        self._spots: list[Spot] = []
        self._next = 0
        # chunk[:start] is dealt with.
        self._start = 0
        self._waiting: list[bytes] = []
        self.held: Held | None = None
        # The text that is decided again once the catalog was read.
        self._refreshed = ""
        self._handlers: dict[int, Callable[[Spot], None]] = {
            ord("Q"): self._query, ord("P"): self._parse, ord("B"): self._bind, ord("E"): self._execute,
            ord("D"): self._describe, ord("C"): self._close, ord("S"): self._sync, ord("H"): self._flush,
            ord("c"): self._copy_end, ord("f"): self._copy_end, ord("F"): self._function_call,
            ord("X"): self._terminate, ord("p"): self._password,
        }  # fmt: skip

    def receive(self, data: bytes) -> None:
        """Bytes from the client, at any time. Raises BrokenStreamError and MalformedError."""
        if self._flow.state is not State.RUNNING:
            self._waiting.append(data)
            return
        self._chunk, self._spots = self._scanner.scan(data)
        self._next = self._start = 0
        self._work()

    def resume(self) -> None:
        """Go on after a wait, with what came meanwhile. Raises as `receive`."""
        self._work()
        while self._waiting and self._flow.state is State.RUNNING:
            self.receive(self._waiting.pop(0))

    def _work(self) -> None:
        flow = self._flow
        while self._next < len(self._spots):
            spot = self._spots[self._next]
            self._next += 1
            if flow.skipping and spot.kind not in _NEVER_SKIPPED:
                self._replace(spot, b"")
                continue
            if flow.copying_in and spot.kind not in _WHILE_COPYING:
                raise BrokenStreamError("a statement where COPY data is due")
            self._handlers[spot.kind](spot)
            if flow.state is not State.RUNNING:
                return
        self._forward(len(self._chunk))
        self._chunk, self._spots, self._next, self._start = b"", [], 0, 0

    def _forward(self, end: int) -> None:
        if end > self._start:
            chunk = self._chunk
            whole = self._start == 0 and end == len(chunk)
            self._flow.to_server.append(chunk if whole else chunk[self._start : end])
            self._start = end

    def _replace(self, spot: Spot, data: bytes) -> None:
        self._forward(spot.start)
        if data:
            self._flow.to_server.append(data)
        self._start = spot.end
        if not spot.complete:
            self._scanner.drop_rest()

    # Deciding.

    def _decide(self, spot: Spot, raw: bytes) -> tuple[str, Decision | None]:
        """The text and its decision, or None where it has to wait for a fresh catalog."""
        flow = self._flow
        if not spot.complete:
            decision = self._own(refusals.too_long(self._limit), "")
            if decision.action is Action.ALLOW:
                self._scanner.keep_rest()
            return "", decision
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode(errors="surrogateescape")
            return text, self._own(refusals.NOT_UTF8, text)
        decision = flow.decide(text)
        denial = decision.denial
        if denial is not None and denial.unknown_names and decision.action is Action.DENY and self._refreshed != text:
            self._refreshed = text
            self._forward(spot.start)
            self._next -= 1
            flow.state = State.RESOLVING
            flow.commands.append(RefreshCatalog())
            return text, None
        self._refreshed = ""
        if flow.runs_stale_object(decision):
            return text, refusals.STALE_SQL_OBJECT
        return text, decision

    def _own(self, denial: Decision, text: str) -> Decision:
        """What becomes of a text that nothing but the session itself refuses."""
        if not self._flow.rules.observing:
            return denial
        self._flow.unvetted = True
        return refusals.observed(denial, text)

    def _refuse(self, spot: Spot, decision: Decision, text: str, pending: Pending, failing: bytes) -> None:
        """Send a statement that must fail in the refused one's place, and record the denial."""
        denial = decision.denial
        if denial is None:
            raise MalformedError("a denial without a reason")
        pending.denial = refusals.denied(denial)
        protocol = "simple" if pending.kind is Kind.QUERY else "extended"
        pending.running = self._flow.begin(decision, text, protocol, None)
        pending.running.denied = True
        self._flow.push(pending)
        self._replace(spot, failing)

    def _start_statement(
        self, spot: Spot, pending: Pending, decision: Decision, text: str,
        parameters: int | None = None, replacement: bytes | None = None,
    ) -> None:  # fmt: skip
        """Record the intent; send the statement, as it came or what replaces it, now or when the intent is durable."""
        flow = self._flow
        protocol = "simple" if pending.kind is Kind.QUERY else "extended"
        pending.running = running = flow.begin(decision, text, protocol, parameters)
        if decision.deallocates or decision.closes:
            running.deallocates, running.closes = list(decision.deallocates), list(decision.closes)
        if flow.rules.on_failure == "block":
            flow.report = True
            # While the trail refuses, reads wait too: nothing runs that may turn out unrecorded.
            if decision.writes or flow.trail.refusal:
                self._forward(spot.start)
                self.held = Held(flow.ticket, spot, pending, replacement, decision)
                flow.state = State.RECORDING
                return
            flow.awaited = flow.ticket
        flow.push(pending, decision)
        if replacement is not None:
            self._replace(spot, replacement)

    def _send(self, held: Held) -> None:
        self._flow.push(held.pending, held.decision)
        if held.replacement is not None:
            self._replace(held.spot, held.replacement)

    def _fail(self, held: Held, reason: str) -> None:
        """Send what must fail in its place."""
        pending = held.pending
        pending.denial = refusals.unrecorded(reason)
        pending.running = None
        simple = pending.kind is Kind.QUERY
        pending.expected = refusals.UNDEFINED_COLUMN if simple else refusals.UNDEFINED_PORTAL
        self._flow.push(pending)
        self._replace(held.spot, refusals.FAILING_QUERY if simple else messages.execute(self._nobody))

    def release(self, refusal: str = "") -> None:
        """The held statement's intent is durable; or it could not be written, and the statement fails."""
        held = self.held
        if held is None:
            return
        self.held = None
        self._flow.state = State.RUNNING
        if self._flow.skipping:
            # What was sent before it failed meanwhile: the server would skip it.
            self._replace(held.spot, b"")
            if held.pending.running is not None and not refusal:
                self._flow.finish(held.pending.running, "error", 0)
        elif refusal:
            self._fail(held, refusal)
        else:
            self._send(held)
        self.resume()

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
        decision = self._flow.decide(text) if text else self._own(refusals.FUNCTION_CALL, "")
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
        previous = flow.statements.pop(name, None)
        if decision.action is Action.DENY:
            pending = Pending(Kind.PARSE, expected=refusals.UNDEFINED_COLUMN)
            pending.undo = self._restoring(name, previous)
            self._refuse(spot, decision, text, pending, messages.parse(name, refusals.FAILING_TEXT))
            return
        oids = body[end + 1 :]
        flow.statements[name] = Statement(name, text, oids, decision, flow.epoch, decision.text)
        flow.push(Pending(Kind.PARSE, redact=decision.redact_errors, undo=self._restoring(name, previous)))
        if decision.action is Action.REWRITE:
            self._replace(spot, messages.parse(name, decision.text, oids))

    def _restoring(self, name: str, previous: Statement | None) -> Callable[[], None]:
        """What a failed Parse leaves: the named statement that was there; of the unnamed one, nothing."""
        statements = self._flow.statements

        def undo() -> None:
            if name and previous is not None:
                statements[name] = previous
            else:
                statements.pop(name, None)

        return undo

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
        if statement.epoch != flow.epoch:
            decision = flow.decide(statement.text)
            if decision.action is Action.DENY:
                pending = Pending(Kind.BIND, expected=refusals.UNDEFINED_STATEMENT)
                self._refuse(spot, decision, statement.text, pending, messages.bind("", self._nobody))
                return
            statement.decision, statement.epoch = decision, flow.epoch
        if statement.on_server != statement.decision.text:
            self._parse_again(spot, statement)
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
        name, _ = read_text(self._chunk[spot.start + 5 : spot.end], 0)
        flow = self._flow
        portal = flow.portals.get(name)
        if portal is None:
            missing = f'portal "{name}" does not exist'
            self._fail_in_place(spot, Kind.EXECUTE, ErrorFields("ERROR", refusals.UNDEFINED_PORTAL, missing))
            return
        if portal.epoch != flow.epoch:
            decision = flow.decide(portal.statement.text)
            if decision.action is not Action.DENY and decision.text != portal.decision.text:
                decision = Decision(
                    Action.DENY, "", decision.verbs, decision.relations, (), decision.policies, decision.generation,
                    refusals.STALE_PORTAL, audit_text=decision.audit_text,
                )  # fmt: skip
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
                pending.undo = lambda: flow.statements.update({name: gone})
        else:
            closed = flow.portals.pop(name, None)
            if closed is not None:
                pending.undo = lambda: flow.portals.update({name: closed})
        flow.push(pending)

    def _sync(self, spot: Spot) -> None:
        flow = self._flow
        if flow.copying_in:
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
