"""The Kubernetes objects of the shop: its database, its policies, its workloads, as plain dictionaries.

What doesn't belong: applying them and looking at what comes of it (the tests).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import trustme

Object = dict[str, Any]

NAMESPACE = "shop"
SETUP = Path(__file__).with_name("shop.sql")
# As injected pods must pass it, the strictest of the Pod Security Standards.
NAMESPACE_OBJECT: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def secret(name: str, **data: bytes) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def database_server(image: str, certificate: trustme.LeafCert, setup: str) -> list[Object]:
    """The shop's PostgreSQL with a Service, and what it is made of: the SQL fills the database once it is there."""
    mounts = {
        "certificate": {"secret": {"secretName": "shop-db-tls"}},
        "setup": {"configMap": {"name": "shop-db-setup"}},
    }
    container = {
        "name": "postgres",
        "image": image,
        "args": ["/shop/server.py"],
        "env": [{"name": "SUPERUSER_PASSWORD", "value": "superuser-password"}],
        "ports": [{"containerPort": 5432}],
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": name, "mountPath": f"/{name}", "readOnly": True} for name in mounts],
    }
    chain, key = certificate.cert_chain_pems[0].bytes(), certificate.private_key_pem.bytes()
    labels = {"app": "shop-db"}
    spec = {
        "containers": [container],
        "volumes": [{"name": name, **source} for name, source in mounts.items()],
        "terminationGracePeriodSeconds": 1,
    }
    return [
        secret("shop-db-tls", **{"tls.crt": chain, "tls.key": key}),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "shop-db-setup", "namespace": NAMESPACE},
            "data": {"shop.sql": setup},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop-db", "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop-db", "namespace": NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 5432}]},
        },
    ]


def database(**changes: Any) -> Object:
    """The Database resource, with changes to its spec."""
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Database",
        "metadata": {"name": "shop", "namespace": NAMESPACE},
        "spec": {
            "host": f"shop-db.{NAMESPACE}.svc",
            "port": 5432,
            "dbname": "shop",
            "tls": {"mode": "verify-full", "caSecretRef": {"name": "shop-db-ca", "key": "ca.crt"}},
            "credentialsSecretRef": {"name": "shop-db"},
            "classification": [
                {"columns": ["*.*.email"], "tag": "pii.email"},
                {"columns": ["public.payments.card_number"], "tag": "pci.pan"},
            ],
            **changes,
        },
    }


def policy(name: str = "web", **changes: Any) -> Object:
    """The policy of the workload `web`, with changes to its spec."""
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "DatabaseAccessPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "databaseRef": {"name": "shop"},
            "subjects": [{"serviceAccount": {"name": "web"}}],
            "allow": ["select", "insert", "update", "delete"],
            "masks": [
                {"tags": ["pii.email"], "with": {"email": {}}},
                {"tags": ["pci.pan"], "with": {"partial": {"keepLast": 4}}},
            ],
            "guardrails": {"requireWhere": ["update", "delete"]},
            **changes,
        },
    }


def service_account(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}


def pod_template(image: str, name: str, command: list[str], annotations: dict[str, str], **spec: Any) -> Object:
    """What an application's author writes, plus annotations."""
    container = {"name": "app", "image": image, "args": ["/shop/client.py", *command], "securityContext": RESTRICTED}
    return {
        "metadata": {"labels": {"app": name}, "annotations": annotations},
        "spec": {"serviceAccountName": "web", "containers": [container], "terminationGracePeriodSeconds": 10, **spec},
    }


INJECT = {"penstock.dev/inject": "true", "penstock.dev/database": "shop"}


def deployment(image: str, name: str, annotations: dict[str, str]) -> Object:
    """A workload that just is there, for `kubectl exec`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(image, name, ["sleep"], annotations),
        },
    }


def pod(image: str, name: str, annotations: dict[str, str]) -> Object:
    """A bare pod that just is there."""
    template = pod_template(image, name, ["sleep"], annotations)
    template["metadata"].update(name=name, namespace=NAMESPACE)
    return {"apiVersion": "v1", "kind": "Pod", **template}


def job(image: str, name: str, sql: str, annotations: dict[str, str]) -> Object:
    """A Job that runs one statement and ends."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "backoffLimit": 0,
            "template": pod_template(image, name, ["run", "psycopg-simple", sql], annotations, restartPolicy="Never"),
        },
    }
