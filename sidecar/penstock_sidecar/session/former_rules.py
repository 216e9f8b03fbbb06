"""What a session did by the rules it had so far, and whether it can go on by others.

Rules come and go while sessions are open; what was set up by some may be what others would never have let happen. How
texts are decided by the rules of now is `flow.py`'s.
"""

from __future__ import annotations

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session import refusals
from penstock_sidecar.session.commands import SessionRules
from penstock_sidecar.session.former_access import FormerAccess
from penstock_sidecar.wire.messages import ErrorFields


class FormerRules:
    """What of one session's past counts when its rules are replaced."""

    def __init__(self) -> None:
        # While nothing was enforced something ran that would be refused: it may have changed what texts mean.
        self.unvetted = False
        # While nothing was masked something ran, or the session began with something, that may have changed settings
        # which no session with masks may change.
        self.loosened = False
        # The longest that any statement_timeout of the session may be, in milliseconds; None: it has no bound.
        self.longest: int | None = None
        self.access = FormerAccess()

    def sent(self, decision: Decision) -> None:
        """A text that was so decided is being sent."""
        self.unvetted |= decision.observed is Action.DENY
        self.loosened |= decision.loosens

    def ended_by(self, rules: SessionRules, before: SessionRules) -> ErrorFields | None:
        """Why the session can't go on by these rules at all, if it can't."""
        if self.unvetted and before.observing and not rules.observing:
            return refusals.NOW_ENFORCED
        if self.loosened and rules.masked and not before.masked:
            return refusals.NOW_MASKED
        return None

    def outlasts(self, rules: SessionRules) -> bool:
        """Whether the session's statements may run longer than these rules let them."""
        limit = rules.statement_timeout
        return limit is not None and (self.longest is None or self.longest > limit)
