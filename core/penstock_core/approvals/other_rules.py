"""The requests of other rules that hold the same statement: each rule has one of its own, and all have to be approved.

Whoever decides one sees how it stands with the others. What becomes of all together is `together.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from penstock_core.approvals.binding import statement_digest
from penstock_core.resources.access_request import AccessRequestSpec

_T = TypeVar("_T")


def of_other_rules(
    spec: AccessRequestSpec, made: float, others: Iterable[tuple[AccessRequestSpec, float, _T]]
) -> list[_T]:  # fmt: skip
    """Of each other rule that holds what was asked for then, the one of `others` that was made nearest to it, by the
    names of the rules: the same statement may have been asked for again and again.
    """
    wanted, mine = statement_digest(spec), spec.held_by
    nearest: dict[tuple[str, str], tuple[float, _T]] = {}
    for one, when, what in others:
        held, distance = one.held_by, abs(when - made)
        if held is None or mine is None or statement_digest(one) != wanted:
            continue
        rule = held.policy, held.approval
        if rule != (mine.policy, mine.approval) and (rule not in nearest or distance < nearest[rule][0]):
            nearest[rule] = (distance, what)
    return [what for _, (_, what) in sorted(nearest.items(), key=lambda one: one[0])]
