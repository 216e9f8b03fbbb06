"""Pods with a gate, as the API server has them: for which Database, with which Secrets, why one does not start. Pure.

What doesn't belong: what their gates report (`gate_news.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock_core.resources import Database
from penstock_operator.inject.annotations import INJECTED_VERSION, PREFIX
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


@dataclass(frozen=True, slots=True)
class GovernedPod:
    """One pod with a gate."""

    name: str
    uid: str
    # Of a sidecar's pod; a gateway's serves several.
    database: str
    account: str
    version: str
    # The Secrets that its gate was given; empty where it has none, or is a gateway's, which is told of its own.
    credentials_secret: str
    ca_secret: str
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
        return cls(
            str(metadata["name"]), uid, str(annotations.get(PREFIX + "database", "")),
            str(spec.get("serviceAccountName") or "default"), str(annotations.get(INJECTED_VERSION, "")),
            "" if is_gateway else _secret(spec, _CREDENTIALS), "" if is_gateway else _secret(spec, _UPSTREAM_CA),
            ran > SETTLING_SECONDS, bool(since), "" if since else mounts.get(uid, "") or _waiting(state),
        )  # fmt: skip

    def former_secrets(self, database: Database) -> list[str]:
        """The Secrets that it still uses though the Database names others."""
        spec = database.spec
        authority = "" if spec.tls.ca_secret_ref is None else spec.tls.ca_secret_ref.name
        pairs = ((self.credentials_secret, spec.credentials_secret_ref.name), (self.ca_secret, authority))
        return [ours for ours, theirs in pairs if ours and ours != theirs]


def _state(raw: Json, is_gateway: bool) -> Json:
    status = raw.get("status") or {}
    found = status.get("containerStatuses" if is_gateway else "initContainerStatuses") or []
    return next((one for one in found if is_ours(one)), {})


def _secret(spec: Json, volume: str) -> str:
    found: Json = next((one for one in spec.get("volumes") or [] if one.get("name") == volume), {})
    return str((found.get("secret") or {}).get("secretName", ""))


def _waiting(state: Json) -> str:
    waiting = (state.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    if not reason or reason in _PASSING:
        return ""
    message = " ".join(str(waiting.get("message", "")).split())[:300]
    return f"its gate does not start: {reason}{f': {message}' if message else ''}"
