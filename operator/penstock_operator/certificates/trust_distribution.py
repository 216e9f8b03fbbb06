"""The ConfigMap by which sidecars and people trust our programs, in every namespace where somebody needs it.

Like the cluster's own `kube-root-ca.crt`: pods mount it, and the kubelet follows when it changes. What doesn't belong:
which namespaces those are.
"""

from __future__ import annotations

import structlog

from penstock_operator.cluster.api import Api, ApiError, Json
from penstock_operator.inject.sidecar import CA_CONFIG_MAP

MANAGER = "penstock-operator"
LABELS = {"app.kubernetes.io/name": "penstock", "app.kubernetes.io/managed-by": MANAGER}
_NOT_FOUND = 404
_log = structlog.get_logger(__name__)


async def distribute_trust(api: Api, namespace: str, bundle: bytes) -> None:
    """Write the bundle into the namespace's ConfigMap if it isn't there. Raises ApiError."""
    if not bundle:
        raise ApiError(0, "there is no certificate authority yet")
    path = f"/api/v1/namespaces/{namespace}/configmaps/{CA_CONFIG_MAP}"
    wanted = {"ca.crt": bundle.decode()}
    try:
        if (await api.get(path)).get("data") == wanted:
            return
    except ApiError as problem:
        if problem.status != _NOT_FOUND:
            raise
    body: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CA_CONFIG_MAP, "namespace": namespace, "labels": LABELS},
        "data": wanted,
    }
    await api.apply(path, body, manager=MANAGER)
    _log.info("authority spread", namespace=namespace)
