"""What both directions of a running session share: what is in flight, by which rules, what is to be recorded and sent.

The directions themselves are `client_side.py` and `server_side.py`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import replace

from penstock_core.audit.event import Event
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.shared_decisions import Question
from penstock_sidecar.session import access_wish, commands, in_flight, refusals
from penstock_sidecar.session.commands import SessionRules, Trail
from penstock_sidecar.session.contexts import Contexts
from penstock_sidecar.session.counting import Counted
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.evidence import Evidence, Result
from penstock_sidecar.session.former_rules import FormerRules
from penstock_sidecar.session.held_questions import Questions
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, PreparedStatement, StatementRun, lasts
from penstock_sidecar.session.kept_names import ByKeptName
from penstock_sidecar.session.outgoing import Outgoing
from penstock_sidecar.session.search_path import SearchPath
from penstock_sidecar.session.sql_prepared import SqlPrepared
from penstock_sidecar.session.states import State
from penstock_sidecar.session.surroundings import Surroundings
from penstock_sidecar.session.temporary_tables import TemporaryTables
from penstock_sidecar.session.transactions import CONTROL, Transactions
from penstock_sidecar.wire.messages import ErrorFields

_NOT_RUN: frozenset[Result] = frozenset({"unexecuted", "skipped"})


class Flow(Outgoing):
    """The shared state of one session that runs."""

    # For the compiler: what ended gives them up.
    __deletable__ = ("rules",)

    def __init__(self, rules: SessionRules, trail: Trail, clock: Callable[[], int], door: Door) -> None:
        super().__init__(State.CONNECTING)
        self.rules = rules
        self.trail = trail
        self.clock = clock
        self.evidence: Evidence | None = None
        self.epoch = 0
        self.path = SearchPath()
        self.surroundings = Surroundings()
        self.temporary = TemporaryTables(self._renew)
        self.statements: MutableMapping[str, PreparedStatement] = ByKeptName()
        self.portals: MutableMapping[str, Portal] = ByKeptName()
        self.sql_prepared = SqlPrepared()
        # The server skips what comes, until a Sync, after an error in the extended protocol.
        self.skipping = False
        # What is sent once its intent is durable.
        self.recording: Pending | None = None
        # What the server is asked about a statement that is held, until it has answered.
        self.asked: Questions | None = None
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
        # A governed statement left something for the transaction's end, whose errors may tell (or do as one SQLSTATE).
        self.left_for_commit, self.mixed_for_commit = False, ""
        self._begin_unchanged(door)
        self.former = FormerRules()
        self.transactions = Transactions()
        # For whom the open transaction is, where a context says so.
        self.contexts = Contexts(self)
        self._policy_changed = False
        # Something ran of which nobody knows what it made: it may have changed the search_path, too.
        self._ran_unread = False
        # How many statements have an intent, and how many were sent to be carried out.
        self.told, self.sent = 0, 0
        # Bytes of the server's stream up to where the last statement ended.
        self.boundary = 0

    def _begin_unchanged(self, door: Door) -> None:
        """What is known of changes of the catalog, by this session and by others."""
        # What all sessions of the gate share, so that none decides by an older catalog than another has committed.
        self.door = door
        # Whether what the server answers is held back; whether it was told to cancel a statement for a change's sake.
        self.doubted = False
        self.recalled = False
        # What the server answers up to that many ReadyForQuery is not for the client: it gets this error before each.
        self.withheld: ErrorFields | None = None
        self.withheld_up_to = 0
        # The server did not know a name that the catalog knows.
        self.doubtful = False
        # A statement of this session is decided by the present catalog, and not answered.
        self.inside = False
        # Something that may change the catalog was sent, and its transaction has not ended.
        self.altered = False
        # Transaction control was sent since the last ReadyForQuery, so that `status` may be another by now.
        self.unsure = False
        # Something was bound or executed that the next Sync ends.
        self.unsynced = False
        # Its answer tells that a change of the catalog took effect, or did not.
        self.committing: Pending | None = None

    # What is recorded.

    def begin(
        self, decision: Decision, text: str, protocol: str, parameters: int | None, given: bytes | None = None
    ) -> StatementRun:
        """Record the intents of a text's statements; the first. `given`: values of parameters to be recorded."""
        self._ran_unread |= decision.changes_search_path or decision.observed is Action.DENY
        # It may be sent when the access by which it was decided is over.
        self.former.access.used(self.rules.access)
        if protocol == "simple" and len(decision.parts) > 1:
            # Only a Query may hold several statements.
            parts = range(len(decision.parts))
            first, *following = (self._begin(decision, text, protocol, parameters, given, part) for part in parts)
            first.following = following
            return first
        return self._begin(decision, text, protocol, parameters, given)

    def _begin(
        self, decision: Decision, text: str, protocol: str, parameters: int | None, given: bytes | None, part: int = 0
    ) -> StatementRun:
        self.told += 1
        intent: Event | None = None
        if self.evidence is not None:
            self.evidence.decided_by(self.rules.generation, self.rules.access)
            recorded = self.sql_prepared.recorded(decision, self)
            intent = self.evidence.intent(recorded, text, self.told, protocol, parameters, given, part)
            self.bodies.append(intent)
        return StatementRun(self.told, self.clock(), durable=self.rules.on_failure == "block", intent=intent)

    def tells(self, running: StatementRun, decision: Decision, portal: Portal) -> bool:
        """Whether the intent of a portal's Bind says, word for word, what that of its Execute would."""
        if self.evidence is None:
            return True
        self.evidence.decided_by(self.rules.generation, self.rules.access)
        recorded, text, number = self.sql_prepared.recorded(decision, self), portal.statement.text, running.number
        said = self.evidence.intent(recorded, text, number, "extended", portal.parameters, portal.told)
        return running.intent == said

    def finish(self, running: StatementRun, result: Result, size: int = 0) -> None:
        """Record a statement's outcome, once; and with it those of the same text that it kept from being run."""
        if running.ended:
            return
        running.ended = True
        if running.denied and result != "unknown":
            result = "denied"
        if not (result in _NOT_RUN or running.transaction or running.unsent):
            running.transaction = self.transactions.ran(ok=result == "ok", failed=result in ("error", "denied"))
        if self.evidence is not None:
            self.bodies.append(self.evidence.outcome(running, result, size, self.clock()))
            if self.transactions.ended:
                self.record_ends()
        for one in running.following or ():
            self.finish(one, "unknown" if result == "unknown" else "skipped")

    def record_ends(self) -> None:
        """Record how transactions ended."""
        ended, self.transactions.ended = self.transactions.ended, []
        if self.evidence is not None:
            self.bodies += [self.evidence.transaction(one) for one in ended]

    # What is in flight.

    def push(self, pending: Pending, decision: Decision | None = None) -> None:
        """A message that the server will answer is being sent; with the decision that it carries out, if it does."""
        self.queue.append(pending)
        self.former.access.used(self.rules.access)
        if decision is None:
            return
        pending.redact = pending.redact or decision.redact_errors
        pending.mixed = decision.mixed_errors or self.sql_prepared.mixed(decision, self)
        pending.moves_path = self.path.sent(decision)
        self.former.sent(decision)
        self.changes_surroundings(decision)
        self.contexts.sent(decision)
        if decision.prepares or decision.declares:
            number = pending.running.number if pending.running is not None else 0
            now = self.surroundings.now
            self.sql_prepared.made(decision, self.epoch, pending.types, self.path.now, number, now)
        if not CONTROL.isdisjoint(decision.verbs):
            self.unsure = True

    def changes_surroundings(self, decision: Decision) -> None:
        """A text is about to run, or to be planned, and may change what others mean."""
        by_name = decision.holding is not None and (decision.executes or decision.fetches)
        self.surroundings.sent(decision, self.sql_prepared.holdings(decision, self) if by_name else ())

    def pop(self) -> Pending:
        """The head's answer is complete."""
        head = self.queue.popleft()
        decision = head.decision if head.kind in (AnswerKind.QUERY, AnswerKind.EXECUTE) else None
        if head.moves_path:
            self.path.answered(decision)
            self.temporary.path_changed()
        if decision is not None:
            if decision.temporary or decision.makes or decision.unmakes:
                self.temporary.made(decision, failed=head.running is not None and bool(head.running.sqlstate))
            if lasts(decision):
                self.left_for_commit, self.mixed_for_commit = True, self.mixed_for_commit or head.mixed
        while self.queue and self.queue[0].kind is AnswerKind.COPY_END:
            self.queue.popleft()
        return head

    def fail(self, sqlstate: str, size: int) -> None:
        """The head failed in the extended protocol, `size` bytes behind the last: all up to the next Sync is done."""
        self.copying_in = False
        failed: list[Pending] = []
        while self.queue and self.queue[0].kind is not AnswerKind.SYNC:
            failed.append(self.queue.popleft())
        self.skipping = not self.queue
        if self.asked is not None and self.asked.owns(failed[0]):
            self.asked.fail(sqlstate)
        if self.counted is not None and not self.counting:
            self.counted.skipped = not self.counted.owns(failed[0])
        waiting = () if self.recording is None else (self.recording,)
        if (running := in_flight.run_by((*failed, *waiting))) is not None:
            running.sqlstate = sqlstate
        elif (asked := failed[0].makes) is not None:
            self._never_bound(asked, sqlstate, size)
            size = 0
        elif not failed[0].swallow:
            self.transactions.failed(sqlstate)
        for pending in failed:
            if pending.moves_path:
                self.path.answered(None)
            self._end(pending, size)
            size = 0
        for pending in reversed(failed):
            if pending.undo is not None:
                pending.undo(pending is not failed[0])

    def _never_bound(self, statement: PreparedStatement, sqlstate: str, size: int) -> None:
        """The server was asked about a statement that nothing else tells of, and it failed."""
        failed = self.begin(statement.decision, statement.text, "extended", None)
        failed.sqlstate = sqlstate
        self.finish(failed, "error", size)

    def _end(self, pending: Pending, size: int = 0) -> None:
        """Nothing came of a message: the outcomes of what it was for. Without an error of its own it never ran."""
        running = pending.running
        if running is not None:
            self.finish(running, "error" if running.sqlstate else "skipped", size)
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

    def abandon(self, delivered: int = 0) -> None:
        """Nobody will learn what came of what is in flight; of the first of it so many rows were `delivered`."""
        on_its_way = tuple(self.queue)
        for pending in on_its_way:
            running = pending.running
            if running is not None:
                if pending is on_its_way[0] and pending.kind in (AnswerKind.QUERY, AnswerKind.EXECUTE):
                    running.rows += delivered
                # A server that ends the session may say why first.
                self.finish(running, "error" if running.sqlstate else "unknown")
            if pending.drops is not None:
                self.finish(pending.drops, "unexecuted")
        self.queue.clear()
        for portal in self.portals.values():
            if portal.running is not None:
                self.finish(portal.running, "unexecuted")
        self.transactions.lost(on_its_way)
        self.record_ends()

    def transaction_ended(self) -> None:
        """No transaction is open, and with it all portals are gone that were opened in it."""
        self.left_for_commit, self.mixed_for_commit = False, ""
        self.temporary.transaction_ended(self.undone)
        self.contexts.transaction_ended()
        self.surroundings.transaction_ended()
        for name, portal in list(self.portals.items()):
            if portal.open:
                running = portal.take()
                if running is not None:
                    self.finish(running, "unexecuted")
                del self.portals[name]

    def question(self, text: str, types: tuple[int, ...] = ()) -> Question:
        """What is asked about a text in this session, as it stands, with parameters of these types."""
        # After what it changed itself, the session can't know what a bare name means until the catalog is read again.
        path = None if self.altered and self.rules.masked else self.path.now
        own, moving = self.temporary, self.path.moving
        return text, path, own.names, types, own.made_by_schema if moving else own.made_here

    def decide(self, text: str, types: tuple[int, ...] = ()) -> Decision:
        """What becomes of a text."""
        decided = access_wish.decided(text) or self.rules.decider.decide(*self.question(text, types))
        return self.contexts.bounded(decided)

    def refused_by_name(self, decision: Decision) -> Decision | None:
        """What refuses a statement that runs by its name what was made by another policy or catalog, and would be made
        otherwise now; or what only messages run, since nobody could follow what that does to the session.
        """
        if not (decision.executes or decision.fetches):
            return None
        if self.sql_prepared.runs_unplanned(decision, self):
            if not self.rules.observing:
                return refusals.BY_NAME
            # What is addressed to the gate is refused all the same, by what it runs.
            return replace(refusals.observed(refusals.BY_NAME, decision.text), executes=decision.executes)
        return refusals.STALE_SQL_OBJECT if self.sql_prepared.runs_stale(decision, self) else None

    @property
    def unknown_is_stale(self) -> bool:
        """Whether what nobody knows the text of may be from before a change that matters."""
        return self._policy_changed or (self.rules.masked and self.epoch > 0)

    @property
    def unknown_statement_is_stale(self) -> bool:
        """The same of a prepared statement: code that the gate has read opens cursors, and prepares nothing."""
        return self.unknown_is_stale and (self._policy_changed or self._ran_unread)

    # Changes of the catalog.

    @property
    def stays_in_block(self) -> bool:
        """Whether a transaction block is known to be open, which goes on after what is sent now."""
        return self.status == b"T" and not self.unsure

    def may_change(self, decision: Decision) -> bool:
        """Whether the statement may change the catalog, itself or by what it runs."""
        return decision.changes_catalog or (
            bool(decision.executes or decision.fetches) and self.sql_prepared.runs_changing(decision, self)
        )

    def alter(self) -> None:
        """What may change the catalog is being sent."""
        if not self.altered and self.rules.masked:
            self._renew()
        self.altered = True

    def _renew(self) -> None:
        """What was decided before is decided again."""
        self.epoch += 1

    def commits(self, pending: Pending) -> None:
        """What commits a change, if this session closed the door for one, is being sent; its answer is due for that."""
        if self.door.closed_by(self):
            self.committing = pending
            self.door.commits(self)

    def go_inside(self) -> None:
        """A statement is decided by the present catalog."""
        if not self.inside:
            self.inside = True
            self.door.enter(self)

    @property
    def writing(self) -> bool:
        """Whether anything that is on its way, or decided and waits, may have another effect than to return rows."""
        return self.state in (State.RECORDING, State.CHANGING) or any(
            pending.decision is not None and pending.decision.writes for pending in self.queue
        )

    def doubt(self) -> None:
        """Another session commits a change of the catalog: what the server answers from now on is held back."""
        self.doubted = True

    def note_answers(self) -> None:
        """The server answered something: a change may have taken effect, and nothing may be on its way any more."""
        committing = self.committing
        asking = self.counted is not None and self.counted.pending is committing and self.counted.cost is not None
        if committing is not None and not asking and not any(pending is committing for pending in self.queue):
            self.committing = None
            self.door.changed(self)
            self.commands.append(commands.CatalogStale())
        if self.inside and not self.queue and self.state not in (State.RECORDING, State.CHANGING):
            self.inside = False
            self.door.leave(self)

    def replace_rules(self, rules: SessionRules) -> None:
        """Decide by these rules from now on."""
        self._policy_changed |= rules.policy != self.rules.policy
        self.rules = rules
        self.path.replace_default(rules.search_path)
        self.epoch += 1

    def leave_door(self) -> None:
        """The session is over: what it has on its way may still run on the server."""
        writing = any(pending.decision is not None and pending.decision.writes for pending in self.queue)
        if self.committing is not None or (self.inside and writing):
            self.commands.append(commands.Abandon(self))
        else:
            self.door.give_up(self)
            self.door.leave(self)

    @property
    def settled(self) -> bool:
        """Whether later messages need not wait any more for what they are decided by."""
        return self.copying_in or not (self.queue and self.queue[-1] is self.settling)

    @property
    def counting(self) -> bool:
        """Whether the statement whose rows are counted is not answered yet."""
        counted = self.counted
        return counted is not None and any(pending is counted.last for pending in self.queue)
