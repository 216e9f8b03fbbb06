"""Whether a condition fails for somebody who may well come: tried when a policy is written, by values made up for it.

What such a failure decides is its user's to say; what no condition may do at all is `bounds.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from penstock_core.conditions.condition import Truth, condition
from penstock_core.conditions.names import CelType, Scope

_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
_LEAST: Mapping[CelType, object] = {"string": "", "list(string)": [], "timestamp": _TIME, "int": 0, "bool": False}
_MORE: Mapping[CelType, object] = {
    "string": "a", "list(string)": ["a"] * 64, "timestamp": _TIME, "int": 1, "bool": True,
}  # fmt: skip


def failure(text: str, scope: Scope) -> str:
    """In words, how a condition fails by values that are possible; empty where it does not. Raises ConditionError."""
    found = condition(text, scope)
    least, more = (found.evaluate({name.path: values[name.type] for name in scope.names}) for values in (_LEAST, _MORE))
    if least.truth is not Truth.ERROR:
        return f"can't be evaluated for some ({more.why})" if more.truth is Truth.ERROR else ""
    if more.truth is Truth.ERROR:
        return f"can't be evaluated ({least.why})"
    return f"can't be evaluated where lists are empty and numbers are 0 ({least.why})"
