"""Each row of the table, put into an otherwise valid policy, is refused by the same words everywhere."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from penstock_core.resources import (
    AccessRequest,
    Bundle,
    Database,
    DatabaseAccessPolicy,
    ResourceError,
    parse,
    unsupported,
)
from penstock_core.resources.crd import definitions
from penstock_core.resources.schema import at, structural
from penstock_core.resources.unsupported import UNSUPPORTED, Unsupported, unsupported_in

POLICY: dict[str, Any] = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "DatabaseAccessPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "databaseRef": {"name": "shop"},
        "subjects": [{"serviceAccount": {"name": "web"}}],
        "masks": [{"tags": ["pii"], "with": {"redact": {}}}],
    },
}
DATABASE: dict[str, Any] = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "Database",
    "metadata": {"name": "shop", "namespace": "shop"},
    "spec": {
        "host": "db",
        "dbname": "shop",
        "credentialsSecretRef": {"name": "shop-db"},
        "classification": [{"columns": ["*.*.email"], "tag": "pii"}],
    },
}
# A valid value for each field of the table.
VALUES: dict[str, Any] = {
    "approvals": [{"name": "schema", "when": "statement.verb == 'drop'", "approvers": {"groups": ["dba"]}}],
}
# No field of policies is without effect at the moment: one that there is stands for any.
FIELD = Unsupported("DatabaseAccessPolicy", "spec.approvals", "leave it out")
FIELDS = [row for row in UNSUPPORTED if row.kind == FIELD.kind] or [FIELD]
# Nor any resource as a whole.
KIND = Unsupported("AccessRequest", "", "make none")


def policy_with(row: Unsupported) -> dict[str, Any]:
    """The policy with the row's field given."""
    document = copy.deepcopy(POLICY)
    holder: Any = document
    for step in row.path.split(".")[:-1]:
        holder = holder[step[:-2]][0] if step.endswith("[]") else holder.setdefault(step, {})
    holder[row.field] = VALUES[row.field]
    return document


def refused(document: dict[str, Any]) -> str:
    with pytest.raises(ResourceError) as caught:
        parse(document)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsupported, "UNSUPPORTED", tuple(dict.fromkeys((*UNSUPPORTED, *FIELDS))))


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.path)
def test_a_field_without_effect_is_refused_with_what_to_do(row: Unsupported) -> None:
    document = policy_with(row)

    DatabaseAccessPolicy.model_validate(document)  # the model has it: only its effect is missing
    place = row.path.replace("[]", "[0]")
    assert refused(document) == f"DatabaseAccessPolicy shop/web: {place}: not supported yet: {row.field}; {row.remedy}"


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.path)
def test_a_bundle_with_such_a_field_is_refused_whole(row: Unsupported) -> None:
    with pytest.raises(ResourceError, match=f"not supported yet: {row.field}"):
        Bundle.of(
            [Database.model_validate(DATABASE), DatabaseAccessPolicy.model_validate(policy_with(row))],
            namespace="shop",
            database="shop",
            generation=1,
            mask_key=bytes(32),
        )


@pytest.mark.parametrize("row", [*UNSUPPORTED, FIELD, KIND], ids=lambda row: row.path or row.kind)
def test_the_api_server_says_the_same(row: Unsupported) -> None:
    text = " ".join("".join(definitions(dict.fromkeys((*UNSUPPORTED, row))).values()).split()).replace("''", "'")
    assert row.message in text
    without = " ".join("".join(definitions([other for other in UNSUPPORTED if other != row]).values()).split())
    assert row.message not in without.replace("''", "'")


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.path)
def test_every_row_names_a_field_that_there_is(row: Unsupported) -> None:
    model = {"DatabaseAccessPolicy": DatabaseAccessPolicy, "AccessRequest": AccessRequest}[row.kind]
    steps: list[str | int] = []
    for step in filter(None, row.path.split(".")):
        steps += [step[:-2], 0] if step.endswith("[]") else [step]
    field = at(structural(model), tuple(steps))
    assert field is not None


def test_what_has_an_effect_is_left_alone() -> None:
    assert list(unsupported_in(POLICY)) == []
    assert list(unsupported_in(DATABASE)) == []


@pytest.mark.parametrize("damaged", [{"spec": None}, {"spec": []}, {"spec": {"masks": "x"}}, {"spec": {"allow": {}}}])
def test_damaged_documents_are_looked_through_all_the_same(damaged: dict[str, Any]) -> None:
    assert list(unsupported_in(POLICY | damaged)) == []
