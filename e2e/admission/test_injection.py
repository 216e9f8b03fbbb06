"""What goes wrong with injectors, tried on ours: control that ends or comes late, other injectors, rules of namespaces.

The whole list, with the tests that need no API server or a node, is docs/injection.md.
"""

from __future__ import annotations

import copy
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from e2e.admission.conftest import Guarded, applied, pod
from e2e.admission.control_process import ControlProcess
from e2e.admission.other_injector import LABEL, other_injector
from e2e.admission.test_attackers import ASKS, DATABASE, POLICY
from e2e.approvals.conftest import patch, told
from e2e.approvals.replicas import AUTHORITY, SYSTEM, secrets

Json = dict[str, Any]
SPACE = "tried"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
RESTRICTED = {
    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


def asking(name: str, **spec: Any) -> Json:
    return pod(name, annotations=ASKS, serviceAccountName="web", **spec)


def names(made: Json, where: str = "initContainers") -> list[str]:
    return [one["name"] for one in made["spec"].get(where, [])]


def account(name: str, space: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": space}}


def moved(resource: Json, **metadata: str) -> Json:
    return {**resource, "metadata": {**resource["metadata"], "namespace": SPACE, **metadata}}


@pytest.fixture(scope="module")
def tried(guarded: Guarded) -> Guarded:
    """A namespace with a Database and its policy, which control knows of."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    applied(guarded.server, space, account("web", SPACE), moved(DATABASE))
    applied(guarded.server, moved(POLICY))
    with guarded.server.client("admin") as admin:
        until(lambda: told(admin.post(f"{PODS}?dryRun=All", json=asking("probe"))) == "")
    return guarded


@pytest.fixture
def person(tried: Guarded) -> Iterator[httpx2.Client]:
    """Who may do anything. Their pods go with the test."""
    with tried.server.client("admin") as admin:
        yield admin
        assert admin.delete(f"{PODS}?gracePeriodSeconds=0").status_code == 200


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def without_control(tried: Guarded) -> Iterator[None]:
    """Nothing of Penstock runs."""
    tried.process.end()
    try:
        yield
    finally:
        tried.process.start()
        tried.process.until("/readyz", 200)


def test_of_pods_that_are_made_while_control_dies_and_comes_back_none_is_without_its_gate(
    tried: Guarded, person: httpx2.Client
) -> None:
    refused: list[float] = []
    enough = threading.Event()

    def make() -> None:
        with tried.server.client("admin") as client:
            for number in range(2_000):
                answer = client.post(PODS, json=asking(f"many-{number}"))
                if answer.status_code != 201:
                    refused.append(time.monotonic())
                if enough.is_set():
                    return

    def made() -> list[Json]:
        items: list[Json] = person.get(PODS).json()["items"]
        return items

    makers = threading.Thread(target=make)
    makers.start()
    try:
        until(lambda: len(made()) > 5)
        tried.process.kill()
        until(lambda: len(refused) > 5)
        tried.process.start()
        tried.process.until("/readyz", 200)
        before = len(made())
        until(lambda: len(made()) > before + 5)
    finally:
        enough.set()
        makers.join()
    assert {tuple(names(one)) for one in made()} == {("penstock-proxy",)}


def test_a_pod_that_came_before_its_database_is_made_once_that_is_there(tried: Guarded, person: httpx2.Client) -> None:
    """Controllers of workloads ask again and again."""
    early = pod("early", annotations={**ASKS, "penstock.dev/database": "later"}, serviceAccountName="web")
    assert "there is no Database later" in told(person.post(PODS, json=early))
    applied(tried.server, moved(DATABASE, name="later"))
    until(lambda: person.post(PODS, json=early).status_code == 201)
    assert names(person.get(f"{PODS}/early").json()) == ["penstock-proxy"]


def test_replicas_without_a_certificate_wait_for_it_and_none_ends(tried: Guarded) -> None:
    certificate, _ = secrets()
    path = f"/api/v1/namespaces/{SYSTEM}/secrets/{certificate['metadata']['name']}"
    replicas = [ControlProcess(tried.server, name) for name in ("first", "second")]
    with tried.server.client("admin") as admin:
        assert admin.delete(path).status_code == 200
    try:
        for one in replicas:
            one.start()
        for one in replicas:
            one.until("/healthz", 200)
        waiting = [(503, "waiting for a certificate\n")] * 2
        until(lambda: [one.answer("/readyz") for one in replicas] == waiting)
        assert tried.process.answer("/readyz")[0] == 200, "who has one keeps it"
        applied(tried.server, certificate)
        for one in replicas:
            one.until("/readyz", 200)
    finally:
        applied(tried.server, certificate)
        assert [one.end() for one in replicas] == [0, 0]


def test_a_replica_that_ends_answers_until_nobody_is_sent_to_it(tried: Guarded) -> None:
    leaving = ControlProcess(tried.server, "leaving", linger=3)
    leaving.start()
    leaving.until("/readyz", 200)
    ended: list[int] = []
    ending = threading.Thread(target=lambda: ended.append(leaving.end()))
    ending.start()
    try:
        until(lambda: leaving.answer("/readyz") == (503, "waiting for the end: this process was asked to stop\n"))
        trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
        review = {"request": {"uid": "1", "namespace": SPACE, "operation": "CREATE", "object": asking("x")}}
        with httpx2.Client(verify=trust, trust_env=False) as client:
            answer = client.post(f"https://localhost:{leaving.port}/mutate", json=review)
        assert answer.json()["response"]["patch"]
    finally:
        ending.join()
    assert ended == [0]


def test_pods_with_a_gate_end_while_control_is_down(
    tried: Guarded, person: httpx2.Client, request: pytest.FixtureRequest
) -> None:
    held = asking("held")
    held["metadata"]["finalizers"] = ["shop.example/hold"]
    assert told(person.post(PODS, json=held)) == ""
    request.getfixturevalue("without_control")
    assert person.delete(f"{PODS}/held?gracePeriodSeconds=0").status_code == 200
    over = {"status": {"phase": "Failed"}}
    assert told(patch(person, f"{PODS}/held/status", over)) == ""
    assert told(patch(person, f"{PODS}/held", {"metadata": {"finalizers": []}})) == ""
    assert person.get(f"{PODS}/held").status_code == 404


@pytest.mark.usefixtures("without_control")
def test_a_cluster_that_starts_anew_starts_penstock_too(tried: Guarded) -> None:
    """Nothing that has to be there before control waits for control."""
    kept = ("Deployment", "StatefulSet")
    specs = [one["spec"] for one in tried.chart if one["kind"] in kept]
    templates = [
        (f"/api/v1/namespaces/{SYSTEM}/pods", {**one["template"], "apiVersion": "v1", "kind": "Pod",
                                               "volumeClaimTemplates": one.get("volumeClaimTemplates")})
        for one in specs
    ]  # fmt: skip
    assert len(templates) == 3, "operator, control, collector"
    others = [
        ("/api/v1/namespaces/kube-system/pods", pod("dns")),
        ("/api/v1/namespaces/default/pods", pod("plain")),
        ("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "two"}}),
        ("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}),
        (f"/api/v1/namespaces/{SYSTEM}/secrets", {"metadata": {"name": "any"}}),
    ]
    with tried.server.client("admin") as admin:
        for number, (path, subject) in enumerate((*templates, *others)):
            named = copy.deepcopy(subject)
            named["metadata"].setdefault("name", f"starts-{number}")
            if claims := named.pop("volumeClaimTemplates", None):
                # As their controller makes them.
                named["spec"]["volumes"] += [{"name": one["metadata"]["name"], "emptyDir": {}} for one in claims]
            answer = admin.post(f"{path}?dryRun=All", json=named)
            assert answer.status_code == 201, answer.text


def test_another_injector_that_comes_later_keeps_its_containers_and_is_led_to_the_gate(
    tried: Guarded, person: httpx2.Client
) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/zz-mesh"
    migrate = {"name": "migrate", "image": "app:1"}
    with other_injector(tried.server.directory) as configuration:
        applied(tried.server, configuration)
        try:
            meshed = asking("meshed", initContainers=[migrate])
            meshed["metadata"]["labels"] = {LABEL: "true"}

            def made() -> Json:
                answer: Json = person.post(f"{PODS}?dryRun=All", json=meshed).json()
                return answer

            until(lambda: "late" in names(made(), "containers"))
            found = made()
        finally:
            assert person.delete(path).status_code == 200
    assert names(found) == ["penstock-proxy", "migrate", "istio-init"]
    assert names(found, "containers") == ["app", "late"]
    for one in (*found["spec"]["initContainers"][1:], *found["spec"]["containers"]):
        assert {"name": "PGHOST", "value": "127.0.0.1"} in one["env"], one["name"]


def test_containers_of_others_stay_as_the_api_server_has_them(person: httpx2.Client) -> None:
    """Fields too that libraries of today don't know: nothing is read into a model and written back."""
    logs = {
        "name": "logs", "image": "logs:1", "restartPolicy": "Always", "terminationMessagePath": "/x",
        "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    }  # fmt: skip
    spec: Json = {"initContainers": [logs, {"name": "migrate", "image": "app:1"}], "serviceAccountName": "web"}
    plain = person.post(f"{PODS}?dryRun=All", json=pod("plain", **spec)).json()["spec"]
    gated = person.post(f"{PODS}?dryRun=All", json=pod("gated", annotations=ASKS, **spec)).json()["spec"]
    for where, first in (("initContainers", 1), ("containers", 0)):
        others = [{key: one[key] for key in one if key != "env"} for one in gated[where][first:]]
        assert others == plain[where]
    added = {"initContainers", "containers", "volumes"}
    assert {key: gated[key] for key in gated.keys() - added} == {key: plain[key] for key in plain.keys() - added}


def test_a_quota_of_the_namespace_has_what_it_asks_of_each_container(tried: Guarded, person: httpx2.Client) -> None:
    hard = {"requests.cpu": "2", "limits.cpu": "4", "requests.memory": "2Gi", "limits.memory": "4Gi"}
    quota = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all", "namespace": SPACE},
        "spec": {"hard": hard},
    }  # fmt: skip
    path = f"/api/v1/namespaces/{SPACE}/resourcequotas/all"
    applied(tried.server, quota)
    try:
        # No controller counts here.
        used = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
        assert told(patch(person, f"{path}/status", used)) == ""
        until(lambda: "must specify limits.cpu" in told(person.post(f"{PODS}?dryRun=All", json=asking("no-limits"))))
        both = {"cpu": "100m", "memory": "128Mi"}
        app = {"name": "app", "image": "app:1", "resources": {"requests": both, "limits": both}}
        answer = person.post(f"{PODS}?dryRun=All", json=asking("fits", containers=[app]))
        assert told(answer) == ""
        assert names(answer.json()) == ["penstock-proxy"]
    finally:
        assert person.delete(path).status_code == 200


def test_a_restricted_namespace_takes_the_pod_with_its_gate(tried: Guarded, person: httpx2.Client) -> None:
    label = "pod-security.kubernetes.io/enforce"
    space = f"/api/v1/namespaces/{SPACE}"
    assert told(patch(person, space, {"metadata": {"labels": {label: "restricted"}}})) == ""
    try:
        until(lambda: "violates PodSecurity" in told(person.post(f"{PODS}?dryRun=All", json=asking("free"))))
        app = {"name": "app", "image": "app:1", "securityContext": RESTRICTED}
        answer = person.post(f"{PODS}?dryRun=All", json=asking("bound", containers=[app]))
        assert told(answer) == ""
        assert names(answer.json()) == ["penstock-proxy"]
    finally:
        assert told(patch(person, space, {"metadata": {"labels": {label: None}}})) == ""
