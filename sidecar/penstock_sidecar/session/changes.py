"""The way of statements that may change the catalog, and of what commits them.

A change is sent alone, and what commits it only when no other session has something on its way that must not meet it
(`door.py`). A single statement outside a transaction block runs in a portal, so that it has done its work, and waited
for its locks, before others have to wait for its commit. Other statements are `client_pipeline.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import counting, refusals
from penstock_sidecar.session.client_pipeline import FUNCTION_CALL, unsettles
from penstock_sidecar.session.commands import CloseDoor
from penstock_sidecar.session.counted_pipeline import CountedPipeline
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, CatalogChange, Pending
from penstock_sidecar.session.states import State
from penstock_sidecar.session.transactions import CONTROL
from penstock_sidecar.session.withholding import still_holds
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import BrokenStreamError, Spot


class CatalogChanges(CountedPipeline):
    """Adds to the way to the server what changes of the catalog need."""

    def __init__(self, flow: Flow, nobody: str, limit: int) -> None:
        super().__init__(flow, nobody, limit)
        self._change: CatalogChange | None = None

    def _end_query(self, query: Pending) -> None:
        flow = self._flow
        failed, flow.skipping = flow.skipping, False
        if flow.altered and not failed and not flow.stays_in_block:
            self._commit(CatalogChange(lambda: self._send_end(query), lambda: self._fail_query(query)))
        else:
            self._send_end(query)

    def _send_end(self, query: Pending) -> None:
        flow = self._flow
        sent, due = counting.end_of_query()
        flow.commits(due[0])
        flow.queue.extend(due)
        flow.to_server.append(sent)
        if query.decision is not None and unsettles(query.decision):
            # It succeeded, and may yet be undone.
            flow.settling = due[-1]
            flow.enter(State.SETTLING)

    def _fail_query(self, query: Pending) -> None:
        self._fail_implicit()
        self._send_end(query)

    def _run_on_the_way(self, decision: Decision) -> None:
        """It is about to be parsed or planned, which runs functions, too: a Sync commits what they do."""
        self._flow.unsynced = True
        self._flow.changes_surroundings(decision)
        if self._flow.may_change(decision):
            self._flow.alter()

    def unsent(self) -> list[Pending]:
        """What waits to be sent, and was recorded already."""
        waiting = (self.awaiting_durability, self._change)
        return [one.pending for one in waiting if one is not None and one.pending is not None]

    def _changes(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> bool:
        """Whether the statement has to go another way, since it may change the catalog, or commit what did."""
        flow = self._flow
        alters, verbs = flow.may_change(decision), decision.verbs
        commits = "commit" in verbs or decision.observed is Action.DENY
        simple = pending.kind is AnswerKind.QUERY
        if flow.stays_in_block and CONTROL.isdisjoint(verbs) and not commits:
            flow.alter()
            return False
        # The end of a Query ends whatever was not begun by BEGIN.
        ends = simple and flow.altered and verbs != ("rollback",)
        if not alters and not commits and not ends:
            return False
        if flow.queue:
            # Alone, so that the state of the transaction is known, and what comes before holds no lock for long.
            self._await_answers(spot, lambda: self._send(spot, pending, replacement, decision), pending)
            return True
        separable = alters and not (commits or ends or decision.commits_itself or spot.kind == FUNCTION_CALL)
        if separable and not (simple and flow.status != b"I"):
            flow.alter()
            if not simple or self.counts(spot, decision):
                return False
            # In a portal, so that it has done its work, and has its locks, before it is committed.
            self._send_counted(spot, pending, decision)
            return True
        self._forward(spot.start)
        self._commit(
            CatalogChange(
                lambda: self._send_commit(spot, pending, replacement, decision),
                lambda: self._send_failing(spot, pending, refusals.denied(refusals.CATALOG_IN_USE)),
                alone=alters or len(verbs) != 1,
                spot=spot,
                pending=pending,
                epoch=flow.epoch,
            )
        )
        return True

    def _send_commit(self, spot: Spot, pending: Pending, replacement: bytes | None, decision: Decision) -> None:
        """What commits a change as soon as it runs."""
        flow = self._flow
        if self.counts(spot, decision):
            self._send_counted(spot, pending, decision)
            flow.commits(flow.counted.pending if flow.counted is not None else pending)
        else:
            flow.commits(pending)
            if pending.kind is not AnswerKind.QUERY and replacement is None:
                replacement = self._chunk[spot.start : spot.end] + messages.FLUSH
            self._send_now(spot, pending, replacement, decision)
        if flow.may_change(decision):
            # What it did after its own last COMMIT, the next one commits.
            flow.alter()

    def sync(self, spot: Spot) -> None:
        """A Sync, which commits what was not begun by BEGIN."""
        flow = self._flow
        pending = Pending(AnswerKind.SYNC)
        if flow.queue:
            self._await_answers(spot, lambda: self.sync(spot), pending)
            return

        def send() -> None:
            flow.skipping = False
            flow.commits(pending)
            flow.queue.append(pending)

        def fail() -> None:
            self._fail_implicit()
            send()

        self._forward(spot.start)
        if flow.skipping:
            flow.skipping = False
            flow.queue.append(pending)
        else:
            self._commit(CatalogChange(send, fail))

    def _fail_implicit(self) -> None:
        """Send what fails, so that a Sync commits nothing."""
        flow = self._flow
        error = refusals.denied(refusals.CATALOG_IN_USE)
        flow.push(Pending(AnswerKind.EXECUTE, error, refusals.UNDEFINED_PORTAL))
        flow.to_server.append(messages.execute(self._nobody))

    def _await_answers(self, spot: Spot, then: Callable[[], None], pending: Pending) -> None:
        """Go on once all that was sent before is answered."""
        flow = self._flow
        self._forward(spot.start)
        flow.to_server.append(messages.FLUSH)
        self._change = CatalogChange(then, then, waits=True, spot=spot, pending=pending, epoch=flow.epoch)
        flow.enter(State.CHANGING)

    def answered(self) -> None:
        """Nothing is in flight any more, but perhaps a COPY that waits for data. Raises as `receive`."""
        change, flow = self._change, self._flow
        if change is None or not change.waits:
            return
        pending, spot = change.pending, change.spot
        if flow.copying_in and (pending is None or pending.kind is not AnswerKind.SYNC):
            raise BrokenStreamError("a statement where COPY data is due")
        self._change = None
        flow.enter(State.RUNNING)
        if flow.copying_in:
            # The server ignores a Sync then, and the data comes behind it. If the COPY fails, it commits nothing.
            self.resume()
            return
        if flow.skipping and pending is not None and spot is not None and pending.kind is not AnswerKind.SYNC:
            # What was sent before it failed: the server would skip it.
            self._replace(spot, b"")
            flow.skip(pending, recorded=True)
        elif not self._is_outdated(change):
            change.send()
        if flow.state is State.RUNNING:
            self.resume()

    def _commit(self, change: CatalogChange) -> None:
        """Commit once no other session has a statement on its way that the present catalog decided."""
        flow = self._flow
        if flow.door.close(flow, alone=change.alone):
            change.send()
        else:
            self._change = change
            flow.enter(State.CHANGING)
            flow.commands.append(CloseDoor(change.alone, flow))

    def take_effect(self, alone: bool) -> None:
        """Nobody else is inside; or somebody stays there for too long. Raises as `receive`."""
        change, flow = self._change, self._flow
        if change is None:
            return
        self._change = None
        flow.enter(State.RUNNING)
        if self._is_outdated(change):
            flow.door.give_up(flow)
        elif alone:
            change.send()
        else:
            flow.door.give_up(flow)
            change.fail()
        if flow.state is State.RUNNING:
            self.resume()

    def _is_outdated(self, change: CatalogChange) -> bool:
        """Whether a statement that waits would be decided otherwise by now; then its message is dealt with anew. What
        was sent, and waits to be committed alone, was decided about when it was sent.
        """
        flow, pending = self._flow, change.pending
        if pending is None or pending.decision is None or change.epoch in (None, flow.epoch):
            return False
        if still_holds(flow, pending, pending.decision):
            return False
        if pending.running is not None:
            flow.finish(pending.running, "unexecuted")
        self._next -= 1
        return True
