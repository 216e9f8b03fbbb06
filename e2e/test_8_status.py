"""What `kubectl get` says of a Database and its policies is so: within ten seconds of the cause, and back again."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator

import pytest

from e2e.conftest import SHOP_IMAGE, Workload
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests

SPACE = manifests.NAMESPACE
# What docs/status.md promises.
PROMISED = 10.0
Said = tuple[str, str, str]


def condition(kubectl: Kubectl, resource: str, stage: str) -> Said:
    """Status, reason and message."""
    conditions = kubectl.get("-n", SPACE, resource)["status"].get("conditions", [])
    found: dict[str, str] = next((one for one in conditions if one["type"] == stage), {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def says(kubectl: Kubectl, resource: str, stage: str, of: Callable[[Said], bool], seconds: float = PROMISED) -> Said:
    began = time.monotonic()
    found = eventually(lambda: condition(kubectl, resource, stage), of, seconds, f"{stage} of {resource}")
    print(f"{stage} of {resource}: {found[:2]} after {time.monotonic() - began:.1f} s")
    return found


def is_true(said: Said) -> bool:
    return said[0] == "True"


def is_false(said: Said) -> bool:
    return said[0] == "False"


@pytest.fixture
def well(web: Workload) -> Iterator[Workload]:
    """All is well, before and after."""
    web.kubectl.apply(manifests.database(), manifests.policy())
    for stage in ("Connected", "Classified", "Enforced", "Ready"):
        says(web.kubectl, "database/shop", stage, is_true, 60)
        says(web.kubectl, "databaseaccesspolicy/web", stage, is_true, 60)
    yield web
    web.kubectl.apply(manifests.database(), manifests.policy())
    says(web.kubectl, "database/shop", "Ready", is_true, 60)


def test_what_kubectl_shows(well: Workload) -> None:
    head, line = well.kubectl("-n", SPACE, "get", "database", "shop").splitlines()
    shown = dict(zip(head.split(), line.split(), strict=False))
    assert (shown["READY"], shown["CONNECTED"], shown["ENFORCED"]) == ("True", "True", "True")
    pods = well.kubectl.get("-n", SPACE, "database", "shop")["status"]["pods"]
    assert well.pod()["metadata"]["name"] in pods["governed"]["names"]
    assert pods["stale"]["count"] == pods["unreachable"]["count"] == pods["outdated"]["count"] == 0


def test_a_mask_on_a_column_that_the_database_does_not_have(well: Workload) -> None:
    masks = [*manifests.policy()["spec"]["masks"], {"columns": ["public.customers.emial"], "with": {"redact": {}}}]
    well.kubectl.apply(manifests.policy(masks=masks))
    _, reason, message = says(well.kubectl, "databaseaccesspolicy/web", "Ready", is_false)
    assert reason == "NoSuchColumn"
    assert "public.customers.emial" in message
    says(well.kubectl, "database/shop", "Enforced", is_false)
    told = well.kubectl("-n", SPACE, "describe", "databaseaccesspolicy", "web")
    assert "NoSuchColumn" in told.split("Events:")[1]


def test_a_mask_that_does_not_fit_its_columns_type(well: Workload) -> None:
    masks = [*manifests.policy()["spec"]["masks"], {"columns": ["public.customers.id"], "with": {"email": {}}}]
    well.kubectl.apply(manifests.policy(masks=masks))
    assert says(well.kubectl, "databaseaccesspolicy/web", "Enforced", is_false)[1] == "MaskDoesNotFit"


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"dbname": "elsewhere"}, "NoSuchDatabase", "spec.dbname is elsewhere"),
        ({"host": "nowhere.shop.svc"}, "Unreachable", "its name does not resolve"),
        ({"port": 5433}, "Unreachable", "look at spec.host, spec.port"),
    ],
)
def test_a_database_that_is_not_reached(well: Workload, changes: dict[str, object], reason: str, words: str) -> None:
    well.kubectl.apply(manifests.database(**changes))
    # A port that nobody answers at is waited for.
    found = says(well.kubectl, "database/shop", "Connected", is_false, PROMISED if reason != "Unreachable" else 30)
    assert found[1] == reason
    assert words in found[2]


def test_a_secret_that_is_not_there_and_one_with_a_wrong_password(well: Workload) -> None:
    kubectl = well.kubectl
    second = manifests.database(credentialsSecretRef={"name": "second-db"})
    second["metadata"]["name"] = "second"
    pod = manifests.pod(SHOP_IMAGE, "second", {**manifests.INJECT, "penstock.dev/database": "second"})
    kubectl.apply(second, manifests.policy("second", databaseRef={"name": "second"}), pod)
    _, reason, message = says(kubectl, "database/second", "Connected", is_false, 20)
    assert reason == "PodCannotStart"
    assert 'secret "second-db" not found' in message
    password = {name: base64.b64encode(text).decode() for name, text in (("username", b"gate"), ("password", b"no"))}
    metadata = {"name": "second-db", "namespace": SPACE}
    kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": password})
    # The kubelet tries again by and by.
    refused = says(kubectl, "database/second", "Connected", lambda said: said[1] == "CredentialsRefused", 150)
    assert "look at the Secret second-db" in refused[2]
    kubectl("-n", SPACE, "delete", "--wait=false", "pod/second", "secret/second-db", "databaseaccesspolicy/second",
            "database/second")  # fmt: skip


def test_pods_that_still_use_a_former_secret_are_named(well: Workload) -> None:
    secret = well.kubectl.get("-n", SPACE, "secret", "shop-db")
    secret["metadata"] = {"name": "shop-db-newer", "namespace": SPACE}
    well.kubectl.apply(secret, manifests.database(credentialsSecretRef={"name": "shop-db-newer"}))
    _, reason, message = says(well.kubectl, "database/shop", "Enforced", is_false)
    assert reason == "FormerSecret"
    assert "still with the Secret shop-db; restart" in message
    assert well.pod()["metadata"]["name"] in message


def test_what_only_observes_is_said_loudly(well: Workload) -> None:
    well.kubectl.apply(manifests.policy(mode="observe"))
    says(well.kubectl, "database/shop", "Enforced", lambda said: said[1] == "Observing")
    line = well.kubectl("-n", SPACE, "get", "database", "shop").splitlines()[1]
    assert "Observing" in line.split()
    events = json.loads(well.kubectl("-n", SPACE, "get", "events.events.k8s.io", "-o", "json"))["items"]
    assert any(one["reason"] == "Observing" and "NOT ENFORCED" in one["note"] for one in events)
