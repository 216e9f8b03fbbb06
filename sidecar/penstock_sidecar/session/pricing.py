"""What the planner estimates that a statement costs: what is sent to ask it, and read.

It is asked by EXPLAIN, with the parameters that the statement runs with, before it runs. When this is asked, and what
follows, is `counting.py`'s and `counted_answers.py`'s.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from penstock_core.policy.effective import CostLimit
from penstock_core.sql.decision import Decision, Denial
from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.wire import messages

EXPLAIN = "EXPLAIN (FORMAT JSON) "
# The first one is the whole plan's: it stands before the parts.
_COST = re.compile(rb'"Total Cost": ([0-9]+(?:\.[0-9]+)?)')
_NO_PARAMETERS = b"\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a statement takes, and is given: the tail of its Parse message, and of its Bind message what is in it."""

    types: bytes = b"\x00\x00"
    given: bytes = _NO_PARAMETERS


def asking(nobody: str, decision: Decision, parameters: Parameters) -> tuple[bytes, list[Pending]]:
    """What asks for the cost, and what is due for it. No client knows the name of the statement and portal, and nothing
    is left behind.
    """
    name = hashlib.sha256(f"pricing {nobody}".encode()).hexdigest()[:32]
    tidy = messages.close_portal(name) + messages.close_statement(name)
    parse = messages.parse(name, EXPLAIN + (decision.priced or decision.text), parameters.types)
    ask = parse + messages.bind_with(name, name, parameters.given) + messages.execute(name)
    kinds = AnswerKind
    due = (kinds.CLOSE, kinds.CLOSE, kinds.PARSE, kinds.BIND, kinds.EXECUTE, kinds.CLOSE, kinds.CLOSE)
    # What planning says may be about what is masked.
    return tidy + ask + tidy, [Pending(kind, swallow=True, redact=decision.redact_errors) for kind in due]


def read(row: bytes) -> float | None:
    """The cost in the row that answers, or in its beginning; None where there is no plan."""
    found = _COST.search(row)
    return None if found is None else float(found[1])


def excess(limit: CostLimit, cost: float | None, *, masked: bool) -> Denial | None:
    """Why the statement may not run; None if it may. Where it reads what is masked, the estimate is not told."""
    if cost is not None and cost <= limit.value:
        return None
    about = "" if cost is None or masked else f" (about {_rounded(cost)})"
    reason = f"the planner estimates that the statement costs more than {_rounded(limit.value)}{about}"
    if cost is None:
        reason = "the planner does not tell what the statement costs, which is limited"
    remedy = "read less: by a WHERE that an index serves, fewer joins, or in parts"
    return Denial(reason, remedy, policy=limit.rule.policy, rule=limit.rule.path)


def unasked(limit: CostLimit) -> Denial:
    """The denial of a statement whose parameters can't be given to EXPLAIN."""
    reason = "what the statement costs can't be asked: it was made by PREPARE, or its parameters are too long"
    remedy = "run it by EXECUTE, or with parameters that are less than 8 kB together"
    return Denial(reason, remedy, policy=limit.rule.policy, rule=limit.rule.path)


def _rounded(cost: float) -> str:
    """With two digits that count."""
    return f"{float(f'{cost:.2g}'):,.0f}" if cost >= 1 else f"{cost:.2g}"
