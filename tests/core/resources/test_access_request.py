"""The resource `AccessRequest`: bound to one statement, and used at most once, when approved."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from penstock_core.resources.access_request import AccessRequest, AccessRequestSpec, AccessRequestStatus

SPEC: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "support", "approval": "schema-change", "policyGeneration": 3, "approvers": ["dba"]},
    "statement": {"sql": "DROP TABLE t", "settings": [{"name": "search_path", "value": "a"}]},
    "requester": {"workload": {"namespace": "shop", "serviceAccount": "web"}},
    "expiresAt": "2030-01-31T12:00:00Z",
    "nonce": "00112233445566778899aabbccddeeff",
}


def test_a_request_says_what_it_is_bound_to() -> None:
    request = AccessRequest.model_validate({"metadata": {"name": "r"}, "spec": SPEC})
    assert request.spec.statement.settings[0].name == "search_path"
    assert (request.status, request.spec.break_glass) == (None, None)


@pytest.mark.parametrize("missing", SPEC)
def test_nothing_that_binds_it_may_be_left_out(missing: str) -> None:
    with pytest.raises(ValidationError):
        AccessRequestSpec.model_validate({name: value for name, value in SPEC.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"statement": {"sql": ""}},
        {"statement": {"sql": "x", "parametersDigest": "ab"}},
        {"nonce": "0" * 31},
        {"nonce": "G" * 32},
        {"expiresAt": "tomorrow"},
        {"heldBy": {**SPEC["heldBy"], "policyGeneration": -1}},
        {"heldBy": {**SPEC["heldBy"], "approvers": []}},
        {"effect": {"estimatedRows": -1}},
        {"requester": {"principal": {"kind": "robot", "subject": "a", "issuer": "b"}}},
        {"breakGlass": {}},
    ],
)
def test_what_is_no_request(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AccessRequestSpec.model_validate({**SPEC, **wrong})


def test_only_what_was_approved_can_be_used() -> None:
    used = {"consumedAt": "2030-01-31T12:00:00Z"}
    assert AccessRequestStatus.model_validate({**used, "decision": "approved"}).consumed_at == used["consumedAt"]
    for status in (used, {**used, "decision": "denied"}):
        with pytest.raises(ValidationError, match="only what was approved can be used"):
            AccessRequestStatus.model_validate(status)


def test_the_api_server_keeps_what_python_can_not_see() -> None:
    """What changes between two versions of a resource: the rules that compare with the old one."""
    assert any("self == oldSelf" in rule.cel for rule in AccessRequestSpec.rules)
    compared = " ".join(rule.cel for rule in AccessRequestStatus.rules)
    for field in ("decision", "consumedAt"):
        assert f"self.{field} == oldSelf.{field}" in compared
    # Else the status could be removed, and a decision be made again.
    assert any("has(oldSelf.status)" in rule.cel for rule in AccessRequest.rules)
