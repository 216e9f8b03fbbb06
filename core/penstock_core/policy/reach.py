"""Whether any policy of a bundle is for an identity: without one, the database is none of its business.

What such policies let it do is `combine.py`'s; that one revokes it, or that the
Database is suspended, `revocation.py`'s.
"""

from __future__ import annotations

from penstock_core.identity import Identity
from penstock_core.policy.revocation import revoked
from penstock_core.policy.subjects import policies_for
from penstock_core.resources.bundle import Bundle


def concerns(bundle: Bundle, identity: Identity) -> bool:
    """Whether policies are for each party of the identity, an agent and those it acts for; or one revokes it, who then
    is to know that and be on record.
    """
    if revoked(bundle, identity) is not None:
        return True
    return all(
        any(policy.spec.mode != "revoke" for policy in policies_for(bundle, party)) for party in identity.parties
    )
