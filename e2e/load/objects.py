"""The Kubernetes objects of the application under load, and of what its tests need besides, as plain dictionaries.

What doesn't belong: applying them (`place.py`).
"""

from __future__ import annotations

from typing import Any

from e2e.shop import manifests
from e2e.shop.manifests import NAMESPACE, Object

NAME = "load"
REPLICAS = 2
LEDGER = "/ledger/lines"
# Seconds between two statements of one client.
PAUSE = "0.25"
GRACE_SECONDS = 15
INJECT = {"penstock.dev/inject": "true", "penstock.dev/database": NAME}
SETUP = """
CREATE TABLE marks (mark text NOT NULL);
CREATE ROLE load_rights;
GRANT SELECT ON customers TO load_rights;
GRANT SELECT, INSERT ON marks TO load_rights;
CREATE ROLE load_gate LOGIN PASSWORD 'load-password' IN ROLE load_rights;
ALTER ROLE load_gate SET log_statement = 'all';
"""
# Kills processes of the node by the ids of their containers.
KILL = """
import os, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        groups = open(f"/proc/{pid}/cgroup").read()
        if any(one in groups for one in sys.argv[1:]):
            os.kill(int(pid), 9)
            print(pid)
    except OSError:
        pass
"""
KILLER: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "killer", "namespace": "kube-system"},
    "spec": {
        "hostPID": True,
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "killer",
                "args": ["/shop/client.py", "sleep"],
                "securityContext": {"privileged": True, "runAsUser": 0},
            }
        ],
    },
}


def database() -> Object:
    made = manifests.database(credentialsSecretRef={"name": "load-db"})
    made["metadata"]["name"] = NAME
    return made


def policy() -> Object:
    return manifests.policy(
        NAME, databaseRef={"name": NAME}, subjects=[{"serviceAccount": {"name": NAME}}], allow=["select", "insert"],
        audit={"sqlText": "full", "onFailure": "block"},
    )  # fmt: skip


def claim() -> Object:
    """Where the ledger lives: longer than any pod."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": spec,
    }


def deployment(image: str) -> Object:
    """The application. Its pods are named after it, and their marks after them."""
    made = manifests.deployment(image, NAME, INJECT)
    template = _with_ledger(manifests.pod_template(image, NAME, [], INJECT, **_spec()))
    template["spec"]["containers"][0]["args"] = ["/shop/load.py", LEDGER, PAUSE]
    # As the load of a Service would be taken over: nobody goes before another is there.
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    made["spec"] |= {"replicas": REPLICAS, "strategy": strategy, "template": template}
    return made


def reader(image: str) -> Object:
    """A pod of no application, which looks into the ledger and at other pods."""
    made = _with_ledger(manifests.pod(image, "ledger", {}))
    made["spec"]["securityContext"] = {"fsGroup": 70}
    return made


def _spec() -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "securityContext": {"fsGroup": 70},
        "terminationGracePeriodSeconds": GRACE_SECONDS,
    }


def _with_ledger(pod: Object) -> Object:
    pod["spec"]["volumes"] = [{"name": "ledger", "persistentVolumeClaim": {"claimName": NAME}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "ledger", "mountPath": "/ledger"}]
    return pod
