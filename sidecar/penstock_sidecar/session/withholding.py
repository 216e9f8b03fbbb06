"""What is on its way, or about to be, while the catalog or the policy changes: whether it may go on, and how it fails.

When that is asked is `running.py`'s; what is on its way is `flow.py`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.gate_statements import CALL_TEXT, SET_TEXT
from penstock_sidecar.session.in_flight import RUNS, AnswerKind, Pending
from penstock_sidecar.session.transactions import CONTROL
from penstock_sidecar.wire.messages import ErrorFields


def holds(flow: Flow, *, answering: bool) -> bool:
    """Whether all that is on its way would be decided by the catalog of now as it was.

    The head, if the server is `answering` it in the middle of a row, was analysed before the change.
    """
    return all(
        pending.decision is None
        or pending.denial is not None
        or pending.kind not in RUNS
        # No catalog decides about what is the gate's own.
        or pending.text in (SET_TEXT, CALL_TEXT)
        or (answering and place == 0 and len(pending.decision.verbs) == 1)
        or _same(flow, pending, pending.decision)
        for place, pending in enumerate(flow.queue)
    )


def still_holds(flow: Flow, pending: Pending, then: Decision) -> bool:
    """Whether what was decided about, and not sent, would be decided in the same way now.

    Of what an approval may hold, its own way tells (`held_pipeline.py`): who sends it, when and what it reaches count.
    """
    if pending.text in (SET_TEXT, CALL_TEXT) or (then.verbs and CONTROL.issuperset(then.verbs)):
        return True
    if not flow.rules.ready or (then.holding is not None and then.holding.rules):
        return False
    now = flow.decide(pending.text, pending.types)
    limits = (now.row_limit, now.change_limit, now.cost_limit) == (then.row_limit, then.change_limit, then.cost_limit)
    return now.holding == then.holding and limits and _alike(flow, now, then)


def withholdable(flow: Flow) -> bool:
    """Whether all that is on its way may fail for the client alone: it only reads, up to a ReadyForQuery."""
    return flow.queue[-1].kind in (AnswerKind.SYNC, AnswerKind.QUERY) and all(
        pending.kind is not AnswerKind.COPY_END
        and (pending.decision is None or pending.kind not in RUNS or CONTROL.isdisjoint(pending.decision.verbs))
        for pending in flow.queue
    )


def _same(flow: Flow, pending: Pending, then: Decision) -> bool:
    return _alike(flow, flow.decide(pending.text, pending.types), then)


def _alike(flow: Flow, now: Decision, then: Decision) -> bool:
    alike = now.action is not Action.DENY and (now.text, now.redact_errors) == (then.text, then.redact_errors)
    return alike and flow.refused_by_name(now) is None


def withhold(flow: Flow, error: ErrorFields) -> None:
    """Answer what is on its way with that error alone."""
    flow.withheld = error
    flow.withheld_up_to = sum(pending.kind in (AnswerKind.SYNC, AnswerKind.QUERY) for pending in flow.queue)
    for pending in flow.queue:
        if pending.running is not None:
            pending.running.sqlstate = error.sqlstate
            pending.running.denied = True
        if pending.opens is not None and (bound := pending.opens.take()) is not None:
            # What may be executed later runs under an intent of its own.
            flow.finish(bound, "error")
