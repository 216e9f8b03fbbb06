"""Under `onFailure: block`: what is sent only when it is on record, and what at once, its answer waiting for that.

What doesn't belong: how a statement waits (`client_pipeline.py`), and how an answer does (`outgoing.py`).
"""

from __future__ import annotations

from penstock_core.sql.decision import Decision
from penstock_sidecar.session.flow import Flow
from penstock_sidecar.session.transactions import CONTROL


def is_sent_when_recorded(flow: Flow, decision: Decision) -> bool:
    """Whether a statement waits until its intent, and all before it, are durable."""
    # While the trail refuses, reads wait too: nothing runs that may turn out unrecorded.
    if flow.trail.refusal or decision.runs_code_when_parsed:
        return True
    if decision.writes:
        # In a block, nothing comes of it before the COMMIT; without that the server undoes it.
        return not (decision.undone_by_rollback and flow.stays_in_block)
    return flow.withholds and not CONTROL.isdisjoint(decision.verbs)
