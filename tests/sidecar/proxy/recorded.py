"""What is on record of statements, whether their intents and outcomes are events of their own or one."""

from __future__ import annotations

from penstock_core.audit.event import BEGINS, ENDS


def told_by(kind: str) -> frozenset[str]:
    """The kinds of event that tell what one of that kind does."""
    return {"intent": BEGINS, "outcome": ENDS}.get(kind, frozenset({kind}))
