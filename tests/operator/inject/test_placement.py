"""Where the sidecar stands among init containers, a mesh's among them."""

from __future__ import annotations

import pytest
from tests.operator.inject.desk import Desk, pod


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], ["penstock-proxy"]),
        (["migrate"], ["penstock-proxy", "migrate"]),
        (["istio-init", "migrate"], ["istio-init", "penstock-proxy", "migrate"]),
        (
            ["istio-validation", "istio-proxy", "a", "b"],
            ["istio-validation", "istio-proxy", "penstock-proxy", "a", "b"],
        ),
        # A mesh's injector puts its own last: what waits for the database must not wait for ever.
        (["wait-for-db", "istio-init"], ["penstock-proxy", "wait-for-db", "istio-init"]),
        (["linkerd-init", "wait", "linkerd-proxy"], ["linkerd-init", "penstock-proxy", "wait", "linkerd-proxy"]),
    ],
)
def test_the_gate_stands_before_the_first_of_the_applications_own(
    desk: Desk, before: list[str], after: list[str]
) -> None:
    made = desk.admitted(pod(initContainers=[{"name": name} for name in before]))["spec"]["initContainers"]
    assert [one["name"] for one in made] == after


MESHES = [
    ("istio-init", "istio-proxy", "traffic.sidecar.istio.io/excludeOutboundPorts"),
    ("linkerd-init", "linkerd-proxy", "config.linkerd.io/skip-outbound-ports"),
]


@pytest.mark.parametrize(("setup", "proxy", "way"), MESHES)
def test_a_mesh_that_starts_after_the_gate_is_warned_of(desk: Desk, setup: str, proxy: str, way: str) -> None:
    subject = pod(initContainers=[{"name": setup}], containers=[{"name": "web"}, {"name": proxy}])
    (warning,) = desk.answer(subject)["warnings"]
    assert warning.startswith(f"penstock: {setup} leads the sidecar's connections to {proxy}, which starts after it")
    subject["metadata"]["annotations"][way] = "5432,8443,8080"
    assert "warnings" not in desk.answer(subject)
    native = pod(initContainers=[{"name": setup}, {"name": proxy, "restartPolicy": "Always"}])
    assert "warnings" not in desk.answer(native)
