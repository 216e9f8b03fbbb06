"""What the approval of a cursor or portal was given for: it counts for all portions, as long as nothing of it changes.

Between two portions the session may run others, by which its settings, its rights, or for whom it acts become others.
How a statement gets its approval is `held_pipeline.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock_core.identity import Identity
from penstock_core.policy.effective import ApprovalRule


@dataclass(frozen=True, slots=True)
class Approved:
    """For whom, by which rules and under which settings something was approved that is run in portions."""

    generation: int
    rules: tuple[ApprovalRule, ...]
    identity: Identity | None
    settings: Mapping[str, str]
    # How many statements the session had sent up to its last portion: what came since may have changed settings.
    sent: int

    def covers(self, generation: int, rules: tuple[ApprovalRule, ...], identity: Identity | None) -> bool:
        """Whether it was given to the same, by the same rules."""
        return (self.generation, self.rules, self.identity) == (generation, rules, identity)
