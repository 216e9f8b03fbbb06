"""Namespaces whose label has all their pods get a gate, on an API server: with control, and what is kept without it."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from e2e.admission.conftest import SIDECAR, Guarded, applied, pod, until_denied
from e2e.admission.test_attackers import DATABASE, POLICY
from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import told

Json = dict[str, Any]
OUT = {"penstock.dev/inject": "false"}
KEPT = "start with one (its label penstock.dev/inject): Penstock is not installed"


def namespace(name: str, text: str, database: str = "shop") -> Json:
    labels, annotations = {"penstock.dev/inject": text}, {"penstock.dev/database": database}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
    }


def pods(space: str) -> str:
    return f"/api/v1/namespaces/{space}/pods"


def made(client: httpx2.Client, space: str, subject: Json) -> httpx2.Response:
    """The answer with the pod as it was admitted, which goes away again."""
    answer = client.post(pods(space), json=subject)
    assert answer.status_code == 201, answer.text
    name = subject["metadata"]["name"]
    assert client.delete(f"{pods(space)}/{name}?gracePeriodSeconds=0").status_code == 200
    return answer


def test_while_control_is_not_there_no_pod_starts_where_all_have_a_gate(
    server: ApiServer, admin: httpx2.Client
) -> None:
    applied(server, namespace("open", "enabled"), namespace("closed", "required"), namespace("slip", "true"))
    for space in ("open", "closed", "slip"):
        until_denied(server, pods(space), pod("probe"))
        assert f"pods of the namespace {space} {KEPT}" in told(admin.post(pods(space), json=pod("plain")))
        once = pod("once", {**SIDECAR, "restartPolicy": None})
        assert KEPT in told(admin.post(pods(space), json=once)), "one that ends before the application starts is none"
        made(admin, space, pod("gated", copy.deepcopy(SIDECAR)))
    made(admin, "open", pod("out", annotations=OUT))
    for space in ("closed", "slip"):
        assert KEPT in told(admin.post(pods(space), json=pod("out", annotations=OUT)))
    made(admin, "shop", pod("plain"))


@pytest.mark.parametrize("space", ["kube-system", "penstock-system"])
def test_the_label_does_nothing_to_namespaces_of_the_system(
    server: ApiServer, admin: httpx2.Client, space: str
) -> None:
    label = {"penstock.dev/inject": "required"}
    applying = {"Content-Type": "application/merge-patch+json"}
    for labels in (label, dict.fromkeys(label)):
        answer = admin.patch(f"/api/v1/namespaces/{space}", json={"metadata": {"labels": labels}}, headers=applying)
        assert answer.status_code == 200, answer.text
        made(admin, space, pod("plain"))


@pytest.fixture(scope="module")
def labelled(guarded: Guarded) -> Guarded:
    """Two namespaces with a Database each, whose pods control knows to give a gate."""
    for name, text in (("open", "enabled"), ("closed", "required"), ("some", "selected")):
        applied(guarded.server, namespace(name, text))
        accounts = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": name}}
        applied(guarded.server, accounts, _selecting(_moved(DATABASE, name)))
        applied(guarded.server, _moved(POLICY, name))
    with guarded.server.client("admin") as admin:
        for name in ("open", "closed", "some"):
            _until_known(admin, name)
    return guarded


def _moved(resource: Json, space: str) -> Json:
    return {**resource, "metadata": {**resource["metadata"], "namespace": space}}


def _selecting(database: Json) -> Json:
    return {**database, "spec": {**database["spec"], "workloads": {"matchLabels": {"app": "web"}}}}


def web(name: str, **more: Any) -> Json:
    """One that the Databases select."""
    made = pod(name, serviceAccountName="web", **more)
    made["metadata"]["labels"] = {"app": "web"}
    return made


def _until_known(admin: httpx2.Client, space: str) -> None:
    """Control learns of Database and label a moment later."""
    end = time.monotonic() + 60
    while _gates(answer := admin.post(pods(space), json=web("probe"))) != ["penstock-proxy"]:
        assert time.monotonic() < end, answer.text
        admin.delete(f"{pods(space)}/probe?gracePeriodSeconds=0")
        time.sleep(0.2)
    admin.delete(f"{pods(space)}/probe?gracePeriodSeconds=0")


def _gates(answer: httpx2.Response) -> list[str]:
    """Of a pod that was made; of one that was refused, none."""
    return [one["name"] for one in answer.json().get("spec", {}).get("initContainers", [])]


@pytest.fixture
def person(labelled: Guarded) -> Iterator[httpx2.Client]:
    with labelled.server.client("admin") as client:
        yield client


@pytest.mark.parametrize("space", ["open", "closed"])
def test_a_pod_that_says_nothing_has_a_gate(person: httpx2.Client, space: str) -> None:
    answer = made(person, space, pod("plain", serviceAccountName="web"))
    assert _gates(answer) == ["penstock-proxy"]
    found = answer.json()
    assert found["metadata"]["annotations"]["penstock.dev/database"] == "shop"
    assert found["metadata"]["labels"]["penstock.dev/injected"] == "true"


def test_who_goes_without_is_warned_or_refused(person: httpx2.Client) -> None:
    answer = made(person, "open", pod("out", annotations=OUT))
    assert "the pod goes without a gate" in answer.headers["Warning"]
    assert _gates(answer) == []
    assert "lets no pod go without a gate" in told(person.post(pods("closed"), json=pod("out", annotations=OUT)))


def test_pods_of_other_namespaces_are_left_as_they_are(person: httpx2.Client) -> None:
    for subject in (pod("other-plain"), web("other-web")):
        answer = made(person, "shop", subject)
        assert _gates(answer) == []
        assert "annotations" not in answer.json()["metadata"]


def test_where_databases_select_only_what_they_select_gets_a_gate(person: httpx2.Client) -> None:
    answer = made(person, "some", web("web"))
    assert _gates(answer) == ["penstock-proxy"]
    assert answer.json()["metadata"]["annotations"]["penstock.dev/inject"] == "true"
    assert _gates(made(person, "some", pod("plain"))) == []
    assert "which then has no way out" in told(person.post(pods("some"), json=web("out", annotations=OUT)))


def test_without_the_gate_the_credentials_stay_closed_to_it(person: httpx2.Client) -> None:
    greedy = pod("greedy", annotations=OUT)
    greedy["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "shop-db"}}]
    assert "shop-db" in told(person.post(pods("open"), json=greedy))
    del greedy["metadata"]["annotations"]
    assert "shop-db" in told(person.post(pods("open"), json=greedy))


def test_a_workload_is_told_what_its_pods_will_be_told(labelled: Guarded, person: httpx2.Client) -> None:
    spec = pod("x", hostNetwork=True)["spec"]
    app = {"matchLabels": {"app": "x"}}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
        "spec": {"selector": app, "template": {"metadata": {"labels": {"app": "x"}}, "spec": spec}},
    }  # fmt: skip
    where = "/apis/apps/v1/namespaces/{}/deployments?dryRun=All"
    assert "its pods will be refused" in person.post(where.format("closed"), json=deployment).headers["Warning"]
    assert "Warning" not in person.post(where.format("shop"), json=deployment).headers


def test_a_namespace_is_told_what_it_says_in_vain(person: httpx2.Client) -> None:
    answer = person.post("/api/v1/namespaces?dryRun=All", json=namespace("new", "yes"))
    assert "it takes" in answer.headers["Warning"]
    answer = person.post("/api/v1/namespaces?dryRun=All", json=namespace("new", "enabled", "shpo"))
    assert "which is not there" in answer.headers["Warning"]
