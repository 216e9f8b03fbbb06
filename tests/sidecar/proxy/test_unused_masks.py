"""Masks that mask nothing are told of by name."""

from __future__ import annotations

import pytest

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_sidecar.proxy.unused_masks import unused_masks

TEXT = Column("email", "pg_catalog.text", "pg_catalog.text", "pg_catalog.text", "S")
CATALOG = Catalog(relations={("public", "customers"): Relation("public", "customers", "r", (TEXT,))})


def policy(*columns: str) -> EffectivePolicy:
    masks = (MaskRule(columns, Mask("redact", Rule("web", "masks[0]"))),)
    return EffectivePolicy("shop", PolicySet(("web",), frozenset({"select"}), masks), None)


@pytest.mark.parametrize(
    ("columns", "idle"),
    [
        (("public.customers.email",), []),
        (("public.custmers.email",), ["public.custmers.email"]),
        (("public.customers.emial", "*.*.email"), ["public.customers.emial"]),
        (("*.*.ssn", "*.*.email"), []),
        (("*.*.ssn", "*.*.iban"), ["*.*.ssn", "*.*.iban"]),
        (("*.customers.*",), []),
    ],
)
def test_a_pattern_that_no_column_answers_to(columns: tuple[str, ...], idle: list[str]) -> None:
    told = unused_masks(policy(*columns), CATALOG)
    assert sorted(told) == sorted(
        f"no column of the database is {pattern}, which policy web (masks[0]) is to mask; check the spelling"
        for pattern in idle
    )


def test_no_policy_has_no_masks() -> None:
    assert unused_masks(EffectivePolicy("shop", None, None), CATALOG) == ()
