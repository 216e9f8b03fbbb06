"""Pods of namespaces whose label has them get a gate: what they get without a word of theirs, and who goes without."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.operator.inject.desk import Desk, Json, annotated, pod, review

from penstock_operator.inject.admit import admit

OTHER = {"billing": "billing-db"}


def plain(annotations: Json | None = None, labels: Json | None = None, **spec: Any) -> Json:
    subject = pod(**spec)
    subject["metadata"] = {"generateName": "web-"}
    subject["metadata"] |= {"annotations": annotations} if annotations else {}
    subject["metadata"] |= {"labels": labels} if labels else {}
    return subject


def ours(**annotations: str) -> Json:
    return {"penstock.dev/" + name.replace("_", "-"): text for name, text in annotations.items()}


@pytest.fixture(params=["enabled", "required"])
def labelled(desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """A shop whose pods get a gate to its Database."""
    desk.shop.labelled = namespace(request.param)
    return desk


def namespace(text: str, database: str = "shop") -> Json:
    named = {"annotations": {"penstock.dev/database": database}} if database else {}
    return {"name": "shop", "labels": {"penstock.dev/inject": text}, **named}


def databases_of(after: Json) -> str:
    (gate,) = after["spec"]["initContainers"]
    assert gate["name"] == "penstock-proxy"
    found: str = after["metadata"]["annotations"]["penstock.dev/database"]
    return found


def test_a_pod_that_says_nothing_gets_what_one_that_asks_gets(labelled: Desk) -> None:
    asked = labelled.admitted(pod())
    assert labelled.admitted(plain()) == asked
    assert asked["metadata"]["annotations"]["penstock.dev/inject"] == "true", "whoever looks later finds it said"


def test_where_the_namespace_says_nothing_it_is_left_as_it_is(desk: Desk) -> None:
    assert desk.answer(plain()) == {"uid": "u-1", "allowed": True}
    desk.shop.labelled = namespace("required")
    assert desk.answer(plain(), "elsewhere") == {"uid": "u-1", "allowed": True}


def test_a_second_look_changes_nothing(labelled: Desk) -> None:
    once = labelled.admitted(plain())
    assert labelled.admitted(once) == once


def test_the_pods_own_wishes_count(labelled: Desk) -> None:
    labelled.shop.others = OTHER
    assert databases_of(labelled.admitted(plain(ours(database="billing")))) == "billing"
    after = labelled.admitted(plain(ours(port="6432")))
    assert databases_of(after) == "shop"
    assert {"name": "PGPORT", "value": "6432"} in after["spec"]["containers"][0]["env"]
    assert databases_of(labelled.admitted(plain(ours(inject="true")))) == "shop"


def test_a_pod_goes_without_where_its_namespace_lets_it_and_is_told_what_that_means(desk: Desk) -> None:
    desk.shop.labelled = namespace("enabled")
    answer = desk.answer(plain(ours(inject="false")))
    assert answer == {
        "uid": "u-1", "allowed": True,
        "warnings": [
            "penstock: the pod goes without a gate, in a namespace whose pods get one: its statements are neither "
            "checked nor recorded"
        ],
    }  # fmt: skip


def test_and_not_where_all_have_to_have_one(desk: Desk) -> None:
    desk.shop.labelled = namespace("required")
    words = (
        "the namespace shop lets no pod go without a gate (penstock.dev/inject: required); remove penstock.dev/inject"
    )
    assert words in desk.refusal(plain(ours(inject="false")))


@pytest.mark.parametrize("way", ["False", "no", "", "disabled", "required", "enabled"])
def test_no_slip_of_the_pod_is_a_way_out(labelled: Desk, way: str) -> None:
    assert f"the annotation penstock.dev/inject is {way!r}" in labelled.refusal(plain(ours(inject=way)))


def test_a_label_of_the_pod_is_no_way_out_either(labelled: Desk) -> None:
    assert "penstock.dev/inject is a label here" in labelled.refusal(plain(labels=ours(inject="false")))
    for said in (ours(gateway="people"), ours(injected="true"), ours(injected="false")):
        after = labelled.admitted(plain(labels=said))
        assert databases_of(after) == "shop"
        assert after["metadata"]["labels"]["penstock.dev/injected"] == "true"


def test_nor_is_a_container_that_bears_the_sidecars_name(labelled: Desk) -> None:
    posing = {"name": "penstock-proxy", "image": "evil:1", "restartPolicy": "Always"}
    assert "the container name penstock-proxy is reserved" in labelled.refusal(plain(initContainers=[posing]))
    stamped = plain(ours(injected_version="1"), initContainers=[posing])
    (gate,) = labelled.admitted(stamped)["spec"]["initContainers"]
    assert gate["image"] == labelled.shape.image


def test_a_misspelled_annotation_costs_nobody_the_gate(labelled: Desk) -> None:
    answer = labelled.answer(plain(ours(injct="false")))
    assert "patch" in answer
    assert answer["warnings"] == ["penstock: unknown annotation penstock.dev/injct: did you mean penstock.dev/inject?"]


def test_what_an_annotated_pod_is_refused_for_others_are_refused_for_as_well(labelled: Desk) -> None:
    greedy = {"name": "web", "image": "web:1", "envFrom": [{"secretRef": {"name": "shop-db"}}]}
    for refused in ({"hostNetwork": True}, {"containers": [greedy]}):
        words = labelled.refusal(plain(**refused))
        assert words == labelled.refusal(pod(**copy.deepcopy(refused)))


@pytest.mark.parametrize("text", ["true", "Enabled", "false", "disabled", ""])
def test_a_label_that_says_something_else_lets_no_pod_start(desk: Desk, text: str) -> None:
    desk.shop.labelled = namespace(text)
    words = f'the label penstock.dev/inject of the namespace shop is {text!r}; it takes "enabled", "required"'
    for subject in (plain(), plain(ours(inject="false")), pod()):
        assert words in desk.refusal(subject)


def test_a_namespace_has_to_say_to_which_database(desk: Desk) -> None:
    desk.shop.labelled = namespace("enabled", "")
    assert "get a gate (its label penstock.dev/inject), and neither it nor the pod says to" in desk.refusal(plain())
    assert databases_of(desk.admitted(plain(ours(database="shop")))) == "shop"
    desk.shop.labelled = namespace("enabled", "shpo")
    assert "there is no Database shpo" in desk.refusal(plain())
    desk.shop.labelled = namespace("enabled", " shop ")
    assert databases_of(desk.admitted(plain())) == "shop"


def test_what_the_api_server_knows_before_control_does_holds_the_pod_up(desk: Desk) -> None:
    for subject in (plain(), plain(ours(inject="false")), annotated(pod())):
        response = admit(review(subject), desk.shop, desk.shape, labelled=True)["response"]
        assert response["allowed"] is False
        assert "the label penstock.dev/inject of the namespace shop is so new" in response["status"]["message"]
    desk.shop.labelled = namespace("enabled")
    assert admit(review(plain()), desk.shop, desk.shape, labelled=True)["response"]["allowed"] is True


WEB = {"matchLabels": {"app": "web"}}


@pytest.fixture
def selecting(desk: Desk) -> Desk:
    """A shop whose Database selects the pods of `web`."""
    desk.shop.labelled, desk.shop.workloads, desk.shop.others = namespace("selected", ""), {"shop": WEB}, OTHER
    return desk


def test_a_pod_that_a_database_selects_gets_a_gate_to_it_and_no_other_pod_does(selecting: Desk) -> None:
    after = selecting.admitted(plain(labels={"app": "web"}))
    assert databases_of(after) == "shop"
    assert after["metadata"]["annotations"]["penstock.dev/inject"] == "true"
    assert selecting.admitted(after) == after
    for labels in (None, {"app": "jobs"}):
        assert selecting.answer(plain(labels=labels)) == {"uid": "u-1", "allowed": True}


def test_without_the_label_of_the_namespace_a_selector_has_no_effect(selecting: Desk) -> None:
    selecting.shop.labelled = None
    assert "patch" not in selecting.answer(plain(labels={"app": "web"}))


EVERYBODY = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}


@pytest.mark.parametrize("text", ["selected", "enabled", "required"])
def test_of_two_databases_that_select_one_pod_somebody_has_to_say_which_is_first(selecting: Desk, text: str) -> None:
    selecting.shop.workloads["billing"] = EVERYBODY
    selecting.shop.labelled = namespace(text)
    web = {"app": "web"}
    both = "the Databases billing, shop all select this pod (spec.workloads)"
    for said in ({}, ours(inject="true")):
        assert f"{both}, and nobody says which comes first" in selecting.refusal(plain(said, web))
    assert f"{both}, which then has no way out" in selecting.refusal(plain(ours(inject="false"), web))
    words = "the Database billing selects this pod (spec.workloads), and its annotation penstock.dev/database is shop;"
    assert f"{words} name it there, too" in selecting.refusal(plain(ours(database="shop"), web))
    assert databases_of(selecting.admitted(plain(ours(database="shop,billing"), web))) == "shop,billing"
    assert databases_of(selecting.admitted(plain(labels={"app": "jobs"}))) == "billing"


def test_the_namespace_may_say_which_of_those_that_select_a_pod_is_first(selecting: Desk) -> None:
    selecting.shop.workloads["billing"] = EVERYBODY
    selecting.shop.others = OTHER | {"archive": "archive-db"}
    selecting.shop.labelled = namespace("selected", "shop, archive, billing")
    assert databases_of(selecting.admitted(plain(labels={"app": "web"}))) == "shop,billing", "of all, those that select"
    assert databases_of(selecting.admitted(plain(labels={"app": "jobs"}))) == "billing"


def test_a_namespace_may_name_several_for_all(labelled: Desk) -> None:
    labelled.shop.others = OTHER
    labelled.shop.labelled["annotations"] = ours(database="billing,shop")
    after = labelled.admitted(plain())
    assert databases_of(after) == "billing,shop"
    assert labelled.admitted(after) == after
    assert labelled.admitted(plain(ours(database="shop")))["metadata"]["annotations"]["penstock.dev/database"] == "shop"
    labelled.shop.labelled["annotations"] = ours(database="shop,,billing")
    assert "there is no Database ; " in labelled.refusal(plain())


@pytest.mark.parametrize("text", ["selected", "enabled", "required"])
def test_what_a_pod_says_against_its_selection_is_refused(selecting: Desk, text: str) -> None:
    selecting.shop.labelled = namespace(text)
    words = "the Database shop selects this pod (spec.workloads), which then has no way out"
    assert words in selecting.refusal(plain(ours(inject="false"), {"app": "web"}))
    words = "the Database shop selects this pod (spec.workloads), and its annotation penstock.dev/database is billing"
    assert words in selecting.refusal(plain(ours(inject="true", database="billing"), {"app": "web"}))
    assert databases_of(selecting.admitted(plain(ours(inject="true", database="shop"), {"app": "web"}))) == "shop"


def test_a_selection_goes_before_what_the_namespace_names(selecting: Desk) -> None:
    selecting.shop.labelled = namespace("required", "billing")
    assert databases_of(selecting.admitted(plain(labels={"app": "web"}))) == "shop"
    assert databases_of(selecting.admitted(plain(labels={"app": "jobs"}))) == "billing"


def test_where_only_what_is_selected_gets_a_gate_the_rest_is_as_in_any_namespace(selecting: Desk) -> None:
    assert selecting.answer(plain(ours(inject="false"))) == {"uid": "u-1", "allowed": True}
    assert databases_of(selecting.admitted(plain(ours(inject="true", database="billing")))) == "billing"
    assert "the annotation penstock.dev/database is missing" in selecting.refusal(plain(ours(inject="true")))
    assert "has the annotation penstock.dev/port and not" in selecting.refusal(plain(ours(port="6432")))
    assert "is a label here" in selecting.refusal(plain(labels=ours(inject="true")))


def test_of_a_database_that_nobody_can_read_it_is_not_known_whom_it_selects(selecting: Desk) -> None:
    selecting.shop.invalid = {"billing"}
    words = "the Database billing is not valid, so that nobody knows whether it selects this pod (spec.workloads)"
    assert words in selecting.refusal(plain())
    selecting.shop.labelled = namespace("required")
    assert databases_of(selecting.admitted(plain())) == "shop"
