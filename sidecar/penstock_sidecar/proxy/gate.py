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
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.masking.masked_columns import misfits
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.coverage import idle_masks
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.session.commands import Decider, Rules
from penstock_sidecar.session.refusals import fatal

_log = structlog.get_logger(__name__)

# The catalog is not read more often than this, whoever asks for names that are not there.
PAUSE_SECONDS = 0.3
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
        # Of which masks it was said that they don't fit.
        self._told: set[str] = set()
        self._reader: CatalogReader | None = None
        self._former: Catalog | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_began = 0.0
        # Asked for while a reading was under way, which may have come too early.
        self._again = False
        self._checking: asyncio.Task[None] | None = None
        self.bundle: Bundle | None = None
        self.server: Server | None = None
        # Why the catalog could not be read the last time; empty while all is well.
        self.catalog_trouble = ""
        # Called after each change of what statements are decided by.
        self.on_change: Callable[[], None] = lambda: None
        # Called after the database moved to another server, or is reached by it in another way.
        self.on_move: Callable[[], None] = lambda: None
        # Whether anybody is there for whom the catalog should be kept fresh.
        self.in_use: Callable[[], bool] = lambda: True

    @property
    def catalog(self) -> Catalog | None:
        return self._reader.catalog if self._reader is not None else None

    @property
    def default_timeout(self) -> int:
        """The server's own statement_timeout for the gate's login, in milliseconds; 0 is none."""
        return self._reader.statement_timeout if self._reader is not None else 0

    def start(self) -> None:
        self._checking = asyncio.create_task(self._keep_fresh(), name="catalog")

    async def stop(self) -> None:
        tasks = [task for task in (self._checking, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def replace_bundle(self, bundle: Bundle) -> None:
        """Decide by this bundle from now on."""
        before = (self.server, None if self.bundle is None else self.bundle.database.spec.dbname)
        self.bundle, self.server = bundle, self._server_of(bundle)
        dbname = bundle.database.spec.dbname
        moved = before != (self.server, dbname)
        if moved:
            # Sessions with the old server are decided by its catalog while they last.
            self._former = self.catalog
            self._reader = CatalogReader(self.server, dbname)
        self._changed()
        if moved and before[0] is not None:
            self.on_move()
        _log.info("policy in force", generation=bundle.generation, policies=[policy.name for policy in bundle.policies])

    async def rules(self, identity: Identity) -> Rules:
        """What an identity's statements are decided by now. Raises UpstreamError where that is not known."""
        if self.bundle is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        if self.catalog is None and self._reading is not None:
            # The first one will do: there is no older one that it could have missed a change of.
            await asyncio.shield(self._reading)
        elif self.catalog is None:
            await self.refresh_catalog()
        if self.catalog is None or self.bundle is None:
            raise UpstreamError(fatal("08001", self.catalog_trouble or "the catalog has not been read yet"))
        return self.rules_now(identity)

    def rules_now(self, identity: Identity) -> Rules:
        """The same, where bundle and catalog are known to be there."""
        catalog = self.catalog or self._former
        if self.bundle is None or catalog is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        policy = effective(self.bundle, identity)
        rules = self._rules.get(policy)
        if rules is None:
            self._tell_misfits(policy, catalog)
            key = self.bundle.mask_key_bytes
            rules = self._rules[policy] = Rules(
                decider=self._make(policy, catalog, key),
                on_failure=policy.on_failure,
                search_path=catalog.search_path,
                statement_timeout=_longest(policy),
                hmac_key=hmac.digest(key, b"penstock audit sql", "sha256"),
                policy=replace(policy, generation=0),
                observing=policy.enforced is None and policy.observed is not None,
            )
            if len(self._rules) > _MOST_DECIDERS:
                self._rules.popitem(last=False)
        else:
            self._rules.move_to_end(policy)
        return rules

    def _tell_misfits(self, policy: EffectivePolicy, catalog: Catalog) -> None:
        """Say once of each masked column that its mask does not fit its type, and of each mask that masks nothing."""
        for words in {*misfits(policy, catalog), *idle_masks(policy, catalog)} - self._told:
            self._told.add(words)
            _log.warning(words)

    def catalog_stale(self) -> None:
        """The schema was changed: read it anew, whenever that is done."""
        if self._reading is None:
            self._begin_reading()
        else:
            self._again = True

    async def refresh_catalog(self) -> None:
        """Read the catalog as it is now, in turn with others who ask. It may fail; then it is as it was."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        if self._reader is None:
            return
        while self._reading is not None or self._read_began < asked:
            pause = self._read_began + PAUSE_SECONDS - loop.time()
            if self._reading is None and pause > 0:
                await asyncio.sleep(pause)
            else:
                # One that began before may have missed what is asked for; then another follows.
                await asyncio.shield(self._begin_reading())

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="catalog reading")
            self._reading.add_done_callback(self._read_ended)
        return self._reading

    def _read_ended(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if self._again and not task.cancelled():
            self._again = False
            self._begin_reading()

    async def _read(self) -> None:
        reader = self._reader
        if reader is None:
            return
        self._read_began = asyncio.get_running_loop().time()
        trouble, changed = "", False
        try:
            changed = await reader.read()
        except UpstreamError as error:
            trouble = str(error).removeprefix("penstock: ")
        except Exception as error:
            # A fault of ours; sessions that wait for the catalog must not wait forever.
            _log.exception("reading the catalog failed")
            trouble = f"the catalog can't be understood ({type(error).__name__})"
        if trouble and trouble != self.catalog_trouble:
            _log.warning(trouble)
        self.catalog_trouble = trouble
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


def _longest(policy: EffectivePolicy) -> int | None:
    limit = policy.enforced.statement_timeout if policy.enforced is not None else None
    return None if limit is None else limit.value
