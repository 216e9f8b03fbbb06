"""The shop in another namespace: the same database server, governed by resources of that namespace.

What doesn't belong: what is tried there (the tests).
"""

from __future__ import annotations

import json

from e2e.kubectl import CommandError, Kubectl, eventually
from e2e.shop import manifests
from e2e.shop.manifests import Object


def open_branch(kubectl: Kubectl, name: str, labels: dict[str, str], annotations: dict[str, str]) -> None:
    """The namespace, restricted as the shop's own, with copies of its Secrets, its Database and the policy of `web`."""
    secrets = [kubectl.get("-n", manifests.NAMESPACE, "secret", one) for one in ("shop-db", "shop-db-ca")]
    copies = [{"apiVersion": "v1", "kind": "Secret", "data": one["data"], "metadata": {"name": one["metadata"]["name"]}}
              for one in secrets]  # fmt: skip
    metadata = {"name": name, "annotations": annotations,
                "labels": {**labels, "pod-security.kubernetes.io/enforce": "restricted"}}  # fmt: skip
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    there = [*copies, manifests.service_account("web"), manifests.database(), manifests.policy()]
    kubectl.apply(*(inside(name, one) for one in there))


def inside(namespace: str, one: Object) -> Object:
    one["metadata"]["namespace"] = namespace
    return one


def applied_once_known(kubectl: Kubectl, what: Object) -> None:
    """As soon as control knows the namespace, and what is in it."""
    eventually(lambda: refusal_of(kubectl, what), lambda refusal: not refusal, 30, "the pod admitted")


def refusal_of(kubectl: Kubectl, what: Object, *options: str) -> str:
    """What was said against it."""
    try:
        kubectl("apply", *options, "-f", "-", stdin=json.dumps(what))
    except CommandError as refusal:
        return str(refusal)
    return ""
