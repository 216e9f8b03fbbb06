"""What the API server itself keeps of pods with a gate. Control does not run here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from e2e.admission.conftest import GOVERNED, PODS, SIDECAR, applied, as_user, governed, pod, until_denied
from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import patch, told

Json = dict[str, Any]
STAYS = "penstock-proxy holds the database's credentials and stays as Penstock made it"
WORDS_STAY = "what penstock.dev/… says on a pod with a gate stays"
NOT_BY_A_BINDING = "what penstock.dev/… says on a pod is not written by the Binding that gives it a node"
NO_GATE = "the pod asks for a gate (penstock.dev/inject) and got none"


@pytest.fixture
def web(admin: httpx2.Client) -> Iterator[str]:
    """A pod with a gate."""
    answer = admin.post(PODS, json=governed("web"))
    assert answer.status_code == 201, answer.text
    yield f"{PODS}/web"
    assert admin.delete(f"{PODS}/web?gracePeriodSeconds=0").status_code == 200


@pytest.fixture
def plain(admin: httpx2.Client) -> Iterator[str]:
    """A pod that has nothing to do with Penstock."""
    assert admin.post(PODS, json=pod("plain")).status_code == 201
    yield f"{PODS}/plain"
    assert admin.delete(f"{PODS}/plain?gracePeriodSeconds=0").status_code == 200


EVIL = {"spec": {"initContainers": [{"name": "penstock-proxy", "image": "evil:1"}]}}


def test_the_image_of_a_running_sidecar_stays_by_whatever_way_it_is_written(server: ApiServer, web: str) -> None:
    with server.client("admin") as admin:
        swap = json.dumps([{"op": "replace", "path": "/spec/initContainers/0/image", "value": "evil:1"}])
        for answer in (
            patch(admin, web, EVIL, "strategic-merge-patch+json"),
            patch(admin, web, {"spec": {"initContainers": [{**SIDECAR, "image": "evil:1"}]}}),
            admin.patch(web, content=swap, headers={"Content-Type": "application/json-patch+json"}),
            admin.put(web, json={**(whole := admin.get(web).json()), "spec": whole["spec"] | {
                "initContainers": [{**whole["spec"]["initContainers"][0], "image": "evil:1"}]}}),
        ):  # fmt: skip
            assert STAYS in told(answer)
    kubectl = server.run("kubectl", "-n", "shop", "set", "image", "pod/web", "penstock-proxy=evil:1")
    assert STAYS in kubectl.stderr
    with server.client("admin") as admin:
        assert admin.get(web).json()["spec"]["initContainers"][0]["image"] == "penstock:1"


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("system:kube-controller-manager", ()),
        ("system:serviceaccount:kube-system:replicaset-controller", ("system:serviceaccounts",)),
        ("system:node:one", ("system:nodes",)),
        ("system:serviceaccount:penstock-system:penstock-control", ("system:serviceaccounts",)),
    ],
)
def test_nobody_is_above_that(server: ApiServer, web: str, name: str, groups: tuple[str, ...]) -> None:
    with as_user(server, name, *groups, masters=True) as somebody:
        assert STAYS in told(patch(somebody, web, EVIL, "strategic-merge-patch+json"))


@pytest.mark.parametrize("part", ["", "/status"])
@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"penstock.dev/injected": None}},
        {"labels": {"penstock.dev/injected": "false"}},
        {"labels": {"penstock.dev/more": "x"}},
        {"annotations": {"penstock.dev/inject": "false"}},
        {"annotations": {"penstock.dev/database": "other"}},
        {"annotations": {"penstock.dev/injected-version": None}},
        {"annotations": None},
        {"annotations": {"penstock.dev/port": "1"}},
    ],
)
def test_what_a_pod_says_of_its_gate_stays(admin: httpx2.Client, web: str, part: str, metadata: Json) -> None:
    assert WORDS_STAY in told(patch(admin, web + part, {"metadata": metadata}))


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("", {"metadata": {"labels": {"app": "else"}, "annotations": {"team": "shop"}}}),
        ("", {"spec": {"activeDeadlineSeconds": 600}}),
        ("/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
    ],
)
def test_all_else_of_the_pod_may_be_written(admin: httpx2.Client, web: str, part: str, body: Json) -> None:
    assert told(patch(admin, web + part, body)) == ""


def binding(name: str, **metadata: Json) -> Json:
    """What a scheduler sends."""
    target = {"apiVersion": "v1", "kind": "Node", "name": "one"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, **metadata}, "target": target}


@pytest.mark.parametrize("where", [f"{PODS}/web/binding", "/api/v1/namespaces/shop/bindings"])
@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"penstock.dev/inject": "false"}},
        {"annotations": {"penstock.dev/database": "other", "team": "shop"}},
        {"annotations": {"penstock.dev/port": "1"}},
        {"labels": {"penstock.dev/injected": "false"}},
    ],
)
def test_who_gives_it_a_node_gives_it_no_other_words(
    admin: httpx2.Client, web: str, where: str, metadata: Json
) -> None:
    """The API server takes over a Binding's annotations, and shows nobody the pod with them."""
    before = admin.get(web).json()
    assert NOT_BY_A_BINDING in told(admin.post(where, json=binding("web", **metadata)))
    after = admin.get(web).json()
    assert (after["metadata"], "nodeName" in after["spec"]) == (before["metadata"], False)


def test_nor_to_a_pod_that_has_no_gate(admin: httpx2.Client, plain: str) -> None:
    asks = binding("plain", annotations={"penstock.dev/inject": "true"})
    assert NOT_BY_A_BINDING in told(admin.post(f"{plain}/binding", json=asks))


@pytest.mark.parametrize("where", [f"{PODS}/web/binding", "/api/v1/namespaces/shop/bindings"])
def test_schedulers_bind_as_ever(admin: httpx2.Client, web: str, where: str) -> None:
    """With annotations of their own, which the pod has from then on."""
    assert told(admin.post(where, json=binding("web", annotations={"scheduler.example/score": "7"}))) == ""
    bound = admin.get(web).json()
    assert bound["spec"]["nodeName"] == "one"
    assert bound["metadata"]["annotations"] == GOVERNED["annotations"] | {"scheduler.example/score": "7"}


def test_nor_is_a_gateways_changed(admin: httpx2.Client) -> None:
    gateway = pod("gateway", containers=[{"name": "penstock-proxy", "image": "penstock:1"}])
    gateway["metadata"]["labels"] = {"penstock.dev/gateway": "people"}
    assert told(admin.post(PODS, json=gateway)) == ""
    evil = {"spec": {"containers": [{"name": "penstock-proxy", "image": "evil:1"}]}}
    assert STAYS in told(patch(admin, f"{PODS}/gateway", evil, "strategic-merge-patch+json"))
    # Taken out of its Service, to look into it.
    assert told(patch(admin, f"{PODS}/gateway", {"metadata": {"labels": {"penstock.dev/gateway": "aside"}}})) == ""
    assert admin.delete(f"{PODS}/gateway?gracePeriodSeconds=0").status_code == 200


def test_the_applications_image_is_the_applications(admin: httpx2.Client, web: str) -> None:
    new = {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}
    assert told(patch(admin, web, new, "strategic-merge-patch+json")) == ""


def test_a_sidecar_may_be_given_other_resources_and_nothing_besides(admin: httpx2.Client, web: str) -> None:
    more = {"name": "penstock-proxy", "resources": {"limits": {"cpu": "2"}}}
    body = {"spec": {"initContainers": [more]}}
    assert told(patch(admin, f"{web}/resize", body, "strategic-merge-patch+json")) == ""
    body["spec"]["initContainers"][0]["image"] = "evil:1"
    answer = patch(admin, f"{web}/resize", body, "strategic-merge-patch+json")
    sidecar = admin.get(web).json()["spec"]["initContainers"][0]
    assert sidecar["image"] == "penstock:1", answer.text
    assert sidecar["resources"]["limits"]["cpu"] == "2"


def test_a_debug_container_takes_nothing_of_the_sidecar_along(admin: httpx2.Client, web: str) -> None:
    body = {
        "spec": {"ephemeralContainers": [{"name": "d", "image": "x"}], "initContainers": EVIL["spec"]["initContainers"]}
    }
    answer = patch(admin, f"{web}/ephemeralcontainers", body, "strategic-merge-patch+json")
    assert admin.get(web).json()["spec"]["initContainers"][0]["image"] == "penstock:1", answer.text


@pytest.mark.parametrize("namespace", ["shop", "kube-system", "penstock-system"])
def test_a_pod_that_asks_does_not_start_without_a_gate(admin: httpx2.Client, namespace: str) -> None:
    """The webhook is not there, or leaves that namespace out."""
    where = f"/api/v1/namespaces/{namespace}/pods"
    answer = admin.post(where, json=pod("asks", annotations={"penstock.dev/inject": "true"}))
    assert f"{NO_GATE}: Penstock is not installed, or does not look at the namespace {namespace};" in told(answer)
    for other in ("penstock-proxi", "penstock-proxy"):
        # One that ends before the application starts is no gate either.
        once = pod("asks", {**SIDECAR, "name": other, "restartPolicy": None}, {"penstock.dev/inject": "true"})
        assert NO_GATE in told(admin.post(where, json=once))
    assert told(admin.post(where, json=pod("goes-without", annotations={"penstock.dev/inject": "false"}))) == ""
    assert admin.delete(f"{where}/goes-without?gracePeriodSeconds=0").status_code == 200


def test_a_pod_without_a_gate_does_not_say_that_it_has_one(admin: httpx2.Client, plain: str) -> None:
    says = pod("says")
    says["metadata"]["labels"] = {"penstock.dev/injected": "true"}
    words = "the label penstock.dev/injected says that a pod has a gate, and this one has none"
    assert words in told(admin.post(PODS, json=says))
    for part in ("", "/status"):
        assert words in told(patch(admin, plain + part, {"metadata": {"labels": says["metadata"]["labels"]}}))
    late = {"metadata": {"annotations": {"penstock.dev/inject": "true"}}}
    assert "a running pod is given no gate" in told(patch(admin, plain, late))
    assert told(patch(admin, plain, {"metadata": {"labels": {"app": "x"}}})) == ""


def test_a_pod_that_is_there_without_its_gate_can_be_written_and_deleted(
    server: ApiServer, admin: httpx2.Client
) -> None:
    """It was made while Penstock was away, by a version that kept no guard."""
    binding = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/penstock-pods"
    kept = admin.get(binding).json()
    assert admin.delete(binding).status_code == 200
    asks = pod("left", annotations={"penstock.dev/inject": "true"})
    asks["metadata"]["finalizers"] = ["shop.example/hold"]
    end = time.monotonic() + 60
    while (answer := admin.post(PODS, json=asks)).status_code != 201 and time.monotonic() < end:
        time.sleep(0.2)
    assert answer.status_code == 201, answer.text
    del kept["metadata"]["resourceVersion"], kept["metadata"]["uid"], kept["metadata"]["managedFields"]
    applied(server, kept)

    until_denied(server, PODS, pod("probe", annotations={"penstock.dev/inject": "true"}))
    assert told(patch(admin, f"{PODS}/left", {"metadata": {"labels": {"app": "x"}}})) == ""
    assert admin.delete(f"{PODS}/left?gracePeriodSeconds=0").status_code == 200
    assert told(patch(admin, f"{PODS}/left", {"metadata": {"finalizers": []}})) == ""
    assert admin.get(f"{PODS}/left").status_code == 404
