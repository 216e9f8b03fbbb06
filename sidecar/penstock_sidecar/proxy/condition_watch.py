"""The conditions of a bundle's masks at work: what they come to for a session now, and that the time goes on.

What they come to is `penstock_core.policy`'s, what follows from it `rules_provider.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from penstock_core.conditions import Circumstances, Truth
from penstock_core.identity import Identity
from penstock_core.policy.access import granted
from penstock_core.policy.combine import conditioned_policies
from penstock_core.policy.mask_conditions import timed, troubles
from penstock_core.resources import Bundle
from penstock_core.resources.grant import Grant

_log = structlog.get_logger(__name__)

# How often conditions that depend on the time are evaluated anew.
TIME_SECONDS = 1.0


class ConditionWatch:
    """Looks at the conditions of the bundle in force."""

    def __init__(self, bundle: Callable[[], Bundle | None]) -> None:
        self._bundle = bundle
        # Of which conditions it was said that they can't be evaluated.
        self._told: set[tuple[str, str]] = set()
        # Of which bundle it was looked last whether it is steady, and whether it is.
        self._looked: tuple[Bundle | None, bool] = (None, False)
        # Called every second while some condition depends on the time.
        self.on_time: Callable[[], None] = lambda: None

    def now(self, client_address: str) -> Circumstances:
        """The circumstances of a session at this moment."""
        return Circumstances(datetime.now(UTC), client_address)

    def steady(self, bundle: Bundle) -> bool:
        """Whether time makes no difference: no condition depends on it, and no access ends."""
        if bundle is not self._looked[0]:
            self._looked = bundle, not bundle.grants and not timed(bundle.policies)
        return self._looked[1]

    def access(self, identity: Identity, client_address: str) -> tuple[Grant, ...]:
        """The access for a time that the identity has now."""
        bundle = self._bundle()
        return () if bundle is None else granted(bundle, identity, self.now(client_address).now)

    def truths(self, identity: Identity, own: Identity, client_address: str) -> tuple[Truth | str, ...]:
        """What the conditions come to now that are for the identity and depend on the time, and the requests by which
        it has access for a time; with those of the session's own identity, where that is another.
        """
        bundle = self._bundle()
        if bundle is None or self.steady(bundle):
            return ()
        now = self.now(client_address)
        access = [one.request for one in granted(bundle, identity, now.now)]
        if own is not identity:
            access += [one.request for one in granted(bundle, own, now.now)]
        parties = conditioned_policies(bundle, identity, now)
        return *access, *(one.evaluate(facts).truth for policies, facts in parties for one in timed(policies))

    def tell_troubles(self, bundle: Bundle, identity: Identity, circumstances: Circumstances) -> None:
        """Say once of each condition that it could not be evaluated."""
        parties = conditioned_policies(bundle, identity, circumstances)
        for rule, why in (one for policies, facts in parties for one in troubles(policies, facts)):
            told = (rule.policy, rule.path)
            if told not in self._told:
                self._told.add(told)
                _log.warning(
                    "a condition could not be evaluated, so its mask applies", database=bundle.database.name,
                    policy=rule.policy, rule=rule.path, identity=identity.name, why=why,
                )  # fmt: skip

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TIME_SECONDS)
            bundle = self._bundle()
            try:
                if bundle is not None and (
                    not self.steady(bundle) or any(policy.spec.by_request for policy in bundle.policies)
                ):
                    self.on_time()
            except Exception:
                # Time goes on all the same.
                _log.exception("conditions could not be evaluated anew")
