"""How far a mask spreads: copies take it, what is computed takes one that does not look at the value."""

from __future__ import annotations

import pytest
from tests.core.sql.masking.test_masked_columns import PEOPLE, catalog, derived, kinds, mask, policies

from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.propagation import blind as blinded
from penstock_core.sql.masking.propagation import close

SOURCE = ("public", "people", "email")


def test_copies_take_the_mask_and_computed_values_a_blind_one() -> None:
    view = Relation(
        "public", "v", "v", (derived("same", SOURCE, copies=True), derived("computed", SOURCE, copies=False))
    )
    over = Relation("public", "w", "v", (derived("again", ("public", "v", "same"), copies=True),))
    world = catalog(PEOPLE, view, over)
    for kind, blind in (
        ("email", "null"),
        ("hash", "null"),
        ("year", "null"),
        ("bucket", "null"),
        ("redact", "redact"),
        ("constant", "constant"),
    ):
        found = kinds(policies(("public.people.email", mask(kind))), world)
        assert found == {
            "public.people.email": kind,
            "public.v.same": kind,
            "public.v.computed": blind,
            "public.w.again": kind,
        }


def test_two_ends_of_a_key_end_up_with_the_stricter_mask() -> None:
    one = Relation("public", "one", "r", (derived("mail", ("public", "two", "mail"), copies=True),))
    two = Relation("public", "two", "r", (derived("mail", ("public", "one", "mail"), copies=True),))
    world = catalog(one, two)
    both = policies(("public.one.mail", mask("email")), ("public.two.mail", mask("hash")))
    assert kinds(both, world) == {"public.one.mail": "hash", "public.two.mail": "hash"}
    assert close({}, world) == {}


def test_what_is_computed_from_several_takes_the_strictest() -> None:
    view = Relation("public", "v", "v", (derived("both", SOURCE, ("public", "people", "id"), copies=False),))
    both = policies(("public.people.email", mask("redact")), ("public.people.id", mask("hash")))
    assert kinds(both, catalog(PEOPLE, view))["public.v.both"] == "null"


def test_a_column_that_a_policy_names_keeps_the_stricter_of_its_own_and_the_inherited() -> None:
    view = Relation("public", "v", "v", (derived("same", SOURCE, copies=True),))
    looser = policies(("public.people.email", mask("redact")), ("public.v.same", mask("email")))
    assert kinds(looser, catalog(PEOPLE, view))["public.v.same"] == "redact"
    stricter = policies(("public.people.email", mask("email")), ("public.v.same", mask("null")))
    assert kinds(stricter, catalog(PEOPLE, view))["public.v.same"] == "null"
    # Nothing spreads back to where it was read.
    assert kinds(stricter, catalog(PEOPLE, view))["public.people.email"] == "email"


def test_columns_that_derive_from_each_other_come_to_an_end() -> None:
    one = Relation("public", "one", "v", (derived("a", ("public", "two", "a"), copies=False),))
    two = Relation("public", "two", "v", (derived("a", ("public", "one", "a"), copies=False),))
    found = close({("public", "one", "a"): mask("email")}, catalog(one, two))
    assert {name: one.kind for name, one in found.items()} == {
        ("public", "one", "a"): "null",
        ("public", "two", "a"): "null",
    }


@pytest.mark.parametrize("kind", ["hash", "partial", "email", "year", "month", "bucket"])
def test_a_mask_that_looks_at_the_value_is_none_for_what_is_computed(kind: str) -> None:
    seen = mask(kind)  # type: ignore[arg-type]  # one of its literals
    assert blinded(seen).kind == "null"
    # And it is still told whose rule it is.
    assert blinded(seen).rule == seen.rule
