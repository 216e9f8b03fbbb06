"""The kill switch: whether the Database is suspended for everybody, or a policy of `mode: revoke` is for anybody in an
identity. Such an identity has no access.

What other policies give is `combine.py`'s; ending sessions is the sidecar's.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock_core.identity import Identity
from penstock_core.policy.subjects import is_for, opened_to
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.suspension import Suspension


@dataclass(frozen=True, slots=True)
class Revocation:
    """Why an identity has no session, as its client reads it and as it is recorded."""

    message: str
    remedy: str
    sqlstate: str
    # That of the end of a session; a refused login has the message.
    reason: str
    # The policy that revokes the identity; empty where the whole Database is suspended.
    policy: str = ""

    @property
    def recorded(self) -> dict[str, str]:
        """What the end of a session has of it."""
        return {"reason": self.reason} | ({"policy": self.policy} if self.policy else {"sqlstate": self.sqlstate})


def revocation(bundle: Bundle, identity: Identity) -> Revocation | None:
    """Why the identity has no access, if that is so: the Database is suspended, or a policy (the first by name) revokes
    its pod, whoever proved themselves, or anyone for whom an agent acts, those who passed the work on among them.
    """
    return suspension(bundle, identity) or revoked(bundle, identity)


def suspension(bundle: Bundle, identity: Identity) -> Revocation | None:
    """When the whole Database is suspended, for everybody. Why is for those to whom policies open it."""
    said = bundle.database.spec.suspended
    if said is None:
        return None
    known = opened_to(bundle, identity)
    why, whom = (f": {said.words}", said.by) if known else ("", None)
    return Revocation(
        f"the database {bundle.database.name} is suspended{why}",
        f"it takes sessions again once it is resumed; ask {whom or 'who administers it'}",
        "57P01",
        reason=f"the database is suspended{why}",
    )


def revoked(bundle: Bundle, identity: Identity) -> Revocation | None:
    """When a policy revokes the identity."""
    policies = {
        policy.name: policy
        for policy in bundle.policies
        if policy.spec.mode == "revoke" and policy.governs(bundle.database)
    }
    if not policies:
        return None
    chain = [Identity(identity.workload, identity.principal), *(Identity(principal=one) for one in identity.acts_for)]
    name = next((name for name in sorted(policies) if any(is_for(policies[name], one) for one in chain)), None)
    if name is None:
        return None
    return by_policy(name, policies[name].spec.revoked)


def by_policy(name: str, said: Suspension | None = None) -> Revocation:
    """When that policy revokes the identity, for the reason that it gives."""
    why = "" if said is None else f": {said.words}"
    return Revocation(
        f"access is revoked (policy {name}){why}",
        "ask who administers the policy",
        "28000",
        reason=f"the identity is revoked{why}",
        policy=name,
    )
