"""What the tests of the chart share: what Helm makes of it, as types, and gateways as somebody may want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trustme

from e2e.environment import ROOT

CHART = ROOT / "charts" / "penstock"

Json = dict[str, Any]
Objects = dict[tuple[str, str], Json]
Render = Callable[..., Objects]

AUTHORITY = trustme.CA().cert_pem.bytes().decode()
GATEWAYS: list[Json] = [
    {
        "name": "people",
        "namespace": "shop",
        "databases": [
            {"name": "shop", "credentialsSecret": "shop-db", "caSecret": {"name": "shop-db-ca", "key": "ca.pem"}},
            {"name": "staff.eu", "credentialsSecret": "staff-db"},
        ],
        "issuers": [
            {"issuer": "https://i", "audience": "penstock", "kind": "person", "jwksFile": "keys.json",
             "keysMaxAgeSeconds": 90000}
        ],
        "issuerFiles": "issuer-keys",
        "tls": {"names": ["db.example"]},
        "drainSeconds": 7,
    },
    {
        "name": "bi",
        "databases": [{"name": "shop", "credentialsSecret": "shop-db"}],
        "issuers": [{"issuer": "https://i", "audience": "bi", "kind": "service", "ca": AUTHORITY}],
        "replicas": 1,
        "login": "oauthbearer",
        "tls": {"secretName": "bought"},
        "service": {"type": "LoadBalancer", "port": 6432, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "policyMaxAgeSeconds": 600,
    },
]  # fmt: skip


def containers(objects: Objects) -> list[tuple[str, Json, Json]]:
    """Each pod's name, spec and only container."""
    found = []
    for (kind, name), document in objects.items():
        if kind in ("Deployment", "StatefulSet", "Pod"):
            spec = document["spec"] if kind == "Pod" else document["spec"]["template"]["spec"]
            found.append((name, spec, spec["containers"][0]))
    return found
