"""Columns that are read: those of a target become their masks, hidden ones of the system's are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, decide, reason

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.authorize import columns
from penstock_core.sql.governor import Governor

ABLE = replace(MASKING, allow=frozenset({"select", "insert", "update", "delete"}), require_where=())


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM people WHERE email = 'a'",
        "DELETE FROM people WHERE people.email = 'a'",
        "DELETE FROM people WHERE (SELECT email) = 'a'",
        "DELETE FROM people p WHERE EXISTS (SELECT 1 FROM orders o WHERE o.id = p.email)",
        "UPDATE people SET name = email",
        "DELETE FROM people RETURNING email",
        "UPDATE people SET name = '' RETURNING old.email",
    ],
)
def test_a_column_of_the_target_becomes_its_mask(text: str) -> None:
    decision = decide(text, enforced=ABLE)
    assert decision.masked == ("public.people.email",)
    assert "CAST('***' AS pg_catalog.text)" in decision.text
    assert ".email" not in decision.text


def test_an_output_keeps_its_name() -> None:
    assert decide("DELETE FROM people RETURNING email", enforced=ABLE).text.endswith("AS pg_catalog.text) AS email")


@pytest.mark.parametrize(
    "text",
    [
        # Either could have it.
        "DELETE FROM people USING generate_series(1, 2) g WHERE email = 'a'",
        "DELETE FROM people USING sales.orders WHERE email = 'a'",
        "DELETE FROM people WHERE EXISTS (SELECT 1 FROM generate_series(1, 2) g WHERE email = 'a')",
    ],
)
def test_where_it_can_not_be_told_whose_it_is_it_is_refused(text: str) -> None:
    assert reason(decide(text, enforced=ABLE)) == ("column email is ambiguous, and one of that name is masked")


def test_a_column_without_a_mask_may_be_anybodys() -> None:
    assert decide("DELETE FROM people USING generate_series(1, 2) g WHERE name = 'a'", enforced=ABLE).denial is None


def test_no_text_is_made_a_thousand_times_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_MOST_REFERENCES", 2)
    text = "DELETE FROM people WHERE {}"
    assert decide(text.format("email = email"), enforced=ABLE).denial is None
    assert "more than 2 times" in reason(decide(text.format("email = email || email"), enforced=ABLE))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT relpages FROM pg_class",
        "SELECT c.reltuples FROM pg_class c",
        "SELECT (SELECT relpages) FROM pg_class",
        "SELECT j.relpages FROM (pg_class c CROSS JOIN pg_namespace n) j",
        "SELECT j.relpages FROM (pg_class c CROSS JOIN generate_series(1, 2) g) j",
        "SELECT k.relpages FROM ((pg_class c CROSS JOIN pg_namespace n) j CROSS JOIN orders) k",
        "SELECT relpages FROM ((pg_class c CROSS JOIN pg_namespace n) j CROSS JOIN orders) k",
    ],
)
def test_what_a_catalog_hides_shows_as_null_wherever_it_is_named(text: str) -> None:
    known = {
        ("pg_catalog", "pg_class"): ("oid", "relpages", "reltuples"),
        ("pg_catalog", "pg_namespace"): ("oid", "nspname"),
    }
    catalog = replace(CATALOG, system_columns={**CATALOG.system_columns, **known})
    decision = Governor(EffectivePolicy("shop", MASKING, None), catalog, KEY).decide(text, ("public",))
    assert "CASE WHEN false THEN relpages END AS relpages" in decision.text
    assert "CAST('-1' AS pg_catalog.float4) AS reltuples FROM pg_catalog.pg_class" in decision.text
    assert "the columns of" in reason(decide(text)), "where they are not known, none shows"


def test_where_nothing_is_masked_nothing_of_it_is_hidden() -> None:
    assert decide("SELECT relpages FROM pg_class", enforced=PLAIN).denial is None


def test_a_source_that_nobody_named_is_told_in_the_servers_words() -> None:
    denial = decide("SELECT nobody.email FROM people").denial
    assert denial is not None
    assert denial.reason == 'missing FROM-clause entry for table "nobody"'
    assert (denial.sqlstate, denial.unknown_names) == ("42P01", True)
