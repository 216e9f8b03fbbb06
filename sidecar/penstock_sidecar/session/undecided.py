"""What stands in the place of a decider while none is there: it decides nothing, and knows nothing to be harmless.

What doesn't belong: what is there to be made (`penstock_sidecar.proxy.deciders`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from penstock_core.sql.decision import Decision
from penstock_sidecar.session.refusals import RULES_UNKNOWN


class Undecided(ABC):
    """As `commands.Decider`."""

    def decide(
        self,
        text: str,
        search_path: tuple[str, ...] | None,
        temporary: frozenset[str],
        types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision:
        """Nothing: who gets here waited in vain."""
        return RULES_UNKNOWN

    def names(self, schema: str, table: str, column: str, constraint: str) -> bool:
        """Nothing may be named while it is not known what is masked."""
        return False

    def alike(self, one: Decision, other: Decision) -> bool:
        """Nothing is known to be alike."""
        return False

    @abstractmethod
    def hears(self, channel: str) -> bool:
        """Whether what is sent to a channel may pass."""
