"""What both directions of a running session share: what is in flight, by which rules, what is to be recorded and sent.

The directions themselves are `client_side.py` and `server_side.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from penstock_core.audit.event import Event
from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command, Rules, Trail
from penstock_sidecar.session.counting import Counted
from penstock_sidecar.session.evidence import Evidence, Result
from penstock_sidecar.session.kept import Kept
from penstock_sidecar.session.pending import Kind, Pending, Portal, Running, Statement
from penstock_sidecar.session.search_path import SearchPath
from penstock_sidecar.session.states import State
from penstock_sidecar.session.temporary_tables import TemporaryTables


class Flow:
    """The shared state of one session."""

    def __init__(self, trail: Trail, clock: Callable[[], int]) -> None:
        self.state = State.OPENING
        self.trail = trail
        self.clock = clock
        # What the next answer of the machine will hold.
        self.commands: list[Command] = []
        self.to_client: list[bytes] = []
        self.to_server: list[bytes] = []
        self.bodies: list[Event] = []
        # Whether the current batch of bodies is waited for.
        self.report = False
        self._ticket = 1
        # The last ticket that is durable, and the last that a statement's results wait for.
        self.durable = 0
        self.awaited = 0
        # Set once the session runs.
        self.rules: Rules = None  # type: ignore[assignment]  # replaced before the first statement
        self.evidence: Evidence | None = None
        self.epoch = 0
        self.path = SearchPath()
        self.temporary = TemporaryTables()
        self.queue: deque[Pending] = deque()
        self.statements: dict[str, Statement] = {}
        self.portals: dict[str, Portal] = {}
        self.kept = Kept()
        # The server skips what comes, until a Sync, after an error in the extended protocol.
        self.skipping = False
        # The statement whose rows are counted, while the client's messages wait for its end.
        self.counted: Counted | None = None
        # What changes something that later messages are decided by, while these wait for its answer.
        self.settling: Pending | None = None
        # The server takes COPY data; it ignores Syncs meanwhile.
        self.copying_in = False
        # The transaction status by the last ReadyForQuery.
        self.status = b"I"
        # Whether a transaction block is open, by what was answered so far.
        self.in_block = False
        # Since the last ReadyForQuery something failed, or a ROLLBACK was the last that was done.
        self.undone = False
        # A governed statement left something for the transaction's end, whose errors may tell of its data.
        self.left_for_commit = False
        # A statement that changed the schema succeeded; told at the end of the transaction.
        self.schema_changed = False
        # While nothing was enforced something ran that would be refused: it may have changed what texts mean.
        self.unvetted = False
        # The longest that any statement_timeout of the session may be, in milliseconds; None: it has no bound.
        self.longest: int | None = None
        self._numbers = 0
        # Bytes of the server's stream up to where the last statement ended.
        self.boundary = 0

    # What is recorded.

    @property
    def ticket(self) -> int:
        """The ticket of the batch that bodies go into now."""
        return self._ticket

    def record(self, body: Event) -> None:
        self.bodies.append(body)

    def begin(self, decision: Decision, text: str, protocol: str, parameters: int | None) -> Running:
        """Record a statement's intent."""
        self._numbers += 1
        if self.evidence is not None:
            self.bodies.append(self.evidence.intent(decision, text, self._numbers, protocol, parameters))
        return Running(self._numbers, self.clock(), durable=self.rules.on_failure == "block")

    def finish(self, running: Running, result: Result, size: int = 0) -> None:
        """Record a statement's outcome, once."""
        if running.ended:
            return
        running.ended = True
        if running.denied and result != "unknown":
            result = "denied"
        if self.evidence is not None:
            self.bodies.append(self.evidence.outcome(running, result, size, self.clock()))

    @property
    def held(self) -> bool:
        """Whether results have to wait for an intent to become durable."""
        return self.awaited > self.durable

    # What is in flight.

    def push(self, pending: Pending, decision: Decision | None = None) -> None:
        """A message that the server will answer is being sent; with the decision that it carries out, if it does."""
        self.queue.append(pending)
        if decision is None:
            return
        pending.redact = pending.redact or decision.redact_errors
        pending.moves_path = self.path.sent(decision)
        if decision.observed is Action.DENY:
            self.unvetted = True
        if decision.prepares or decision.declares:
            self.kept.made(decision, self.epoch)

    def pop(self) -> Pending:
        """The head's answer is complete."""
        head = self.queue.popleft()
        decision = head.decision if head.kind in (Kind.QUERY, Kind.EXECUTE) else None
        if head.moves_path:
            self.path.answered(decision)
        if decision is not None:
            if decision.temporary:
                self.temporary.made(decision, failed=head.running is not None and bool(head.running.sqlstate))
            if _lasts(decision):
                self.left_for_commit = True
        while self.queue and self.queue[0].kind is Kind.COPY_END:
            self.queue.popleft()
        return head

    def fail(self, sqlstate: str) -> None:
        """The head failed in the extended protocol: it and all up to the next Sync are done with."""
        self.copying_in = False
        failed: list[Pending] = []
        while self.queue and self.queue[0].kind is not Kind.SYNC:
            failed.append(self.queue.popleft())
        self.skipping = not self.queue
        if self.counted is not None and not self.counting:
            self.counted.skipped = not self.counted.owns(failed[0])
        for place, pending in enumerate(failed):
            if place and pending.kind is failed[0].kind:
                break
            # A Bind that fails fails the Execute that was to follow it.
            if pending.running is not None:
                pending.running.sqlstate = sqlstate
                break
        self.undone = True
        for pending in failed:
            if pending.moves_path:
                self.path.answered(None)
            self._end(pending)
        for pending in reversed(failed):
            if pending.undo is not None:
                pending.undo(pending is not failed[0])

    def _end(self, pending: Pending) -> None:
        """Nothing came of a message: the outcomes of what it was for."""
        if pending.running is not None:
            self.finish(pending.running, "error")
        if pending.drops is not None:
            self.finish(pending.drops, "unexecuted")
        if pending.opens is not None:
            self.forget(pending.opens)

    def skip(self, pending: Pending, recorded: bool) -> None:
        """A message is not sent, since the server would skip it; `recorded`: the intent of its statement is."""
        if not recorded:
            pending.running = None
        self._end(pending)
        if pending.undo is not None:
            pending.undo(True)

    def forget(self, portal: Portal) -> None:
        """A portal was not opened after all."""
        if self.portals.get(portal.name) is portal:
            del self.portals[portal.name]

    def abandon(self) -> None:
        """Nobody will learn what came of what is in flight, nor execute what is bound."""
        for pending in self.queue:
            if pending.running is not None:
                self.finish(pending.running, "unknown")
            if pending.drops is not None:
                self.finish(pending.drops, "unexecuted")
        self.queue.clear()
        for portal in self.portals.values():
            if portal.running is not None:
                self.finish(portal.running, "unexecuted")

    def transaction_ended(self) -> None:
        """No transaction is open, and with it all portals are gone that were opened in it."""
        self.left_for_commit = False
        self.temporary.transaction_ended(self.undone)
        for name, portal in list(self.portals.items()):
            if portal.open:
                running = portal.take()
                if running is not None:
                    self.finish(running, "unexecuted")
                del self.portals[name]

    def decide(self, text: str, types: tuple[int, ...] = ()) -> Decision:
        """What becomes of a text in this session, as it stands, with parameters of these types."""
        return self.rules.decider.decide(text, self.path.now, self.temporary.names, types)

    def runs_stale_object(self, decision: Decision) -> bool:
        """Whether the statement runs what was made under an older policy and is not decided anew."""
        return self.kept.runs_stale(decision, self.statements, self.portals)

    def replace_rules(self, rules: Rules) -> None:
        """Decide by these rules from now on."""
        if rules.policy != self.rules.policy:
            self.kept.policy_changed(self.epoch + 1)
        self.rules = rules
        self.path.replace_default(rules.search_path)
        self.epoch += 1

    @property
    def outlasts(self) -> bool:
        """Whether the session's statements may run longer than the rules let them."""
        limit = self.rules.statement_timeout
        return limit is not None and (self.longest is None or self.longest > limit)

    @property
    def settled(self) -> bool:
        """Whether later messages need not wait any more for what they are decided by."""
        return self.copying_in or not (self.queue and self.queue[-1] is self.settling)

    @property
    def counting(self) -> bool:
        """Whether the statement whose rows are counted is not answered yet."""
        counted = self.counted
        return counted is not None and any(pending is counted.pending for pending in self.queue)

    # What is answered.

    def take(self) -> list[Command]:
        """The commands so far: records first, so that nothing is sent before its intent was handed over."""
        taken = self.commands
        self.commands = []
        sends: list[Command] = []
        if self.bodies:
            sends.append(commands.Record(self._ticket, self.bodies, self.report))
            self.bodies = []
            self.report = False
            self._ticket += 1
        if self.to_server:
            data = self.to_server[0] if len(self.to_server) == 1 else b"".join(self.to_server)
            sends.append(commands.ToServer(data))
            self.to_server = []
        if self.to_client:
            data = self.to_client[0] if len(self.to_client) == 1 else b"".join(self.to_client)
            sends.append(commands.ToClient(data))
            self.to_client = []
        return sends + taken if taken else sends


def _lasts(decision: Decision) -> bool:
    """Whether a governed statement leaves something for COMMIT: deferred constraints, or rows of a held cursor."""
    return decision.redact_errors and (decision.writes or any(holds for _, holds in decision.declares))
