"""Access for a time as a gate counts with it: what it heard last, for as long as it hears anything; and how to ask.

What doesn't belong: hearing of it (`access_news.py`, `sources.py`), what a grant is worth (`penstock_core.policy`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from penstock_core.approvals.access_news import LAPSES_AFTER
from penstock_core.identity import Identity
from penstock_core.policy.access import askable
from penstock_core.resources import Bundle
from penstock_core.resources.grant import Grant

_MOST_NAMED = 3


class LastingAccess:
    """What lasts."""

    def __init__(self) -> None:
        # None where bundles say themselves what lasts.
        self._grants: tuple[Grant, ...] | None = None
        self._last: tuple[Bundle, Bundle] | None = None
        # Seconds since it was last heard what lasts; and how people ask, with a gap for the policy's name.
        self.age: Callable[[], float] = lambda: 0.0
        self.command = "penstock requests ask {policy} --for 1h --reason '…'"

    def replace(self, grants: tuple[Grant, ...]) -> bool:
        """That lasts by now; whether it is something else than before."""
        before, self._grants = self._grants, grants
        self._last = None
        return grants != (before or ())

    def within(self, bundle: Bundle) -> Bundle:
        """The bundle with what lasts: nothing, where nobody was heard of for too long."""
        grants = bundle.grants if self._grants is None else self._grants
        if self.age() > LAPSES_AFTER:
            grants = ()
        if grants == bundle.grants:
            return bundle
        last = self._last
        if last is None or last[0] is not bundle or last[1].grants != grants:
            last = self._last = bundle, bundle.model_copy(update={"grants": grants})
        return last[1]

    def askable(self, bundle: Bundle, identity: Identity, now: datetime | None) -> str:
        """What the identity could ask for, as the end of a hint; empty if there is nothing."""
        found = sorted(askable(bundle, identity, now), key=lambda one: one.name)
        if not found:
            return ""
        first, *others = [one.name for one in found]
        more = f" (and so {', '.join(others[: _MOST_NAMED - 1])})" if others else ""
        here = f"SET penstock.access = '{first} for 1h: what for'"
        if identity.principal is None or identity.principal.kind != "person" or identity.acts_for:
            # Whoever has no hands asks by what they have.
            return f"ask for access for a time: {here}{more}"
        emergency = ", in an emergency with --break-glass" if found[0].spec.break_glass is not None else ""
        return f"ask for access for a time: {self.command.format(policy=first)}{emergency}, or here: {here}{more}"
