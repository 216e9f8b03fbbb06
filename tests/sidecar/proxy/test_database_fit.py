"""What of policies and classification does not fit a database, and what nobody thought of, is found by the catalog."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from penstock_core.resources import Bundle
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_sidecar.proxy.database_fit import fit


def column(name: str, type_: str = "text", category: str = "S") -> Column:
    return Column(name, f"pg_catalog.{type_}", f"pg_catalog.{type_}", f"pg_catalog.{type_}", category)


CUSTOMERS = Relation(
    "public", "customers", "r", (column("id", "int4", "N"), column("email"), column("born", "date", "D"))
)
CATALOG = Catalog(relations={("public", "customers"): CUSTOMERS})


def bundle(masks: list[dict[str, Any]], classification: list[dict[str, Any]] | None = None, **policy: Any) -> Bundle:
    spec = {
        "databaseRef": {"name": "shop"},
        "subjects": [{"serviceAccount": {"name": "web"}}],
        "masks": masks,
        **policy,
    }
    return Bundle.model_validate({
        "generation": 1, "maskKey": base64.b64encode(bytes(32)).decode(),
        "database": {"metadata": {"name": "shop", "namespace": "shop"}, "spec": {
            "host": "h", "dbname": "shop", "credentialsSecretRef": {"name": "s"},
            "classification": classification or []}},
        "policies": [{"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}],
    })  # fmt: skip


def mask(column: str, kind: str = "redact", **more: Any) -> dict[str, Any]:
    return {"columns": [f"public.customers.{column}"], "with": {kind: {}}, **more}


def test_all_fits() -> None:
    found = fit(bundle([mask("email", "email")]), CATALOG)
    assert (found.unclassified.count, found.sensitive.count, found.misfits) == (0, 0, ())


def test_a_mask_on_a_column_that_is_not_there() -> None:
    (found,) = fit(bundle([mask("emial")]), CATALOG).misfits
    assert (found.policy, found.missing.count, found.unfit.count) == ("web", 1, 0)
    assert found.missing.first[0].startswith("no column of the database is public.customers.emial")


def test_a_mask_that_does_not_fit_the_type() -> None:
    (found,) = fit(bundle([mask("born", "email")]), CATALOG).misfits
    assert (found.missing.count, found.unfit.count) == (0, 1)
    assert "public.customers.born is pg_catalog.date, which the mask email" in found.unfit.first[0]


@pytest.mark.parametrize("more", [{"unless": "session.database == 'shop'"}, {"unless": "identity.groups[0] == 'dba'"}])
def test_a_mask_that_a_condition_may_lift_is_a_mask(more: dict[str, Any]) -> None:
    assert fit(bundle([mask("emial", **more)]), CATALOG).misfits[0].missing.count == 1


def test_a_policy_that_observes_is_looked_at_too_and_one_that_revokes_has_nothing_to_fit() -> None:
    assert fit(bundle([mask("emial")], mode="observe"), CATALOG).misfits
    assert fit(bundle([], mode="revoke"), CATALOG).misfits == ()


def test_a_classification_of_a_column_that_is_not_there() -> None:
    found = fit(bundle([], [{"columns": ["public.customers.emial", "*.*.email"], "tag": "pii.email"}]), CATALOG)
    assert found.unclassified.first == (
        "no column of the database is public.customers.emial, which is classified pii.email; check the spelling",
    )


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("email", True), ("billing_email", True), ("email_address", True), ("card_number", True), ("iban", True),
        ("date_of_birth", True), ("password_hash", True), ("LastName", True), ("id", False), ("company", False),
        ("emailed_at", False), ("secretary", False),
    ],
)  # fmt: skip
def test_a_column_that_looks_sensitive_and_that_nothing_is_for_is_named(name: str, sensitive: bool) -> None:
    catalog = Catalog(relations={("public", "t"): Relation("public", "t", "r", (column(name),))})
    assert fit(bundle([]), catalog).sensitive.first == ((f"public.t.{name}",) if sensitive else ())
    known = [{"columns": [f'public.t."{name}"'], "tag": "pii"}]
    assert fit(bundle([], known), catalog).sensitive.count == 0


def test_a_view_is_not_asked_for_what_its_tables_answer() -> None:
    catalog = Catalog(relations={("public", "v"): Relation("public", "v", "v", (column("email"),))})
    assert fit(bundle([]), catalog).sensitive.count == 0


def test_of_many_the_first_are_named() -> None:
    many = tuple(column(f"phone_{name}") for name in "abcdefghijkl")
    catalog = Catalog(relations={("public", "t"): Relation("public", "t", "r", (*many, *(column("email"),)))})
    assert fit(bundle([mask(f"c{number}") for number in range(12)]), catalog).misfits[0].missing.count == 12
