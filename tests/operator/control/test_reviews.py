"""Our own resources come to admission: unknown fields at whatever depth, and what is warned of."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.core.approvals.users import SPEC
from tests.operator.doubles import synced

from penstock_operator.control.policies import Policies
from penstock_operator.control.reviews import validate

Json = dict[str, Any]
POLICY: Json = yaml.safe_load("""
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: web, namespace: shop}
spec:
  databaseRef: {name: shop}
  subjects:
    - serviceAccount: {name: web}
    - identity: {kind: agent, groups: [support]}
  mode: enforce
  allow: [select, update]
  masks:
    - {tags: [pii.email], with: {email: {}}}
    - {columns: [public.payments.card_number], with: {partial: {keepLast: 4}}, unless: "'dpo' in identity.groups"}
  rowFilters:
    - {table: public.orders, where: "region = 'eu'"}
  guardrails: {requireWhere: [update], maxRowsReturned: 100}
  approvals:
    - {name: big, when: "statement.verb == 'update'", approvers: {groups: [dba]}}
  audit: {sqlText: normalized, onFailure: block}
""")
DATABASE: Json = yaml.safe_load("""
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {name: shop, namespace: shop}
spec:
  host: shop-db.shop.svc
  dbname: shop
  tls: {mode: verify-full, caSecretRef: {name: shop-db-ca, key: ca.crt}}
  credentialsSecretRef: {name: shop-db}
  classification:
    - {columns: [public.customers.email], tag: pii.email}
    - {columns: [public.payments.card_number], tag: pci.pan}
""")
REQUEST: Json = {
    "apiVersion": "penstock.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": "r", "namespace": "shop"},
    "spec": SPEC,
}  # fmt: skip


@pytest.fixture
def policies(shop: Any) -> Policies:
    return synced(shop)


def answered(policies: Policies, document: Json, **request: Any) -> Json:
    review = {"request": {"uid": "1", "namespace": "shop", "operation": "CREATE", "object": document, **request}}
    response: Json = validate(review, policies)["response"]
    return response


def holders(node: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    """Each object within a document but its metadata, and where it is."""
    if isinstance(node, dict):
        yield place, node
        for name, part in node.items():
            if name != "metadata":
                yield from holders(part, f"{place}.{name}".removeprefix("."))
    if isinstance(node, list):
        for number, part in enumerate(node):
            yield from holders(part, f"{place}[{number}]")


DOCUMENTS = {"policy": POLICY, "database": DATABASE, "request": REQUEST}
PLACES = [(name, place) for name, document in DOCUMENTS.items() for place, _ in holders(document)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_right_is_taken(policies: Policies, name: str) -> None:
    assert answered(policies, DOCUMENTS[name])["allowed"]


@pytest.mark.parametrize(("name", "place"), PLACES, ids=[f"{name} {place}" for name, place in PLACES])
def test_a_field_that_there_is_not_is_refused_wherever_it_stands(policies: Policies, name: str, place: str) -> None:
    document = copy.deepcopy(DOCUMENTS[name])
    dict(holders(document))[place]["zzz"] = 1
    message = answered(policies, document)["status"]["message"]
    assert f"{place}.zzz: unknown field".removeprefix(".") in message
    assert "\n" not in message


@pytest.mark.parametrize(("name", "place"), PLACES, ids=[f"{name} {place}" for name, place in PLACES])
def test_one_that_is_spelled_wrong_is_told_what_was_meant(policies: Policies, name: str, place: str) -> None:
    for field in dict(holders(DOCUMENTS[name]))[place]:
        if len(field) > 4 and field not in ("apiVersion", "metadata"):
            document = copy.deepcopy(DOCUMENTS[name])
            holder = dict(holders(document))[place]
            holder[field[:-1]] = holder.pop(field)
            message = answered(policies, document)["status"]["message"]
            assert f"{field[:-1]}: unknown field; did you mean {field}?" in message


def test_beside_the_spec_too_and_when_the_spec_stays(policies: Policies) -> None:
    wrong = POLICY | {"masks": []}
    assert (
        "masks: unknown field" in answered(policies, wrong, operation="UPDATE", oldObject=POLICY)["status"]["message"]
    )
    # What is stored already, by whatever way, may be labelled and deleted.
    labelled = wrong | {"metadata": {**POLICY["metadata"], "labels": {"a": "b"}}}
    assert answered(policies, labelled, operation="UPDATE", oldObject=wrong) == {"uid": "1", "allowed": True}
    assert answered(policies, wrong, operation="DELETE", object=None, oldObject=wrong) == {"uid": "1", "allowed": True}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("host", "postgres://shop-db", "spec.host: "),
        ("credentialsSecretRef", {"name": "Shop DB"}, "spec.credentialsSecretRef.name: "),
        ("classification", [{"columns": ["customers.email"], "tag": "pii"}], "spec.classification[0].columns[0]: "),
    ],
)
def test_what_a_text_must_look_like_is_said_in_words(policies: Policies, field: str, value: Any, words: str) -> None:
    document = copy.deepcopy(DATABASE)
    document["spec"][field] = value
    message = answered(policies, document)["status"]["message"]
    assert words in message
    assert "^" not in message
    assert "[a-z" not in message


def test_plain_text_to_the_server_is_warned_of(policies: Policies) -> None:
    document = copy.deepcopy(DATABASE)
    document["spec"]["tls"] = {"mode": "disable"}
    (warning,) = answered(policies, document)["warnings"]
    assert warning.startswith(
        "penstock: Database shop/shop: spec.tls.mode: disable sends what is asked and answered as"
    )
    assert "warnings" not in answered(policies, DATABASE)


def test_a_selector_of_pods_in_a_namespace_that_nobody_looks_at_is_warned_of(policies: Policies) -> None:
    document = copy.deepcopy(DATABASE)
    document["spec"]["workloads"] = {"matchLabels": {"app": "web"}}
    (warning,) = answered(policies, document)["warnings"]
    assert "spec.workloads has no effect while the namespace shop has no label penstock.dev/inject" in warning
    policies.labelled_namespace = {"shop": {"labels": {"penstock.dev/inject": "selected"}}}.get
    assert "warnings" not in answered(policies, document)


def test_a_selector_that_would_select_everything_is_refused(policies: Policies) -> None:
    document = copy.deepcopy(DATABASE)
    for empty in ({}, {"matchLabels": {}}):
        document["spec"]["workloads"] = empty
        answer = answered(policies, document)
        assert "spec.workloads: a selector needs matchLabels or matchExpressions" in answer["status"]["message"]


def test_who_deletes_a_database_is_told_what_goes_with_it(policies: Policies) -> None:
    answer = answered(policies, {}, operation="DELETE", object=None, oldObject=DATABASE)
    assert answer["allowed"]
    (warning,) = answer["warnings"]
    assert warning.startswith("penstock: the gates of the Database shop let nobody in from now on, and pods that are")
