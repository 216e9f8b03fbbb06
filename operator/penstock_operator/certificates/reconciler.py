"""Keeps the release's own Secrets and the webhooks' caBundle as they should be, again and again.

Everything is written by server-side apply, so that nothing of anybody else is touched and rights by name suffice.
What doesn't belong: what should be (`rotation.py`), and other namespaces (`penstock_operator.controllers`).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from penstock_operator.certificates.authority import KeyPair, service_names
from penstock_operator.certificates.rotation import Authorities, advanced, leaf_from_data, renewed_leaf
from penstock_operator.certificates.trust_distribution import LABELS, MANAGER, distribute_trust
from penstock_operator.cluster.api import Api, ApiError, Json
from penstock_operator.settings import OperatorSettings

AUTHORITY_SECRET = "penstock-authority"  # noqa: S105 - the name of a Secret, as those below
CONTROL_TLS_SECRET = "penstock-control-tls"  # noqa: S105
COLLECTOR_TLS_SECRET = "penstock-collector-tls"  # noqa: S105
MASK_KEY_SECRET = "penstock-mask-key"  # noqa: S105
VIEWER_SECRET = "penstock-viewer"  # noqa: S105
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_NOT_FOUND, _CONFLICT = 404, 409
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
        for secret, service in (
            (CONTROL_TLS_SECRET, self._settings.control_service),
            (COLLECTOR_TLS_SECRET, self._settings.collector_service),
        ):
            leaf = await self._leaf(secret, service, authorities, now)
            self.not_after[service] = leaf.certificate.not_valid_after_utc.timestamp()
        await self._once(MASK_KEY_SECRET, lambda: {"key": secrets.token_bytes(32)})
        await self._once(VIEWER_SECRET, _viewer)

    async def _authorities(self, now: datetime) -> Authorities:
        data = await self._read(AUTHORITY_SECRET)
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
            await self._write(AUTHORITY_SECRET, wanted.data())
        return wanted

    async def _leaf(self, secret: str, service: str, authorities: Authorities, now: datetime) -> KeyPair:
        data = await self._read(secret) or {}
        try:
            known = leaf_from_data(data) if data else None
        except (ValueError, KeyError) as problem:
            _log.error("a certificate can't be read; a new one is made", secret=secret, problem=repr(problem))
            known = None
        names = service_names(service, self._settings.namespace, self._settings.cluster_domain)
        life = timedelta(days=self._settings.certificate_days)
        leaf = renewed_leaf(known, authorities.signer, names, now, life)
        wanted = {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem, "ca.crt": authorities.bundle}
        if wanted != data:
            _log.info("certificate written", secret=secret, not_after=leaf.certificate.not_valid_after_utc.isoformat())
            await self._write(secret, wanted, kind="kubernetes.io/tls")
        return leaf

    async def _once(self, secret: str, make: Callable[[], dict[str, bytes]]) -> None:
        """Make a Secret once and for all, also if another operator does the same at this moment."""
        if await self._read(secret) is not None:
            return
        try:
            # Another manager with another value is a conflict, so that the first one's stays.
            await self._write(secret, make(), manager=f"{MANAGER}-{secrets.token_hex(4)}", force=False)
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

    async def _read(self, name: str) -> dict[str, bytes] | None:
        try:
            secret = await self._api.get(f"/api/v1/namespaces/{self._settings.namespace}/secrets/{name}")
        except ApiError as problem:
            if problem.status == _NOT_FOUND:
                return None
            raise
        return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}

    async def _write(
        self,
        name: str,
        data: Mapping[str, bytes],
        *,
        kind: str = "Opaque",
        manager: str = MANAGER,
        force: bool = True,
    ) -> None:
        body: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": kind,
            "metadata": {"name": name, "namespace": self._settings.namespace, "labels": LABELS},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        path = f"/api/v1/namespaces/{self._settings.namespace}/secrets/{name}"
        await self._api.apply(path, body, manager=manager, force=force)


def _viewer() -> dict[str, bytes]:
    """A token to read the audit trail with, and the line by which the collector knows it."""
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token": token.encode(), "tokens": f"{digest} viewer\n".encode()}
