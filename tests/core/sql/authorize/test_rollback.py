"""What ROLLBACK undoes: rows of plain tables, where nothing else runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, table, text_column

from penstock_core.policy.effective import EffectivePolicy, PolicySet
from penstock_core.sql.catalog.model import Cascade, Catalog, Relation
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

ALL = ("select", "insert", "update", "delete", "merge", "truncate", "create", "drop", "alter", "copy")


def undone(text: str, catalog: Catalog = CATALOG, policies: PolicySet = PLAIN) -> bool:
    allowed = replace(policies, allow=frozenset(ALL), require_where=(), deny_functions=())
    decision = Governor(EffectivePolicy("shop", allowed, None, 7), catalog, KEY).decide(text, ("public", "archive"))
    assert decision.action is not Action.DENY, decision.denial
    return decision.undone_by_rollback


def with_letters(**more: Any) -> Catalog:
    letters = replace(table("archive", "letters", "id", "body"), **more)
    return replace(CATALOG, relations={**CATALOG.relations, letters.key: letters})


@pytest.mark.parametrize("policies", [PLAIN, MASKING], ids=["plain", "masked"])
@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO letters VALUES ('1', 'x')",
        "UPDATE letters SET body = 'y' || body WHERE id = '1'",
        "DELETE FROM letters WHERE id = '1' RETURNING id",
        "INSERT INTO letters VALUES ('1', 'x') ON CONFLICT (id) DO UPDATE SET body = 'y'",
        "WITH gone AS (DELETE FROM letters WHERE id = '1' RETURNING id) SELECT id FROM gone",
    ],
)
def test_changes_of_rows_are(text: str, policies: PolicySet) -> None:
    assert undone(text, policies=policies)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "BEGIN",
        "COMMIT",
        "INSERT INTO letters VALUES ('1', one())",
        "INSERT INTO letters VALUES (nextval('s')::text, 'x')",
        "UPDATE letters SET body = 'x' WHERE id <-> '1'",
        "DELETE FROM letters WHERE id = '1'; COMMIT",
        "TRUNCATE letters",
        "COPY letters FROM STDIN",
        "SELECT id INTO more FROM letters",
        "EXPLAIN ANALYZE UPDATE letters SET body = 'x' WHERE id = '1'",
        "PREPARE p AS UPDATE letters SET body = 'x' WHERE id = '1'",
        "EXECUTE p",
        "CREATE TEMPORARY TABLE mine (id int)",
    ],
)
def test_other_effects_are_not_or_may_not_be(text: str) -> None:
    assert not undone(text)


CHANGES = "UPDATE letters SET body = 'x' WHERE id = '1'"


@pytest.mark.parametrize(
    "more",
    [
        {"has_triggers": True},
        {"has_rules": True},
        {"kind": "p"},
        {"kind": "f"},
        {"calls": ("public.one",)},
        {"write_calls": ("public.one",)},
        {"default_calls": ("public.one",)},
        {"cascades": (Cascade(("public", "orders"), frozenset({"id"}), True, False),)},
        {"columns": (text_column("id"), replace(text_column("body"), type_name="public.odd"))},
    ],
    ids=lambda more: next(iter(more)),
)
def test_tables_where_more_happens_are_not_plain(more: dict[str, Any]) -> None:
    assert undone(CHANGES, with_letters())
    assert not undone(CHANGES, with_letters(**more))


def test_nor_is_one_with_children() -> None:
    child = Relation(
        "archive", "old_letters", "r", (text_column("id"), text_column("body")), parents=(("archive", "letters"),)
    )
    assert not undone(CHANGES, replace(CATALOG, relations={**CATALOG.relations, child.key: child}))


def test_nor_is_a_table_that_no_catalog_has() -> None:
    assert not undone("INSERT INTO nowhere VALUES (1)", policies=PLAIN)
