"""What is wrong between resources that are each valid, as their author reads it."""

from __future__ import annotations

import pytest

from penstock_core.resources import check, load

DATABASE = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {name: shop, namespace: shop}
spec:
  host: db
  dbname: shop
  credentialsSecretRef: {name: shop-db}
  classification:
    - {columns: ["*.*.email"], tag: pii.email}
"""
POLICY = """
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: web, namespace: shop}
spec:
  databaseRef: {name: shop}
  subjects: [{serviceAccount: {name: web}}]
  masks:
    - {tags: [pii.email], with: {email: {}}}
    - {columns: [public.users.*], with: {redact: {}}}
"""


def problems(*documents: str) -> list[str]:
    return [str(problem) for problem in check(load("---".join(documents), "x.yaml"))]


def test_resources_that_fit_together() -> None:
    assert problems(DATABASE, POLICY) == []
    assert problems(POLICY, DATABASE) == []
    assert problems(DATABASE) == []


def test_databases_that_select_the_same_pods() -> None:
    selecting = DATABASE + "  workloads: {matchLabels: {app: web, tier: a}}\n"
    billing = DATABASE.replace("name: shop, ", "name: billing, ") + "  workloads: {matchLabels: {tier: a, app: web}}\n"
    assert problems(selecting, billing) == [
        "Database shop/shop: spec.workloads: selects the same pods as the Database billing, and a pod has one gate: "
        "they will be refused"
    ]
    assert problems(selecting, billing.replace("namespace: shop", "namespace: other")) == []
    assert problems(selecting, billing.replace("tier: a", "tier: b")) == []


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        (
            (POLICY,),
            "spec.databaseRef.name: there is no Database shop in the namespace shop",
        ),
        (
            (DATABASE, POLICY.replace("databaseRef: {name: shop}", "databaseRef: {name: shopp}")),
            "spec.databaseRef.name: there is no Database shopp in the namespace shop; did you mean shop?",
        ),
        (
            (DATABASE.replace("namespace: shop", "namespace: data"), POLICY),
            "spec.databaseRef.name: Database shop is in the namespace data, and a policy only has effect in its own, "
            "shop; put the policy into data",
        ),
        (
            (DATABASE, POLICY.replace("pii.email", "pii.emial")),
            "spec.masks[0].tags[0]: no column of Database shop is classified pii.emial, so the policy allows "
            "nothing; did you mean pii.email?",
        ),
        (
            (DATABASE, POLICY.replace("redact: {}", "partial: {keepLast: 2}")),
            "spec.masks[1].columns[0]: partial is for text, and public.users.* means columns of any type; name them, "
            "or use redact",
        ),
        (
            (DATABASE, POLICY.replace("redact: {}", "month: {}")),
            "spec.masks[1].columns[0]: month is for dates, and public.users.* means columns of any type; name them, "
            "or use redact",
        ),
        (
            (DATABASE, POLICY.replace("redact: {}", "bucket: {size: 5}")),
            "spec.masks[1].columns[0]: bucket is for numbers, and public.users.* means columns of any type; name them, "
            "or use redact",
        ),
    ],
)
def test_a_policy_that_does_not_fit(documents: tuple[str, ...], said: str) -> None:
    assert problems(*documents) == [f"DatabaseAccessPolicy shop/web: {said}"]


def test_a_name_given_twice() -> None:
    assert problems(DATABASE, POLICY, POLICY) == [
        "DatabaseAccessPolicy shop/web: metadata.name: there are 2 of this name; give each its own"
    ]
    other = [document.replace("namespace: shop", "namespace: other") for document in (DATABASE, POLICY)]
    assert problems(DATABASE, POLICY, *other) == []
