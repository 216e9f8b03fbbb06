"""One Database of a gate: what its statements are decided by, where that comes from, and the sessions that are with it.

Whatever happens to it, to its server or to its policies concerns its own sessions and nobody else's. What the databases
of a gate share (the listener, cancelling, the trail) is `gateway.py`'s.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from penstock_core.conditions import Truth
from penstock_core.identity import Identity
from penstock_core.policy.reach import concerns
from penstock_core.policy.revocation import Revocation
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.emergencies import Emergencies
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.sources import BundleSource
from penstock_sidecar.proxy.upstream import Upstream, UpstreamError
from penstock_sidecar.session.choosing import Candidate, SessionDatabase
from penstock_sidecar.session.door import Inside
from penstock_sidecar.session.refusals import fatal

if TYPE_CHECKING:
    from penstock_sidecar.proxy.connection import Connection

_log = structlog.get_logger(__name__)


class ServedDatabase:
    """Knows the sessions with one Database, and tells them what concerns them."""

    def __init__(self, name: str, rules_provider: RulesProvider, source: BundleSource) -> None:
        self.name = name
        self.rules_provider = rules_provider
        self.source = source
        self.connections: set[Connection] = set()
        # Whether a session came to be with the server, and since when none is there (monotonic clock).
        self.had_session = False
        self._idle_since = time.monotonic()
        # Where emergencies are put on record that its policies come with.
        self.emergencies: Emergencies | None = None
        # How often the server could not be reached or went away.
        self.upstream_errors = 0
        rules_provider.nothing_yet = lambda: source.nothing_yet
        rules_provider.on_change = self._rules_changed
        rules_provider.conditions.on_time = self._time_passed
        rules_provider.on_move = lambda: self.leave("the database moved to another server; connect again")
        rules_provider.on_wait = self._flush
        rules_provider.on_fresh = self._doubt_ended
        rules_provider.on_blocked = self._recall
        rules_provider.process_of = self._process_of
        rules_provider.doubting = self._doubting
        rules_provider.in_use = lambda: bool(self.connections)

    @property
    def dbname(self) -> str:
        """The server's name for it; empty where no policy has told it yet."""
        bundle = self.rules_provider.bundle
        return "" if bundle is None else bundle.database.spec.dbname

    @property
    def chosen(self) -> SessionDatabase:
        """As a session knows it that is with it."""
        return SessionDatabase(self.name, self.dbname, self.rules_provider.door)

    @property
    def reachable(self) -> int:
        """Whether the database answered when its catalog was last asked for: 1 or 0; -1 before that."""
        if self.rules_provider.catalog_trouble:
            return 0
        return -1 if self.rules_provider.catalog is None else 1

    @property
    def idle_seconds(self) -> float:
        """For how long no session has been there; 0 while one is."""
        if any(one.upstream is not None for one in self.connections):
            return 0.0
        return time.monotonic() - self._idle_since

    def session_ended(self) -> None:
        """One that had come to be, and is among the connections no more."""
        self._idle_since = time.monotonic()

    def candidate(self, identity: Identity) -> Candidate:
        """As a client finds it, or does not."""
        bundle = self.rules_provider.bundle
        if bundle is None:
            return Candidate(self.name, None, absent=self.source.absent)
        # One that went is remembered by its name: what it meant must not come to mean another.
        return Candidate(self.name, self.dbname, concerns(bundle, identity))

    async def connect(self, parameters: dict[str, str]) -> Upstream:
        """A session with the server. Raises UpstreamError."""
        server, bundle = self.rules_provider.server, self.rules_provider.bundle
        if server is None or bundle is None:
            raise UpstreamError(fatal("57P03", self.source.nothing_yet, "try again in a moment"))
        return await upstream.connect(server, {**parameters, "database": bundle.database.spec.dbname})

    def ready(self) -> tuple[bool, str]:
        """Whether sessions may begin, and in one line how it stands."""
        provider, trouble = self.rules_provider, self.source.trouble
        if provider.bundle is None:
            return False, f"no policy has been loaded yet{f': {trouble}' if trouble else ''}"
        words = [f"policy generation {provider.bundle.generation}"]
        if (suspended := provider.bundle.database.spec.suspended) is not None:
            # Ready all the same: clients get to know by a clear error, and nothing is mended by a restart.
            words.append(f"suspended: {suspended.words}")
        if trouble:
            words.append(f"policy is {self.source.age:.0f} s old: {trouble}")
        if provider.catalog is None or provider.catalog_trouble:
            # Reported, and ready all the same: clients get to know by a clear error what is the matter.
            words.append(f"database: {provider.catalog_trouble or 'its catalog has not been read yet'}")
        return True, "; ".join(words)

    def leave(self, reason: str) -> None:
        """Its sessions have to end, each when nothing of it is in flight."""
        for connection in tuple(self.connections):
            connection.leave(reason, at_once=False)

    # What the rules' provider tells of.

    def _flush(self) -> None:
        for connection in tuple(self.connections):
            connection.flush()

    def _doubt_ended(self, fresh: bool) -> None:
        door = self.rules_provider.door
        for connection in tuple(self.connections):
            # One that goes on may itself change the catalog.
            key = connection.session.door_key
            if key is not None and key in door.in_doubt and (door.open or not fresh):
                connection.doubt_ended(fresh=door.out_of_doubt(key) and fresh)

    def _doubting(self) -> list[tuple[Identity, str]]:
        doubtful = self.rules_provider.door.in_doubt
        return [
            (one.session.identity, one.client_address) for one in self.connections if one.session.door_key in doubtful
        ]

    def _process_of(self, who: Inside) -> int | None:
        connection = next((one for one in self.connections if one.session.door_key is who), None)
        session = connection.upstream if connection is not None else None
        return session.greeting.pid if session is not None else None

    def _recall(self, process: int) -> None:
        for connection in tuple(self.connections):
            if connection.upstream is not None and connection.upstream.greeting.pid == process:
                connection.recall()

    def _time_passed(self) -> None:
        """Conditions may have come to something else; those of one identity at one address come to the same."""
        known: dict[tuple[Identity, Identity, str], tuple[Truth | str, ...]] = {}
        for connection in tuple(self.connections):
            try:
                session = connection.session
                who = (session.identity, session.own_identity, connection.client_address)
                if who not in known:
                    known[who] = self.rules_provider.conditions.truths(*who)
                connection.time_passed(known[who])
            except Exception:
                # It must not go on by what held before, nor keep the others from being looked at.
                _log.exception("conditions could not be evaluated anew; the session ends")
                connection.leave("the policy's conditions could not be evaluated; connect again", at_once=True)

    def _revoke(self, connection: Connection, why: Revocation) -> None:
        try:
            connection.revoke(why)
        except Exception:
            # Whatever is wrong with one session, it has to end, and so have the others.
            _log.exception("a session that was revoked could not be ended in words")
            connection.cut()

    def _rules_changed(self) -> None:
        if self.emergencies is not None and self.rules_provider.bundle is not None:
            self.emergencies.heard(self.rules_provider.bundle)
        for connection in tuple(self.connections):
            # First of all: whatever else there is to do takes its time.
            if (why := self.rules_provider.revoked(connection.session.identity)) is not None:
                self._revoke(connection, why)
        for connection in tuple(self.connections):
            self._decide_anew(connection)

    @staticmethod
    def _decide_anew(connection: Connection) -> None:
        try:
            connection.rules_changed()
        except Exception:
            # It must not go on by what held before, nor keep the others from what holds now.
            _log.exception("the policy could not be applied to a session, which ends")
            connection.leave("the policy of now could not be applied to this session; connect again", at_once=True)
