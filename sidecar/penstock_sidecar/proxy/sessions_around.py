"""Sessions with the database from this gate's own address that are none of the gate's: whoever has them goes around it.

The server tells what the gate's login may see of others (its own role's, or all with pg_read_all_stats), and only where
no address is translated on the way: behind a common address, other gates' sessions would look the same. It is told, in
the status and in the trail, and nothing is ended. What doesn't belong: the report (`gate_reports.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from penstock_core.gate_report import NOTHING, Named
from penstock_sidecar.proxy.catalog import CatalogReader
from penstock_sidecar.proxy.served_database import ServedDatabase
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.proxy.upstream import UpstreamError

LOOK_SECONDS = 60.0
# Of those whom nobody knew the last time: one of the gate's own that was just about to begin is known by then.
AGAIN_SECONDS = 3.0
_log = structlog.get_logger(__name__)


class SessionsAround:
    """Looks now and then, and remembers what it saw."""

    def __init__(self, database: ServedDatabase, trail: AuditTrail, own: Callable[[], frozenset[int]]) -> None:
        """`own`: the server's processes that serve this gate's sessions, with whatever Database."""
        self._database = database
        self._trail = trail
        self._own = own
        self.seen: Named = NOTHING

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._told(await self.look())
            except UpstreamError:
                # That it is not reached is the report's to say.
                continue
            except Exception:
                _log.exception("sessions around the gate could not be looked for", database=self._database.name)

    async def look(self) -> Named:
        """Those that are there now, twice in a row. Raises UpstreamError."""
        first = await self._strangers()
        if not first:
            return NOTHING
        await asyncio.sleep(AGAIN_SECONDS)
        second = await self._strangers()
        lasting = [(pid, who) for pid, who in second.items() if first.get(pid) == who]
        found = Named.of(who for _, who in lasting)
        return found.model_copy(update={"count": len(lasting)})

    async def _strangers(self) -> dict[int, str]:
        provider = self._database.rules_provider
        if provider.server is None or provider.catalog is None:
            return {}
        found = await CatalogReader(provider.server, self._database.dbname).beside()
        own = self._own()
        return {pid: who for pid, who in found.items() if pid not in own}

    def _told(self, found: Named) -> None:
        if found == self.seen:
            return
        self.seen = found
        self._trail.append(
            [{"kind": "around", "database": self._database.name, "count": found.count, "logins": list(found.first)}]
        )
        if found.count:
            _log.warning(
                f"{found.count} sessions with the database go around the gate, from its own address",
                database=self._database.name, logins=list(found.first),
            )  # fmt: skip
