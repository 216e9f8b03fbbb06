"""The door of one database where a gate has several workers: each has its own, and a change closes all of them.

A session that is about to commit a change of the catalog stands in the other workers' doors as a *visitor*: there,
nothing is decided from then on, what writes is waited for, and what reads is in doubt, as for a session of their own.
When the change has ended, each reads the catalog before it decides anything. Who can't be asked has not agreed, and the
change is refused. What doesn't belong: the rules of a door (`session/door.py`), asking (`siblings.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock_sidecar.proxy.siblings import Siblings
from penstock_sidecar.session.door import Inside

if TYPE_CHECKING:
    from penstock_sidecar.proxy.rules_provider import RulesProvider


async def nowhere_else(who: Inside, process: int, alone: bool) -> bool:
    """Where there are no other workers, their doors are closed."""
    return True


class Visitor:
    """A session of another worker that changes the catalog."""

    def __init__(self, process: int) -> None:
        self.process = process

    @property
    def writing(self) -> bool:
        return True

    def doubt(self) -> None:
        """It has nothing on its way here."""


class SharedDoors:
    """Those of all databases of a worker."""

    def __init__(self, siblings: Siblings, providers: dict[str, RulesProvider]) -> None:
        self._siblings = siblings
        self._providers = providers
        # Sessions of ours that closed the others' doors, by what that was called; and theirs, with their databases.
        self._ours: dict[Inside, str] = {}
        self._visitors: dict[str, tuple[RulesProvider, Visitor]] = {}
        siblings.answers["close"] = self._close
        siblings.hears |= {"release": self._release, "gone": self._gone, "closed": self._closed_before}
        for name, provider in providers.items():
            self._share(name, provider)

    def _share(self, database: str, provider: RulesProvider) -> None:
        async def elsewhere(who: Inside, process: int, alone: bool) -> bool:
            if isinstance(who, Visitor):
                return True
            name = self._ours[who] = self._siblings.name()
            try:
                return await self._siblings.ask("close", name, database, process, alone)
            finally:
                if not provider.door.closed_by(who):
                    # It ended before they were asked, so that nobody told them.
                    self._released(who, False)

        provider.elsewhere = elsewhere
        provider.door.shared = True
        provider.door.on_released = self._released

    def _released(self, who: Inside, changed: bool) -> None:
        """A session of ours has ended its change, or commits nothing after all."""
        name = self._ours.pop(who, None)
        if name is not None:
            self._siblings.tell("release", name, changed)

    # What other workers ask and tell.

    async def _close(self, name: str, database: str, process: int, alone: bool) -> bool:
        provider = self._providers[database]
        visitor = Visitor(process)
        self._visitors[name] = provider, visitor
        agreed = await provider.closed(visitor, process, alone=alone)
        if name not in self._visitors:
            # It gave up meanwhile, before it could commit.
            provider.door.ended.pop(visitor, None)
            provider.door.give_up(visitor)
            return False
        if agreed:
            # From here on the other may send its commit at any moment.
            provider.door.commits(visitor)
        return agreed

    def _closed_before(self, name: str, database: str, process: int) -> None:
        """They were closed when this worker began: it decides nothing until the end of that."""
        provider, visitor = self._providers[database], Visitor(process)
        self._visitors[name] = provider, visitor
        provider.door.force(visitor)

    def _release(self, name: str, changed: bool) -> None:
        provider, visitor = self._visitors.pop(name, (None, None))
        if provider is None or visitor is None:
            return
        if changed:
            provider.door.changed(visitor)
            provider.catalog_stale()
        else:
            provider.door.give_up(visitor)

    def _gone(self, name: str) -> None:
        """Its worker ended in the middle of it; the server's process may still do what it was told."""
        provider, visitor = self._visitors.pop(name, (None, None))
        if provider is not None and visitor is not None:
            provider.abandoned(visitor, visitor.process)
