"""Pods that come with something under the sidecar's name: what is ours stays, and what is not is made anew."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from tests.operator.inject.desk import Desk, Json, pod


def test_what_others_may_change_of_the_sidecar_stays(desk: Desk) -> None:
    """The API server's defaults, a mesh's probes, an autoscaler's resources, a mirror of the image by digest."""
    desk.shape = replace(desk.shape, image="example.test/penstock@sha256:0a", run_as_user=None)
    after = desk.admitted(pod())
    ours = after["spec"]["initContainers"][0]
    ours |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always", "resources": {}}
    ours["image"] = "mirror.test/penstock@sha256:0a"
    ours["startupProbe"] = {"httpGet": {"path": "/app-health/penstock-proxy", "port": 15020}, "timeoutSeconds": 1}
    ours["securityContext"]["runAsUser"] = 1_000_650_000
    ours["volumeMounts"].append(
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    )
    for volume in after["spec"]["volumes"]:
        for kind in ("projected", "secret"):
            if kind in volume:
                volume[kind]["defaultMode"] = 420
        if "emptyDir" in volume:
            volume["emptyDir"]["sizeLimit"] = "512Mi"
    assert desk.answer(after) == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize(
    "change",
    [
        {"image": "evil.test/penstock:1"},
        {"command": ["cat", "/var/run/penstock/credentials/password"]},
        {"args": ["demo"]},
        {"env": [{"name": "PENSTOCK_CONTROL__URL", "value": "https://127.0.0.1"}]},
        {"envFrom": [{"configMapRef": {"name": "mine"}}]},
        {"restartPolicy": None},
        {"volumeMounts": [{"name": "mine", "mountPath": "/var/run/penstock/identity"}]},
        {"lifecycle": {"postStart": {"exec": {"command": ["sh"]}}}},
        {"startupProbe": {"exec": {"command": ["sh"]}}},
        {"securityContext": {"privileged": True}},
        {"securityContext": None},
    ],
)
def test_what_only_calls_itself_the_sidecar_is_made_anew(desk: Desk, change: Json) -> None:
    """A pod that brings stamps and a container under our name: a copy of an old pod, or somebody who wants in."""
    good = desk.admitted(pod())
    forged = copy.deepcopy(good)
    forged["spec"]["initContainers"][0] |= change
    forged["metadata"]["annotations"]["penstock.dev/injected-version"] = "0"
    assert desk.admitted(forged) == good
    assert desk.answer(forged)["warnings"] == [
        "penstock: container penstock-proxy was not the one that Penstock makes; it was replaced"
    ]


def test_what_only_calls_itself_a_volume_of_the_sidecar_is_made_anew(desk: Desk) -> None:
    good = desk.admitted(pod())
    forged = copy.deepcopy(good)
    for volume in forged["spec"]["volumes"]:
        volume.pop("emptyDir", None)
        volume |= {"hostPath": {"path": "/mine"}}
    assert sorted(desk.admitted(forged)["spec"]["volumes"], key=str) == sorted(good["spec"]["volumes"], key=str)


def test_the_sidecars_name_is_for_a_native_sidecar_alone(desk: Desk) -> None:
    forged = desk.admitted(pod())
    forged["spec"]["containers"].append({"name": "penstock-proxy", "image": "mine"})
    assert "the container name penstock-proxy is reserved" in desk.refusal(forged)
