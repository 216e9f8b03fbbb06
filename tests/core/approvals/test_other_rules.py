"""Which requests of other rules are about the same statement, asked for at the same time."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.approvals.binding import statement_digest
from penstock_core.approvals.other_rules import of_other_rules
from penstock_core.resources.access_request import AccessRequestSpec

DELETES = {"policy": "web", "approval": "deletes", "policyGeneration": 3, "approvers": ["dba"]}
WRITES = {**DELETES, "approval": "writes", "approvers": ["owners"]}
OWNERS = {**DELETES, "policy": "owners"}
DOCUMENT: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": DELETES,
    "statement": {"sql": "DELETE FROM orders", "settings": [{"name": "role", "value": "none"}]},
    "requester": {"workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1"}},
    "effect": {"verbs": ["delete"], "tables": ["public.orders"], "estimatedRows": 5},
    "expiresAt": "2030-01-01T00:00:00Z",
    "nonce": "0" * 32,
}


def spec(**changes: Any) -> AccessRequestSpec:
    return AccessRequestSpec.model_validate({**DOCUMENT, **changes})


def found(*others: tuple[AccessRequestSpec, float]) -> list[float]:
    """When those were made that are found beside one that was made at 100."""
    return of_other_rules(spec(), 100.0, [(one, made, made) for one, made in others])


def test_each_other_rule_has_one_by_the_names_of_the_rules() -> None:
    others = (spec(heldBy=WRITES), 100.0), (spec(heldBy=OWNERS), 101.0), (spec(), 102.0)
    assert found(*others) == [101.0, 100.0]


@pytest.mark.parametrize("made", [(40.0, 99.0, 130.0), (99.0,), (130.0, 99.0)])
def test_of_several_the_one_that_was_made_nearest_to_it_is_meant(made: tuple[float, ...]) -> None:
    assert found(*((spec(heldBy=WRITES), one) for one in made)) == [99.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"statement": {"sql": "DELETE FROM carts"}},
        {
            "statement": {
                "sql": "DELETE FROM orders",
                "settings": [{"name": "role", "value": "none"}, {"name": "x", "value": "y"}],
            }
        },
        {"statement": {**DOCUMENT["statement"], "parametersDigest": "a" * 64}},
        {"effect": {"tables": ["public.carts"]}},
        {"databaseRef": {"name": "other"}},
        {"requester": {"workload": {"namespace": "shop", "serviceAccount": "other", "pod": "web-1"}}},
        {"heldBy": {**WRITES, "policyGeneration": 4}},
        {"heldBy": {**WRITES, "policyDigest": "b" * 64}},
    ],
    ids=["text", "settings", "parameters", "tables", "database", "requester", "generation", "digest"],
)
def test_what_an_approval_would_not_be_good_for_is_another_statement(changes: dict[str, Any]) -> None:
    assert found((spec(**{"heldBy": WRITES, **changes}), 100.0)) == []


def test_what_an_approval_does_not_depend_on_makes_no_other() -> None:
    pod = {"workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-2"}}
    other = spec(heldBy=WRITES, requester=pod, nonce="1" * 32, reason="again", expiresAt="2030-01-02T00:00:00Z")
    assert found((other, 100.0)) == [100.0]


def test_access_for_a_time_is_no_statement() -> None:
    asked = {"policy": "incident", "policyDigest": "c" * 64, "approvers": ["dba"], "duration": "1h"}
    access = {name: one for name, one in DOCUMENT.items() if name not in ("heldBy", "statement")}
    one = AccessRequestSpec.model_validate({**access, "access": asked, "reason": "x"})
    assert statement_digest(one) == ""
    assert of_other_rules(one, 100.0, [(one, 100.0, 1), (spec(), 100.0, 2)]) == []
    assert found((one, 100.0)) == []
