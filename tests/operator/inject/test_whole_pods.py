"""Pods that fit their namespace's limits and quotas, and with a sidecar do not, are refused by what to change."""

from __future__ import annotations

import pytest
from tests.operator.inject.desk import Desk, Json, annotated, pod

APP: Json = {
    "name": "web",
    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
}


def quota(hard: Json, used: Json | None = None) -> Json:
    return {"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used or {}}}


def fits(desk: Desk, subject: Json) -> bool:
    return bool(desk.answer(subject)["allowed"])


@pytest.mark.parametrize(
    ("hard", "used", "words"),
    [
        (
            {"requests.memory": "1Gi"}, {"requests.memory": "900Mi"},
            "penstock: the ResourceQuota team leaves 124Mi of requests.memory, and the pod with the sidecar's 128Mi "
            "takes 192Mi; raise that, or set the annotation penstock.dev/resources",
        ),
        (
            {"memory": "128Mi"}, {},
            "penstock: the ResourceQuota team leaves 128Mi of requests.memory, and the pod with the sidecar's 128Mi "
            "takes 192Mi; raise that, or set the annotation penstock.dev/resources",
        ),
        (
            {"limits.cpu": "1"}, {"limits.cpu": "0"},
            "penstock: the ResourceQuota team leaves 1000m of limits.cpu, and the pod with the sidecar's 1 takes "
            "1500m; raise that, or set the annotation penstock.dev/resources",
        ),
    ],
)  # fmt: skip
def test_a_quota_that_the_sidecar_goes_beyond(desk: Desk, hard: Json, used: Json, words: str) -> None:
    desk.shop.quotas = [quota(hard, used)]
    assert desk.refusal(pod(containers=[APP])) == words


def test_less_of_a_sidecar_fits(desk: Desk) -> None:
    desk.shop.quotas = [quota({"limits.cpu": "1"})]
    assert fits(desk, annotated(pod(containers=[APP]), resources="limits.cpu=500m"))


@pytest.mark.parametrize(
    "one",
    [
        quota({"requests.memory": "192Mi", "requests.cpu": "30m", "limits.cpu": "1500m"}),
        # The pod does not fit without the sidecar either, which the API server says.
        quota({"requests.memory": "1Gi"}, {"requests.memory": "1000Mi"}),
        quota({"pods": "0", "count/secrets": "0"}),
        {"metadata": {"name": "new"}, "spec": {"hard": {"cpu": "1m"}}},
    ],
)
def test_all_else_is_the_api_servers_to_say(desk: Desk, one: Json) -> None:
    desk.shop.quotas = [one]
    assert fits(desk, pod(containers=[APP]))


def test_a_pod_that_has_them_as_a_whole_shares_them(desk: Desk) -> None:
    desk.shop.quotas = [quota({"requests.memory": "256Mi"})]
    whole = {"requests": {"memory": "256Mi", "cpu": "1"}}
    assert fits(desk, pod(containers=[APP], resources=whole))


def test_a_limit_for_pods_that_the_sidecar_goes_beyond(desk: Desk) -> None:
    desk.shop.ranges = [{"type": "Pod", "max": {"cpu": "1", "memory": "4Gi"}}, {"type": "Pod", "min": {"cpu": "1m"}}]
    assert desk.refusal(pod(containers=[APP])) == (
        "penstock: a LimitRange of the namespace lets a pod have 1000m of limits.cpu, and the pod with the sidecar's 1 "
        "takes 1500m; raise that, or set the annotation penstock.dev/resources"
    )
    desk.shop.ranges = [{"type": "Pod", "max": {"memory": "320Mi"}}]
    assert fits(desk, pod(containers=[APP]))


def test_what_ends_before_the_others_begin_takes_nothing(desk: Desk) -> None:
    desk.shop.quotas = [quota({"limits.memory": "400Mi"})]
    once = {"name": "migrate", "resources": {"limits": {"memory": "300Mi"}}}
    assert fits(desk, pod(containers=[APP], initContainers=[once]))
    lasts = once | {"restartPolicy": "Always"}
    assert "takes 620Mi" in desk.refusal(pod(containers=[APP], initContainers=[lasts])), "or nothing would be refused"
