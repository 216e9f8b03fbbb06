"""What of a decision's texts the audit trail stores: the statement, why it was refused, what was sent in its place.

How values are left out is `penstock_core.sql.syntax.normalize`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

from penstock_core.policy.effective import SqlTextMode
from penstock_core.sql.decision import Action, Decision, Denial, Recorded
from penstock_core.sql.syntax.normalize import audit_reason, audit_text, audit_texts

_T = TypeVar("_T")
# Of texts that nobody has understood.
_BROKEN = frozenset({"42601", "22021", "54001"})


def stored(decision: Decision, text: str, mode: SqlTextMode) -> dict[str, Any]:
    """The decision's fields that the trail is made of, by how the policies have SQL stored."""
    parsed = decision.denial is None or decision.denial.sqlstate not in _BROKEN
    return {
        "audit_text": _safely(audit_text, text, mode) if parsed or mode == "full" else "",
        **why_refused(decision.denial, text, mode),
        "parts": _with_texts(decision, text, mode),
    }


def why_refused(denial: Denial | None, text: str, mode: SqlTextMode) -> dict[str, Any]:
    """Of these fields, those that tell why, without the values of that text."""
    if denial is None or mode == "full":
        return {"audit_reason": "", "audit_remedy": ""}
    parsed = denial.sqlstate not in _BROKEN
    reason, remedy = (audit_reason(one, text, parsed=parsed) for one in (denial.reason, denial.remedy))
    return {"audit_reason": reason, "audit_remedy": remedy}


def _with_texts(decision: Decision, text: str, mode: SqlTextMode) -> tuple[Recorded, ...]:
    """The statements as they are recorded, with their parts of the text. What was sent in their place holds secrets of
    the gate's own, so that it is never stored as it is.
    """
    parts = decision.parts
    if len(parts) > 1:
        texts = _safely(audit_texts, text, mode, len(parts)) or ("",) * len(parts)
        parts = tuple(replace(part, text=own) for part, own in zip(parts, texts, strict=True))
    if decision.action is Action.REWRITE and mode != "hash":
        texts = _safely(audit_texts, decision.text, "normalized", len(parts)) or ("",) * len(parts)
        parts = tuple(replace(part, rewritten=sent) for part, sent in zip(parts, texts, strict=True))
    return parts


def _safely(made: Callable[..., _T], *given: Any) -> _T | Literal[""]:
    try:
        return made(*given)
    except Exception:  # the scanner's own failures must not decide about a statement
        return ""
