"""Keeps the release's own Secrets, gateways' certificates and the webhooks' caBundle as they should be.

Everything is written by server-side apply, so that nothing of anybody else is touched and rights by name suffice.
What doesn't belong: what should be (`rotation.py`), and other namespaces (`penstock_operator.controllers`).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from penstock_operator.certificates.authority import KeyPair, service_names
from penstock_operator.certificates.rotation import Authorities, advanced, leaf_from_data, renewed_leaf
from penstock_operator.certificates.trust_distribution import LABELS, MANAGER, distribute_trust
from penstock_operator.cluster.api import Api, ApiError, Json
from penstock_operator.settings import GatewayCertificate, OperatorSettings

AUTHORITY_SECRET = "penstock-authority"  # noqa: S105 - the name of a Secret, as those below
CONTROL_TLS_SECRET = "penstock-control-tls"  # noqa: S105
COLLECTOR_TLS_SECRET = "penstock-collector-tls"  # noqa: S105
MASK_KEY_SECRET = "penstock-mask-key"  # noqa: S105
VIEWER_SECRET = "penstock-viewer"  # noqa: S105
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_NOT_FOUND, _CONFLICT = 404, 409
# A Secret: its namespace and its name.
Place = tuple[str, str]
_log = structlog.get_logger(__name__)


class Reconciler:
    """One release. `keep` is called every few seconds; `bundle` is what must be trusted, once it was."""

    def __init__(self, api: Api, settings: OperatorSettings, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self.bundle = b""
        # Certificate → when it ends, in seconds since 1970.
        self.not_after: dict[str, float] = {}

    async def reconcile(self) -> None:
        """Look at everything once and write what is not as it should be. Raises ApiError."""
        now = self._clock()
        authorities = await self._authorities(now)
        self.not_after["authority"] = authorities.signer.certificate.not_valid_after_utc.timestamp()
        self.bundle = authorities.bundle
        # Trust first, then what must be trusted.
        for kind, name in (
            ("mutatingwebhookconfigurations", self._settings.mutating_webhook),
            ("validatingwebhookconfigurations", self._settings.validating_webhook),
        ):
            await self._trust(kind, name)
        await distribute_trust(self._api, self._settings.namespace, self.bundle)
        own = self._settings.namespace
        for secret, service in (
            (CONTROL_TLS_SECRET, self._settings.control_service),
            (COLLECTOR_TLS_SECRET, self._settings.collector_service),
        ):
            names = service_names(service, own, self._settings.cluster_domain)
            leaf = await self._leaf((own, secret), names, authorities, now)
            self.not_after[service] = leaf.certificate.not_valid_after_utc.timestamp()
        await self._once(MASK_KEY_SECRET, lambda: {"key": secrets.token_bytes(32)})
        await self._once(VIEWER_SECRET, _viewer)
        for gateway in self._settings.gateways:
            await self._gateway(gateway, authorities, now)

    async def _gateway(self, gateway: GatewayCertificate, authorities: Authorities, now: datetime) -> None:
        """A gateway's certificate, in a namespace of its own, which may be gone: that is nobody else's trouble."""
        names = service_names(gateway.service, gateway.namespace, self._settings.cluster_domain)
        place = (gateway.namespace, gateway.secret)
        try:
            leaf = await self._leaf(place, list(dict.fromkeys([*names, *gateway.names])), authorities, now)
        except ApiError as problem:
            _log.warning("a gateway's certificate could not be looked after", secret="/".join(place), why=str(problem))
            return
        self.not_after[f"{gateway.namespace}/{gateway.service}"] = leaf.certificate.not_valid_after_utc.timestamp()

    async def _authorities(self, now: datetime) -> Authorities:
        data = await self._read(self._own(AUTHORITY_SECRET))
        try:
            known = Authorities.from_data(data) if data else None
        except (ValueError, KeyError) as problem:
            _log.error("the authority can't be read; a new one is made", secret=AUTHORITY_SECRET, problem=repr(problem))
            known = None
        wanted = advanced(known, now, timedelta(days=self._settings.authority_days))
        if wanted != known:
            _log.info(
                "authorities changed",
                signer=wanted.signer.certificate.subject.rfc4514_string(),
                next=wanted.next.certificate.subject.rfc4514_string() if wanted.next else None,
            )
            await self._write(self._own(AUTHORITY_SECRET), wanted.data())
        return wanted

    async def _leaf(self, place: Place, names: Sequence[str], authorities: Authorities, now: datetime) -> KeyPair:
        data = await self._read(place) or {}
        try:
            known = leaf_from_data(data) if data else None
        except (ValueError, KeyError) as problem:
            _log.error("a certificate can't be read; a new one is made", secret="/".join(place), problem=repr(problem))
            known = None
        life = timedelta(days=self._settings.certificate_days)
        leaf = renewed_leaf(known, authorities.signer, names, now, life)
        wanted = {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem, "ca.crt": authorities.bundle}
        if wanted != data:
            ends = leaf.certificate.not_valid_after_utc.isoformat()
            _log.info("certificate written", secret="/".join(place), not_after=ends)
            await self._write(place, wanted, kind="kubernetes.io/tls")
        return leaf

    async def _once(self, secret: str, make: Callable[[], dict[str, bytes]]) -> None:
        """Make a Secret once and for all, also if another operator does the same at this moment."""
        place = self._own(secret)
        if await self._read(place) is not None:
            return
        try:
            # Another manager with another value is a conflict, so that the first one's stays.
            await self._write(place, make(), manager=f"{MANAGER}-{secrets.token_hex(4)}", force=False)
        except ApiError as problem:
            if problem.status != _CONFLICT:
                raise
        _log.info("secret made", secret=secret)

    async def _trust(self, kind: str, name: str) -> None:
        """Put the bundle into each webhook of a configuration, and nothing else."""
        path = f"{_ADMISSION}/{kind}/{name}"
        try:
            configuration = await self._api.get(path)
        except ApiError as problem:
            if problem.status != _NOT_FOUND:
                raise
            # Being uninstalled, or switched off in the chart's values.
            _log.warning("there is no such webhook configuration", kind=kind, name=name)
            return
        bundle = base64.b64encode(self.bundle).decode()
        hooks = configuration.get("webhooks") or []
        if all((hook.get("clientConfig") or {}).get("caBundle") == bundle for hook in hooks):
            return
        await self._api.apply(
            path,
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": configuration["kind"],
                "metadata": {"name": name},
                "webhooks": [{"name": hook["name"], "clientConfig": {"caBundle": bundle}} for hook in hooks],
            },
            manager=MANAGER,
        )
        _log.info("webhook trusts our authority", kind=kind, name=name)

    def _own(self, secret: str) -> Place:
        return self._settings.namespace, secret

    async def _read(self, place: Place) -> dict[str, bytes] | None:
        namespace, name = place
        try:
            secret = await self._api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ApiError as problem:
            if problem.status == _NOT_FOUND:
                return None
            raise
        return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}

    async def _write(
        self,
        place: Place,
        data: Mapping[str, bytes],
        *,
        kind: str = "Opaque",
        manager: str = MANAGER,
        force: bool = True,
    ) -> None:
        namespace, name = place
        body: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        await self._api.apply(path, body, manager=manager, force=force)


def _viewer() -> dict[str, bytes]:
    """A token to read the audit trail with, and the line by which the collector knows it."""
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token": token.encode(), "tokens": f"{digest} viewer\n".encode()}
