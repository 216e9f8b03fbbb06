"""Columns that hold rows of relations by their types, however deep, on every server version."""

from __future__ import annotations

import pytest
from tests.core.sql.catalog.test_snapshot import read_catalog
from tests.core.sql.test_governor import KEY, rule

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

SCHEMA = """
CREATE TABLE person (id int, email text);
CREATE DOMAIN known AS person;
CREATE TYPE couple AS (name text, both_of person[]);
CREATE TYPE deeper AS (inside couple, n int);
CREATE TYPE innocent AS (a int, b text);
CREATE TYPE spans AS RANGE (subtype = person);
CREATE TABLE holder (
    id int, one person, many person[], known known, couple couple, deep deeper[], plain int, innocent innocent,
    words text[]
);
CREATE TABLE ranged (span spans, multi spans_multirange, numbers int4range);
CREATE TABLE outer_holder (held holder);
CREATE VIEW shown AS SELECT p AS who FROM person p;
"""
HOLDING = {"one", "many", "known", "couple", "deep"}


@pytest.fixture(scope="module", params=["postgres15", "postgres16", "postgres"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql("CREATE DATABASE row_types")
    server.psql(SCHEMA, "row_types")
    return read_catalog(server.url("row_types"))


def test_a_column_that_can_hold_rows_derives_from_all_their_columns(catalog: Catalog) -> None:
    rows = {("public", "person", "id"), ("public", "person", "email")}
    found = {one.name: one.derives_from for one in catalog.relations["public", "holder"].columns}
    assert {name for name, derived in found.items() if derived} == HOLDING
    assert all(found[name] == rows for name in HOLDING)
    assert all(not one.copies for one in catalog.relations["public", "holder"].columns)


def test_ranges_of_rows(catalog: Catalog) -> None:
    found = {one.name: one.derives_from for one in catalog.relations["public", "ranged"].columns}
    rows = {("public", "person", "id"), ("public", "person", "email")}
    assert found == {"span": rows, "multi": rows, "numbers": frozenset()}


def test_rows_that_hold_rows(catalog: Catalog) -> None:
    held = catalog.relations["public", "outer_holder"].column("held")
    assert held is not None
    assert ("public", "person", "email") in held.derives_from
    assert ("public", "holder", "plain") in held.derives_from


def test_what_is_masked_in_the_relation_is_masked_in_the_copies_of_its_rows(catalog: Catalog) -> None:
    masks = (MaskRule(("public.person.email",), Mask("redact", rule("masks[0]"))),)
    policies = PolicySet(policies=("support",), allow=frozenset({"select"}), masks=masks)
    governor = Governor(EffectivePolicy("shop", policies, None, 7), catalog, KEY)
    for name in sorted(HOLDING):
        decision = governor.decide(f"SELECT {name} FROM holder")
        assert decision.action is Action.REWRITE, decision.denial
        assert f"public.holder.{name}" in decision.masked
    assert "public.outer_holder.held" in governor.decide("SELECT * FROM outer_holder").masked
    masked = governor.decide("SELECT id, plain, innocent, words FROM holder").masked
    assert set(masked) == {f"public.holder.{name}" for name in HOLDING}
