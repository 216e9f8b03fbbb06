"""The sidecar's container and volumes: a native sidecar in the restricted profile that alone holds the credentials.

What doesn't belong: where in the pod they go, and the application's containers (`admit.py`, `environment.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock_operator.inject.annotations import InjectionRequest, Resources
from penstock_operator.inject.patch import Json

CONTAINER = "penstock-proxy"
CA_CONFIG_MAP = "penstock-ca"
CONTROL_AUDIENCE = "penstock-control"
COLLECTOR_AUDIENCE = "penstock-collector"

_IDENTITY = "penstock-identity"
_CREDENTIALS = "penstock-credentials"
_UPSTREAM_CA = "penstock-upstream-ca"
_SPOOL = "penstock-spool"
_TMP = "penstock-tmp"
_MOUNTS = {
    _IDENTITY: "/var/run/penstock/identity",
    _CREDENTIALS: "/var/run/penstock/credentials",
    _UPSTREAM_CA: "/var/run/penstock/upstream-ca",
    _SPOOL: "/var/lib/penstock",
    _TMP: "/tmp",  # noqa: S108 - the container's own, an emptyDir
}
_WRITABLE = (_SPOOL, _TMP)
# Keys of a Secret with credentials, and the files that they become.
_LOGIN = {"username": "username", "password": "password"}
# The names of volumes that no other container may mount.
VOLUMES = frozenset(_MOUNTS)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the installation decides about every sidecar."""

    image: str
    version: str
    control_url: str
    collector_url: str
    image_pull_policy: str = "IfNotPresent"
    # None leaves it to the pod or the platform (OpenShift assigns a range); the image names a user of its own.
    run_as_user: int | None = 65532
    resources: Resources = field(
        default_factory=lambda: Resources({"cpu": "20m", "memory": "128Mi"}, {"cpu": "1", "memory": "256Mi"})
    )
    # Seconds that a policy counts while control can't be reached; None: for as long as it takes.
    policy_max_age: int | None = None
    spool_bytes: int = 256 * 1024 * 1024
    log_level: str = "info"
    # Whose tokens clients in the pod may present, as JSON, and how; empty: none.
    issuers: str = ""
    login: str = "password"
    # Places of a node that annotated pods may mount.
    host_paths: frozenset[str] = frozenset()
    # Whether the cluster keeps `restartPolicy` of init containers (Kubernetes 1.29); an older one would drop it.
    native_sidecars: bool = True


@dataclass(frozen=True, slots=True)
class DatabaseSecrets:
    """What the sidecar must know of a Database before it has a policy: where its Secrets are, and at which port it is
    served.
    """

    name: str
    credentials_secret: str
    ca_secret: str = ""
    ca_key: str = "ca.crt"
    port: int = 5432


def container(
    shape: Shape, wanted: InjectionRequest, upstreams: Sequence[DatabaseSecrets], resources: Resources
) -> Json:
    """The container, for initContainers."""
    probe = {"port": wanted.health_port, "scheme": "HTTP"}
    return {
        "name": CONTAINER,
        "image": shape.image,
        "imagePullPolicy": shape.image_pull_policy,
        # With this, an init container is a native sidecar: started before the others, ended after the application.
        "restartPolicy": "Always",
        "args": ["proxy"],
        "env": _environment(shape, wanted, upstreams),
        "ports": [{"name": "penstock-health", "containerPort": wanted.health_port, "protocol": "TCP"}],
        "resources": {"requests": dict(resources.requests), "limits": dict(resources.limits)},
        # The application waits for this one: a minute and a half for the policy and the listener.
        "startupProbe": {"httpGet": {"path": "/readyz", **probe}, "periodSeconds": 1, "failureThreshold": 90},
        "readinessProbe": {"httpGet": {"path": "/readyz", **probe}, "periodSeconds": 5, "failureThreshold": 3},
        # Of the process alone: a database that is down is no reason to restart its gate.
        "livenessProbe": {"httpGet": {"path": "/healthz", **probe}, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": security_context(shape.run_as_user),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": volume["name"], "mountPath": _MOUNTS[volume["name"]]}
            | ({} if volume["name"] in _WRITABLE else {"readOnly": True})
            for volume in volumes(shape, upstreams)
        ],
    }


def volumes(shape: Shape, upstreams: Sequence[DatabaseSecrets]) -> list[Json]:
    """The pod's volumes that only the sidecar mounts. No mode is set: what a non-root user may read depends on it."""
    identity = [
        _token("control-token", CONTROL_AUDIENCE),
        _token("collector-token", COLLECTOR_AUDIENCE),
        # Kept by the operator in every namespace with a Database, and followed by the kubelet when it is rotated.
        {"configMap": {"name": CA_CONFIG_MAP, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    alone = len(upstreams) == 1
    found: list[Json] = [
        {"name": _IDENTITY, "projected": {"sources": identity}},
        _secrets(_CREDENTIALS, [(one.name, one.credentials_secret, _LOGIN) for one in upstreams], alone=alone),
    ]
    authorities = [(one.name, one.ca_secret, {one.ca_key: "ca.crt"}) for one in upstreams if one.ca_secret]
    if authorities:
        found.append(_secrets(_UPSTREAM_CA, authorities, alone=alone))
    # Twice the spool: segments are dropped whole, and what was damaged is kept.
    found.append({"name": _SPOOL, "emptyDir": {"sizeLimit": str(2 * shape.spool_bytes)}})
    found.append({"name": _TMP, "emptyDir": {"sizeLimit": "16Mi"}})
    return found


def _secrets(volume: str, taken: Sequence[tuple[str, str, Mapping[str, str]]], *, alone: bool) -> Json:
    """A volume with keys of Secrets as files; of several Databases, each in a folder of its name."""
    if alone:
        ((_, secret, keys),) = taken
        return {"name": volume, "secret": {"secretName": secret, "items": _items(keys)}}
    sources = [{"secret": {"name": secret, "items": _items(keys, f"{name}/")}} for name, secret, keys in taken]
    return {"name": volume, "projected": {"sources": sources}}


def _items(keys: Mapping[str, str], folder: str = "") -> list[Json]:
    return [{"key": key, "path": f"{folder}{file}"} for key, file in keys.items()]


def security_context(run_as_user: int | None) -> Json:
    """All that the restricted Pod Security Standard asks for, so that nothing depends on the pod's own."""
    context: Json = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return context if run_as_user is None else context | {"runAsUser": run_as_user}


def _environment(shape: Shape, wanted: InjectionRequest, upstreams: Sequence[DatabaseSecrets]) -> list[Json]:
    identity = _MOUNTS[_IDENTITY]
    values: dict[str, str] = {
        "PENSTOCK_HEALTH": f"0.0.0.0:{wanted.health_port}",
        **_databases(upstreams),
        "PENSTOCK_CONTROL__URL": shape.control_url,
        "PENSTOCK_CONTROL__TOKEN_FILE": f"{identity}/control-token",
        "PENSTOCK_CONTROL__CA_FILE": f"{identity}/ca.crt",
        # Control holds requests for approval, as objects that the API server guards.
        "PENSTOCK_APPROVALS__URL": shape.control_url,
        "PENSTOCK_APPROVALS__TOKEN_FILE": f"{identity}/control-token",
        "PENSTOCK_APPROVALS__CA_FILE": f"{identity}/ca.crt",
        "PENSTOCK_COLLECTOR__URL": shape.collector_url,
        "PENSTOCK_COLLECTOR__TOKEN_FILE": f"{identity}/collector-token",
        "PENSTOCK_COLLECTOR__CA_FILE": f"{identity}/ca.crt",
        "PENSTOCK_SPOOL__PATH": f"{_MOUNTS[_SPOOL]}/spool",
        "PENSTOCK_SPOOL__MAX_BYTES": str(shape.spool_bytes),
        # On a volume that goes with the pod.
        "PENSTOCK_SPOOL__LASTS": "false",
        "PENSTOCK_END_SECONDS": str(wanted.end_seconds),
        "PENSTOCK_LOG_LEVEL": shape.log_level,
    }
    if shape.issuers:
        values |= {"PENSTOCK_IDENTITY__ISSUERS": shape.issuers, "PENSTOCK_IDENTITY__LOGIN": shape.login}
    if shape.policy_max_age is not None:
        values["PENSTOCK_CONTROL__MAX_AGE_SECONDS"] = str(shape.policy_max_age)
    fields = {
        "PENSTOCK_NAMESPACE": "metadata.namespace",
        "PENSTOCK_IDENTITY__WORKLOAD__NAMESPACE": "metadata.namespace",
        "PENSTOCK_IDENTITY__WORKLOAD__SERVICE_ACCOUNT": "spec.serviceAccountName",
        "PENSTOCK_IDENTITY__WORKLOAD__POD": "metadata.name",
        "PENSTOCK_IDENTITY__WORKLOAD__POD_UID": "metadata.uid",
    }
    entries: list[Json] = [{"name": name, "value": value} for name, value in values.items()]
    # apiVersion as the API server would default it, so that a second look finds no difference.
    return entries + [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in fields.items()
    ]


def _databases(upstreams: Sequence[DatabaseSecrets]) -> dict[str, str]:
    """One, or a list of several, each with a port of its own."""
    credentials, authority = _MOUNTS[_CREDENTIALS], _MOUNTS[_UPSTREAM_CA]
    if len(upstreams) == 1:
        (one,) = upstreams
        values = {
            "PENSTOCK_LISTEN": f"127.0.0.1:{one.port}",
            "PENSTOCK_DATABASE": one.name,
            "PENSTOCK_CREDENTIALS_DIR": credentials,
        }
        return values | ({"PENSTOCK_UPSTREAM_CA_FILE": f"{authority}/ca.crt"} if one.ca_secret else {})
    listed = [
        {"name": one.name, "listen": f"127.0.0.1:{one.port}", "credentialsDir": f"{credentials}/{one.name}"}
        | ({"upstreamCaFile": f"{authority}/{one.name}/ca.crt"} if one.ca_secret else {})
        for one in upstreams
    ]
    return {"PENSTOCK_DATABASES": json.dumps(listed)}


def databases_of(container: Json) -> frozenset[str]:
    """Which a sidecar was made for."""
    values = {entry.get("name"): entry.get("value") for entry in container.get("env") or []}
    if listed := values.get("PENSTOCK_DATABASES"):
        return frozenset(one["name"] for one in json.loads(listed))
    return frozenset(filter(None, [values.get("PENSTOCK_DATABASE")]))


def _token(path: str, audience: str) -> Json:
    return {"serviceAccountToken": {"path": path, "audience": audience, "expirationSeconds": 3600}}


def resources_of(shape: Shape, wanted: InjectionRequest) -> Resources:
    """What the pod asks for, before what the installation gives all."""
    if wanted.resources is None:
        return shape.resources
    return Resources(
        dict(shape.resources.requests) | dict(wanted.resources.requests),
        dict(shape.resources.limits) | dict(wanted.resources.limits),
    )


def is_ours(container: dict[str, Any]) -> bool:
    """Whether the container bears the sidecar's name."""
    return bool(container.get("name") == CONTAINER)
