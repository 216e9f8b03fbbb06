"""The event of a gate that takes over policies: which, and what they change.

What a change is, is `penstock_core.policy.changes`'s.
"""

from __future__ import annotations

from penstock_core.audit.event import Event
from penstock_core.policy.changes import changes, modes
from penstock_core.resources import Bundle
from penstock_sidecar.proxy.served_database import ServedDatabase
from penstock_sidecar.proxy.trail import AuditTrail


def tell(database: ServedDatabase, trail: AuditTrail) -> None:
    """Record each change of the policies that the database's statements are decided by, from the first on."""

    def taken_over(before: Bundle | None, after: Bundle) -> None:
        body = policy_event(before, after)
        if body is not None:
            trail.append([body])

    database.rules_provider.on_taken_over = taken_over


def policy_event(before: Bundle | None, after: Bundle) -> Event | None:
    """What is recorded; None where nothing is different, the generation neither: statements are on record by it alone,
    and each has its digest here.
    """
    found = changes(before, after)
    if not found and before is not None and before.generation == after.generation:
        return None
    told: Event = {
        "kind": "policy", "database": after.database.name, "policyGeneration": after.generation,
        "policyDigest": after.digest, "policies": modes(after), "changes": found,
    }  # fmt: skip
    return told if before is None else {**told, "formerGeneration": before.generation}
