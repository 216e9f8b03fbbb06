"""What a valid policy may not do as its author expects: warnings for whoever writes it, which refuse nothing.

What is wrong is refused when it is read; what is wrong between resources is `checks.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.conditions import UNLESS, WHEN
from penstock_core.conditions.trial import failure
from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.problems import Problem


def doubts(policy: DatabaseAccessPolicy) -> Iterator[Problem]:
    """Conditions that fail by values which are possible, and what becomes of it then."""
    for place, mask in enumerate(policy.spec.masks):
        if mask.unless is not None and (why := failure(mask.unless, UNLESS)):
            yield _doubt(policy, f"spec.masks[{place}].unless", why, "the mask applies then")
    for place, approval in enumerate(policy.spec.approvals or ()):
        if why := failure(approval.when, WHEN):
            yield _doubt(policy, f"spec.approvals[{place}].when", why, "the statement is refused then")


def _doubt(policy: DatabaseAccessPolicy, field: str, why: str, outcome: str) -> Problem:
    return Problem(f"{why}, and {outcome}; test for that first", field, resource=policy.title)
