"""Service accounts with the rights that people have on clusters, and what each of them gets by them.

Each row of the table in SECURITY.md is a test here, or in e2e/test_4_injection.py where it needs a node.
"""

from __future__ import annotations

import copy
import itertools
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from e2e.admission.conftest import PODS, Guarded, applied, as_user, pod
from e2e.approvals.conftest import patch, told
from e2e.approvals.replicas import AUTHORITY, token

Json = dict[str, Any]
API = "penstock.dev/v1alpha1"
ASKS = {"penstock.dev/inject": "true", "penstock.dev/database": "shop"}
DATABASE: Json = {
    "apiVersion": API, "kind": "Database", "metadata": {"name": "shop", "namespace": "shop"},
    "spec": {"host": "shop-db.shop.svc", "dbname": "shop", "credentialsSecretRef": {"name": "shop-db"}},
}  # fmt: skip
POLICY: Json = {
    "apiVersion": API, "kind": "DatabaseAccessPolicy", "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "databaseRef": {"name": "shop"}, "subjects": [{"serviceAccount": {"name": "web"}}],
        "masks": [{"columns": ["*.*.email"], "with": {"redact": {}}}],
    },
}  # fmt: skip
POLICIES = "/apis/penstock.dev/v1alpha1/namespaces/{}/databaseaccesspolicies"
GROUPS = ("system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shop(guarded: Guarded) -> Guarded:
    """A Database with its policy, and a pod `web` with a gate."""
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space}}
        for name, space in (("web", "shop"), ("web", "other"))
    ]
    applied(guarded.server, other, DATABASE, *accounts)
    applied(guarded.server, POLICY)
    with guarded.server.client("admin") as admin:
        for _ in range(100):
            # Control learns of the Database a moment later.
            answer = admin.post(PODS, json=pod("web", annotations=ASKS, serviceAccountName="web"))
            if answer.status_code == 201:
                break
        assert answer.status_code == 201, answer.text
    return guarded


class Attacker:
    """A service account with some rights in the shop's namespace."""

    def __init__(self, guarded: Guarded, *rules: tuple[str, str, list[str]], space: str = "shop") -> None:
        self.name, self.space = f"attacker-{next(_numbers)}", space
        named = {"name": self.name, "namespace": space}
        rbac = "rbac.authorization.k8s.io"
        listed = [{"apiGroups": [group], "resources": [resource], "verbs": verbs} for group, resource, verbs in rules]
        applied(
            guarded.server,
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": named, "rules": listed},
            {
                "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": named,
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": self.name},
                "subjects": [{"kind": "ServiceAccount", "name": self.name, "namespace": space}],
            },
        )  # fmt: skip
        self.client = as_user(guarded.server, f"system:serviceaccount:{space}:{self.name}", *GROUPS)


@pytest.fixture
def patches_pods(shop: Guarded) -> Iterator[httpx2.Client]:
    with Attacker(shop, ("", "pods", ["get", "list", "patch", "update"])).client as client:
        yield client


@pytest.fixture
def creates_pods(shop: Guarded) -> Iterator[httpx2.Client]:
    with Attacker(shop, ("", "pods", ["get", "list", "create", "delete"])).client as client:
        yield client


def refused_policies(guarded: Guarded, gated: Json, database: str) -> str:
    """Those of a Database that the gate of that pod is not for."""
    trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    bearer = {"Authorization": f"Bearer {token(guarded.server, 'shop', 'web', 'penstock-control', gated)}"}
    with httpx2.Client(base_url=guarded.control, headers=bearer, verify=trust, trust_env=False, timeout=30) as gate:
        answer = gate.get(f"/v1/policies/shop/{database}")
    assert answer.status_code == 403
    return str(answer.json()["error"])


def test_who_patches_pods_does_not_change_the_gate(patches_pods: httpx2.Client) -> None:
    evil = {"spec": {"initContainers": [{"name": "penstock-proxy", "image": "evil:1"}]}}
    answer = patch(patches_pods, f"{PODS}/web", evil, "strategic-merge-patch+json")
    assert "stays as Penstock made it" in told(answer)
    hide = {"metadata": {"labels": {"penstock.dev/injected": None}}}
    assert "what penstock.dev/… says on a pod with a gate stays" in told(patch(patches_pods, f"{PODS}/web", hide))
    # The application's own image is theirs to change: it has what the application has, masked rows.
    own = {"spec": {"containers": [{"name": "app", "image": "own:1"}]}}
    assert told(patch(patches_pods, f"{PODS}/web", own, "strategic-merge-patch+json")) == ""


def test_who_binds_pods_does_not_change_it_either(shop: Guarded) -> None:
    words = {"penstock.dev/inject": "false"}
    target = {"apiVersion": "v1", "kind": "Node", "name": "one"}
    body = {"metadata": {"name": "web", "annotations": words}, "target": target}
    rights = (("", "pods/binding", ["create"]), ("", "bindings", ["create"]), ("", "pods", ["get"]))
    with Attacker(shop, *rights).client as client:
        for where in (f"{PODS}/web/binding", "/api/v1/namespaces/shop/bindings"):
            answer = client.post(where, json=body)
            assert "is not written by the Binding that gives it a node" in told(answer)
        assert client.get(f"{PODS}/web").json()["metadata"]["annotations"]["penstock.dev/inject"] == "true"


SECRET_BY: dict[str, Json] = {
    "env": {"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "shop-db", "key": "password"}}}]},
    "envFrom": {"envFrom": [{"secretRef": {"name": "shop-db"}}]},
    "volume": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    "projected": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
}
VOLUMES: dict[str, list[Json]] = {
    "volume": [{"name": "v", "secret": {"secretName": "shop-db"}}],
    "projected": [{"name": "v", "projected": {"sources": [{"secret": {"name": "shop-db"}}]}}],
}
TOKEN = [{
    "name": "t",
    "projected": {"sources": [{"serviceAccountToken": {"audience": "penstock-control", "path": "t"}}]},
}]  # fmt: skip


def taking(way: str, annotations: Json, kind: str = "containers") -> Json:
    """A pod that takes the Secret in that way."""
    made = pod("greedy", annotations=annotations, volumes=VOLUMES.get(way, []))
    made["spec"].setdefault(kind, []).append({"name": "greedy", "image": "x", **SECRET_BY[way]})
    return made


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
@pytest.mark.parametrize("way", SECRET_BY)
def test_who_creates_pods_gets_no_password(creates_pods: httpx2.Client, way: str, kind: str) -> None:
    """With the annotation never; without it where the chart's webhook.guardCredentials is set, as here."""
    with_gate = told(creates_pods.post(PODS, json=taking(way, ASKS, kind)))
    assert "container greedy takes the Secret shop-db" in with_gate
    without = told(creates_pods.post(PODS, json=taking(way, {}, kind)))
    assert "the Secret shop-db has the credentials of the Database shop, which are for its gates alone" in without


def test_nor_one_by_the_disk_of_a_node(creates_pods: httpx2.Client) -> None:
    for path, words in (
        ("/var/lib/k0s/kubelet", "container app mounts /var/lib/k0s/kubelet of its node"),
        ("/var/log", ""),
    ):
        made = pod(
            "disk", annotations=ASKS, serviceAccountName="web", volumes=[{"name": "v", "hostPath": {"path": path}}]
        )
        made["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
        answer = told(creates_pods.post(PODS, json=made))
        assert words in answer if words else not answer
    assert creates_pods.delete(f"{PODS}/disk?gracePeriodSeconds=0").status_code == 200


def test_nor_a_token_by_which_control_knows_sidecars(creates_pods: httpx2.Client) -> None:
    assert "volume t holds a token for penstock-control" in told(
        creates_pods.post(PODS, json=pod("t", annotations=ASKS, serviceAccountName="web", volumes=TOKEN))
    )
    assert "tokens of the audience penstock-control are for gates alone" in told(
        creates_pods.post(PODS, json=pod("t", serviceAccountName="web", volumes=TOKEN))
    )


def test_nor_the_place_of_the_gate(creates_pods: httpx2.Client) -> None:
    """What bears its name is refused, or replaced where the pod says that it was here before."""
    fake: Json = {"name": "penstock-proxy", "image": "evil:1", "restartPolicy": "Always"}
    made = pod("fake", fake, ASKS, serviceAccountName="web")
    assert "the container name penstock-proxy is reserved" in told(creates_pods.post(PODS, json=made))
    made["metadata"]["annotations"] = {**ASKS, "penstock.dev/injected-version": "1"}
    answer = creates_pods.post(PODS, json=made)
    assert answer.status_code == 201, answer.text
    assert [one["image"] for one in answer.json()["spec"]["initContainers"]] == ["penstock:1"]
    assert creates_pods.delete(f"{PODS}/fake?gracePeriodSeconds=0").status_code == 200


def test_other_pods_without_a_gate_are_none_of_our_business(creates_pods: httpx2.Client) -> None:
    made = pod("plain", volumes=[{"name": "v", "secret": {"secretName": "mail"}}])
    made["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "mail"}}]
    assert told(creates_pods.post(PODS, json=made)) == ""
    assert creates_pods.delete(f"{PODS}/plain?gracePeriodSeconds=0").status_code == 200


def test_who_updates_deployments_gets_no_further_than_their_pods(shop: Guarded) -> None:
    attacker = Attacker(shop, ("apps", "deployments", ["get", "create", "update", "patch"]))
    template = taking("envFrom", {})
    spec = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": template["spec"]},
    }
    with attacker.client as client:
        body = {"metadata": {"name": "x"}, "spec": spec}
        made = client.post("/apis/apps/v1/namespaces/shop/deployments", json=body)
        assert made.status_code == 201, made.text
    # Its pods are made by a controller, which may do so in every namespace.
    controller = "system:serviceaccount:kube-system:replicaset-controller"
    with as_user(shop.server, controller, *GROUPS[:2], masters=True) as client:
        assert "which are for its gates alone" in told(client.post(PODS, json=template))


@pytest.mark.parametrize("verb", ["exec", "attach"])
def test_who_may_exec_does_not_enter_the_gate(shop: Guarded, verb: str) -> None:
    attacker = Attacker(shop, ("", f"pods/{verb}", ["get", "create"]), ("", "pods", ["get"]))
    with attacker.client as client:
        where = f"{PODS}/web/{verb}?command=cat&stdout=true"
        assert "nobody may enter it" in told(client.post(f"{where}&container=penstock-proxy"))
        # Into the application, as always; there is no node here to do it.
        assert "penstock" not in told(client.post(f"{where}&container=app"))
        assert "penstock" not in told(client.post(where))


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"targetContainerName": "penstock-proxy"}, "would share the processes of penstock-proxy"),
        ({"volumeMounts": [{"name": "penstock-identity", "mountPath": "/x"}]}, "mounts penstock-identity"),
        ({"envFrom": [{"secretRef": {"name": "shop-db"}}]}, "takes the Secret shop-db by its envFrom"),
    ],
)
def test_who_may_debug_does_not_look_into_it(shop: Guarded, container: Json, words: str) -> None:
    attacker = Attacker(shop, ("", "pods/ephemeralcontainers", ["update", "patch"]), ("", "pods", ["get"]))
    body = {"spec": {"ephemeralContainers": [{"name": "d", "image": "x", **container}]}}
    with attacker.client as client:
        answer = patch(client, f"{PODS}/web/ephemeralcontainers", body, "strategic-merge-patch+json")
        assert words in told(answer)


def test_a_pod_without_a_gate_is_debugged_without_the_credentials(shop: Guarded, creates_pods: httpx2.Client) -> None:
    assert creates_pods.post(PODS, json=pod("bare")).status_code == 201
    attacker = Attacker(shop, ("", "pods/ephemeralcontainers", ["update", "patch"]), ("", "pods", ["get"]))
    body = {"spec": {"ephemeralContainers": [{"name": "d", "image": "x", **SECRET_BY["envFrom"]}]}}
    with attacker.client as client:
        where = f"{PODS}/bare/ephemeralcontainers"
        assert "which are for its gates alone" in told(patch(client, where, body, "strategic-merge-patch+json"))
    assert creates_pods.delete(f"{PODS}/bare?gracePeriodSeconds=0").status_code == 200


def test_who_asks_for_tokens_gets_none_of_a_sidecars(shop: Guarded) -> None:
    attacker = Attacker(shop, ("", "serviceaccounts/token", ["create"]))
    where = "/api/v1/namespaces/shop/serviceaccounts/web/token"
    request: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["other"]}}
    with attacker.client as client:
        assert client.post(where, json=request).status_code == 201
        for audiences in (["penstock-control"], ["other", "penstock-control"], ["penstock-collector"]):
            request["spec"]["audiences"] = audiences
            assert "only nodes ask for tokens of the audiences penstock-control and" in told(
                client.post(where, json=request)
            )


def test_who_writes_policies_elsewhere_gives_nothing_of_the_shop(shop: Guarded) -> None:
    """Within the shop's own namespace, they are trusted with its rows: SECURITY.md says so."""
    rights = (("penstock.dev", "databaseaccesspolicies", ["create", "get", "list"]), ("", "pods", ["create", "get"]))
    with Attacker(shop, *rights, space="other").client as client:
        mine = copy.deepcopy(POLICY)
        mine["metadata"] = {"name": "all", "namespace": "other"}
        mine["spec"]["masks"] = []
        answer = client.post(POLICIES.format("other"), json=mine)
        assert answer.status_code == 201, answer.text
        assert "there is no Database shop in the namespace other" in answer.headers["warning"]
        assert client.post(POLICIES.format("shop"), json=mine | {"metadata": {"name": "all"}}).status_code == 403
        assert client.get(POLICIES.format("shop")).status_code == 403
        asks = pod("spy", annotations=ASKS)
        assert "there is no Database shop; Databases in the namespace other: none" in told(
            client.post("/api/v1/namespaces/other/pods", json=asks)
        )
        spy = client.post("/api/v1/namespaces/other/pods", json=pod("spy", serviceAccountName="web")).json()
    # Even with a sidecar's token of its own, a pod reads what is its own namespace's.
    with shop.server.client("admin") as admin:
        web = admin.get(f"{PODS}/web").json()
    found = {}
    for space, one in (("shop", web), ("other", spy)):
        trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
        bearer = {"Authorization": f"Bearer {token(shop.server, space, 'web', 'penstock-control', one)}"}
        with (
            httpx2.Client(base_url=shop.control, headers=bearer, verify=trust, trust_env=False, timeout=30) as gate,
            gate.stream("GET", "/v1/policies/shop/shop") as answer,
        ):
            found[space] = answer.status_code, next(answer.iter_lines())
    assert found["other"][0] == 403
    assert "is for shop, not for billing" in refused_policies(shop, web, "billing")
    assert [one["metadata"]["name"] for one in json.loads(found["shop"][1])["policies"]] == ["web"]
