"""A statement as one event: its intent and its outcome, where both are known before either is sealed.

What doesn't belong: which are (`joining.py`), and how they are sealed (`sealing.py`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from penstock_core.audit.event import Event
from penstock_core.audit.form import EventBody, Form

# A statement by its session and its number in it: what joins its events within a stream.
Statement: TypeAlias = tuple[Any, Any]

# What intent and outcome have both.
_SHARED = frozenset({"kind", "session", "statement"})
_KIND = {"kind": "statement"}
# Of longer texts no form is made, since it would be kept beside that of the intent.
_LONGEST = 16 * 1024


class WholeStatement(dict[str, Any]):
    """The body of an event that tells a statement's intent and outcome. Not to be changed."""

    __slots__ = ("form", "intent", "outcome")

    # None where its parts have none.
    form: Form | None
    intent: Event
    outcome: Event


def whole(intent: Event, outcome: Event) -> WholeStatement | None:
    """Both as one body; None where one event can't tell what both do, since they say different things of one field.

    They are of the same statement.
    """
    form: Form | None = None
    if isinstance(intent, EventBody) and isinstance(outcome, EventBody) and not _is_long(intent):
        form = intent.form.together(outcome.form, _SHARED, "statement")
        if form is None:
            return None
    elif not intent.keys() & outcome.keys() <= _SHARED:
        return None
    body = WholeStatement(intent)
    body.update(outcome)
    body.update(_KIND)
    body.form, body.intent, body.outcome = form, intent, outcome
    return body


def _is_long(intent: Event) -> bool:
    return len(intent.get("sql") or "") + len(intent.get("rewritten") or "") > _LONGEST


def statement_of(body: Event) -> Statement:
    """Of which statement an event tells."""
    return body.get("session"), body.get("statement")
