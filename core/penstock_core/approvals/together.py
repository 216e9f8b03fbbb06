"""A statement that several rules hold: each has a request of its own, and it runs once all of them are approved.

All approvals are used by the one run, or none is. What becomes of each request by itself is `asking.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from penstock_core.approvals.asking import (
    MOST_WAITING,
    Answered,
    Asking,
    Make,
    OfRule,
    Refuse,
    Tell,
    Use,
    answer,
    waiting_of,
)
from penstock_core.approvals.standing import Standing, standing
from penstock_core.resources.access_request import AccessRequest

Step = Use | Tell | Make | Refuse
# What stands in the way most comes first.
_GRAVEST = ("refused", "denied", "waiting", "granted")


def answers(asking: Asking, known: Sequence[AccessRequest], now: datetime) -> list[tuple[Asking, Step]]:
    """What a holder does about each rule's question: in one transaction, or else in this order, which is the same for
    everybody who asks.

    Approvals are used if all are there. Requests are made for all rules at once, unless one can't be made or somebody
    has said no: then for none.
    """
    parts = sorted(asking.parts(), key=lambda one: (one.held_by.policy, one.held_by.approval))
    steps = [(part, answer(part, known, now)) for part in parts]
    if len(steps) == 1 or all(isinstance(step, Use) for _, step in steps):
        return steps
    makes = sum(isinstance(step, Make) for _, step in steps)
    if makes and (waiting := waiting_of(asking.requester, known, now)) + makes > MOST_WAITING:
        why = f"{waiting} requests of this requester wait already, and {makes} more are needed; have some decided first"
        return [(parts[0], Refuse(why))]
    kept: list[tuple[Asking, Step]] = [
        (part, Tell(step.request) if isinstance(step, Use) else step) for part, step in steps
    ]
    if any(isinstance(step, Tell) and standing(step.request, now) is Standing.DENIED for _, step in kept):
        return [(part, step) for part, step in kept if isinstance(step, Tell)]
    return kept


def told(request: AccessRequest, now: datetime, url: str = "") -> Answered:
    """What is told of a request that is there, and of which nothing is used by this."""
    said: dict[Standing, Literal["granted", "waiting", "denied"]] = {
        Standing.APPROVED: "granted",
        Standing.DENIED: "denied",
    }
    return Answered.of(request, said.get(standing(request, now), "waiting"), url)


def together(asking: Asking, found: Sequence[tuple[Asking, Answered]]) -> Answered:
    """One answer of those about each rule; `granted` only where all of its rules are."""
    if asking.also_held_by is None:
        return found[0][1]
    whole = len(found) == len(asking.all_held_by) and all(one.standing == "granted" for _, one in found)
    gravest = min((one for _, one in found), key=lambda one: _GRAVEST.index(one.standing))
    return gravest.model_copy(update={"of_rules": tuple(_of_rule(part, one, whole=whole) for part, one in found)})


def _of_rule(part: Asking, one: Answered, *, whole: bool) -> OfRule:
    held = part.held_by
    return OfRule.of(held.policy, held.approval, one, approved=one.standing == "granted" and not whole)
