"""Pods that name several Databases, on an API server that asks control: what they get, and what they are refused."""

from __future__ import annotations

import copy
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from e2e.admission.conftest import PODS, Guarded, applied, pod
from e2e.admission.test_attackers import DATABASE, POLICY
from e2e.approvals.conftest import patch, told
from e2e.approvals.replicas import AUTHORITY, token

Json = dict[str, Any]
BOTH = {"penstock.dev/inject": "true", "penstock.dev/database": "shop, billing"}


def database(name: str) -> Json:
    made = copy.deepcopy(DATABASE)
    made["metadata"]["name"] = name
    made["spec"] |= {"host": f"{name}-db.shop.svc", "dbname": name, "credentialsSecretRef": {"name": f"{name}-db"}}
    return made


@pytest.fixture(scope="module")
def several(guarded: Guarded) -> Guarded:
    """Three Databases, of which two have a policy."""
    billing = copy.deepcopy(POLICY)
    billing["metadata"]["name"], billing["spec"]["databaseRef"]["name"] = "billing-web", "billing"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}
    applied(guarded.server, account, DATABASE, database("billing"), database("staff"))
    applied(guarded.server, POLICY, billing)
    asks = pod("probe", annotations=BOTH | {"penstock.dev/database": "shop,billing,staff"}, serviceAccountName="web")
    with guarded.server.client("admin") as admin:
        for _ in range(300):
            # Control learns of them a moment later.
            answer = admin.post(f"{PODS}?dryRun=All", json=asks)
            if answer.status_code == 201:
                break
            time.sleep(0.1)
        assert answer.status_code == 201, answer.text
    return guarded


@pytest.fixture
def both(several: Guarded) -> Iterator[Json]:
    """A pod with a gate to two of them."""
    with several.server.client("admin") as admin:
        answer = admin.post(PODS, json=pod("both", annotations=BOTH, serviceAccountName="web"))
        assert answer.status_code == 201, answer.text
        yield answer.json()
        assert admin.delete(f"{PODS}/both?gracePeriodSeconds=0").status_code == 200


def test_each_is_served_at_a_port_of_its_own_and_the_sidecar_alone_has_the_secrets(both: Json) -> None:
    (gate,), (app,) = both["spec"]["initContainers"], both["spec"]["containers"]
    found = {entry["name"]: entry.get("value") for entry in app["env"]}
    assert (found["PGPORT"], found["PGDATABASE"]) == ("5432", "shop")
    assert (found["BILLING_PGPORT"], found["BILLING_PGDATABASE"]) == ("5433", "billing")
    listed = next(entry["value"] for entry in gate["env"] if entry["name"] == "PENSTOCK_DATABASES")
    assert [one["name"] for one in json.loads(listed)] == ["shop", "billing"]
    volumes = {one["name"]: one for one in both["spec"]["volumes"]}
    sources = volumes["penstock-credentials"]["projected"]["sources"]
    assert [one["secret"]["name"] for one in sources] == ["shop-db", "billing-db"]
    assert "penstock-credentials" not in [one["name"] for one in app.get("volumeMounts", [])]


def test_what_the_pod_was_given_stays(several: Guarded, both: Json) -> None:
    assert both["metadata"]["annotations"]["penstock.dev/database"] == "shop,billing"
    with several.server.client("admin") as admin:
        more = {"metadata": {"annotations": {"penstock.dev/database": "shop,billing,staff"}}}
        assert "what penstock.dev/… says on a pod with a gate stays" in told(patch(admin, f"{PODS}/both", more))
        debug = {"name": "debug", "image": "x", "volumeMounts": [{"name": "penstock-credentials", "mountPath": "/c"}]}
        answer = patch(admin, f"{PODS}/both/ephemeralcontainers", {"spec": {"ephemeralContainers": [debug]}})
        assert "penstock-credentials" in told(answer)


def test_its_token_reads_the_policies_of_these_two_and_no_others(several: Guarded, both: Json) -> None:
    trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    bearer = {"Authorization": f"Bearer {token(several.server, 'shop', 'web', 'penstock-control', both)}"}
    client = httpx2.Client(base_url=several.control, headers=bearer, verify=trust, trust_env=False, timeout=30)
    with client as gate:
        for name in ("shop", "billing"):
            with gate.stream("GET", f"/v1/policies/shop/{name}") as answer:
                bundle = json.loads(next(answer.iter_lines()))
            assert bundle["database"]["metadata"]["name"] == name
        answer = gate.get("/v1/policies/shop/staff")
        assert answer.status_code == 403
        assert answer.json()["error"] == "the gate of the pod shop/both is for billing, shop, not for staff"
        assert gate.post("/v1/gates/staff", json={"number": 1}).status_code == 403
        assert gate.post("/v1/gates/billing", json={"number": 1}).status_code == 204


@pytest.mark.parametrize(
    ("databases", "spec", "words"),
    [
        ("shop,bililng", {}, "there is no Database bililng; Databases in the namespace shop: billing, shop, staff"),
        ("shop,shop", {}, "names the Database shop twice; name it once"),
        ("shop,other/billing", {}, "takes the name of a Database in the pod's own namespace"),
        (
            "shop,billing",
            {"containers": [{"name": "app", "image": "x", "ports": [{"containerPort": 5433}]}]},
            "has port 5433, which the sidecar would take for the Database billing; set the annotation",
        ),
        (
            "shop,staff",
            {"containers": [{"name": "app", "image": "x", "envFrom": [{"secretRef": {"name": "billing-db"}}]}]},
            "would hold the credentials of the Database billing",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_words(several: Guarded, databases: str, spec: Json, words: str) -> None:
    subject = pod("no", annotations=BOTH | {"penstock.dev/database": databases}, **spec)
    with several.server.client("admin") as admin:
        assert words in told(admin.post(f"{PODS}?dryRun=All", json=subject))
