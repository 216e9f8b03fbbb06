"""Pods are selected by their labels as Kubernetes selects them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock_core.resources.pod_selector import PodSelector

WEB = {"app": "web", "tier": "backend", "shop.example/team": ""}


def expression(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator} | ({"values": [*values]} if values else {})]}


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "backend"}}, True),
        ({"matchLabels": {"app": "web", "tier": "jobs"}}, False),
        ({"matchLabels": {"other": ""}}, False),
        ({"matchLabels": {"shop.example/team": ""}}, True),
        (expression("In", "tier", "jobs", "backend"), True),
        (expression("In", "tier", "jobs"), False),
        (expression("In", "other", "x"), False),
        (expression("NotIn", "tier", "jobs"), True),
        (expression("NotIn", "tier", "jobs", "backend"), False),
        (expression("NotIn", "other", "x"), True),
        (expression("Exists", "shop.example/team"), True),
        (expression("Exists", "other"), False),
        (expression("DoesNotExist", "tier"), False),
        (expression("DoesNotExist", "other"), True),
        ({"matchLabels": {"app": "web"}} | expression("DoesNotExist", "tier"), False),
    ],
)
def test_all_that_is_asked_has_to_be_so(selector: dict[str, Any], selects: bool) -> None:
    assert PodSelector.model_validate(selector).selects(WEB) is selects


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ({}, "for all pods of a namespace, let the namespace name the Database"),
        ({"matchLabels": {}, "matchExpressions": []}, "a selector needs matchLabels or matchExpressions"),
        (expression("In", "tier"), "values go with the operators In and NotIn"),
        (expression("Exists", "tier", "x"), "values go with the operators In and NotIn"),
        (expression("in", "tier", "x"), "'In', 'NotIn', 'Exists' or 'DoesNotExist'"),
        (expression("Exists", "a b"), "matchExpressions.0.key"),
        ({"matchLabels": {"a b": "x"}}, "matchLabels: 'a b' must be a label's name"),
        ({"matchLabels": {"app": "web "}}, "matchLabels: 'web ', of app, must be a label's value"),
        ({"matchLabels": {"a" * 318: "x"}}, "must be a label's name"),
        ({"app": "web"}, "app"),
    ],
)
def test_what_would_select_nothing_or_everything_by_a_slip_is_refused(selector: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PodSelector.model_validate(selector)
    assert words in str(refused.value)
