"""What the cluster holds from the start, as any installed one would: cluster DNS and a storage class with volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .layout import DNS_PORT, DNS_SERVICE, NODE, NODE_ADDRESS, Layout

# A volume is not used again when its claim has gone, so there are more than one run of the tests claims.
VOLUMES = 50
STORAGE_CLASS = "standard"


def manifest(layout: Layout) -> str:
    """All objects as one list for `kubectl apply`."""
    items = [*_dns(), _storage_class(), *(_volume(path) for path in volume_paths(layout))]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def volume_paths(layout: Layout) -> list[Path]:
    return [layout.root / "volumes" / f"volume-{number:02}" for number in range(VOLUMES)]


def _dns() -> list[dict[str, Any]]:
    """The DNS Service, led by hand to CoreDNS, which runs beside the kubelet rather than in a pod."""
    ports = [{"name": f"dns-{protocol.lower()}", "protocol": protocol} for protocol in ("UDP", "TCP")]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": DNS_SERVICE, "ports": [{**port, "port": 53, "targetPort": DNS_PORT} for port in ports]},
    }
    labels = {"kubernetes.io/service-name": "kube-dns"}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns-host", "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "ports": [{**port, "port": DNS_PORT} for port in ports],
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
    }
    return [service, endpoints]


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
    }


def _volume(path: Path) -> dict[str, Any]:
    # Of the kind `local`, not `hostPath`: the kubelet heeds fsGroup for these, so a pod that is not root can write.
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
