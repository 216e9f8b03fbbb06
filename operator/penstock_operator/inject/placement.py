"""Where among a pod's init containers the sidecar stands: before the first of the application's own.

What doesn't belong: the sidecar itself (`sidecar.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_operator.inject.patch import Json

# Their containers set the pod's network up, so that the sidecar comes after them where they stand first.
_MESH_CONTAINERS = frozenset({"istio-init", "istio-validation", "istio-proxy", "linkerd-init", "linkerd-proxy"})

# What sets the network up, what it leads to, and the annotation that leaves ports out.
_MESHES = (
    ("Istio", "istio-init", "istio-proxy", "traffic.sidecar.istio.io/excludeOutboundPorts"),
    ("Linkerd", "linkerd-init", "linkerd-proxy", "config.linkerd.io/skip-outbound-ports"),
)


def place(init_containers: Sequence[Json]) -> int:
    """Before the first that is the application's own: it may need the database, and wait for it for ever."""
    return next(
        (index for index, one in enumerate(init_containers) if one.get("name") not in _MESH_CONTAINERS),
        len(init_containers),
    )


def warnings(pod: Json) -> list[str]:
    """A mesh that takes the network to a proxy which starts after the sidecar: the pod would wait for itself."""
    found = []
    annotations = pod["metadata"].get("annotations") or {}
    spec = pod["spec"]
    before = {one.get("name") for one in spec.get("initContainers") or []}
    after = {one.get("name") for one in spec.get("containers") or []}
    for mesh, setup, proxy, way in _MESHES:
        if setup in before and proxy in after and way not in annotations:
            found.append(
                f"{setup} leads the sidecar's connections to {proxy}, which starts after it, so that the pod may never "
                f"start; have {mesh} run {proxy} as a native sidecar, or leave the ports of the database, control and "
                f"the collector out by {way}"
            )
    return found
