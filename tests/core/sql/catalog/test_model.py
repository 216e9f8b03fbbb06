"""What relations, columns, constraints and the catalog say about themselves."""

from __future__ import annotations

from typing import get_args

from tests.core.sql.test_governor import CATALOG, table

from penstock_core.sql.catalog.model import _CONSTRAINT_WORDS, Catalog, Column, Constraint, ConstraintKind


def column(type_name: str, base: str, sql: str, base_sql: str = "") -> Column:
    return Column("c", type_name, base, sql, "S", base_type_sql=base_sql)


def test_a_mask_is_cast_to_the_type_with_its_modifier_and_never_to_a_domain() -> None:
    assert (
        column("pg_catalog.varchar", "pg_catalog.varchar", "pg_catalog.varchar(20)").cast_type
        == "pg_catalog.varchar(20)"
    )
    # The mask may break the domain's checks.
    assert column("app.short", "pg_catalog.varchar", "app.short").cast_type == "pg_catalog.varchar"
    with_modifier = column("app.short", "pg_catalog.varchar", "app.short", "pg_catalog.varchar(12)")
    assert with_modifier.cast_type == "pg_catalog.varchar(12)"


def test_which_constraints_hold_a_new_row_against_others() -> None:
    comparing = {kind for kind in get_args(ConstraintKind) if Constraint(kind, frozenset()).compares_rows}
    assert comparing == {"p", "u", "x", "f", "i"}


def test_each_kind_of_constraint_has_its_words() -> None:
    assert set(_CONSTRAINT_WORDS) == set(get_args(ConstraintKind))
    assert Constraint("u", frozenset(), name="u_mail").described == "unique constraint u_mail"
    assert Constraint("k", frozenset()).described == "its partition key"
    assert Constraint("c", frozenset()).described == "the bounds of the partition"


def test_a_relation_knows_its_columns() -> None:
    people = table("public", "people", "id", "email")
    assert people.key == ("public", "people")
    found = people.column("email")
    assert found is not None
    assert found.name == "email"
    assert people.column("Email") is None


def test_relations_by_their_bare_name() -> None:
    assert {one.schema for one in CATALOG.named("people")} == {"public", "archive"}
    assert CATALOG.named("nobody") == ()


def test_whether_a_name_behind_a_dot_may_be_a_function() -> None:
    known = Catalog(system_functions=frozenset({"pg_sleep"}), user_functions={"report": ("public",)})
    assert [known.may_be_function(name) for name in ("pg_sleep", "report", "lower", "email")] == [
        True,
        True,
        True,
        False,
    ]
    # Where the system's are not known, any name may be one.
    assert Catalog().may_be_function("email")
