"""The way of the client's messages to the server: forwarded as they came, replaced, refused, or made to wait.

What each kind of message means is `client_side.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import refusals
from penstock_sidecar.session.commands import AwaitCatalog, AwaitRules, Command, Decider, Deliberate, RefreshCatalog
from penstock_sidecar.session.durability import is_sent_when_recorded
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, AwaitingDurability, NamesToCome, Pending, PreparedStatement
from penstock_sidecar.session.parameter_values import MOST
from penstock_sidecar.session.states import RUNNING, State
from penstock_sidecar.session.transactions import CONTROL
from penstock_sidecar.session.withholding import still_holds
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import FROM_CLIENT, PREFIX, BrokenStreamError, Scanner, Spot
from penstock_sidecar.wire.messages import ErrorFields, MalformedError

# Messages that the server does not skip after an error in the extended protocol.
_NEVER_SKIPPED = frozenset(b"SXcf")
# Messages that something is decided for.
_DECIDED = frozenset(b"QPBEF")
# What may come while the server takes COPY data. It takes anything else for an error in the data, and forgets it.
_WHILE_COPYING = frozenset(b"SXcfH")
# It is answered by no row, so that it can't run in a portal.
FUNCTION_CALL = ord("F")


class ClientPipeline(ABC):
    """Takes the client's bytes apart, and each message to where it goes."""

    def __init__(self, flow: Flow, nobody: str, limit: int) -> None:
        self._flow = flow
        # No client can have a statement or portal of this name.
        self._nobody = nobody
        self._limit = limit
        self._scanner = Scanner(FROM_CLIENT, limit=limit)
        self._chunk = b""
        self._spots: list[Spot] = []
        self._next = 0
        # chunk[:start] is dealt with.
        self._start = 0
        self._waiting: list[bytes] = []
        # How much of it there is.
        self.waiting = 0
        self.awaiting_durability: AwaitingDurability | None = None
        # What waited for the catalog waited in vain.
        self._shut_out = False
        # The text that is decided again once the catalog was read.
        self._refreshed = ""
        # What is decided while others go on, and by whom.
        self._deliberated: tuple[str, Decider] | None = None
        # The server is to be asked for answers once the message that is passing has gone through.
        self._flush_due = False
        # A Query to be ended then.
        self._ending: Pending | None = None

    @abstractmethod
    def _handle(self, spot: Spot) -> None:
        """One message. Raises as `receive`."""

    def receive(self, data: bytes) -> None:
        """Bytes from the client, at any time. Raises BrokenStreamError and MalformedError."""
        if self._flow.state is not RUNNING:
            self._waiting.append(data)
            self.waiting += len(data)
            return
        self._chunk, self._spots = self._scanner.scan(data)
        self._next = self._start = 0
        self._work()

    def resume(self) -> None:
        """Go on after a wait, with what came meanwhile. Raises as `receive`."""
        self._work()
        while self._waiting and self._flow.state is RUNNING:
            data = self._waiting.pop(0)
            self.waiting -= len(data)
            self.receive(data)

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
            if not flow.rules.ready and spot.kind in _DECIDED and self._await_rules(spot):
                break
            self._handle(spot)
            if flow.state is not RUNNING:
                break
        else:
            self._forward(len(self._chunk))
            self._chunk, self._spots, self._next, self._start = b"", [], 0, 0
        if self._ending is not None and flow.state is RUNNING and not self._scanner.passing:
            ending, self._ending = self._ending, None
            self._end_query(ending)
        if self._flush_due:
            self.flush()

    def look_far(self, far: bool) -> None:
        """Gather so much of each Bind as is recorded in an emergency; or no more than is looked at."""
        self._scanner.prefix = MOST if far else PREFIX

    def flush(self) -> None:
        """Have the server answer what was sent: now, or when the message that is passing has gone through."""
        # Where messages wait, what was sent ends with one.
        self._flush_due = self._flow.state is RUNNING and self._scanner.passing
        if not self._flush_due:
            self._flow.to_server.append(messages.FLUSH)

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

    def _decide(self, spot: Spot, raw: bytes, types: tuple[int, ...] = ()) -> tuple[str, Decision | None]:
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
        decided = flow.decide(text, types)
        admitted = None if self._defer(spot, decided, text, types) else self._admit(spot, decided)
        if admitted is None:
            return text, None
        decision, denial = admitted, admitted.denial
        if denial is not None and denial.unknown_names and decision.action is Action.DENY and self._refreshed != text:
            self._refreshed = text
            self._wait_before(spot, RefreshCatalog())
            return text, None
        self._refreshed = ""
        return text, flow.refused_by_name(decision) or decision

    def _admit(self, spot: Spot, decision: Decision) -> Decision | None:
        """The decision if it may stand, since the catalog is fresh; else what refuses it, or None where it has to wait.

        What only ends or begins transactions means the same by any catalog, and a change may wait for it.
        """
        flow = self._flow
        if not flow.rules.masked or (decision.verbs and CONTROL.issuperset(decision.verbs)):
            return decision
        if flow.doubtful:
            flow.doubtful = False
            self._wait_before(spot, RefreshCatalog())
            return None
        if flow.door.open:
            flow.go_inside()
            return decision
        if self._shut_out:
            self._shut_out = False
            return refusals.CATALOG_CHANGING
        self._wait_before(spot, AwaitCatalog())
        return None

    def _defer(self, spot: Spot, decision: Decision, text: str, types: tuple[int, ...]) -> bool:
        """Whether the message has to wait until its text, too large to be decided about at once, is. It waits once."""
        denial, decider = decision.denial, self._flow.rules.decider
        before, self._deliberated = self._deliberated, None
        again = before is not None and before[0] == text and before[1] is decider
        if denial is None or not denial.deferred or again:
            return False
        self._deliberated = (text, decider)
        self._wait_before(spot, Deliberate(decider, self._flow.question(text, types)))
        return True

    def _await_rules(self, spot: Spot) -> bool:
        """Whether the message has to wait until there is what it is decided by; not if it waited in vain."""
        if self._shut_out:
            self._shut_out = False
            return False
        self._wait_before(spot, AwaitRules())
        return True

    def _flush_for_others(self) -> None:
        """A change of the catalog may wait for what was sent, which the server answers only when it is asked to."""
        flow = self._flow
        if flow.queue and not flow.door.open and not flow.door.closed_by(flow):
            self.flush()

    def resolved(self, fresh: bool) -> None:
        """The catalog was read, or could not be. Raises as `receive`."""
        self._shut_out = not fresh
        self.resume()

    def _wait_before(self, spot: Spot, command: Command) -> None:
        """Deal with that message again when the command is answered."""
        self._forward(spot.start)
        self._next -= 1
        self._flow.enter(State.RESOLVING)
        self._flow.commands.append(command)
        self._flush_for_others()

    def _own(self, denial: Decision, text: str) -> Decision:
        """What becomes of a text that nothing but the session itself refuses."""
        if not self._flow.rules.observing:
            return denial
        self._flow.former.unvetted = True
        return refusals.observed(denial, text)

    def _refuse(self, spot: Spot, decision: Decision, text: str, pending: Pending, failing: bytes) -> None:
        """Send a statement that must fail in the refused one's place, and record the denial."""
        denial = decision.denial
        if denial is None:
            raise MalformedError("a denial without a reason")
        pending.denial = refusals.denied(denial, text)
        if self._flow.rules.askable and denial.sqlstate == "42501" and not decision.approvals:
            pending.denial = refusals.with_access(pending.denial, self._flow.rules.askable)
        protocol = "simple" if pending.kind is AnswerKind.QUERY else "extended"
        pending.running = self._flow.begin(decision, text, protocol, None)
        pending.running.denied = True
        self._flow.push(pending)
        self._replace(spot, failing)

    def _start_statement(
        self, spot: Spot, pending: Pending, decision: Decision, text: str,
        parameters: int | None = None, replacement: bytes | None = None, given: bytes | None = None,
    ) -> None:  # fmt: skip
        """Record the intent; send the message, as it came or what replaces it, now or when the intent is durable.

        An Execute whose statement was recorded when it was bound runs under that intent.
        """
        flow = self._flow
        pending.decision, pending.text = decision, text
        blocks = flow.rules.on_failure == "block"
        running = pending.running
        if running is not None and running.durable >= blocks:
            self._send(spot, pending, replacement, decision)
            return
        if running is not None:
            # Nothing that has to be recorded durably waited for the intent of the Bind.
            flow.finish(running, "unexecuted")
        protocol = "simple" if pending.kind is AnswerKind.QUERY else "extended"
        pending.running = flow.begin(decision, text, protocol, parameters, given)
        if blocks:
            if is_sent_when_recorded(flow, decision):
                flow.report = True
                self._forward(spot.start)
                self.awaiting_durability = AwaitingDurability(
                    flow.ticket, spot, pending, replacement, decision, flow.epoch
                )  # fmt: skip
                flow.recording = pending
                flow.enter(State.RECORDING)
                return
            flow.await_record(at_once=decision.writes)
        self._send(spot, pending, replacement, decision)

    def _send(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> None:
        flow = self._flow
        if pending.kind not in (AnswerKind.QUERY, AnswerKind.EXECUTE):
            self._send_ahead(spot, pending, replacement, decision)
            return
        flow.sent += 1
        running = pending.running
        if running is not None and (decision.prepares or decision.deallocates or decision.closes or decision.declares):
            declared = [name for name, _ in decision.declares]
            running.names = NamesToCome(
                list(decision.prepares), list(decision.deallocates), list(decision.closes), declared
            )
        if (flow.altered or flow.may_change(decision)) and self._changes(spot, pending, replacement, decision):
            return
        if self.counts(spot, decision):
            self._send_counted(spot, pending, decision)
        else:
            self._send_now(spot, pending, replacement, decision)

    def _send_ahead(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> None:
        """What does not carry out what was decided about, but may run code on the way."""
        flow = self._flow
        flow.former.unvetted |= decision.observed is Action.DENY
        portal = pending.opens
        if portal is not None and portal.statement.on_server != portal.decision.text:
            self._parse_again(spot, portal.statement)
        flow.push(pending)
        if replacement is not None:
            self._replace(spot, replacement)

    def _send_now(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> None:
        self._flow.push(pending, decision)
        if replacement is not None:
            self._replace(spot, replacement)
        if spot.complete and (unsettles(decision) or self._flow.contexts.may_end(decision)):
            self._settle(spot, pending)

    def _parse_again(self, spot: Spot, statement: PreparedStatement) -> None:
        """Before a Bind: prepare the statement anew as it is decided now, without the client noticing."""
        flow = self._flow

        def undo(_: bool) -> None:
            statement.on_server = None

        self._forward(spot.start)
        if statement.name and statement.on_server is not None:
            flow.push(Pending(AnswerKind.CLOSE, swallow=True, undo=undo))
            flow.to_server.append(messages.close_statement(statement.name))
        flow.push(Pending(AnswerKind.PARSE, swallow=True, redact=statement.decision.redact_errors, undo=undo))
        flow.to_server.append(messages.parse(statement.name, statement.decision.text, statement.oids))
        statement.on_server = statement.decision.text

    def _settle(self, spot: Spot, pending: Pending) -> None:
        """What comes behind is decided by what that one does: it waits until the server has said so."""
        flow = self._flow
        if self._start < spot.end:
            self._forward(spot.end)
        if pending.kind is AnswerKind.EXECUTE:
            # Without it, the server would keep the answer until the client's next Sync.
            flow.to_server.append(messages.FLUSH)
        flow.settling = pending
        flow.enter(State.SETTLING)

    def settled(self) -> None:
        """What was waited for is answered, or needs what the client sends. Raises as `receive`."""
        self._flow.enter(State.RUNNING)
        self.resume()

    # Statements that are counted: `counted_pipeline.py`.

    @abstractmethod
    def counts(self, spot: Spot, decision: Decision) -> bool:
        """Whether something of it is counted while it runs."""

    @abstractmethod
    def _send_counted(self, spot: Spot, pending: Pending, decision: Decision) -> None:
        """Send it so that the server stops at the limit."""

    # Changes of the catalog: `changes.py`.

    @abstractmethod
    def _changes(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> bool:
        """Whether the statement has to go another way, since it may change the catalog, or commit what did."""

    @abstractmethod
    def _end_query(self, query: Pending) -> None:
        """End the Query that ran in a portal."""

    def _send_failing(self, spot: Spot, pending: Pending, error: ErrorFields) -> None:
        """Send what must fail in its place."""
        pending.denial = error
        if pending.running is not None:
            pending.running.denied = True
        if pending.opens is not None:
            self._flow.forget(pending.opens)
        match pending.kind:
            case AnswerKind.QUERY:
                pending.expected, failing = refusals.UNDEFINED_COLUMN, refusals.FAILING_QUERY
            case AnswerKind.PARSE:
                name, _ = messages.read_text(self._chunk[spot.start + 5 : spot.end], 0)
                pending.expected, failing = refusals.UNDEFINED_COLUMN, messages.parse(name, refusals.FAILING_TEXT)
            case AnswerKind.DESCRIBE:
                pending.expected, failing = refusals.UNDEFINED_STATEMENT, messages.describe_statement(self._nobody)
            case AnswerKind.BIND:
                pending.expected, failing = refusals.UNDEFINED_STATEMENT, messages.bind("", self._nobody)
            case _:
                pending.expected, failing = refusals.UNDEFINED_PORTAL, messages.execute(self._nobody)
        self._flow.push(pending)
        self._replace(spot, failing)

    def release(self, refusal: str = "") -> None:
        """The held statement's intent is durable; or it could not be written, and the statement fails."""
        held = self.awaiting_durability
        if held is None:
            return
        self.awaiting_durability = self._flow.recording = None
        self._flow.enter(State.RUNNING)
        if self._flow.skipping:
            # What was sent before it failed meanwhile: the server would skip it.
            self._replace(held.spot, b"")
            self._flow.skip(held.pending, recorded=not refusal)
        elif refusal:
            held.pending.running = None
            self._send_failing(held.spot, held.pending, refusals.unrecorded(refusal))
        elif held.epoch != self._flow.epoch and not still_holds(self._flow, held.pending, held.decision):
            # However long the disk took: it goes by the rules of now, as if it had come just now.
            if held.pending.running is not None:
                self._flow.finish(held.pending.running, "unexecuted")
            self._flow.skip(held.pending, recorded=True)
            self._next -= 1
        else:
            self._send(held.spot, held.pending, held.replacement, held.decision)
        if self._flow.state is RUNNING:
            self.resume()
        if self._flow.state is RUNNING:
            self._flush_for_others()


def unsettles(decision: Decision) -> bool:
    """Whether something that later messages are decided by changes, or not, with the statement's success."""
    ended = decision.deallocates or decision.closes or decision.drops_temporary or decision.drops_tables
    return bool(ended or decision.temporary or decision.makes or decision.unmakes)
