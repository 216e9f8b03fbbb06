"""Conditions in policies, `unless` of a mask for one: written in CEL, checked when a policy is read, then evaluated.

What may be named in them is in `names.py`. What a condition decides is `penstock_core.policy`'s.
"""

from penstock_core.conditions.condition import Condition, ConditionError, Truth, Verdict, condition
from penstock_core.conditions.names import UNLESS, WHEN, Circumstances, Scope, values

__all__ = [
    "UNLESS",
    "WHEN",
    "Circumstances",
    "Condition",
    "ConditionError",
    "Scope",
    "Truth",
    "Verdict",
    "condition",
    "values",
]
