"""The way to the server of statements that are counted: in a portal, with what is asked before, alone.

What is counted, and by which limits, is `counting.py`'s; what the server answers `counted_answers.py`'s. Other
statements are `client_pipeline.py`'s.
"""

from __future__ import annotations

from penstock_core.policy.effective import Limit
from penstock_core.sql.decision import Decision
from penstock_sidecar.session import counted_answers, counting, pricing, refusals
from penstock_sidecar.session.client_pipeline import FUNCTION_CALL, ClientPipeline
from penstock_sidecar.session.counting import Counted
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.in_flight import AnswerKind, Pending, Portal, Tally
from penstock_sidecar.session.states import RUNNING, State
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.framing import Spot
from penstock_sidecar.wire.messages import ErrorFields


class CountedPipeline(ClientPipeline):
    """Adds to the way to the server what counting needs."""

    def counts(self, spot: Spot, decision: Decision) -> bool:
        """Whether something of it is counted while it runs. A fast-path call returns no rows, and changes none."""
        if spot.kind == FUNCTION_CALL:
            return False
        if decision.row_limit is not None or decision.cost_limit is not None:
            return True
        return decision.change_limit is not None and change_limit(self._flow, decision) is not None

    def _send_counted(self, spot: Spot, pending: Pending, decision: Decision) -> None:
        """Send it so that the server stops at the limit; what comes behind it waits until it is answered."""
        flow = self._flow
        before, portal, parameters = b"", None, pricing.Parameters()
        if pending.kind is AnswerKind.QUERY:
            # To a Query, too, the server forgets the unnamed statement and portal.
            flow.statements.pop("", None)
            former = flow.portals.pop("", None)
            before, counted = counting.of_query(pending, decision, tally_of(flow, decision))
            counted.query[0].drops = former.take() if former is not None else None
            flow.queue.extend(counted.query)
        else:
            name, asked = messages.read_execute(self._chunk[spot.start + 5 : spot.end])
            portal = flow.portals.get(name)
            if portal is None:
                # It waited to be sent, and the transaction in which it was open has ended.
                self._fail_in_place(spot, pending, refusals.missing_portal(name))
                return
            if not self._may_be_priced(portal, decision):
                self._send_failing(spot, pending, refusals.denied(counting.unasked(decision)))
                return
            parameters = pricing.Parameters(portal.statement.oids, portal.given or parameters.given)
            counted = Counted(decision.row_limit, None, pending, tally_of(flow, decision, portal), name, asked)
        counted.changes = change_limit(flow, decision)
        counted.spot, counted.epoch = spot, flow.epoch
        flow.counted = counted
        if decision.cost_limit is not None and not _is_priced(portal, decision):
            counted.cost, counted.portal = decision.cost_limit, portal
            asking, due = pricing.asking(self._nobody, decision, parameters)
            counted.await_answers(due)
            # Its outcome is due as well.
            due[-1].running, due[-1].decision = pending.running, decision
            flow.queue.extend(due)
            self._replace(spot, before + asking + messages.FLUSH)
        else:
            self._replace(spot, before + counted_answers.begin(flow, counted, decision, self._nobody))
        flow.enter(State.COUNTING)

    def _fail_in_place(self, spot: Spot, pending: Pending, error: ErrorFields) -> None:
        """Send a Bind or Execute of what does not exist, whose error is replaced by this one."""
        pending.denial, pending.expected = error, error.sqlstate
        bind = pending.kind is AnswerKind.BIND
        self._flow.push(pending)
        self._replace(spot, messages.bind("", self._nobody) if bind else messages.execute(self._nobody))

    @staticmethod
    def _may_be_priced(portal: Portal, decision: Decision) -> bool:
        """Whether the planner can be asked: with the parameters, which EXPLAIN of an EXECUTE does not take."""
        if decision.cost_limit is None or _is_priced(portal, decision):
            return True
        return portal.given is not None and not (decision.executes and portal.parameters)

    def go_on(self) -> None:
        """The statement whose rows were counted is answered. Raises as `receive`."""
        flow = self._flow
        counted, flow.counted = flow.counted, None
        flow.enter(State.RUNNING)
        if counted is not None and counted.outdated and counted.spot is not None:
            self._begin_anew(counted, counted.spot)
        elif counted is not None and counted.query and not counted.skipped:
            if self._scanner.passing:
                # Data of a COPY that failed: nothing may be put between.
                self._ending = counted.pending
            else:
                self._end_query(counted.pending)
        if flow.state is RUNNING:
            self.resume()

    def _begin_anew(self, counted: Counted, spot: Spot) -> None:
        """Nothing of it ran: its message is dealt with as if it had come just now."""
        flow, pending = self._flow, counted.pending
        if pending.running is not None:
            flow.finish(pending.running, "unexecuted")
        if flow.committing is pending:
            flow.committing = None
            flow.door.give_up(flow)
        if counted.query:
            # What stood for the Query was in a transaction of its own, where no other is open.
            flow.queue.append(Pending(AnswerKind.SYNC, swallow=True))
            flow.to_server.append(messages.SYNC)
        self._start, self._next = spot.start, self._next - 1

    def copy_counted(self) -> None:
        """The server takes the data of the COPY that is counted. Raises as `receive`."""
        self._flow.enter(State.RUNNING)
        self.resume()


def change_limit(flow: Flow, decision: Decision) -> Limit | None:
    """The limit for the rows that it changes, unless all that it does is to run by name what changes none."""
    by_name = decision.change_limit is not None and bool(decision.executes or decision.fetches)
    return None if by_name and not flow.sql_prepared.runs_writing(decision, flow) else decision.change_limit


def _is_priced(portal: Portal | None, decision: Decision) -> bool:
    """Whether what the portal costs is known to be within the limit of now."""
    limit = decision.cost_limit
    found = None if portal is None else portal.priced
    return found is not None and limit is not None and found.value <= limit.value


def tally_of(flow: Flow, decision: Decision, portal: Portal | None = None) -> Tally:
    """What a statement came to so far: by a name that FETCH and Execute share, if it is run in portions."""
    for name in decision.fetches:
        other = flow.portals.get(name)
        return other.tally if other is not None else flow.sql_prepared.tally(name)
    return Tally() if portal is None else portal.tally
