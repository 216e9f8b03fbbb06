"""What authors of workloads are told when they apply them, of annotations that won't do what they seem to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.operator.inject.desk import Desk, Json, pod, review

from penstock_operator.inject.admission_review import BadReview
from penstock_operator.inject.workloads import advise

ASKS = {"penstock.dev/inject": "true", "penstock.dev/database": "shop"}


def deployment(
    annotations: Json | None = None, template: Json | None = None, kind: str = "Deployment", **spec: Any
) -> Json:
    inner = {"metadata": {"annotations": template} if template else {}, "spec": pod(**spec)["spec"]}
    whole: Json = {"template": inner}
    if kind == "CronJob":
        whole = {"jobTemplate": {"spec": whole}}
    return {"kind": kind, "metadata": {"name": "web", "annotations": annotations or {}}, "spec": whole}


def told(desk: Desk, subject: Json) -> list[str]:
    response = advise(review(subject), desk.shop, desk.shape)["response"]
    assert response["allowed"] is True
    return [one.removeprefix("penstock: ") for one in response.get("warnings", [])]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"])
def test_annotations_beside_the_template_have_no_effect(desk: Desk, kind: str) -> None:
    assert told(desk, deployment(ASKS, kind=kind)) == [
        f"penstock.dev/database on a {kind} has no effect; set it on the pod template "
        "(spec.template.metadata.annotations)"
    ]
    assert told(desk, deployment(template=ASKS, kind=kind)) == []


def namespace(labels: Json | None = None, annotations: Json | None = None) -> Json:
    metadata = {"name": "shop", "labels": labels or {}, "annotations": annotations or {}}
    return {"kind": "Namespace", "metadata": metadata}


ENABLED = {"penstock.dev/inject": "enabled"}
NAMES_SHOP = {"penstock.dev/database": "shop"}


@pytest.mark.parametrize(
    ("labels", "annotations", "words"),
    [
        ({}, {**ENABLED}, "penstock.dev/inject on a Namespace is a label; as an annotation it has no effect"),
        (ENABLED, {}, "its pods will be refused unless they name one: the namespace names no Database (annotation"),
        (ENABLED, {"penstock.dev/database": "shpo"},
         "its pods will be refused unless they name one: the namespace names the Database shpo, which is not there"),
        ({}, NAMES_SHOP, "penstock.dev/database on a Namespace has no effect without the label penstock.dev/inject"),
        ({**ENABLED, **NAMES_SHOP}, NAMES_SHOP, "penstock.dev/database on a Namespace is an annotation; as a label it"),
        ({}, {"penstock.dev/port": "1"}, "penstock.dev/port on a Namespace has no effect; set it on the pods, or the"),
        ({"penstock.dev/inject": "true"}, NAMES_SHOP,
         "its pods will be refused: the label penstock.dev/inject of the namespace shop is 'true'; it takes"),
    ],
)  # fmt: skip
def test_what_a_namespace_says_in_vain_is_told(desk: Desk, labels: Json, annotations: Json, words: str) -> None:
    (warning,) = told(desk, namespace(labels, annotations))
    assert warning.startswith(words)


def test_of_a_namespace_that_says_what_it_may_nothing_is_told(desk: Desk) -> None:
    for text in ("enabled", "required"):
        assert told(desk, namespace({"penstock.dev/inject": text}, NAMES_SHOP)) == []
    assert told(desk, namespace({"app": "x"})) == []
    assert told(desk, namespace({"penstock.dev/inject": "selected"})) == []


def test_where_the_namespace_has_pods_get_a_gate_their_templates_need_not_speak_of_it(desk: Desk) -> None:
    greedy = {"containers": [{"name": "web", "envFrom": [{"secretRef": {"name": "shop-db"}}]}]}
    assert told(desk, deployment(**greedy)) == []
    desk.shop.labelled = namespace({"penstock.dev/inject": "required"}, NAMES_SHOP)["metadata"]
    assert told(desk, deployment()) == []
    (warning,) = told(desk, deployment(**greedy))
    assert warning.startswith("its pods will be refused: ")
    (warning,) = told(desk, deployment(template={"penstock.dev/inject": "false"}))
    assert warning.startswith("its pods will be refused: the namespace shop lets no pod go without a gate")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            {"penstock.dev/injct": "true"},
            "its pods will be refused: the pod has the annotation penstock.dev/injct and not",
        ),
        (
            {**ASKS, "penstock.dev/database": "shpo"},
            "its pods will be refused: there is no Database shpo; Databases in the",
        ),
        ({"penstock.dev/inject": "true"}, "its pods will be refused: the annotation penstock.dev/database is missing"),
        ({"penstock.dev/inject": "yes"}, "its pods will be refused: the annotation penstock.dev/inject is 'yes'"),
        ({**ASKS, "penstock.dev/prot": "1"}, "unknown annotation penstock.dev/prot: did you mean penstock.dev/port?"),
        ({"penstock.dev/inject": "false", "penstock.dev/x": ""}, "unknown annotation penstock.dev/x: known:"),
    ],
)
def test_what_the_pods_will_be_told_is_told_at_once(desk: Desk, template: Json, words: str) -> None:
    (warning,) = told(desk, deployment(template=template))
    assert warning.startswith(words)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("penstok.dev/inject", "inject"),
        ("penstock.io/inject", "inject"),
        ("Penstock.Dev/Inject", "inject"),
        ("penstock/injct", "inject"),
        ("pensock.dev/database", "database"),
        ("pnstock.dev/port", "port"),
    ],
)
def test_names_that_only_look_like_ours_are_told_apart(desk: Desk, name: str, meant: str) -> None:
    words = f"has no effect; did you mean penstock.dev/{meant}?"
    assert told(desk, deployment(template={name: "true"})) == [f"{name} on the pod template {words}"]
    plain = pod()
    plain["metadata"] = {"labels": {name: "true"}}
    assert told(desk, plain) == [f"{name} on the Pod {words}"]


def test_others_names_are_theirs(desk: Desk) -> None:
    others = {
        "prometheus.io/port": "1",
        "openshift.io/database": "x",
        "app.example/inject": "true",
        "stock.example/port": "",
    }
    assert told(desk, deployment(others, others)) == []


@pytest.mark.parametrize("garbage", [None, {}, review(None), review({"kind": "Deployment", "metadata": 7})])
def test_garbage_is_no_review(desk: Desk, garbage: Any) -> None:
    with pytest.raises(BadReview):
        advise(garbage, desk.shop, desk.shape)
