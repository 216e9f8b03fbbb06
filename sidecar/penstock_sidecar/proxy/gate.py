"""What statements are decided by right now: the bundle of policies and the catalog, each replaced as a whole.

Where bundles come from is `sources.py`'s, how the catalog is read `catalog.py`'s; deciding is `penstock_core.sql`'s.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import structlog

from penstock_core.identity import Identity
from penstock_core.policy.combine import effective
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.resources import Bundle
from penstock_core.sql.catalog import Catalog
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.session.commands import Decider, Rules
from penstock_sidecar.session.refusals import fatal

_log = structlog.get_logger(__name__)

# A reading that began this recently is fresh enough for a name that was not found.
FRESH_SECONDS = 1.0
# How often the catalog is looked at without being asked to.
CHECK_SECONDS = 30.0
# Different policies whose deciders, with their caches, are kept.
_MOST_DECIDERS = 64

MakeDecider = Callable[[EffectivePolicy, Catalog, bytes], Decider]


class Gate:
    """Bundle and catalog, and the deciders made from them."""

    def __init__(self, make_decider: MakeDecider, server: Callable[[Bundle], Server]) -> None:
        self._make = make_decider
        self._server_of = server
        self._rules: OrderedDict[EffectivePolicy, Rules] = OrderedDict()
        self._reader: CatalogReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_began = 0.0
        self._checking: asyncio.Task[None] | None = None
        self.bundle: Bundle | None = None
        self.server: Server | None = None
        # Why the catalog could not be read the last time; empty while all is well.
        self.catalog_trouble = ""
        # Called after each change of what statements are decided by.
        self.on_change: Callable[[], None] = lambda: None
        # Whether anybody is there for whom the catalog should be kept fresh.
        self.in_use: Callable[[], bool] = lambda: True

    @property
    def catalog(self) -> Catalog | None:
        return self._reader.catalog if self._reader is not None else None

    def start(self) -> None:
        self._checking = asyncio.create_task(self._keep_fresh(), name="catalog")

    async def stop(self) -> None:
        tasks = [task for task in (self._checking, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def replace_bundle(self, bundle: Bundle) -> None:
        """Decide by this bundle from now on."""
        before, self.bundle = self.bundle, bundle
        self.server = self._server_of(bundle)
        if before is None or before.database.spec != bundle.database.spec:
            self._reader = CatalogReader(self.server, bundle.database.spec.dbname)
            self._read_began = 0.0
        self._changed()
        _log.info("policy in force", generation=bundle.generation, policies=[policy.name for policy in bundle.policies])

    async def rules(self, identity: Identity) -> Rules:
        """What an identity's statements are decided by now. Raises UpstreamError where that is not known."""
        if self.bundle is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        if self.catalog is None:
            await self.refresh_catalog()
        if self.catalog is None:
            raise UpstreamError(fatal("08001", self.catalog_trouble or "the catalog has not been read yet"))
        return self.rules_now(identity)

    def rules_now(self, identity: Identity) -> Rules:
        """The same, where bundle and catalog are known to be there."""
        if self.bundle is None or self.catalog is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        policy = effective(self.bundle, identity)
        rules = self._rules.get(policy)
        if rules is None:
            key = self.bundle.mask_key_bytes
            rules = self._rules[policy] = Rules(
                decider=self._make(policy, self.catalog, key),
                on_failure=policy.on_failure,
                search_path=self.catalog.search_path,
                hmac_key=hmac.digest(key, b"penstock audit sql", "sha256"),
                policy=replace(policy, generation=0),
            )
            if len(self._rules) > _MOST_DECIDERS:
                self._rules.popitem(last=False)
        else:
            self._rules.move_to_end(policy)
        return rules

    def catalog_stale(self) -> None:
        """The schema was changed: read it anew, whenever that is done."""
        self._read_began = 0.0
        self._begin_reading()

    async def refresh_catalog(self) -> None:
        """Read the catalog if that was not done just now. It may fail; then it is as it was."""
        now = asyncio.get_running_loop().time()
        if self._reading is None and self.catalog is not None and now - self._read_began < FRESH_SECONDS:
            return
        await asyncio.shield(self._begin_reading())

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="catalog reading")
        return self._reading

    async def _read(self) -> None:
        reader = self._reader
        if reader is None:
            return
        self._read_began = asyncio.get_running_loop().time()
        trouble, changed = "", False
        try:
            changed = await reader.read()
        except UpstreamError as error:
            trouble = str(error)
        except (ValueError, LookupError, TypeError) as error:
            trouble = f"penstock: the catalog can't be understood: {' '.join(str(error).split())}"
        finally:
            self._reading = None
        if trouble and trouble != self.catalog_trouble:
            _log.warning(trouble)
        self.catalog_trouble = trouble.removeprefix("penstock: ")
        if changed and reader is self._reader and reader.catalog is not None:
            _log.info("catalog read", relations=len(reader.catalog.relations), generation=reader.catalog.generation)
            self._changed()

    def _changed(self) -> None:
        self._rules.clear()
        self.on_change()

    async def _keep_fresh(self) -> None:
        while True:
            if self.bundle is not None and (self.catalog is None or self.in_use()):
                await asyncio.shield(self._begin_reading())
            # A first reading that failed is tried again soon.
            await asyncio.sleep(CHECK_SECONDS if self.catalog is not None else 1.0)
