"""What statements are decided by right now: the bundle of policies and the catalog, each replaced as a whole.

Where bundles come from is `sources.py`'s, how the catalog is read `catalog.py`'s; deciding is `penstock_core.sql`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable, Iterable

import structlog

from penstock_core.identity import Identity
from penstock_core.policy.combine import party_values
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.policy.revocation import Revocation, revocation
from penstock_core.resources import Bundle
from penstock_core.resources.grant import Grant
from penstock_core.sql.catalog.model import Catalog
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.condition_watch import ConditionWatch
from penstock_sidecar.proxy.deciders import Deciders, MakeDecider, Unmade
from penstock_sidecar.proxy.lasting_access import LastingAccess
from penstock_sidecar.proxy.shared_door import nowhere_else
from penstock_sidecar.proxy.standings import Standings
from penstock_sidecar.proxy.upstream import Server, UpstreamError
from penstock_sidecar.session.commands import SessionRules
from penstock_sidecar.session.door import Door, Inside
from penstock_sidecar.session.refusals import fatal

_log = structlog.get_logger(__name__)

# The catalog is not read more often than this, whoever asks for names that are not there.
PAUSE_SECONDS = 0.3
# How often the catalog is looked at without being asked to, while there are sessions.
CHECK_SECONDS = 20.0
# By an older one nothing is decided for identities with masks.
OLDEST_SECONDS = 30.0
# How long after a reading that failed the next one begins, while statements wait for it.
RETRY_SECONDS = 1.0
# How long a statement waits for the end of a change of the catalog, and such a change for the end of statements.
MOST_WAIT_SECONDS = 5.0
MOST_HOLD_SECONDS = 2.0
# How long a change lets those go first who wait for the one before.
MOST_COURTESY_SECONDS = 0.5
# How often it is looked whether the server's process of a session that ended is gone.
_LOOK_SECONDS = 0.1


class RulesProvider:
    """Bundle and catalog, and the deciders made from them."""

    def __init__(self, make_decider: MakeDecider, server: Callable[[Bundle], Server], *, share: int = 1) -> None:
        """`share`: how many databases the gate serves, which share the memory for what is not in use."""
        self._server_of = server
        self.deciders = Deciders(make_decider, share)
        self._reader: CatalogReader | None = None
        self._former: Catalog | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_began = 0.0
        # When the last reading began that succeeded.
        self._known = 0.0
        self.door = Door()
        # Whether the other workers' doors are closed, too.
        self.elsewhere: Callable[[Inside, int, bool], Awaitable[bool]] = nowhere_else
        self.door.on_left, self.door.on_open = self._wake, self._opened
        # Those who wait for the door.
        self._woken: set[asyncio.Future[None]] = set()
        self._burying: asyncio.Task[None] | None = None
        # How many readings failed, one after the other, that were waited for.
        self._failed = 0
        self._retry: asyncio.TimerHandle | None = None
        # Asked for while a reading was under way, which may have come too early.
        self._again = False
        self._checking: asyncio.Task[None] | None = None
        self._timing: asyncio.Task[None] | None = None
        self.bundle: Bundle | None = None
        self.access = LastingAccess()
        self.conditions = ConditionWatch(lambda: self._in_force)
        self._standings = Standings(self.conditions, self.access)
        self.server: Server | None = None
        # Why the catalog could not be read the last time; empty while all is well.
        self.catalog_trouble = self.catalog_sqlstate = ""
        self.nothing_yet: Callable[[], str] = lambda: "no policy has been loaded yet"
        # Called after each change of what statements are decided by.
        self.on_change: Callable[[], None] = lambda: None
        # Called with the policies of before and of now.
        self.on_taken_over: Callable[[Bundle | None, Bundle], None] = lambda before, after: None
        # Called after the database moved to another server, or is reached by it in another way.
        self.on_move: Callable[[], None] = lambda: None
        # Called when what others have on their way is waited for, so that their servers answer it.
        self.on_wait: Callable[[], None] = lambda: None
        # Called when the catalog has been read after a change, or could not be for a while.
        self.on_fresh: Callable[[bool], None] = lambda fresh: None
        # Called for each process of the server that waits for a change that waits for it.
        self.on_blocked: Callable[[int], None] = lambda process: None
        # The server's process of a session.
        self.process_of: Callable[[Inside], int | None] = lambda who: None
        # Identity and address of sessions whose statements are decided again as soon as the catalog has been read.
        self.doubting: Callable[[], Iterable[tuple[Identity, str]]] = lambda: ()
        # Whether anybody is there for whom the catalog should be kept fresh.
        self.in_use: Callable[[], bool] = lambda: True

    @property
    def catalog(self) -> Catalog | None:
        return self._reader.catalog if self._reader is not None else None

    @property
    def _name(self) -> str:
        return "" if self.bundle is None else self.bundle.database.name

    @property
    def default_timeout(self) -> int:
        """The server's own statement_timeout for the gate's login, in milliseconds; 0: no limit."""
        return self._reader.statement_timeout if self._reader is not None else 0

    def start(self) -> None:
        self._checking = asyncio.create_task(self._keep_fresh(), name="catalog")
        self._timing = asyncio.create_task(self.conditions.run(), name="conditions")

    async def stop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        tasks = [task for task in (self._checking, self._timing, self._reading, self._burying) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.deciders.stop()

    @property
    def _in_force(self) -> Bundle | None:
        """The bundle, with the access that lasts as far as anybody has heard."""
        return None if self.bundle is None else self.access.within(self.bundle)

    def replace_grants(self, grants: tuple[Grant, ...]) -> None:
        """That access lasts by now, and no other."""
        if self.access.replace(grants) and self.bundle is not None:
            self.on_change()
            _log.info("access that lasts", requests=[one.request for one in grants])

    def replace_bundle(self, bundle: Bundle) -> None:
        """Decide by this bundle from now on."""
        before = (self.server, None if self.bundle is None else self.bundle.database.spec.dbname)
        former, self.bundle, self.server = self.bundle, bundle, self._server_of(bundle)
        moved = before != (self.server, bundle.database.spec.dbname)
        if moved:
            # Sessions with the old server are decided by its catalog while they last.
            self._former = self.catalog
            self._reader = CatalogReader(self.server, bundle.database.spec.dbname)
        self.on_taken_over(former, bundle)
        self.on_change()
        if moved and before[0] is not None:
            self.on_move()
        policies = [policy.name for policy in bundle.policies]
        _log.info("policy in force", database=bundle.database.name, generation=bundle.generation, policies=policies)

    def revoked(self, identity: Identity) -> Revocation | None:
        """Why the identity may have no session, if that is so."""
        return None if self.bundle is None else revocation(self.bundle, identity)

    async def rules(self, identity: Identity, client_address: str) -> SessionRules:
        """What an identity's statements are decided by now. Raises UpstreamError where that is not known."""
        while True:
            if self.bundle is None:
                raise UpstreamError(fatal("57P03", self.nothing_yet(), "try again in a moment"))
            if self.catalog is None and self._reading is not None:
                # The first one will do: there is no older one that it could have missed a change of.
                await asyncio.shield(self._reading)
            elif self.catalog is None:
                await self.refresh_catalog()
            if self.catalog is None or self.bundle is None:
                raise UpstreamError(fatal("08001", self.catalog_trouble or "the catalog has not been read yet"))
            rules = self.rules_now(identity, client_address)
            if rules.ready:
                return rules
            await self._make_for(identity, client_address, self.catalog)

    async def _make_for(self, identity: Identity, client_address: str, catalog: Catalog) -> None:
        if (bundle := self._in_force) is not None:
            timeless = self._standings.of(bundle, identity, client_address).timeless
            await self.deciders.made(timeless, catalog, bundle.mask_key_bytes)

    def rules_now(self, identity: Identity, client_address: str) -> SessionRules:
        """The same, where bundle and catalog are known to be there; what is not made yet is not `ready`."""
        catalog, bundle = self.catalog or self._former, self._in_force
        if bundle is None or catalog is None:
            raise UpstreamError(fatal("57P03", "no policy has been loaded yet", "try again in a moment"))
        standing, key = self._standings.of(bundle, identity, client_address), bundle.mask_key_bytes
        policy, timeless = standing.policy, standing.timeless
        decider = self.deciders.known(timeless, catalog, key)
        return SessionRules(
            decider=Unmade(policy) if decider is None else decider,
            on_failure=policy.on_failure,
            search_path=catalog.search_path,
            statement_timeout=_longest(policy),
            hmac_key=hmac.digest(key, b"penstock audit sql", "sha256"),
            policy=timeless,
            observing=policy.enforced is None and policy.observed is not None,
            masked=policy.enforced is not None and policy.enforced.conceals,
            ready=decider is not None,
            generation=policy.generation,
            access=policy.access,
            askable=standing.askable,
            facts=lambda: self._facts(bundle, identity, policy.access, client_address),
        )

    def _facts(
        self, bundle: Bundle, identity: Identity, access: tuple[Grant, ...], client_address: str
    ) -> tuple[dict[str, object], ...]:
        """What conditions of approvals know of each whose rights decide."""
        now = self.conditions.now(client_address)
        return tuple(party_values(bundle, party, now, access) for party in identity.parties)

    def session_begins(self) -> None:
        """Nobody may have looked at the catalog for a while."""
        if self.catalog is not None and self._age > OLDEST_SECONDS - CHECK_SECONDS:
            self._expire()
            self.catalog_stale()

    async def closed(self, who: Inside, process: int, *, alone: bool) -> bool:
        """Close the door for a session, and wait until nobody is inside who must not be, for a time at most; whether
        that is so. `process` is the server's that runs its transaction.
        """
        # Not for long: to read the catalog takes locks, which the session's own transaction may have.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MOST_COURTESY_SECONDS):
                while self.door.wanted and not self.door.open:
                    await self._woke(_LOOK_SECONDS)
        self.door.force(who)
        self.on_wait()
        try:
            return all(await asyncio.gather(self._alone(who, process, alone), self.elsewhere(who, process, alone)))
        except asyncio.CancelledError:
            self.door.give_up(who)
            raise

    async def _alone(self, who: Inside, process: int, alone: bool) -> bool:
        try:
            async with asyncio.timeout(MOST_HOLD_SECONDS):
                while others := self.door.before(who, alone=alone):
                    await self._woke(_LOOK_SECONDS)
                    await self._unblock(others, process)
        except TimeoutError:
            return False
        return True

    async def _unblock(self, others: list[Inside], process: int) -> None:
        """Cancel what waits for locks of the transaction that waits for it."""
        await self._look_for_ended()
        processes = [one for other in others if (one := self.process_of(other)) is not None]
        if processes and self._reader is not None:
            with contextlib.suppress(UpstreamError):
                for blocked in await self._reader.blocked(processes, process):
                    self.on_blocked(blocked)

    async def open(self) -> bool:
        """Wait until statements may be decided, for a time at most; whether they may."""
        self.door.waiting += 1
        try:
            async with asyncio.timeout(MOST_WAIT_SECONDS):
                while not self.door.open:
                    await self._woke(None)
        except TimeoutError:
            return False
        finally:
            self.door.waiting -= 1
            if not self.door.waiting:
                self._wake()
        return True

    def abandoned(self, who: Inside, process: int) -> None:
        """A session ended with statements on their way, which that process of the server may still run."""
        self.door.end(who, process)
        if self.door.held_by_ended and self._burying is None:
            self._burying = asyncio.create_task(self._bury(), name="ended sessions")

    async def _bury(self) -> None:
        while self.door.held_by_ended:
            await self._look_for_ended()
            await asyncio.sleep(_LOOK_SECONDS)
        self._burying = None
        self.catalog_stale()

    async def _look_for_ended(self) -> None:
        """Forget those sessions that ended whose processes are gone from the server."""
        reader, ended = self._reader, dict(self.door.ended)
        if not ended or reader is None:
            return
        try:
            alive = await reader.processes()
        except UpstreamError:
            return
        for who, process in ended.items():
            if process not in alive and who in self.door.ended:
                self.door.gone(who)

    async def _woke(self, seconds: float | None) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._woken.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._woken.discard(future)

    def _opened(self) -> None:
        self._failed = 0
        if self.door.in_doubt:
            self.on_fresh(True)
        self._wake()

    def _wake(self) -> None:
        for future in self._woken:
            if not future.done():
                future.set_result(None)

    @property
    def _age(self) -> float:
        """How old the catalog is."""
        return asyncio.get_running_loop().time() - self._known

    def _expire(self) -> None:
        """Nothing is decided by a catalog that is too old, where anything is masked, until it has been read again."""
        if self._age > OLDEST_SECONDS and self.door.changes == self.door.seen:
            self.door.expire()

    def catalog_stale(self) -> None:
        """The catalog may have been changed: read it, whenever that is done."""
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
            elif (reading := self._begin_reading()).done():
                # To wait for what is done does not let others run, its own end among them.
                await asyncio.sleep(0)
            else:
                # One that began before may have missed what is asked for; then another follows.
                await asyncio.shield(reading)

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="catalog reading")
            self._reading.add_done_callback(self._read_ended)
        return self._reading

    def _read_ended(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if task.cancelled():
            return
        if self._again:
            self._again = False
            self._begin_reading()
        elif self.door.changes != self.door.seen:
            self._failed += 1
            if self._failed * RETRY_SECONDS >= MOST_WAIT_SECONDS:
                self.on_fresh(False)
            self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self.catalog_stale)

    async def _read(self) -> None:
        reader = self._reader
        if reader is None:
            return
        began = self._read_began = asyncio.get_running_loop().time()
        changes, trouble, code, changed = self.door.changes, "", "", False
        try:
            changed = await reader.read()
        except UpstreamError as error:
            trouble, code = str(error).removeprefix("penstock: "), error.fields.sqlstate
        except Exception as error:
            # A fault of ours; sessions that wait for the catalog must not wait forever.
            _log.exception("reading the catalog failed", database=self._name)
            trouble = f"the catalog can't be understood ({type(error).__name__})"
        if trouble and trouble != self.catalog_trouble:
            _log.warning(trouble, database=self._name)
        self.catalog_trouble, self.catalog_sqlstate = trouble, code
        if not trouble and reader is self._reader and reader.catalog is not None:
            await self._make_for_doubting(reader.catalog)
        if changed and reader is self._reader and reader.catalog is not None:
            relations, generation = len(reader.catalog.relations), reader.catalog.generation
            _log.info("catalog read", database=self._name, relations=relations, generation=generation)
            self.on_change()
        if not trouble and reader is self._reader:
            self._known = began
            self.door.read(changes)

    async def _make_for_doubting(self, catalog: Catalog) -> None:
        """What is on its way is decided again at once, so that what decides has to be there."""
        for identity, client_address in set(self.doubting()):
            with contextlib.suppress(UpstreamError):
                await self._make_for(identity, client_address, catalog)

    async def _keep_fresh(self) -> None:
        while True:
            if self.bundle is not None and (self.catalog is None or self.in_use()):
                # One that takes too long, or fails, leaves a catalog that is too old.
                await asyncio.wait([self._begin_reading()], timeout=OLDEST_SECONDS - CHECK_SECONDS)
                if self.catalog is not None:
                    self._expire()
                    await self._look_for_ended()
            # A first reading that failed is tried again soon.
            await asyncio.sleep(CHECK_SECONDS if self.catalog is not None else 1.0)


def _longest(policy: EffectivePolicy) -> int | None:
    limit = policy.enforced.statement_timeout if policy.enforced is not None else None
    return None if limit is None else limit.value
