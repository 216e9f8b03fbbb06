"""The parts of one running proxy, put together from the settings: started in order, stopped in order.

Each part's work is its own; signals and the event loop are `main.py`'s.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from importlib.metadata import version
from pathlib import Path

import structlog
from prometheus_client.registry import CollectorRegistry

from penstock_core.identity import Identity, Workload
from penstock_core.resources import Bundle, ResourceError
from penstock_core.token_issuers import TokenIssuer
from penstock_sidecar.health import HealthServer
from penstock_sidecar.identity_settings import IdentitySettings
from penstock_sidecar.proxy.access_news import AccessNews
from penstock_sidecar.proxy.approval_requests import ApprovalRequests
from penstock_sidecar.proxy.certificate import Certificate, CertificateError, SelfMade
from penstock_sidecar.proxy.deciders import MakeDecider
from penstock_sidecar.proxy.gateway import Gateway
from penstock_sidecar.proxy.issuers import Delegation, Issuer
from penstock_sidecar.proxy.metrics import ProxyCollector
from penstock_sidecar.proxy.rules_provider import RulesProvider
from penstock_sidecar.proxy.signing_keys import DISCOVERY
from penstock_sidecar.proxy.sources import BundleKey, BundleSource, ControlSource, FileSource
from penstock_sidecar.proxy.tokens import TokenVerifier
from penstock_sidecar.proxy.trail import AuditTrail
from penstock_sidecar.proxy.upstream import Server
from penstock_sidecar.session.commands import ProxyConfig, TokenSource
from penstock_sidecar.settings import ProxySettings, SettingsError
from penstock_sidecar.shipping.shipper import Shipper
from penstock_sidecar.shipping.spool import Spool, SpoolError

_log = structlog.get_logger(__name__)


class StartError(RuntimeError):
    """The proxy can't start; each line of the text names one thing and says what is wrong with it."""


class Proxy:
    """All parts of one running proxy."""

    def __init__(self, settings: ProxySettings, make_decider: MakeDecider) -> None:
        self._settings = settings
        self._make_decider = make_decider
        self._tasks: list[asyncio.Task[None]] = []
        self.port = 0
        self.health_port = 0

    async def start(self) -> None:
        """Listen, with policies on their way. Raises StartError and leaves nothing behind."""
        settings = self._settings
        try:
            self.spool = Spool.open(
                settings.at(settings.spool.path),
                f"{settings.stream_owner}/{secrets.token_hex(8)}",
                settings.spool.max_bytes,
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
        self.rules_provider = RulesProvider(self._make_decider, self._server)
        certificate = _certificate(settings)
        self.approval_requests = _approval_requests(settings)
        self.gateway = Gateway(
            _config(settings), self.rules_provider, self.trail, _verifier(settings), certificate, self.approval_requests
        )
        self.source = self._source()
        opening: dict[str, object] = {"kind": "open", "database": settings.database, "version": version("penstock")}
        if isinstance(self.source, FileSource):
            try:
                self.source.start()
            except (ResourceError, OSError) as error:
                raise StartError(str(error)) from None
        if self.rules_provider.bundle is not None:
            opening["policyGeneration"] = self.rules_provider.bundle.generation
        self.spool.append([opening])
        registry = CollectorRegistry()
        registry.register(ProxyCollector(self.gateway, self.source, self.spool))
        self.health = HealthServer(self._ready, registry)
        try:
            self.health_port = await self.health.listen(settings.health.host, settings.health.port)
            self.port = await self.gateway.listen(settings.listen.host, settings.listen.port)
        except OSError as error:
            raise StartError(f"can't listen: {error.strerror or error}") from None
        self.rules_provider.start()
        self._tasks.append(asyncio.create_task(self.source.run(), name="policies"))
        self._hear_of_access()
        self.shipper: Shipper | None = None
        if settings.collector is not None:
            collector = settings.collector
            self.shipper = Shipper(
                self.spool, collector.url, _at(settings, collector.token_file), _at(settings, collector.ca_file)
            )
            self._tasks.append(asyncio.create_task(self.shipper.run(), name="shipper"))
        _log.info(
            "listening", address=f"{settings.listen.host}:{self.port}", database=settings.database,
            health=f"{settings.health.host}:{self.health_port}", stream=self.spool.head.stream,
        )  # fmt: skip

    def _hear_of_access(self) -> None:
        """From whoever streams the policies, or else from the collector."""
        settings, access = self._settings, self.rules_provider.access
        if settings.control is not None:
            access.age = lambda: self.source.age
            access.command = f"kubectl penstock request {{policy}} -n {settings.namespace} --for 1h --reason '…'"
            return
        self.access_news: AccessNews | None = None
        # Without anybody to ask, nothing ever lasts.
        access.age = lambda: float("inf") if self.access_news is None else self.access_news.age
        if (collector := settings.collector) is not None:
            self.access_news = AccessNews(
                collector.url, settings.stream_owner, lambda: self.rules_provider.bundle,
                self.rules_provider.replace_grants, token_file=_at(settings, collector.token_file),
                ca_file=_at(settings, collector.ca_file), issuers=[one.issuer for one in settings.identity.issuers],
            )  # fmt: skip
            self._tasks.append(asyncio.create_task(self.access_news.run(), name="access"))

    async def stop(self) -> None:
        """Drain, ship what is recorded, and end."""
        settings = self._settings
        await self.gateway.drain(settings.grace_seconds)
        self.trail.catch_up()
        closing = self.spool.append([{"kind": "close", "reason": "shutdown"}])
        await asyncio.wait([closing], timeout=10)
        if self.shipper is not None and not await self.shipper.flush(settings.grace_seconds):
            _log.warning("audit events are left in the spool for the next start", events=self.spool.depth)
        await self._abandon()

    async def _abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for part in ("health", "gate"):
            owned = getattr(self, part, None)
            if isinstance(owned, HealthServer):
                await owned.close()
            elif isinstance(owned, RulesProvider):
                await owned.stop()
        for name in ("approval_requests", "access_news"):
            client = getattr(self, name, None)
            if isinstance(client, ApprovalRequests | AccessNews):
                await client.close()
        await asyncio.to_thread(self.spool.close)

    def _server(self, bundle: Bundle) -> Server:
        settings, spec = self._settings, bundle.database.spec
        return Server(
            spec.host, spec.port, spec.tls.mode, settings.at(settings.credentials_dir),
            _at(settings, settings.upstream_ca_file),
        )  # fmt: skip

    def _source(self) -> BundleSource:
        settings = self._settings
        if settings.control is not None:
            control = settings.control
            return ControlSource(
                control.url, settings.at(control.token_file), _at(settings, control.ca_file), settings.database,
                settings.namespace, self.rules_provider.replace_bundle, max_age=control.max_age_seconds,
            )  # fmt: skip
        wanted = BundleKey(settings.database, settings.namespace, _mask_key(settings))
        return FileSource(settings.resources or (), settings.directory, wanted, self.rules_provider.replace_bundle)

    def _ready(self) -> tuple[bool, str]:
        rules_provider = self.rules_provider
        if rules_provider.bundle is None:
            return False, f"no policy has been loaded yet{_because(self.source.trouble)}"
        words = [f"policy generation {rules_provider.bundle.generation}"]
        if self.source.trouble:
            words.append(f"policy is {self.source.age:.0f} s old: {self.source.trouble}")
        if rules_provider.catalog is None or rules_provider.catalog_trouble:
            # Reported, and ready all the same: clients get to know by a clear error what is the matter.
            words.append(f"database: {rules_provider.catalog_trouble or 'its catalog has not been read yet'}")
        if self.trail.refusal:
            words.append(self.trail.refusal)
        return True, "; ".join(words)


def _because(trouble: str) -> str:
    return f": {trouble}" if trouble else ""


def _at(settings: ProxySettings, path: Path | None) -> Path | None:
    return None if path is None else settings.at(path)


def _mask_key(settings: ProxySettings) -> bytes:
    if settings.mask_key_file is None:
        raise SettingsError("maskKeyFile: is missing")
    path = settings.at(settings.mask_key_file)
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except OSError as error:
        raise StartError(f"maskKeyFile: {path}: {error.strerror}") from None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise StartError(f"maskKeyFile: {path}: not base64") from None
    if len(key) != 32:
        raise StartError(f"maskKeyFile: {path}: {len(key)} bytes where 32 are needed")
    return key


def _workload(settings: ProxySettings) -> Workload | None:
    one = settings.identity.workload
    return None if one is None else Workload(one.namespace, one.service_account, one.pod, one.pod_uid)


def _config(settings: ProxySettings) -> ProxyConfig:
    identity = settings.identity
    return ProxyConfig(
        database=settings.database,
        token="always" if identity.required else "asked" if identity.issuers else "never",
        login=identity.login,
        source=_source_of_tokens(identity),
        tls="off" if settings.tls is None else "required" if settings.tls.required else "optional",
        workload=Identity(_workload(settings)),
    )


def _certificate(settings: ProxySettings) -> Certificate | None:
    """What clients are shown, found to be good. Raises StartError."""
    tls = settings.tls
    if tls is None:
        return None
    own = SelfMade.for_host(settings.listen.host, tls.names) if tls.self_signed else None
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


def _source_of_tokens(identity: IdentitySettings) -> TokenSource:
    """Where clients get tokens by themselves: from the first issuer that can be asked."""
    issuer = next((one for one in identity.issuers if one.issuer.startswith("https://")), None)
    return TokenSource() if issuer is None else TokenSource(issuer.issuer.rstrip("/") + DISCOVERY, issuer.scope)


def _verifier(settings: ProxySettings) -> TokenVerifier | None:
    identity = settings.identity
    issuers = [_issuer(settings, one) for one in identity.issuers]
    return TokenVerifier(issuers, _workload(settings), identity.clock_skew_seconds) if issuers else None


def _issuer(settings: ProxySettings, one: TokenIssuer) -> Issuer:
    delegation = one.delegation
    return Issuer(
        one.issuer, one.audience, one.kind,
        jwks_file=_at(settings, one.jwks_file), jwks_url=one.jwks_url, ca_file=_at(settings, one.ca_file),
        keys_max_age=one.keys_max_age_seconds, subject_claim=one.subject_claim, groups_claim=one.groups_claim,
        kind_claim=one.kind_claim, kinds={each.value: each.kind for each in one.kinds or ()},
        authorized_parties=one.authorized_parties,
        delegation=None
        if delegation is None
        else Delegation(delegation.agents, delegation.groups_claim, delegation.actor_claim),
    )  # fmt: skip
