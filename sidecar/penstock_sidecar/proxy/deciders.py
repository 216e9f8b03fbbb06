"""Makes what statements are decided by, beside the event loop, when somebody needs it; and keeps it for others.

It is made one at a time, in one thread: whoever needs none of it goes on meanwhile, and takes turns with that thread
alone. What is made for who has no masks takes no time, and has a thread of its own, so as not to wait for others. What
it is made from, and since when that counts, is `rules_provider.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.masking.findings import misfits, row_order_findings
from penstock_sidecar.proxy.unused_masks import unused_masks
from penstock_sidecar.proxy.upstream import UpstreamError
from penstock_sidecar.session.commands import Decider
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.session.undecided import Undecided

_log = structlog.get_logger(__name__)

# How many bytes those may take that no session uses right now, by a rough estimate: so much each, and for each relation
# of the database where anything is masked.
MOST_KEPT = 64 << 20
_EACH, _FOR_RELATION = 64 << 10, 250

MakeDecider = Callable[[EffectivePolicy, Catalog, bytes], Decider]
# A policy without its generation, and the key of hash masks.
_Key = tuple[EffectivePolicy, bytes]


class Deciders:
    """The deciders by one catalog."""

    def __init__(self, make: MakeDecider, share: int = 1) -> None:
        self.make = make
        # How many others like this one keep theirs in the same memory, this one among them.
        self._share = share
        self._catalog: Catalog | None = None
        self._kept: OrderedDict[_Key, Decider] = OrderedDict()
        self._used: WeakValueDictionary[_Key, Decider] = WeakValueDictionary()
        self._making: dict[_Key, asyncio.Task[Decider]] = {}
        self._thread, self._quick = ThreadPoolExecutor(1, "rules"), ThreadPoolExecutor(1, "rules without masks")
        # Of which masks it was said that they don't fit, and the policies of which it was not looked at yet.
        self._told: set[str] = set()
        self._untold: deque[tuple[EffectivePolicy, Catalog]] = deque()
        self._telling: asyncio.Task[None] | None = None

    def known(self, policy: EffectivePolicy, catalog: Catalog, key: bytes) -> Decider | None:
        """The decider by that policy (its generation 0) and catalog, if it was made and is still there."""
        if catalog is not self._catalog:
            return None
        place = (policy, key)
        found = self._kept.get(place)
        if found is None:
            found = self._used.get(place)
            if found is not None:
                self._keep(place, found)
        else:
            self._kept.move_to_end(place)
        return found

    async def made(self, policy: EffectivePolicy, catalog: Catalog, key: bytes) -> Decider:
        """The same, made if need be. Raises UpstreamError where that fails, a fault of ours."""
        if catalog is not self._catalog:
            self._catalog = catalog
            self._kept.clear()
            self._used.clear()
            self._making.clear()
        found = self.known(policy, catalog, key)
        if found is not None:
            return found
        place = (policy, key)
        task = self._making.get(place)
        if task is None:
            task = self._making[place] = asyncio.create_task(self._made(policy, catalog, key), name="rules")
        try:
            # Others may wait for it, too.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            words = f"the rules for this identity can't be made ({type(error).__name__})"
            raise UpstreamError(fatal("XX000", words, "report it to the Penstock project")) from None

    async def _made(self, policy: EffectivePolicy, catalog: Catalog, key: bytes) -> Decider:
        place = (policy, key)
        thread = self._thread if _conceals(policy) else self._quick
        try:
            made = await asyncio.get_running_loop().run_in_executor(thread, self.make, policy, catalog, key)
        except Exception:
            _log.exception("making rules failed")
            raise
        finally:
            if self._making.get(place) is asyncio.current_task():
                del self._making[place]
        if catalog is self._catalog:
            self._keep(place, made)
            self._untold.append((policy, catalog))
            if self._telling is None:
                self._telling = asyncio.create_task(self._tell(), name="findings")
        return made

    def _keep(self, place: _Key, decider: Decider) -> None:
        self._kept[place] = self._used[place] = decider
        relations = len(self._catalog.relations) if self._catalog is not None else 0
        size = sum(_EACH + (relations * _FOR_RELATION if _conceals(policy) else 0) for policy, _ in self._kept)
        while size > MOST_KEPT // self._share and len(self._kept) > 1:
            (policy, _), _ = self._kept.popitem(last=False)
            size -= _EACH + (relations * _FOR_RELATION if _conceals(policy) else 0)

    async def _tell(self) -> None:
        """Say once of each masked column that its mask does not fit its type, of each mask that masks nothing, and of
        each index by which masked values may decide the order of rows. Nobody waits for that.
        """
        loop = asyncio.get_running_loop()
        while self._untold:
            if self._making:
                await asyncio.wait(self._making.values())
                continue
            policy, catalog = self._untold.popleft()
            if catalog is self._catalog:
                try:
                    found = await loop.run_in_executor(self._thread, _findings, policy, catalog)
                    self._say(found, policy.database)
                except Exception:
                    # A fault of ours, which must not keep what others have to know.
                    _log.exception("looking for masks that don't fit failed")
        self._telling = None

    def _say(self, found: _Findings, database: str) -> None:
        for words in set(found.warnings) - self._told:
            self._told.add(words)
            _log.warning(words, database=database)
        for words in set(found.hints) - self._told:
            self._told.add(words)
            _log.info(words, database=database)

    async def stop(self) -> None:
        """End what is being made."""
        tasks = [*self._making.values(), *(() if self._telling is None else (self._telling,))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for thread in (self._thread, self._quick):
            thread.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What the author of a policy should know of how it fits the database."""

    warnings: Iterable[str]
    hints: Iterable[str]


def _findings(policy: EffectivePolicy, catalog: Catalog) -> _Findings:
    return _Findings({*misfits(policy, catalog), *unused_masks(policy, catalog)}, row_order_findings(policy, catalog))


def _conceals(policy: EffectivePolicy) -> bool:
    return any(one is not None and one.conceals for one in (policy.enforced, policy.observed))


class Unmade(Undecided):
    """While the decider of a policy is not made: tells what the policy alone tells."""

    def __init__(self, policy: EffectivePolicy) -> None:
        self._enforced = policy.enforced

    def hears(self, channel: str) -> bool:
        """As the decider, if the policy's masks mask anything at all."""
        policies = self._enforced
        free = policies is None or not (policies.masks or policies.row_filters)
        return free or (policies is not None and channel in policies.allow_channels)
