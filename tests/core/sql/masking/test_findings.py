"""What is said of policies that do not fit the database."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.masking.test_masked_columns import PEOPLE, catalog, mask, policies

from penstock_core.policy.effective import EffectivePolicy, Mask, Rule
from penstock_core.sql.catalog.model import Column, Constraint, Routine
from penstock_core.sql.masking.findings import misfits


def test_misfits_are_told_in_words() -> None:
    number = Column("age", "pg_catalog.int4", "pg_catalog.int4", "pg_catalog.int4", "N")
    world = catalog(replace(PEOPLE, columns=(*PEOPLE.columns, number)))
    policy = EffectivePolicy("shop", policies(("*.*.*", mask("email", "support", "masks[3]"))), None)
    assert misfits(policy, world) == (
        "public.people.age is pg_catalog.int4, which the mask email of policy support (masks[3]) does not fit; "
        "it is masked as null",
    )
    half = Mask("bucket", Rule("support", "masks[4]"), size=0.5)
    assert misfits(EffectivePolicy("shop", policies(("*.*.age", half)), None), world) == (
        "public.people.age is pg_catalog.int4, which the mask bucket of 0.5 of policy support (masks[4]) does not fit; "
        "it is masked as null",
    )
    assert misfits(EffectivePolicy("shop", None, None), world) == ()


def test_functions_that_do_not_exist_are_told_in_words() -> None:
    known = Routine("app", "slugify", "f", "sql", "SELECT 1")
    world = replace(catalog(PEOPLE), routines={("app", "slugify"): (known,)})
    rule = Rule("support", "allowFunctions")
    listed = replace(policies(), allow_functions=(("app.slugify", rule), ("app.slug", rule)))
    assert misfits(EffectivePolicy("shop", listed, None), world) == (
        "policy support allows the function app.slug (allowFunctions), which does not exist",
    )


def test_a_null_that_clients_do_not_expect_is_told_in_words() -> None:
    number = Column("age", "pg_catalog.int4", "pg_catalog.int4", "pg_catalog.int4", "N", not_null=True)
    world = catalog(replace(PEOPLE, columns=(*PEOPLE.columns, number)))
    policy = EffectivePolicy("shop", policies(("*.*.age", mask("null", "support", "masks[3]"))), None)
    assert misfits(policy, world) == (
        "public.people.age is NOT NULL, but shows as NULL by the mask null of policy support (masks[3]): clients with "
        "fixed types may fail; redact shows a value of the column's type",
    )
    assert misfits(EffectivePolicy("shop", policies(("*.*.age", mask("redact"))), None), world) == ()


def test_a_table_that_takes_no_rows_is_told_in_words() -> None:
    world = catalog(replace(PEOPLE, constraints=(Constraint("u", frozenset({"email"})),)))
    given = replace(policies(("*.*.email", mask("redact", "support", "masks[3]"))), allow=frozenset({"insert"}))
    (told,) = misfits(EffectivePolicy("shop", given, None), world)
    assert told.startswith("rows with a value for email can't be inserted into public.people: a unique constraint")
    revealing = tuple(replace(one, mask=replace(one.mask, reveals_uniqueness=True)) for one in given.masks)
    assert misfits(EffectivePolicy("shop", replace(given, masks=revealing), None), world) == ()
    assert misfits(EffectivePolicy("shop", replace(given, allow=frozenset({"select"})), None), world) == ()
