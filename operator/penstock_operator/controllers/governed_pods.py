"""Pods with a gate, as the API server has them: for which Databases, with which Secrets, why one does not start. Pure.

What doesn't belong: what their gates report (`gate_news.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from penstock_core.resources import Database
from penstock_operator.inject.annotations import DATABASE, INJECTED_VERSION, listed
from penstock_operator.inject.sidecar import is_ours

Json = dict[str, Any]

# The volumes of a sidecar by which its Secrets are found.
_CREDENTIALS, _UPSTREAM_CA = "penstock-credentials", "penstock-upstream-ca"
# By which pods of the chart's gateways are listed.
GATEWAY_LABEL = "penstock.dev/gateway"
# A gate that started has this long to find control.
SETTLING_SECONDS = 15.0
# Of a container's state; the others pass by themselves.
_PASSING = ("PodInitializing", "ContainerCreating")


class GateSecrets(NamedTuple):
    """The Secrets that a gate was given for one Database; empty where it has none."""

    credentials: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class GovernedPod:
    """One pod with a gate."""

    name: str
    uid: str
    # Of a sidecar's pod; a gateway tells which it serves.
    databases: tuple[str, ...]
    account: str
    version: str
    # By the Database. None of a gateway's, which is told of its own.
    secrets: Mapping[str, GateSecrets]
    # Whether its gate has run for long enough to have found control.
    settled: bool
    started: bool
    # Why it does not start.
    trouble: str = ""

    @classmethod
    def read(cls, raw: Json, now: datetime, mounts: Mapping[str, str]) -> GovernedPod | None:
        """None where the pod has no gate. `mounts`: of each pod by its uid, why its volumes can't be had."""
        metadata, spec = raw["metadata"], raw.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        is_gateway = GATEWAY_LABEL in (metadata.get("labels") or {})
        containers = spec.get("containers" if is_gateway else "initContainers") or []
        # Labels can be given to any pod; the names of its containers stay as they were admitted.
        if not any(map(is_ours, containers)):
            return None
        state = _state(raw, is_gateway)
        since = ((state.get("state") or {}).get("running") or {}).get("startedAt")
        ran = (now - datetime.fromisoformat(since)).total_seconds() if since else 0.0
        uid = str(metadata.get("uid", ""))
        databases = listed(str(annotations.get(DATABASE, "")))
        return cls(
            str(metadata["name"]), uid, databases, str(spec.get("serviceAccountName") or "default"),
            str(annotations.get(INJECTED_VERSION, "")), {} if is_gateway else _secrets(spec, databases),
            ran > SETTLING_SECONDS, bool(since), "" if since else mounts.get(uid, "") or _waiting(state),
        )  # fmt: skip

    def former_secrets(self, database: Database) -> list[str]:
        """The Secrets that it still uses though the Database names others."""
        spec = database.spec
        authority = "" if spec.tls.ca_secret_ref is None else spec.tls.ca_secret_ref.name
        ours = self.secrets.get(database.name, GateSecrets())
        pairs = ((ours.credentials, spec.credentials_secret_ref.name), (ours.authority, authority))
        return [ours for ours, theirs in pairs if ours and ours != theirs]


def _state(raw: Json, is_gateway: bool) -> Json:
    status = raw.get("status") or {}
    found = status.get("containerStatuses" if is_gateway else "initContainerStatuses") or []
    return next((one for one in found if is_ours(one)), {})


def _secrets(spec: Json, databases: Sequence[str]) -> dict[str, GateSecrets]:
    credentials, authorities = (_sources(spec, volume, databases) for volume in (_CREDENTIALS, _UPSTREAM_CA))
    return {name: GateSecrets(credentials.get(name, ""), authorities.get(name, "")) for name in databases}


def _sources(spec: Json, volume: str, databases: Sequence[str]) -> dict[str, str]:
    """The Secrets of a volume: the only Database's, or those of several, each in a folder of the Database's name."""
    found: Json = next((one for one in spec.get("volumes") or [] if one.get("name") == volume), {})
    if "projected" not in found:
        return dict.fromkeys(databases[:1], str((found.get("secret") or {}).get("secretName", "")))
    told = {}
    for source in (found["projected"] or {}).get("sources") or []:
        secret = source.get("secret") or {}
        for item in secret.get("items") or []:
            told[str(item.get("path", "")).partition("/")[0]] = str(secret.get("name", ""))
    return told


def _waiting(state: Json) -> str:
    waiting = (state.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    if not reason or reason in _PASSING:
        return ""
    message = " ".join(str(waiting.get("message", "")).split())[:300]
    return f"its gate does not start: {reason}{f': {message}' if message else ''}"
