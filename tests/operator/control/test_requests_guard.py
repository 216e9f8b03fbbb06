"""Without the admission policy in force, whoever may write a status could approve: control holds nothing then."""

from __future__ import annotations

from typing import Any

import pytest
from tests.operator.control.requests import in_force

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.requests_guard import BINDING, GUARD, POLICY, RequestsGuard


def test_a_policy_in_force_is_no_trouble() -> None:
    assert in_force().trouble == ""


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        (POLICY, None, "is not there"),
        (BINDING, None, "is not there"),
        (POLICY, {"failurePolicy": "Ignore"}, "does not refuse everything"),
        (POLICY, {"matchConditions": [{"name": "never", "expression": "false"}]}, "does not refuse everything"),
        (BINDING, {"validationActions": ["Audit"]}, "does not put it in force"),
        (BINDING, {}, "does not put it in force"),
        (BINDING, {"validationActions": ["Deny"], "matchResources": {"namespaceSelector": {}}}, "not put it in force"),
    ],
)
def test_one_that_is_not_is_said(kind: str, spec: Any, words: str) -> None:
    guard = in_force()
    document = None if spec is None else {"metadata": {"name": GUARD}, "spec": spec}
    guard.follower(kind).change(ObjectChange(("", GUARD), document, 7))
    assert words in guard.trouble
    assert "install the chart's" in guard.trouble


def test_what_is_not_known_yet_is_waited_for() -> None:
    guard = RequestsGuard()
    assert "waiting for the admission policy" in guard.trouble
    guard.follower(POLICY).replace({("", GUARD): {"spec": {}}}, 1)
    assert "waiting for the admission policy" in guard.trouble
    guard.follower(BINDING).replace({}, 1)
    assert "is not there" in guard.trouble
    guard.follower(BINDING).replace({("", GUARD): {"spec": {"validationActions": ["Deny", "Audit"]}}}, 2)
    assert guard.trouble == ""


def test_others_of_the_kind_are_passed_over() -> None:
    guard = in_force()
    guard.follower(POLICY).change(ObjectChange(("", "another"), None, 7))
    assert guard.trouble == ""


def test_a_cluster_without_such_policies_holds_nothing() -> None:
    assert "from Kubernetes 1.30 on" in RequestsGuard(supported=False).trouble
