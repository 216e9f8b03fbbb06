"""What the operator's tests share: a shop with a Database and a policy, and pods that want to reach it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from penstock_core.resources import Bundle
from penstock_operator.inject.sidecar import Shape
from penstock_operator.objects import read_database, read_policy

Json = dict[str, Any]


class Shop:
    """The resources of a namespace `shop`, as the API server has them, and the lookup that admission uses."""

    def __init__(self) -> None:
        self.database: Json = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "Database",
            "metadata": {"name": "shop", "namespace": "shop", "uid": "d-1", "resourceVersion": "10", "generation": 1},
            "spec": {
                "host": "shop-db.shop.svc",
                "dbname": "shop",
                "tls": {"mode": "verify-full", "caSecretRef": {"name": "shop-db-ca", "key": "ca.pem"}},
                "credentialsSecretRef": {"name": "shop-db"},
                "classification": [{"columns": ["public.customers.email"], "tag": "pii.email"}],
            },
        }
        self.policy: Json = {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "DatabaseAccessPolicy",
            "metadata": {"name": "web", "namespace": "shop", "uid": "p-1", "resourceVersion": "11", "generation": 1},
            "spec": {
                "databaseRef": {"name": "shop"},
                "subjects": [{"serviceAccount": {"name": "web"}}],
                "masks": [{"tags": ["pii.email"], "with": {"email": {}}}],
            },
        }

        # Further Databases of the namespace, and the Secrets with their credentials.
        self.others: dict[str, str] = {}
        # What of their specs is otherwise than the first one's.
        self.specs: dict[str, Json] = {}
        # What they and the first one select pods by.
        self.workloads: dict[str, Json] = {}
        # Those that are there and can't be read.
        self.invalid: set[str] = set()
        # Its limits for containers and pods, and for all pods together.
        self.ranges: list[Json] = []
        self.quotas: list[Json] = []
        # Its metadata, where it has the label by which its pods get a gate.
        self.labelled: Json | None = None

    def labelled_namespace(self, namespace: str) -> Json | None:
        return self.labelled if namespace == "shop" else None

    def limit_ranges(self, namespace: str) -> Sequence[Json]:
        return self.ranges if namespace == "shop" else []

    def resource_quotas(self, namespace: str) -> Sequence[Json]:
        return self.quotas if namespace == "shop" else []

    def databases(self, namespace: str) -> Sequence[str]:
        return ["shop", *self.others] if namespace == "shop" else []

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        if database not in self.databases(namespace) or database in self.invalid:
            return None
        document = copy.deepcopy(self.database)
        document["metadata"]["name"] = database
        if database in self.others:
            document["spec"]["credentialsSecretRef"]["name"] = self.others[database]
            document["spec"] |= self.specs.get(database, {})
        if database in self.workloads:
            document["spec"]["workloads"] = self.workloads[database]
        resources = [read_database(document), read_policy(self.policy)]
        return Bundle.of(resources, namespace="shop", database=database, generation=42, mask_key=bytes(32))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def shape() -> Shape:
    return Shape(
        image="example.test/penstock:1",
        version="1",
        control_url="https://penstock-control.penstock-system.svc:8443",
        collector_url="https://penstock-collector.penstock-system.svc:8080",
    )
