"""Whether any policy of a bundle is for an identity: without one, the database is none of its business.

What such policies let it do is `combine.py`'s; that one revokes it, or that the
Database is suspended, `revocation.py`'s.
"""

from __future__ import annotations

from penstock_core.identity import Identity
from penstock_core.policy.revocation import revoked
from penstock_core.policy.subjects import opened_to
from penstock_core.resources.bundle import Bundle


def concerns(bundle: Bundle, identity: Identity) -> bool:
    """Whether policies are for each party of the identity, an agent and those it acts for; or one revokes it, who then
    is to know that and be on record.
    """
    return revoked(bundle, identity) is not None or opened_to(bundle, identity)
