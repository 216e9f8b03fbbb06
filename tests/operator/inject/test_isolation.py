"""What an application beside a sidecar is refused, when its pod is made and while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.inject.desk import Desk, Json, pod, review

from penstock_operator.inject import sidecar
from penstock_operator.inject.admit import admit_intrusion


@pytest.mark.parametrize(
    ("container", "volumes", "where"),
    [
        (
            {"env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "shop-db", "key": "password"}}}]},
            [],
            "environment variable P",
        ),
        ({"envFrom": [{"secretRef": {"name": "shop-db"}}]}, [], "envFrom"),
        (
            {"volumeMounts": [{"name": "db", "mountPath": "/db"}]},
            [{"name": "db", "secret": {"secretName": "shop-db"}}],
            "volume db",
        ),
        (
            {"volumeMounts": [{"name": "db", "mountPath": "/db"}]},
            [{"name": "db", "projected": {"sources": [{"secret": {"name": "shop-db"}}]}}],
            "volume db",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_an_application_that_holds_the_credentials_is_refused(
    desk: Desk, container: Json, volumes: Any, where: str, kind: str
) -> None:
    message = desk.refusal(pod(**{kind: [{"name": "app", **container}]}, volumes=volumes))
    assert message.startswith(f"penstock: container app takes the Secret shop-db by its {where}")


@pytest.mark.parametrize("name", ["penstock-credentials", "penstock-identity", "penstock-spool"])
@pytest.mark.parametrize("defined", [False, True])
def test_the_sidecars_volumes_are_its_own_also_before_they_are_there(desk: Desk, name: str, defined: bool) -> None:
    ours = sidecar.volumes(desk.shape, [sidecar.DatabaseSecrets("shop", "shop-db", "shop-db-ca", "ca.pem")])
    subject = pod(containers=[{"name": "app", "volumeMounts": [{"name": name, "mountPath": "/x"}]}])
    subject["spec"]["volumes"] = ours if defined else []
    assert desk.refusal(subject).startswith(f"penstock: container app mounts {name}, which is the sidecar's alone")


def test_a_token_of_the_sidecars_kind_is_not_for_the_application(desk: Desk) -> None:
    source = {"serviceAccountToken": {"path": "t", "audience": "penstock-collector"}}
    message = desk.refusal(pod(volumes=[{"name": "mine", "projected": {"sources": [source]}}]))
    assert message == (
        "penstock: volume mine holds a token for penstock-collector, which is the sidecar's alone; remove it"
    )


def test_the_credentials_of_another_database_of_the_namespace_are_not_for_the_application_either(desk: Desk) -> None:
    desk.shop.others["billing"] = "billing-db"
    app = {"name": "app", "envFrom": [{"secretRef": {"name": "billing-db"}}, {"secretRef": {"name": "mail"}}]}
    assert desk.refusal(pod(containers=[app])) == (
        "penstock: container app takes the Secret billing-db by its envFrom, so the application would hold the "
        "credentials of the Database billing and could go around the gate; remove it: a sidecar logs in for it"
    )


# Where a kubelet keeps what it mounts, each node says (--root-dir): nothing is known to be harmless.
@pytest.mark.parametrize(
    "path", ["/", "/var/lib/kubelet/pods", "/var/lib/k0s/kubelet", "/mnt/node", "/data/logs", "//data", ""]
)
@pytest.mark.parametrize("allowed", [frozenset(), frozenset({"/data", "/var/log"})])
def test_nothing_of_the_node_is_for_the_application(desk: Desk, path: str, allowed: frozenset[str]) -> None:
    desk.shape = replace(desk.shape, host_paths=allowed)
    app = {"name": "app", "volumeMounts": [{"name": "node", "mountPath": "/node", "subPath": "x"}]}
    subject = pod(initContainers=[app], volumes=[{"name": "node", "hostPath": {"path": path}}])
    message = desk.refusal(subject)
    assert message == (
        f"penstock: container app mounts {path} of its node, on whose disk the sidecar's credentials are; remove "
        "it, or have it listed in the chart's sidecar.allowedHostPaths"
    )


@pytest.mark.parametrize("path", ["/var/log", "/var/log/"])
def test_but_what_the_installation_lists(desk: Desk, path: str) -> None:
    desk.shape = replace(desk.shape, host_paths=frozenset({"/var/log"}))
    app = {"name": "app", "volumeMounts": [{"name": "node", "mountPath": "/node"}]}
    assert desk.admitted(pod(containers=[app], volumes=[{"name": "node", "hostPath": {"path": path}}]))


@pytest.mark.parametrize(
    "source",
    [
        {"csi": {"driver": "x", "nodePublishSecretRef": {"name": "shop-db"}}},
        {"flexVolume": {"driver": "x", "secretRef": {"name": "shop-db"}}},
        {"cephfs": {"monitors": ["evil"], "secretRef": {"name": "shop-db"}}},
        {"azureFile": {"secretName": "shop-db", "shareName": "x"}},
        {"newer": {"parts": [{"authSecretRef": {"name": "shop-db"}}]}},
    ],
)
def test_no_driver_of_a_volume_is_given_the_credentials(desk: Desk, source: Json) -> None:
    app = {"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    assert "container app takes the Secret shop-db by its volume v" in desk.refusal(
        pod(containers=[app], volumes=[{"name": "v", **source}])
    )


def test_no_variable_is_read_from_a_file_of_the_sidecars(desk: Desk) -> None:
    key = {"volumeName": "penstock-spool", "path": "spool", "key": "x"}
    app = {"name": "app", "env": [{"name": "A", "valueFrom": {"fileKeyRef": key}}]}
    assert "container app reads penstock-spool by its environment variable A" in desk.refusal(pod(containers=[app]))


def test_a_privileged_application_could_read_all_of_its_node(desk: Desk) -> None:
    app = {"name": "app", "securityContext": {"privileged": True}}
    assert "container app is privileged" in desk.refusal(pod(containers=[app]))


@pytest.mark.parametrize(
    ("debugger", "words"),
    [
        ({"targetContainerName": "penstock-proxy"}, "would share the processes of penstock-proxy"),
        ({"volumeMounts": [{"name": "penstock-credentials", "mountPath": "/x"}]}, "mounts penstock-credentials"),
        ({"envFrom": [{"secretRef": {"name": "shop-db"}}]}, "takes the Secret shop-db by its envFrom"),
        ({"securityContext": {"privileged": True}}, "container debugger-1 is privileged"),
    ],
)
def test_a_debugger_of_a_running_pod_gets_no_further_than_the_application(
    desk: Desk, debugger: Json, words: str
) -> None:
    running = desk.admitted(pod())
    running["spec"]["ephemeralContainers"] = [{"name": "debugger-1", **debugger}]
    response = admit_intrusion(review(running), desk.shop, desk.shape)["response"]
    assert not response["allowed"]
    assert words in response["status"]["message"]


def test_a_debugger_that_keeps_away_from_the_sidecar_is_let_in(desk: Desk) -> None:
    running = desk.admitted(pod())
    running["spec"]["ephemeralContainers"] = [{"name": "debugger-1", "targetContainerName": "web"}]
    assert admit_intrusion(review(running), desk.shop, desk.shape)["response"] == {"uid": "u-1", "allowed": True}


def test_nobody_enters_the_sidecar(desk: Desk) -> None:
    """The webhook sends what is for that container alone."""
    options = {"kind": "PodExecOptions", "container": "penstock-proxy", "command": ["sh"]}
    assert admit_intrusion(review(options), desk.shop, desk.shape)["response"]["status"]["message"] == (
        "penstock: penstock-proxy holds the database's credentials; nobody may enter it"
    )


@pytest.mark.parametrize(
    "name",
    ["shop-db.shop.svc", "Shop-DB.shop.svc.", "penstock-control.penstock-system.svc",
     "penstock-collector.penstock-system.svc"],
)  # fmt: skip
def test_a_pod_does_not_say_where_its_sidecar_goes(desk: Desk, name: str) -> None:
    aliases = [{"ip": "127.0.0.1", "hostnames": ["other.example", name]}]
    assert f"hostAliases send {name} to 127.0.0.1" in desk.refusal(pod(hostAliases=aliases))
    assert desk.admitted(pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["other.example"]}]))
