"""Tells `control` how the gate stands with its Database: when that changes, and otherwise rarely.

What a report says is `penstock_core.gate_report`'s, how policies fit the database `database_fit.py`'s. That a report
can't be sent is nobody's trouble but the status's: no statement waits for it, and nothing is decided by it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import structlog

from penstock_core.backoff import Backoff
from penstock_core.gate_report import AGAIN_SECONDS, NOTHING, GateReport, Named, one_line
from penstock_sidecar.proxy.database_fit import Fit, fit
from penstock_sidecar.proxy.http_service import ANSWER_SECONDS, HttpService, ServiceError
from penstock_sidecar.proxy.served_database import ServedDatabase

# How often it is looked whether there is news; that is cheap, and sends nothing.
_LOOK_SECONDS = 1.0
# A gate has this long to reach a database that is new to it before it says that it has not.
_PATIENCE_SECONDS = 5.0
# A gate without sessions looks this often whether it still reaches its database.
_IDLE_SECONDS = 300.0
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
_REASONS = {
    "08001": "Unreachable", "08004": "CredentialsRefused", "08006": "ConnectionLost", "3D000": "NoSuchDatabase",
    "42501": "NotPermitted", "53300": "TooManyConnections", "57P03": "StartingUp",
}  # fmt: skip

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """Where reports go, and what the gate shows for itself."""

    url: str
    token_file: Path | None
    ca_file: Path | None


class GateReports:
    """Reports of one Database."""

    def __init__(
        self,
        database: ServedDatabase,
        target: ReportTarget,
        watched: Sequence[Path] = (),
        around: Callable[[], Named] = lambda: NOTHING,
    ) -> None:
        """`watched`: files with credentials and the CA, which are replaced while the gate runs; `around`: sessions with
        the database that are not the gate's.
        """
        self._around = around
        self._database = database
        self._service = HttpService("receiver of reports", target.url, target.token_file, target.ca_file)
        self._url = f"{self._service.host}/v1/gates/{quote(database.name, safe='')}"
        self._watched = watched
        self._signs: tuple[object, ...] = ()
        self._fit = Fit()
        self._fitted: tuple[object, object] = (None, None)
        self._sent: GateReport | None = None
        self._sent_at = 0.0
        self._sent_over = 0
        # Since when it has not been known whether the database is reached.
        self._trying_since = time.monotonic()
        self._looked = time.monotonic()
        self._clock: Callable[[], float] = time.time

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while True:
            pause = _LOOK_SECONDS
            try:
                self._look_again()
                report = await self.report()
                if self._is_due(report):
                    await self._send(report)
                    backoff.reset()
            except ServiceError as trouble:
                self._service.note(str(trouble))
                pause = backoff.next()
            except Exception:
                # A fault of ours, which must not keep the gate from telling the next time.
                _log.exception("a report on the database could not be made", database=self._database.name)
                pause = backoff.next()
            await asyncio.sleep(pause)

    async def say_lost(self, events: int) -> None:
        """The last word of a gate that ends: so many audit events go with it. Raises nothing."""
        try:
            await self._send((await self.report()).model_copy(update={"lost": events}))
        except ServiceError as trouble:
            _log.error("nobody could be told of the events that are lost", problem=str(trouble))

    async def close(self) -> None:
        """Nothing is sent any more."""
        await self._service.close()

    def _look_again(self) -> None:
        """Have the gate log in to the server again where that is another one, credentials were replaced, a session did
        not come to be, or nobody has looked for a while.
        """
        server = self._database.rules_provider.server
        signs = (self._database.upstream_errors, server, self._database.dbname, *map(_stamp, self._watched))
        now = time.monotonic()
        news, self._signs = bool(self._signs) and signs != self._signs, signs
        if news or now - self._looked > _IDLE_SECONDS * random.uniform(1, 1.2):  # noqa: S311 - jitter
            self._looked = now
            self._database.rules_provider.catalog_stale()

    async def report(self) -> GateReport:
        """As it is now."""
        database, provider = self._database, self._database.rules_provider
        bundle, catalog = provider.bundle, provider.catalog
        if bundle is not None and catalog is not None and self._fitted != (bundle.digest, catalog):
            # Beside the loop: many policies and large databases take a while.
            self._fit = await asyncio.to_thread(fit, bundle, catalog)
            self._fitted = (bundle.digest, catalog)
        fitting = self._fit if catalog is not None else Fit()
        trouble, code = provider.catalog_trouble, provider.catalog_sqlstate
        return GateReport(
            number=int(self._clock() * 1000),
            digest="" if bundle is None else bundle.digest,
            policy_trouble=one_line(database.source.trouble),
            reached=False if trouble else True if catalog is not None else None,
            reason=_REASONS.get(code, "Refused") if trouble else "",
            trouble=one_line(trouble),
            unclassified=fitting.unclassified,
            sensitive=fitting.sensitive,
            misfits=fitting.misfits,
            around=self._around(),
            idle_seconds=int(database.idle_seconds),
            had_session=database.had_session,
        )

    def _is_due(self, report: GateReport) -> bool:
        now = time.monotonic()
        if report.reached is not None:
            self._trying_since = now
        elif now - self._trying_since < _PATIENCE_SECONDS:
            return False
        # Whoever had the last one may be another one since.
        moved = self._sent_over != self._database.source.connected
        return moved or not report.same(self._sent) or now - self._sent_at > AGAIN_SECONDS

    async def _send(self, report: GateReport) -> None:
        over = self._database.source.connected
        status, _ = await self._service.exchange("POST", self._url, report.sendable(), ANSWER_SECONDS)
        if status == 404:
            # One that is gone, or a control of an older version: in either case nobody wants to know.
            status = 204
        if status != 204:
            raise ServiceError(f"{self._service.called} answers {status} to a report")
        self._service.note("")
        self._sent, self._sent_at, self._sent_over = report, time.monotonic(), over


def _stamp(path: Path) -> object:
    try:
        # Secrets are replaced by another link.
        return path.resolve(strict=True), path.stat().st_mtime_ns
    except OSError:
        return None
