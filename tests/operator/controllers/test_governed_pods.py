"""A pod is read as the API server has it: whose gate, with which Secrets, and why it does not start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock_operator.controllers import governed_pods as module
from penstock_operator.controllers.governed_pods import GateSecrets, GovernedPod
from penstock_operator.inject.sidecar import VOLUMES, DatabaseSecrets, Shape, volumes
from penstock_operator.objects import read_database

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, 12, 1, tzinfo=UTC)


def raw(shape: Shape, state: Json, **labels: str) -> Json:
    annotations = {"penstock.dev/database": "shop", "penstock.dev/injected-version": "1"}
    return {
        "metadata": {"name": "web-1", "uid": "u-1", "annotations": annotations, "labels": labels},
        "spec": {
            "serviceAccountName": "web",
            "initContainers": [{"name": "penstock-proxy"}],
            "volumes": volumes(shape, [DatabaseSecrets("shop", "shop-db", "shop-db-ca")]),
        },
        "status": {"initContainerStatuses": [{"name": "penstock-proxy", "state": state}]},
    }


def test_a_sidecar_that_runs(shape: Shape) -> None:
    found = GovernedPod.read(raw(shape, {"running": {"startedAt": "2026-01-01T12:00:00Z"}}), NOW, {})
    assert found == GovernedPod(
        "web-1", "u-1", ("shop",), "web", "1", {"shop": GateSecrets("shop-db", "shop-db-ca")}, True, True, ""
    )


def test_one_that_has_just_started_is_not_settled(shape: Shape) -> None:
    found = GovernedPod.read(raw(shape, {"running": {"startedAt": "2026-01-01T12:00:50Z"}}), NOW, {})
    assert found is not None
    assert (found.started, found.settled) == (True, False)


@pytest.mark.parametrize(
    ("state", "mounts", "trouble"),
    [
        ({"waiting": {"reason": "PodInitializing"}}, {}, ""),
        (
            {"waiting": {"reason": "PodInitializing"}},
            {"u-1": 'secret "shop-db" not found'},
            'secret "shop-db" not found',
        ),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "no such\nimage"}},
            {},
            "its gate does not start: ImagePullBackOff: no such image",
        ),
        ({}, {"another": "x"}, ""),
    ],
)
def test_why_one_does_not_start(shape: Shape, state: Json, mounts: dict[str, str], trouble: str) -> None:
    found = GovernedPod.read(raw(shape, state), NOW, mounts)
    assert found is not None
    assert (found.started, found.trouble) == (False, trouble)


def test_a_label_alone_makes_no_gate(shape: Shape) -> None:
    pod = raw(shape, {})
    pod["spec"]["initContainers"] = []
    assert GovernedPod.read(pod, NOW, {}) is None


def test_a_gateway_is_of_no_one_database_and_told_of_its_secrets_itself(shape: Shape) -> None:
    pod = raw(shape, {}, **{"penstock.dev/gateway": "people"})
    del pod["metadata"]["annotations"]
    pod["spec"]["containers"] = pod["spec"].pop("initContainers")
    found = GovernedPod.read(pod, NOW, {})
    assert found is not None
    assert (found.databases, found.secrets) == ((), {})


def test_secrets_are_found_by_the_volumes_that_injection_makes(shop: Any, shape: Shape) -> None:
    assert {module._CREDENTIALS, module._UPSTREAM_CA} <= VOLUMES
    found = GovernedPod.read(raw(shape, {}), NOW, {})
    assert found is not None
    assert found.former_secrets(read_database(shop.database)) == []
    shop.database["spec"]["credentialsSecretRef"]["name"] = "newer"
    shop.database["spec"]["tls"] = {"mode": "require"}
    assert found.former_secrets(read_database(shop.database)) == ["shop-db", "shop-db-ca"]


def test_the_secrets_of_several_databases_are_told_apart(shop: Any, shape: Shape) -> None:
    pod = raw(shape, {})
    pod["metadata"]["annotations"]["penstock.dev/database"] = "shop,billing"
    both = [DatabaseSecrets("shop", "shop-db", "shop-db-ca"), DatabaseSecrets("billing", "billing-db")]
    pod["spec"]["volumes"] = volumes(shape, both)
    found = GovernedPod.read(pod, NOW, {})
    assert found is not None
    assert found.databases == ("shop", "billing")
    assert found.secrets == {"shop": GateSecrets("shop-db", "shop-db-ca"), "billing": GateSecrets("billing-db")}
    assert found.former_secrets(read_database(shop.database)) == []
    shop.database["metadata"]["name"] = "billing"
    assert found.former_secrets(read_database(shop.database)) == ["billing-db"]
