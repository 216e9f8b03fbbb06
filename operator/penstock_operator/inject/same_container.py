"""Whether what bears the sidecar's name in a pod is what we made, or something of whoever wrote the pod.

Before a second look, the API server has filled in defaults, and other webhooks have touched every container: what they
may have changed is listed here, and nothing else may differ. What doesn't belong: what follows from it (`admit.py`).
"""

from __future__ import annotations

from typing import Any

from penstock_operator.inject.patch import Json

# Changed by quotas, autoscalers and defaults; none leads anything past the gate.
_OTHERS_MAY_CHANGE = frozenset({"resources", "imagePullPolicy", "terminationMessagePath"})
# Given by the platform where we leave it open (OpenShift).
_PLATFORMS_MAY_ADD = frozenset({"runAsUser", "runAsGroup", "seLinuxOptions"})
_PROBES = frozenset({"startupProbe", "readinessProbe", "livenessProbe"})
_PROBE_KINDS = frozenset({"exec", "grpc", "tcpSocket"})
# Every container gets it from the API server unless the pod says no.
_API_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def is_same_container(there: Json, made: Json) -> bool:
    """Whether the container is the one made."""
    names = there.keys() | made.keys()
    return all(_is_field(name, there.get(name), made.get(name)) for name in names - _OTHERS_MAY_CHANGE)


def is_same_volume(there: Json, made: Json) -> bool:
    """Whether the volume is the one made."""
    return _plain_volume(there) == _plain_volume(made)


def _is_field(name: str, there: Any, made: Any) -> bool:
    if name == "image":
        return there == made or (_digest(there) != "" and _digest(there) == _digest(made))
    if name in _PROBES:
        # Meshes let their own agent ask in the kubelet's place; what a probe must not be is a program.
        return isinstance(there, dict) and "httpGet" in there and not _PROBE_KINDS & there.keys()
    if name == "securityContext":
        there = there or {}
        return bool(there.keys() - made.keys() <= _PLATFORMS_MAY_ADD and there | made == there)
    if name == "volumeMounts":
        there = [mount for mount in there or [] if mount.get("mountPath") != _API_TOKEN]
    return bool(there == made)


def _digest(image: object) -> str:
    return str(image).partition("@sha256:")[2]


def _plain_volume(volume: Json) -> Json:
    """Without what the API server fills in, or writes in another way (sizes)."""
    plain: Json = {}
    for name, source in volume.items():
        if isinstance(source, dict):
            source = {key: value for key, value in source.items() if key != "defaultMode"}
            source |= {"sizeLimit": True} if "sizeLimit" in source else {}
        plain[name] = source
    return plain
