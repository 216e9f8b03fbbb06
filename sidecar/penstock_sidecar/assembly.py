"""The parts of one running proxy, put together from the settings: started in order, stopped in order.

Each part's work is its own; signals and the event loop are `main.py`'s.
"""

from __future__ import annotations

import asyncio
import secrets
from importlib.metadata import version
from pathlib import Path

import structlog
from prometheus_client.registry import CollectorRegistry

from penstock_core.compilation import in_words
from penstock_core.identity import Identity, Workload
from penstock_core.resources import ResourceError
from penstock_sidecar.health import HealthServer
from penstock_sidecar.identity_settings import IdentitySettings
from penstock_sidecar.proxy import policy_changes
from penstock_sidecar.proxy.access_news import AccessNews
from penstock_sidecar.proxy.approval_requests import ApprovalRequests
from penstock_sidecar.proxy.certificate import Certificate, CertificateError, SelfMade
from penstock_sidecar.proxy.context_tokens import ContextVerifier
from penstock_sidecar.proxy.deciders import MakeDecider
from penstock_sidecar.proxy.emergencies import Emergencies
from penstock_sidecar.proxy.gate_reports import GateReports
from penstock_sidecar.proxy.gateway import Gateway
from penstock_sidecar.proxy.issuers import configured
from penstock_sidecar.proxy.metrics import ProxyCollector
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.sessions_around import SessionsAround
from penstock_sidecar.proxy.shared_door import SharedDoors
from penstock_sidecar.proxy.siblings import share_cancelling
from penstock_sidecar.proxy.signing_keys import DISCOVERY
from penstock_sidecar.proxy.sources import BundleSource, FileSource
from penstock_sidecar.proxy.tickets import Tickets
from penstock_sidecar.proxy.tokens import TokenVerifier
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.served_databases import hear_of_access, reports, served_databases
from penstock_sidecar.session.commands import ProxyConfig, TokenSource
from penstock_sidecar.settings import ProxySettings, SettingsError
from penstock_sidecar.shipping.dialogue import Task
from penstock_sidecar.shipping.shipper_process import ShipperProcess
from penstock_sidecar.shipping.spool import Spool, SpoolError
from penstock_sidecar.worker import Attached, Place, spool_of

_log = structlog.get_logger(__name__)

# Of the time that the end may take: for what comes after shipping.
_LAST_SECONDS = 4.0


class StartError(RuntimeError):
    """The proxy can't start; each line of the text names one thing and says what is wrong with it."""


class Proxy:
    """All parts of one running proxy."""

    def __init__(self, settings: ProxySettings, make_decider: MakeDecider, place: Place | None = None) -> None:
        """`place`: which worker it is, of a gate that has several."""
        self._attached = None if place is None else Attached(place)
        number, count = (1, 1) if place is None else (place.number, place.count)
        self._spool = spool_of(settings.at(settings.spool.path), number)
        self._spool_bytes = settings.spool.max_bytes // count
        self._settings = settings
        self._make_decider = make_decider
        self._tasks: list[asyncio.Task[None]] = []
        # Of each listener.
        self.ports: list[int] = []
        self.health_port = 0

    @property
    def port(self) -> int:
        """The first listener's."""
        return self.ports[0]

    @property
    def rules_provider(self) -> RulesProvider:
        """The first database's."""
        return self.databases[0].rules_provider

    @property
    def source(self) -> BundleSource:
        """The first database's."""
        return self.databases[0].source

    async def start(self) -> None:
        """Listen, with policies on their way. Raises StartError and leaves nothing behind."""
        settings = self._settings
        try:
            self.spool = Spool.open(
                self._spool,
                f"{settings.stream_owner}/{secrets.token_hex(8)}",
                self._spool_bytes,
            )
        except SpoolError as error:
            raise StartError(str(error)) from None
        try:
            await self._start()
        except BaseException:
            await self._abandon()
            raise

    async def _start(self) -> None:
        settings = self._settings
        self.trail = AuditTrail(self.spool)
        self.shipper = _shipper(settings, self._spool, self.spool)
        try:
            self.databases = served_databases(settings, self._make_decider)
        except SettingsError as error:
            raise StartError(str(error)) from None
        for database in self.databases:
            database.emergencies = Emergencies(self.trail.append)
        shown = certificate(settings)
        self.approval_requests = _approval_requests(settings)
        self.tickets = _tickets(settings)
        self.gateway = Gateway(
            _config(settings), self.databases, self.trail, _verifier(settings), shown,
            self.approval_requests, self.tickets, _contexts(settings),
        )  # fmt: skip
        names = ", ".join(one.name for one in self.databases)
        opening: dict[str, object] = {"kind": "open", "database": names, "version": version("penstock")}
        for database in self.databases:
            policy_changes.tell(database, self.trail)
            if isinstance(database.source, FileSource):
                try:
                    database.source.start()
                except (ResourceError, OSError) as error:
                    raise StartError(str(error)) from None
        if len(self.databases) == 1 and (bundle := self.rules_provider.bundle) is not None:
            opening |= {"policyGeneration": bundle.generation, "policyDigest": bundle.digest}
        self.spool.append([opening])
        await self._listen()
        for database in self.databases:
            database.rules_provider.start()
            self._tasks.append(asyncio.create_task(database.source.run(), name="policies"))
        self._hear_of_access()
        self._report()
        if self.shipper is not None:
            self._tasks.append(asyncio.create_task(self.shipper.run(), name="shipper"))
        if self._attached is not None:
            _log.info("worker listening", number=self._attached.place.number, stream=self.spool.head.stream)
            return
        _log.info(
            "listening", database=names,
            address=", ".join(one.told(port) for one, port in zip(settings.listeners, self.ports, strict=True)),
            health=f"{settings.health.host}:{self.health_port}", stream=self.spool.head.stream, build=in_words(),
        )  # fmt: skip

    def _report(self) -> None:
        """To whoever streams the policies."""
        self.reports: list[GateReports] = []
        for database in self.databases:
            around = SessionsAround(database, self.trail, self._processes)
            found = reports(self._settings, database, around)
            if found is not None:
                self.reports.append(found)
                self._tasks.append(asyncio.create_task(found.run(), name="reports"))
                # Its siblings' sessions, which it can't tell from others', come from the same address.
                if self._attached is None:
                    self._tasks.append(asyncio.create_task(around.run(), name="sessions around"))

    def _processes(self) -> frozenset[int]:
        """The servers' processes that serve sessions of this gate."""
        sessions = [one.upstream for database in self.databases for one in database.connections]
        return frozenset(one.greeting.pid for one in sessions if one is not None)

    async def _listen(self) -> None:
        """Raises StartError."""
        settings, metrics = self._settings, ProxyCollector(self.gateway, self.spool, self.shipper)
        if self._attached is not None:
            self._join_siblings(self._attached)
            await self._attached.begin()
            for sockets, (_, database) in zip(self._attached.place.sockets(), settings.listeners, strict=True):
                self.ports.append(await self.gateway.share(sockets, database))
            self._attached.tell_status(self._ready, metrics.collect)
            return
        registry = CollectorRegistry()
        registry.register(metrics)
        self.health = HealthServer(self._ready, registry)
        try:
            self.health_port = await self.health.listen(settings.health.host, settings.health.port)
            for address, database in settings.listeners:
                self.ports.append(await self.gateway.listen(address.host, address.port, database))
        except OSError as error:
            raise StartError(f"can't listen: {error.strerror or error}") from None

    def _join_siblings(self, attached: Attached) -> None:
        SharedDoors(attached.siblings, {one.name: one.rules_provider for one in self.databases})
        share_cancelling(attached.siblings, self.gateway)

    def _hear_of_access(self) -> None:
        """From whoever streams the policies, or else from the collector."""
        self.access_news: list[AccessNews] = []
        for database in self.databases:
            news = hear_of_access(self._settings, database)
            if news is not None:
                self.access_news.append(news)
                self._tasks.append(asyncio.create_task(news.run(), name="access"))

    async def stop(self) -> None:
        """Drain, ship what is recorded, and end."""
        grace, end = self._settings.grace_seconds, self._settings.end_seconds
        began = asyncio.get_running_loop().time()
        await self.gateway.drain(grace if end is None else min(grace, end / 2))
        self.trail.close()
        closing = self.spool.append([{"kind": "close", "reason": "shutdown"}])
        await asyncio.wait([closing], timeout=10)
        took = asyncio.get_running_loop().time() - began
        seconds = grace if end is None else max(0.0, end - _LAST_SECONDS - took)
        if self.shipper is not None and not await self.shipper.flush(seconds):
            await self._leave(self.spool.depth)
        await self._abandon()

    async def _leave(self, events: int) -> None:
        """The collector has not taken them."""
        if self._settings.spool.lasts:
            _log.warning("audit events are left in the spool for the next start", events=events)
            return
        _log.error(
            f"{events} audit events are lost with this pod, unless its gate starts again in it: the collector did not "
            "take them in time",
            events=events,
        )
        await asyncio.gather(*(one.say_lost(events) for one in self.reports))

    async def _abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._attached is not None:
            await self._attached.close()
        health = getattr(self, "health", None)
        if isinstance(health, HealthServer):
            await health.close()
        for database in getattr(self, "databases", ()):
            await database.rules_provider.stop()
        asking = [getattr(self, name, None) for name in ("approval_requests", "tickets")]
        for client in (*asking, *getattr(self, "access_news", ()), *getattr(self, "reports", ())):
            if isinstance(client, ApprovalRequests | Tickets | AccessNews | GateReports):
                await client.close()
        await asyncio.to_thread(self.spool.close)

    def _ready(self) -> tuple[bool, str]:
        """Where clients choose, ready as soon as somebody can be served, and each database has its policies or a reason
        to be without. Where each has a place of its own, as soon as all can be served: an application counts with it.
        """
        told = [(one, *one.ready()) for one in self.databases]
        if all(one.database for one in self._settings.listeners):
            ready = all(ready for _, ready, _ in told)
        else:
            awaited = [one for one, ready, _ in told if not ready and not one.source.trouble]
            ready = any(ready for _, ready, _ in told) and not awaited
        words = told[0][2] if len(told) == 1 else " | ".join(f"{one.name}: {words}" for one, _, words in told)
        # Without the collector it serves all the same, until the spool is full: then the policies say what happens.
        if self.shipper is not None and self.shipper.trouble is not None:
            words += f" | audit: {self.shipper.trouble}"
        return ready, words


def _at(settings: ProxySettings, path: Path | None) -> Path | None:
    return None if path is None else settings.at(path)


def _workload(settings: ProxySettings) -> Workload | None:
    one = settings.identity.workload
    return None if one is None else Workload(one.namespace, one.service_account, one.pod, one.pod_uid)


def _config(settings: ProxySettings) -> ProxyConfig:
    identity = settings.identity
    return ProxyConfig(
        token="always" if identity.required else "asked" if identity.logins else "never",
        login=identity.login,
        source=_source_of_tokens(identity),
        tls="off" if settings.tls is None else "required" if settings.tls.required else "optional",
        contexts=bool(identity.contexts),
        workload=Identity(_workload(settings)),
    )


def certificate(settings: ProxySettings) -> Certificate | None:
    """What clients are shown, found to be good. Raises StartError."""
    tls = settings.tls
    if tls is None:
        return None
    names = (*(one.address.host for one in settings.listeners), *tls.names)
    own = SelfMade.for_hosts(names) if tls.self_signed else None
    # Beside the spool: the one place that the gate may write to.
    beside = settings.at(settings.spool.path)
    certificate = Certificate(
        _at(settings, tls.cert_file) or beside.with_name("tls.crt"),
        _at(settings, tls.key_file) or beside.with_name("tls.key"), own,
    )  # fmt: skip
    try:
        certificate.context()
    except CertificateError as error:
        raise StartError(str(error)) from None
    return certificate


def _approval_requests(settings: ProxySettings) -> ApprovalRequests | None:
    """The holder of requests: what is configured as one, or the collector."""
    holder = settings.approvals or settings.collector
    if holder is None:
        return None
    return ApprovalRequests(
        holder.url, settings.stream_owner, _at(settings, holder.token_file), _at(settings, holder.ca_file),
        namespace=settings.namespace,
    )  # fmt: skip


def _shipper(settings: ProxySettings, path: Path, spool: Spool) -> ShipperProcess | None:
    """Without a collector, nothing is shipped."""
    collector = settings.collector
    if collector is None:
        return None
    files = [_at(settings, collector.token_file), _at(settings, collector.ca_file)]
    return ShipperProcess(spool, Task(path, collector.url, *files))


def _tickets(settings: ProxySettings) -> Tickets | None:
    """Tickets are kept by the collector; without one there are none, nor where they are not wanted."""
    keeper = settings.collector
    if keeper is None or not settings.identity.tickets:
        return None
    return Tickets(keeper.url, settings.stream_owner, _at(settings, keeper.token_file), _at(settings, keeper.ca_file))


def _source_of_tokens(identity: IdentitySettings) -> TokenSource:
    """Where clients get tokens by themselves: from the first issuer that can be asked."""
    issuer = next((one for one in identity.logins if one.issuer.startswith("https://")), None)
    return TokenSource() if issuer is None else TokenSource(issuer.issuer.rstrip("/") + DISCOVERY, issuer.scope)


def _verifier(settings: ProxySettings) -> TokenVerifier | None:
    identity = settings.identity
    issuers = [configured(one, settings.directory) for one in identity.issuers]
    return TokenVerifier(issuers, _workload(settings), identity.clock_skew_seconds) if identity.logins else None


def _contexts(settings: ProxySettings) -> ContextVerifier | None:
    identity = settings.identity
    issuers = [configured(one, settings.directory) for one in identity.issuers]
    return ContextVerifier(issuers, _workload(settings), identity.clock_skew_seconds) if identity.contexts else None
