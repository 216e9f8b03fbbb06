"""What identities may do by the bundle in force, kept where time makes no difference to it.

What that is, is `penstock_core.policy`'s; whether time makes a difference, `condition_watch.py`'s.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from penstock_core.identity import Identity
from penstock_core.policy.combine import effective
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.resources import Bundle
from penstock_sidecar.proxy.condition_watch import ConditionWatch
from penstock_sidecar.proxy.lasting_access import LastingAccess

# Of so many identities and addresses. One login asks twice, and those of a pod's application are all alike.
MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Standing:
    """What one identity may do."""

    policy: EffectivePolicy
    # The same for as long as statements are decided alike.
    timeless: EffectivePolicy
    # What it could ask for, as the end of a hint.
    askable: str


class Standings:
    """Those of one bundle, the last one asked about."""

    def __init__(self, conditions: ConditionWatch, access: LastingAccess) -> None:
        self._conditions = conditions
        self._access = access
        self._bundle: Bundle | None = None
        self._kept: OrderedDict[tuple[Identity, str], Standing] = OrderedDict()

    def of(self, bundle: Bundle, identity: Identity, client_address: str) -> Standing:
        """That of an identity at this moment."""
        if bundle is not self._bundle:
            self._bundle = bundle
            self._kept.clear()
        who = (identity, client_address)
        known = self._kept.get(who)
        if known is not None:
            self._kept.move_to_end(who)
            return known
        circumstances = self._conditions.now(client_address)
        policy = effective(bundle, identity, circumstances)
        self._conditions.tell_troubles(bundle, identity, circumstances)
        found = Standing(policy, policy.timeless, self._access.askable(bundle, identity, circumstances.now))
        if self._conditions.steady(bundle):
            self._kept[who] = found
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found
