"""What is put in place of a relation or of a target's column, kept once, and never with what masks hide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pglast import ast
from tests.core.sql.test_governor import CATALOG, KEY, MASKING

from penstock_core.policy.effective import Mask, MaskRule, Rule
from penstock_core.sql.masking import substitution
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.syntax.deparse import deparse

PEOPLE = CATALOG.relations["public", "people"]
MASKED = "CAST('***' AS pg_catalog.text)"


def substitutions() -> Substitutions:
    return Substitutions(govern(MASKING, CATALOG), MaskWriter(KEY))


def test_the_query_has_every_column_under_its_name() -> None:
    made = substitutions()
    query = made.query(PEOPLE)
    text = f"SELECT id AS id, {MASKED} AS email, name AS name FROM public.people"
    assert deparse((query,)) == made.texts[id(query)] == text


def test_it_is_made_once_and_with_the_childrens_rows_unless_told() -> None:
    made = substitutions()
    assert made.query(PEOPLE) is made.query(PEOPLE)
    only = made.query(PEOPLE, only=True)
    assert only is not made.query(PEOPLE)
    assert made.texts[id(only)].endswith("FROM ONLY public.people")


def test_columns_that_are_asked_for_come_in_that_order_and_are_not_kept() -> None:
    made = substitutions()
    some = made.query(PEOPLE, columns=("name", "email"))
    assert deparse((some,)) == f"SELECT name AS name, {MASKED} AS email FROM public.people"
    assert made.texts == {}
    assert made.query(PEOPLE, columns=("name", "email")) is not some


def test_a_targets_column_is_its_mask_or_itself() -> None:
    made = substitutions()
    email, name = PEOPLE.column("email"), PEOPLE.column("name")
    assert email is not None
    assert name is not None
    assert made.value(PEOPLE, name, "p") is None
    value = made.value(PEOPLE, email, "p")
    assert value is not None
    assert deparse((ast.SelectStmt(targetList=(ast.ResTarget(val=value),)),)) == f"SELECT {MASKED}"
    assert made.value(PEOPLE, email, "p") is value


def test_a_mask_that_looks_at_the_value_names_the_target() -> None:
    looking = replace(MASKING, masks=(MaskRule(("public.people.email",), Mask("email", Rule("p", "masks[0]"))),))
    made = Substitutions(govern(looking, CATALOG), MaskWriter(KEY))
    email = PEOPLE.column("email")
    assert email is not None
    value = made.value(PEOPLE, email, "Odd one")
    assert value is not None
    text = deparse((ast.SelectStmt(targetList=(ast.ResTarget(val=value),)),))
    assert '"Odd one".email' in text
    assert text.count("email") == text.count('"Odd one".email')


def test_clients_cannot_fill_the_memory_by_what_they_call_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(substitution, "_MOST_VALUES", 3)
    made, email = substitutions(), PEOPLE.column("email")
    assert email is not None
    for number in range(10):
        assert made.value(PEOPLE, email, f"t{number}") is not None
        assert len(made._values) <= 3
