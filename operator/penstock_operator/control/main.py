"""Runs `control`: follows the resources and its Secrets, and serves until SIGTERM.

What doesn't belong: what is served (`app.py`).
"""

from __future__ import annotations

import asyncio
import signal
from importlib.metadata import version as package_version

import structlog

from penstock_operator.cluster.access import find
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.cluster.watch import Follower, follow
from penstock_operator.control import labelled_namespaces, limit_ranges, resource_quotas
from penstock_operator.control.access_asking import AccessAsker
from penstock_operator.control.access_grants import AccessGrants
from penstock_operator.control.access_watch import AccessWatch
from penstock_operator.control.app import Control, Secured
from penstock_operator.control.certificate import ServedCertificate
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.lost_events import LostEvents
from penstock_operator.control.metrics import ControlMetrics
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.control.requests_guard import ADMISSION_PATH, BINDING, GUARD, POLICY, RequestsGuard
from penstock_operator.control.requests_holder import RequestsHolder
from penstock_operator.control.tokens import Tokens
from penstock_operator.health import health
from penstock_operator.inject.annotations import INJECT, Resources
from penstock_operator.inject.sidecar import CONTROL_AUDIENCE, Shape
from penstock_operator.objects import DATABASES, GROUP_PATH, POLICIES, REQUESTS
from penstock_operator.serving import Endpoint, alongside, serve
from penstock_operator.settings import ControlSettings

_NATIVE_SIDECARS = (1, 29)
_ADMISSION_POLICIES = (1, 30)
_log = structlog.get_logger(__name__)


async def run(settings: ControlSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises AccessError, ApiError, ServingError."""
    async with Api(find()) as api:
        policies, certificate = Policies(), ServedCertificate()
        namespaces = labelled_namespaces.LabelledNamespaces()
        policies.labelled_namespace = namespaces.of
        metrics = ControlMetrics(policies, certificate)
        version = await _server_version(api)
        guard = RequestsGuard(supported=version >= _ADMISSION_POLICIES)
        holder = RequestsHolder(
            api, policies, guard, settings.approvals.user_name_prefixes, settings.approvals.kept_hours
        )
        grants = AccessGrants(holder.kept, guard, settings.approvals.user_name_prefixes)
        policies.grants, holder.kept.on_change = grants.of, policies.regrant
        metrics.follow_emergencies(grants)
        asker = AccessAsker(api, policies, holder.kept, guard, lambda: grants.now)
        shape = _shape(settings, native_sidecars=version >= _NATIVE_SIDECARS)
        reader, lost = (settings.namespace, settings.operator_account), LostEvents(api, metrics.lost)
        tokens, gated = Tokens(api, CONTROL_AUDIENCE), GatedDatabases(api)
        control = Control(policies, tokens, holder, shape, metrics, settings.review_tokens, reader, lost, gated=gated)
        lingering = asyncio.Event()

        def lacking() -> list[str]:
            if lingering.is_set():
                return ["the end: this process was asked to stop"]
            return policies.lacking + ([] if certificate.not_after else ["a certificate"])

        followers = [
            *_followed(settings, policies, certificate),
            # Admission does not depend on what follows. Without requests, what asks for approval is told so. (Nor on
            # namespaces: labelled ones wait.)
            *_bounding(policies),
            (f"{GROUP_PATH}/{REQUESTS}", holder.kept, ""),
            *_guarding(guard, supported=version >= _ADMISSION_POLICIES),
        ]
        stop = asyncio.Event()
        endpoints = [
            Endpoint(Secured(control, asker), settings.host, settings.port, certificate.context),
            Endpoint(health(lacking, metrics.registry), settings.host, settings.health_port),
        ]
        await alongside(
            serve(endpoints, stop, drain=settings.drain),
            [
                *(follow(api, path, follower, fields=fields) for path, follower, fields in followers),
                follow(api, labelled_namespaces.PATH, namespaces, labels=INJECT),
                holder.sweep(),
                AccessWatch(api, policies, grants).run(),
                _end(settings, control, lingering, stop),
            ],
        )


def _followed(
    settings: ControlSettings, policies: Policies, certificate: ServedCertificate
) -> list[tuple[str, Follower, str]]:
    """What admission and streams depend on."""
    return [
        (f"{GROUP_PATH}/{DATABASES}", policies.follower(DATABASES), ""),
        (f"{GROUP_PATH}/{POLICIES}", policies.follower(POLICIES), ""),
        (_secrets(settings), policies.follower(MASK_KEY), f"metadata.name={settings.mask_key_secret}"),
        (_secrets(settings), certificate, f"metadata.name={settings.tls_secret}"),
    ]


def _bounding(policies: Policies) -> list[tuple[str, Follower, str]]:
    """What a namespace lets containers and pods have. Until that is known, the API server says what may not be."""
    ranges, quotas = limit_ranges.LimitRanges(), resource_quotas.ResourceQuotas()
    policies.limit_ranges, policies.resource_quotas = ranges.of, quotas.of
    return [(limit_ranges.PATH, ranges, ""), (resource_quotas.PATH, quotas, "")]


def _guarding(guard: RequestsGuard, *, supported: bool) -> list[tuple[str, Follower, str]]:
    """What tells whether the admission policy of requests is in force."""
    kinds = (POLICY, BINDING) if supported else ()
    return [(f"{ADMISSION_PATH}/{kind}", guard.follower(kind), f"metadata.name={GUARD}") for kind in kinds]


async def _end(settings: ControlSettings, control: Control, lingering: asyncio.Event, stop: asyncio.Event) -> None:
    """After a signal: not ready any more, but serving until nobody is sent here; then end the streams and stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lingering.set)
    await lingering.wait()
    _log.info("asked to stop", linger_seconds=settings.linger)
    await asyncio.sleep(settings.linger)
    control.stopping.set()
    stop.set()


def _shape(settings: ControlSettings, *, native_sidecars: bool) -> Shape:
    sidecar = settings.sidecar
    return Shape(
        image=sidecar.image,
        version=package_version("penstock"),
        control_url=settings.url,
        collector_url=settings.collector_url,
        image_pull_policy=sidecar.image_pull_policy,
        run_as_user=sidecar.run_as_user,
        resources=Resources(sidecar.resources.requests, sidecar.resources.limits),
        policy_max_age=sidecar.policy_max_age_seconds,
        spool_bytes=sidecar.spool_bytes,
        log_level=sidecar.log_level,
        issuers=sidecar.issuers_json,
        login=sidecar.login,
        host_paths=frozenset(sidecar.allowed_host_paths),
        native_sidecars=native_sidecars,
    )


async def _server_version(api: Api) -> tuple[int, int]:
    """Raises ApiError: without an API server there is nothing to serve, and the kubelet starts us again."""
    found = await api.get("/version")
    try:
        # Some providers write "29+".
        return int(found["major"]), int(str(found["minor"]).rstrip("+"))
    except (KeyError, ValueError):
        raise ApiError(0, f"the API server gave no version that can be read: {found}") from None


def _secrets(settings: ControlSettings) -> str:
    return f"/api/v1/namespaces/{settings.namespace}/secrets"
