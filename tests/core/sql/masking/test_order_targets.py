"""Rows that are changed in an order that masked values may decide: what is refused, and whose errors are told alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.masking.test_order_completion import ITEM, PERSON, POLICIES

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog, Constraint
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor

CHECKED = replace(
    PERSON,
    constraints=(
        Constraint("p", frozenset({"id"})), Constraint("u", frozenset({"made"}), name="once"),
        Constraint("c", frozenset({"tenant"}), name="known"),
    ),
)  # fmt: skip


def decide(text: str, person: object = CHECKED) -> Decision:
    catalog = Catalog({one.key: one for one in (person, ITEM)})  # type: ignore[attr-defined]
    return Governor(EffectivePolicy("shop", POLICIES, None), catalog, b"k" * 16).decide(text, ("public",))


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE person SET made = made + 1",
        "UPDATE person SET made = tenant WHERE tenant = 5",
        "UPDATE person SET made = p.made FROM person p WHERE p.id = person.tenant",
        "UPDATE person SET made = (SELECT max(id) FROM item)",
        "MERGE INTO person USING item ON item.id = person.tenant WHEN MATCHED THEN UPDATE SET made = item.person",
    ],
)
def test_a_unique_value_that_moves_is_refused(text: str) -> None:
    denial = decide(text).denial
    assert denial is not None
    assert denial.reason.startswith("whether rows of public.person collide in made (unique constraint once)")


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE person SET made = made + 1 WHERE id = 7",
        "UPDATE person SET made = 5 WHERE tenant = 5",
        "UPDATE person SET tenant = tenant + 1",
        "UPDATE person SET made = made, tenant = 1",
        "UPDATE person SET (tenant, made) = (tenant + 1, made)",
        "UPDATE person SET (tenant, made) = (SELECT 1, made)",
    ],
)
def test_what_can_collide_in_one_way_alone_is_not(text: str) -> None:
    assert decide(text).denial is None


def test_a_condition_that_a_join_may_leave_unasked_is_refused() -> None:
    for text in (
        "UPDATE person SET tenant = 1 FROM item WHERE item.id = person.id AND 1 / person.id > 0",
        "DELETE FROM person USING item WHERE item.id = person.id AND 1 / person.id > 0",
        "DELETE FROM person WHERE 1 / id > 0 AND id IN (SELECT person FROM item)",
        "DELETE FROM person WHERE 1 / id > (SELECT 0) AND id IN (SELECT person FROM item)",
        "MERGE INTO person USING item ON item.id = 1 / person.id WHEN MATCHED THEN DELETE",
    ):
        denial = decide(text).denial
        assert denial is not None, text
        assert denial.reason.startswith("whether the condition fails for a row of public.person")
    assert decide("DELETE FROM person WHERE id IN (SELECT id FROM person WHERE 1 / id > 0)").denial is None
    assert decide("DELETE FROM person USING item WHERE item.id = person.id").denial is None


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("UPDATE person SET tenant = 5", False),
        ("UPDATE person SET tenant = $1 WHERE made = 3", False),
        ("UPDATE person SET tenant = 5, made = 7", True),
        ("UPDATE person SET tenant = 5, made = 7 WHERE id = 7", False),
        ("UPDATE person SET tenant = tenant + 1", True),
        ("UPDATE person SET tenant = made", False),
        ("UPDATE person SET tenant = score", True),
        ("UPDATE person SET tenant = 5 WHERE 1 / id > 0", True),
        ("UPDATE person SET tenant = 5 WHERE id = 7 AND 1 / made > 0", True),
        ("UPDATE person SET tenant = 5 RETURNING 1 / id", True),
        ("DELETE FROM person", False),
        ("MERGE INTO person USING item ON item.id = person.tenant WHEN MATCHED THEN DELETE", True),
    ],
)
def test_errors_are_told_alike_if_there_are_several_ways(text: str, ways: bool) -> None:
    decision = decide(text)
    assert decision.denial is None
    assert decision.mixed_errors == ("23000" if ways else "")


def test_triggers_and_references_are_ways_too() -> None:
    assert decide("DELETE FROM person", replace(CHECKED, referenced=frozenset({"id"}))).mixed_errors
    assert decide("UPDATE person SET tenant = 5", replace(CHECKED, referenced=frozenset({"tenant"}))).mixed_errors
    assert decide("UPDATE person SET tenant = 5", replace(CHECKED, has_rules=True)).denial is not None
