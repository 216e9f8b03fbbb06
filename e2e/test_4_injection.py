"""What the webhook leaves alone, what it refuses and in which words; and that only annotated pods depend on it."""

from __future__ import annotations

import json
import threading

import pytest

from e2e.conftest import SHOP_IMAGE, SYSTEM, Workload
from e2e.kubectl import CommandError, Kubectl, eventually
from e2e.shop import manifests

WITHOUT: dict[str, str] = {}


def test_a_pod_without_the_annotation_is_untouched(shop: Kubectl) -> None:
    shop.apply(manifests.pod(SHOP_IMAGE, "plain", WITHOUT))
    shop.wait("-n", manifests.NAMESPACE, "--for=condition=Ready", "pod/plain")
    pod = shop.get("-n", manifests.NAMESPACE, "pod", "plain")
    assert "initContainers" not in pod["spec"]
    assert [container["name"] for container in pod["spec"]["containers"]] == ["app"]
    assert not any(name.startswith("PG") for name in map(str, pod["spec"]["containers"][0].get("env", [])))
    shop("-n", manifests.NAMESPACE, "delete", "pod", "plain", "--grace-period=1")


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"penstock.dev/inject": "true", "penstock.dev/database": "shpo"}, ["shpo", "shop"]),
        ({"penstock.dev/inject": "true"}, ["penstock.dev/database"]),
        ({"penstock.dev/inject": "yes", "penstock.dev/database": "shop"}, ["yes", "true"]),
        ({**manifests.INJECT, "penstock.dev/port": "many"}, ["penstock.dev/port", "many"]),
    ],
)
def test_what_cannot_be_injected_is_refused_with_the_reason(
    shop: Kubectl, annotations: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(CommandError) as refusal:
        shop.apply(manifests.pod(SHOP_IMAGE, "refused", annotations))
    for word in words:
        assert word in str(refusal.value)


def test_an_application_that_holds_the_credential_is_refused(shop: Kubectl) -> None:
    pod = manifests.pod(SHOP_IMAGE, "greedy", manifests.INJECT)
    pod["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "shop-db"}}]
    with pytest.raises(CommandError, match="shop-db"):
        shop.apply(pod)


def admitted(kubectl: Kubectl, name: str) -> str:
    """Create an annotated pod; what was said against it."""
    try:
        kubectl.apply(manifests.pod(SHOP_IMAGE, name, manifests.INJECT))
    except CommandError as refusal:
        return str(refusal)
    return ""


def test_while_control_is_down_only_annotated_pods_wait(shop: Kubectl) -> None:
    control = "deploy/penstock-control"
    shop("-n", SYSTEM, "scale", control, "--replicas=0")
    shop("-n", SYSTEM, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=control", "--timeout=120s",
         timeout=150)  # fmt: skip
    try:
        shop.apply(manifests.pod(SHOP_IMAGE, "plain-while-down", WITHOUT))
        shop.wait("-n", manifests.NAMESPACE, "--for=condition=Ready", "pod/plain-while-down")
        with pytest.raises(CommandError, match="penstock"):
            shop.apply(manifests.pod(SHOP_IMAGE, "annotated-while-down", manifests.INJECT))
    finally:
        shop("-n", SYSTEM, "scale", control, "--replicas=2")
        shop.rollout(SYSTEM, control)
    # Ready is not yet reachable: the node learns of the Service's new endpoints a moment later.
    eventually(
        lambda: admitted(shop, "annotated-afterwards"), lambda refusal: not refusal, 30, "the annotated pod admitted"
    )
    shop.wait("-n", manifests.NAMESPACE, "--for=condition=Ready", "pod/annotated-afterwards")
    shop("-n", manifests.NAMESPACE, "delete", "pod", "plain-while-down", "annotated-afterwards", "--grace-period=1")


def test_while_control_is_replaced_pods_are_made_as_ever(shop: Kubectl) -> None:
    """As in an upgrade: at every moment some replica answers, the former one until nobody is sent to it."""
    asks = manifests.pod(SHOP_IMAGE, "during", manifests.INJECT)
    replaced = threading.Event()
    made: list[str] = []
    refusals: list[str] = []

    def make() -> None:
        while not replaced.is_set():
            try:
                made.append(shop("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(asks)))
            except CommandError as refusal:
                refusals.append(str(refusal))

    maker = threading.Thread(target=make)
    maker.start()
    try:
        shop("-n", SYSTEM, "rollout", "restart", "deploy/penstock-control")
        shop.rollout(SYSTEM, "deploy/penstock-control")
        eventually(
            lambda: shop.get("-n", SYSTEM, "pods", "-l", "app.kubernetes.io/component=control")["items"],
            lambda pods: len(pods) == 2, 90, "the former replicas gone",
        )  # fmt: skip
    finally:
        replaced.set()
        maker.join()
    assert refusals == []
    assert len(made) > 5
    for text in made:
        assert [one["name"] for one in json.loads(text)["spec"]["initContainers"]] == ["penstock-proxy"]


def test_nobody_swaps_the_gate_of_a_running_pod(web: Workload) -> None:
    name = web.pod()["metadata"]["name"]
    with pytest.raises(CommandError, match="stays as Penstock made it"):
        web.kubectl("-n", manifests.NAMESPACE, "set", "image", f"pod/{name}", f"penstock-proxy={SHOP_IMAGE}")
    with pytest.raises(CommandError, match="on a pod with a gate stays"):
        web.kubectl("-n", manifests.NAMESPACE, "label", "pod", name, "penstock.dev/injected-")
    web.kubectl("-n", manifests.NAMESPACE, "label", "pod", name, "team=shop")
    web.kubectl("-n", manifests.NAMESPACE, "annotate", "pod", name, "team=shop")


@pytest.mark.parametrize("namespace", ["kube-system", SYSTEM])
def test_a_pod_that_asks_where_nobody_looks_is_refused(shop: Kubectl, namespace: str) -> None:
    pod = manifests.pod(SHOP_IMAGE, "asks", manifests.INJECT)
    pod["metadata"]["namespace"] = namespace
    del pod["spec"]["serviceAccountName"]
    with pytest.raises(CommandError, match=f"does not look at the namespace {namespace}"):
        shop.apply(pod)


def test_what_is_in_configmaps_opens_nothing(web: Workload) -> None:
    """Who may get them, and no Secrets, has nothing of a sidecar's by that."""
    for namespace in (manifests.NAMESPACE, SYSTEM):
        found = web.kubectl.get("-n", namespace, "configmaps")["items"]
        # By which the database of these tests makes its logins.
        texts = [json.dumps(one) for one in found if one["metadata"]["name"] != "shop-db-setup"]
        assert texts
        for held in ("gate-password", "PRIVATE KEY", "eyJhbGciOi"):
            assert [text for text in texts if held in text] == [], namespace


def test_a_mesh_that_comes_last_keeps_nobody_waiting(web: Workload) -> None:
    """The application's first init container waits for the database, and runs before the mesh's."""
    pod = manifests.pod(SHOP_IMAGE, "meshed", manifests.INJECT)
    (app,) = pod["spec"]["containers"]
    wait = {**app, "name": "wait-for-db", "args": ["-c", "import psycopg; psycopg.connect()"]}
    mesh = {**app, "name": "istio-init", "args": ["-c", "pass"]}
    pod["spec"]["initContainers"] = [wait, mesh]
    web.kubectl.apply(pod)
    web.kubectl.wait("-n", manifests.NAMESPACE, "--for=condition=Ready", "pod/meshed")
    made = web.kubectl.get("-n", manifests.NAMESPACE, "pod", "meshed")
    assert [one["name"] for one in made["spec"]["initContainers"]] == ["penstock-proxy", "wait-for-db", "istio-init"]
    web.kubectl("-n", manifests.NAMESPACE, "delete", "pod", "meshed", "--grace-period=1")


def test_an_unfit_pod_is_told_so_before_it_fails(shop: Kubectl) -> None:
    small = manifests.pod(SHOP_IMAGE, "small", {**manifests.INJECT, "penstock.dev/resources": "memory=16Mi"})
    with pytest.raises(CommandError, match="with 16Mi of memory the sidecar would be ended before it serves anybody"):
        shop.apply(small)


def test_authors_of_workloads_are_warned_by_kubectl(shop: Kubectl) -> None:
    beside = manifests.deployment(SHOP_IMAGE, "beside", WITHOUT)
    beside["metadata"]["annotations"] = manifests.INJECT
    with pytest.raises(CommandError, match="on a Deployment has no effect"):
        shop("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=json.dumps(beside))


OPEN = "open"
LABELLED: manifests.Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": OPEN,
        "labels": {"penstock.dev/inject": "enabled", "pod-security.kubernetes.io/enforce": "restricted"},
        "annotations": {"penstock.dev/database": "shop"},
    },
}


def test_a_namespace_has_its_pods_get_a_gate(shop: Kubectl) -> None:
    secrets = [shop.get("-n", manifests.NAMESPACE, "secret", name) for name in ("shop-db", "shop-db-ca")]
    copies = [{"apiVersion": "v1", "kind": "Secret", "data": one["data"], "metadata": {"name": one["metadata"]["name"]}}
              for one in secrets]  # fmt: skip
    try:
        shop.apply(LABELLED)
        for one in (*copies, manifests.service_account("web"), manifests.database(), manifests.policy()):
            one["metadata"]["namespace"] = OPEN
            shop.apply(one)
        plain = manifests.pod(SHOP_IMAGE, "plain", WITHOUT)
        plain["metadata"]["namespace"] = OPEN
        eventually(lambda: refusal_of(shop, plain), lambda refusal: not refusal, 30, "the pod admitted")
        shop.wait("-n", OPEN, "--for=condition=Ready", "pod/plain")
        made = shop.get("-n", OPEN, "pod", "plain")
        assert [one["name"] for one in made["spec"]["initContainers"]] == ["penstock-proxy"]
        assert made["metadata"]["annotations"]["penstock.dev/database"] == "shop"
        shop("-n", OPEN, "delete", "pod", "plain", "--grace-period=1")
        out = manifests.pod(SHOP_IMAGE, "out", {"penstock.dev/inject": "false"})
        out["metadata"]["namespace"] = OPEN
        with pytest.raises(CommandError, match="the pod goes without a gate"):
            shop("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=json.dumps(out))
        shop("label", "namespace", OPEN, "penstock.dev/inject=required", "--overwrite")
        eventually(
            lambda: refusal_of(shop, out, "--dry-run=server"), lambda words: "lets no pod go without" in words, 30, "it"
        )
    finally:
        shop("delete", "namespace", OPEN, "--ignore-not-found", "--wait=false")


def refusal_of(kubectl: Kubectl, pod: manifests.Object, *options: str) -> str:
    """What was said against the pod."""
    try:
        kubectl("apply", *options, "-f", "-", stdin=json.dumps(pod))
    except CommandError as refusal:
        return str(refusal)
    return ""
