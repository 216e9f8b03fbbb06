"""The sidecar's cpu and memory beside the pod's: what can't be is refused in words, what changes is warned of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.operator.inject.desk import Desk, Json, annotated, pod

from penstock_operator.inject.compute import amount


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", "0.1"), ("1", "1"), ("1.5", "1.5"), ("96Mi", "100663296"), ("1Gi", "1073741824"), ("2k", "2000"),
        ("1e3", "1000"), ("3M", "3000000"), ("0", "0"),
    ],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_does(text: str, number: str) -> None:
    assert amount(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "much", "Mi", "1Qi", None])
def test_what_is_none_is_none(text: object) -> None:
    assert amount(text) is None


def resources(**sides: Any) -> Json:
    return pod(
        containers=[{"name": "web", "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}], resources=sides
    )


def given(desk: Desk, subject: Json) -> Json:
    found: Json = desk.admitted(subject)["spec"]["initContainers"][0]["resources"]
    return found


def test_a_limit_of_the_whole_pod_is_one_of_the_sidecars(desk: Desk) -> None:
    found = given(desk, resources(limits={"cpu": "500m", "memory": "200Mi"}))
    assert found == {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "200Mi"}}
    assert given(desk, resources(limits={"cpu": "4", "memory": "2Gi"}))["limits"] == {"cpu": "1", "memory": "256Mi"}


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (
            resources(limits={"memory": "64Mi"}),
            "the pod's own spec.resources limit its memory to 64Mi, and the sidecar alone requests 128Mi; raise "
            "that, or set the annotation penstock.dev/resources",
        ),
        (
            resources(requests={"memory": "160Mi"}, limits={"memory": "1Gi"}),
            "the pod's own spec.resources request 160Mi of memory as a whole, and its containers with the sidecar "
            "(128Mi) more; raise that by as much",
        ),
        (annotated(pod(), resources="memory=16Mi"), "with 16Mi of memory the sidecar would be ended before it serves"),
        (annotated(pod(), resources="requests.memory=1Gi"), "would request 1Gi of memory and be limited to 256Mi"),
        (annotated(pod(), resources="requests.cpu=2"), "would request 2 of cpu and be limited to 1"),
    ],
)
def test_what_the_api_server_or_the_node_would_refuse_is_refused_by_what_to_change(
    desk: Desk, subject: Json, words: str
) -> None:
    assert words in desk.refusal(subject)


def test_init_containers_that_end_take_nothing_from_the_others(desk: Desk) -> None:
    big: Json = {"name": "migrate", "resources": {"requests": {"memory": "1Gi"}}}
    whole = {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    assert given(desk, pod(initContainers=[big], resources=whole))["requests"]["memory"] == "128Mi"
    assert "more; raise that" in desk.refusal(pod(initContainers=[big | {"restartPolicy": "Always"}], resources=whole))


def test_what_the_namespace_allows_a_container_is_kept(desk: Desk) -> None:
    desk.shop.ranges = [{"type": "Container", "max": {"memory": "200Mi", "cpu": "2"}, "min": {"cpu": "50m"}}]
    assert given(desk, pod()) == {
        "requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "200Mi"},
    }  # fmt: skip
    desk.shop.ranges = [{"type": "Container", "max": {"memory": "64Mi"}}]
    assert desk.refusal(pod()) == (
        "penstock: a LimitRange of the namespace lets a container have 64Mi of memory, and the sidecar requests 128Mi; "
        "raise that, or set the annotation penstock.dev/resources"
    )
    desk.shop.ranges = [{"type": "Container", "min": {"cpu": "2"}}]
    assert given(desk, pod())["limits"]["cpu"] == "2"
    desk.shop.ranges = [{"type": "Pod", "max": {"memory": "1Gi"}, "min": {"cpu": "2"}}]
    assert given(desk, pod())["limits"] == {"cpu": "1", "memory": "256Mi"}


@pytest.mark.parametrize(
    ("ratio", "requests"),
    [
        ({"cpu": "10"}, {"cpu": "100m", "memory": "128Mi"}),
        ({"cpu": "3", "memory": "1.5"}, {"cpu": "334m", "memory": "171Mi"}),
        ({"cpu": "1", "memory": "1"}, {"cpu": "1000m", "memory": "256Mi"}),
        ({"cpu": "50", "memory": "2"}, {"cpu": "20m", "memory": "128Mi"}),
    ],
)
def test_where_limits_may_be_so_many_times_the_request_it_requests_more(
    desk: Desk, ratio: Json, requests: Json
) -> None:
    desk.shop.ranges = [{"type": "Container", "maxLimitRequestRatio": ratio}]
    assert given(desk, pod()) == {"requests": requests, "limits": {"cpu": "1", "memory": "256Mi"}}


def test_a_pod_that_is_guaranteed_no_more_is_told_so(desk: Desk) -> None:
    both = {"cpu": "1", "memory": "1Gi"}
    exact = [{"name": "web", "resources": {"limits": both, "requests": both}}]
    assert desk.answer(pod(containers=exact))["warnings"] == [
        "penstock: with the sidecar the pod is Burstable and no more Guaranteed, since the sidecar requests less than "
        "its limits; to keep it, set penstock.dev/resources to what is both: cpu=1,memory=256Mi"
    ]
    assert "warnings" not in desk.answer(annotated(pod(containers=exact), resources="cpu=1,memory=256Mi"))
    assert "warnings" not in desk.answer(pod())
