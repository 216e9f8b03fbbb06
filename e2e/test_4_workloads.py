"""Every kind of workload gets a gate and reads masked rows; and what a namespace allows its pods is kept, or told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.conftest import SHOP_IMAGE, Workload
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests
from e2e.shop.branch import applied_once_known, inside, open_branch
from e2e.shop.manifests import Object

SPACE, TIGHT = manifests.NAMESPACE, "tight"
EMAIL = "SELECT email FROM customers ORDER BY id"
MASKED = [["a***@example.com"], ["b***@example.org"]]
# Less than the sidecar takes by itself: its limits of cpu are fifty times what it requests.
LIMITS = {
    "type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "800m", "memory": "200Mi"},
    "maxLimitRequestRatio": {"cpu": "10"}, "default": {"cpu": "100m", "memory": "64Mi"},
    "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
}  # fmt: skip


def workload(kind: str, **spec: Any) -> Object:
    name = f"kind-{kind.lower()}"
    template = manifests.pod_template(SHOP_IMAGE, name, ["sleep"], manifests.INJECT)
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def cron_job() -> Object:
    job = manifests.job(SHOP_IMAGE, "kind-cronjob", EMAIL, manifests.INJECT)
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "kind-cronjob", "namespace": SPACE},
        "spec": {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": job["spec"]}},
    }


def pod_with_resources_as_a_whole() -> Object:
    pod = manifests.pod(SHOP_IMAGE, "kind-pod", manifests.INJECT)
    pod["spec"]["resources"] = {
        "requests": {"cpu": "100m", "memory": "200Mi"},
        "limits": {"cpu": "500m", "memory": "300Mi"},
    }
    return pod


WAITED_FOR = {
    "deploy/kind-deployment": workload("Deployment"),
    "statefulset/kind-statefulset": workload("StatefulSet", serviceName="none"),
    "daemonset/kind-daemonset": workload("DaemonSet"),
    "pod/kind-pod": pod_with_resources_as_a_whole(),
}


@pytest.fixture(scope="module")
def kinds(web: Workload) -> Iterator[Kubectl]:
    """One of each, all at once."""
    everything = [cron_job(), manifests.job(SHOP_IMAGE, "kind-job", EMAIL, manifests.INJECT), *WAITED_FOR.values()]
    web.kubectl.apply(*everything)
    yield web.kubectl
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": everything})
    web.kubectl("delete", "--wait=false", "--grace-period=1", "-f", "-", stdin=text)


def read(kubectl: Kubectl, namespace: str, what: str) -> Any:
    command = ("python3", "/shop/client.py", "run", "psycopg-extended", EMAIL)
    return json.loads(kubectl("-n", namespace, "exec", what, "-c", "app", "--", *command))["rows"]


@pytest.mark.parametrize("what", WAITED_FOR)
def test_each_kind_of_workload_reads_masked_rows(kinds: Kubectl, what: str) -> None:
    if what.startswith("pod/"):
        kinds.wait("-n", SPACE, "--for=condition=Ready", what)
    else:
        kinds.rollout(SPACE, what)
    assert read(kinds, SPACE, what) == MASKED


def test_a_sidecar_shares_what_its_pod_has_as_a_whole(kinds: Kubectl) -> None:
    (sidecar,) = kinds.get("-n", SPACE, "pod", "kind-pod")["spec"]["initContainers"]
    assert sidecar["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}


@pytest.fixture(scope="module")
def tight(shop: Kubectl) -> Iterator[Kubectl]:
    """A namespace with a LimitRange and a ResourceQuota."""
    open_branch(shop, TIGHT, {}, {})
    metadata = {"name": "all", "namespace": TIGHT}
    hard = {"requests.memory": "288Mi"}
    shop.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [LIMITS]}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}},
    )
    eventually(lambda: shop.get("-n", TIGHT, "resourcequota", "all")["status"], lambda seen: "used" in seen)
    yield shop
    shop("delete", "namespace", TIGHT, "--ignore-not-found", "--wait=false")


def test_a_sidecar_keeps_to_what_a_limit_range_allows(tight: Kubectl) -> None:
    """Least, most, and how many times its request a limit may be."""
    applied_once_known(tight, inside(TIGHT, manifests.pod(SHOP_IMAGE, "fits", manifests.INJECT)))
    tight.wait("-n", TIGHT, "--for=condition=Ready", "pod/fits")
    (sidecar,) = tight.get("-n", TIGHT, "pod", "fits")["spec"]["initContainers"]
    assert sidecar["resources"] == {
        "requests": {"cpu": "80m", "memory": "128Mi"}, "limits": {"cpu": "800m", "memory": "200Mi"},
    }  # fmt: skip
    assert read(tight, TIGHT, "pod/fits") == MASKED


def test_a_quota_that_does_not_hold_the_sidecar_is_told_of_by_the_event(tight: Kubectl) -> None:
    """Of 288Mi the pod before takes 192; another one would fit without its sidecar."""
    tight.apply(inside(TIGHT, manifests.deployment(SHOP_IMAGE, "second", manifests.INJECT)))
    events = ("-n", TIGHT, "events", "--field-selector", "reason=FailedCreate")
    told = eventually(
        lambda: [one["message"] for one in tight.get(*events)["items"]], bool, 30, "an event of the replica set"
    )
    words = (
        "the ResourceQuota all leaves 96Mi of requests.memory, and the pod with the sidecar's 128Mi takes 192Mi; "
        "raise that, or set the annotation penstock.dev/resources"
    )
    assert all(words in one for one in told), told


def test_a_job_and_one_of_a_cron_job_complete(kinds: Kubectl) -> None:
    kinds.wait("-n", SPACE, "--for=condition=Complete", "job/kind-job", seconds=90)
    made = eventually(
        lambda: kinds.get("-n", SPACE, "cronjob", "kind-cronjob")["status"].get("lastSuccessfulTime"), bool, 150,
        "a job of the cron job complete",
    )  # fmt: skip
    assert made
    jobs = [one["metadata"]["name"] for one in kinds.get("-n", SPACE, "jobs")["items"]
            if one["status"].get("succeeded") and one["metadata"]["name"].startswith("kind-")]  # fmt: skip
    assert len(jobs) > 1
    for job in jobs:
        assert json.loads(kinds("-n", SPACE, "logs", f"job/{job}", "-c", "app"))["rows"] == MASKED
