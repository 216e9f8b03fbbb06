"""The kill switch: whether a policy of `mode: revoke` is for anybody in an identity. Such an identity has no access.

What other policies give is `combine.py`'s; ending sessions is the sidecar's.
"""

from __future__ import annotations

from penstock_core.identity import Identity
from penstock_core.policy.subjects import is_for
from penstock_core.resources.bundle import Bundle


def revocation(bundle: Bundle, identity: Identity) -> str | None:
    """The name of the first policy that revokes the identity: its pod, whoever proved themselves, or anyone for whom an
    agent acts, those who passed the work on among them.
    """
    names = sorted(
        policy.name for policy in bundle.policies if policy.spec.mode == "revoke" and policy.governs(bundle.database)
    )
    if not names:
        return None
    chain = [Identity(identity.workload, identity.principal), *(Identity(principal=one) for one in identity.acts_for)]
    policies = {policy.name: policy for policy in bundle.policies}
    return next((name for name in names if any(is_for(policies[name], one) for one in chain)), None)
