"""Whole rows and stars: the columns that are known, so that none that came a moment ago shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKED, MASKING, PLAIN, decide, reason

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

ABLE = replace(MASKING, allow=frozenset({"select", "insert", "update", "delete"}), require_where=())
LETTERS = "(SELECT id AS id, body AS body FROM archive.letters)"


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("SELECT * FROM letters", "SELECT letters.id, letters.body FROM archive.letters"),
        ("SELECT l.*, 1 FROM letters l", "SELECT l.id, l.body, 1 FROM archive.letters AS l"),
        ("SELECT * FROM letters, generate_series(1, 2) g",
         "SELECT letters.id, letters.body, g.* FROM archive.letters, pg_catalog.generate_series(1, 2) AS g"),
        # As a value, its row is that of a query of the columns.
        ("SELECT letters FROM letters", f"SELECT letters FROM {LETTERS} AS letters"),
        ("SELECT count(l.*) FROM letters l", f"SELECT pg_catalog.count(l.*) FROM {LETTERS} AS l"),
        # A merged column shows once: the star stays.
        ("SELECT * FROM letters a JOIN letters b USING (id)",
         f"SELECT * FROM {LETTERS} AS a JOIN {LETTERS} AS b USING (id)"),
    ],
)  # fmt: skip
def test_a_star_is_the_columns_that_are_known(text: str, rewritten: str) -> None:
    decision = decide(text, ("archive",))
    assert decision.text == rewritten
    assert decision.masked == ()


def test_a_masked_query_names_its_columns_itself() -> None:
    assert decide("SELECT * FROM people").text == f"SELECT * FROM {MASKED} AS people"


def test_a_targets_row_is_read_column_by_column() -> None:
    decision = decide("DELETE FROM people RETURNING *", enforced=ABLE)
    assert decision.text.endswith("RETURNING people.id, CAST('***' AS pg_catalog.text) AS email, people.name")
    for text in ("DELETE FROM people RETURNING people", "UPDATE people SET name = people::text"):
        assert "may not be read as a whole while it is written to" in reason(decide(text, enforced=ABLE))
    joined = "DELETE FROM people USING orders o JOIN archive.letters l USING (id) WHERE o.id = people.id RETURNING *"
    assert "RETURNING * over a join with USING" in reason(decide(joined, enforced=ABLE))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM pg_class",
        "SELECT c.* FROM pg_class c",
        "SELECT c FROM pg_class c",
        "TABLE pg_class",
        "SELECT * FROM (pg_class c CROSS JOIN orders) j",
        "SELECT * FROM ((pg_class c CROSS JOIN archive.letters) j CROSS JOIN orders) k",
        "SELECT k.* FROM ((pg_class c CROSS JOIN archive.letters) j CROSS JOIN orders) k",
        "SELECT k FROM ((pg_class c CROSS JOIN archive.letters) j CROSS JOIN orders) k",
    ],
)
def test_what_a_catalog_hides_is_null_in_whole_rows_too(text: str) -> None:
    known = {("pg_catalog", "pg_class"): ("oid", "relpages"), ("pg_catalog", "pg_stat_activity"): ("pid", "query")}
    catalog = replace(CATALOG, system_columns={**CATALOG.system_columns, **known})
    masked = Governor(EffectivePolicy("shop", MASKING, None), catalog, KEY).decide(text, ("public",))
    assert "CASE WHEN false THEN relpages END AS relpages" in masked.text
    plain = Governor(EffectivePolicy("shop", PLAIN, None), catalog, KEY)
    assert plain.decide(text, ("public",)).action is Action.ALLOW
    others = plain.decide(text.replace("pg_class", "pg_stat_activity"), ("public",))
    assert "CASE WHEN false THEN query END AS query" in others.text


def test_two_of_one_name_are_told_apart_by_aliases() -> None:
    text = "SELECT (SELECT row_to_json(x) FROM (SELECT public.orders.* FROM sales.orders) x) FROM public.orders"
    assert reason(decide(text)) == "public.orders is ambiguous: another orders is nearer"


# ---- joins within joins

# What other sessions run is not for everybody, masks or not.
NESTED = "((pg_stat_activity a CROSS JOIN letters l) AS x CROSS JOIN archive.people p) AS j"
READER = replace(PLAIN, allow=frozenset({"select"}))


@pytest.mark.parametrize(
    "output", ["j.*", "*", "j", "row_to_json(j)", "j.query", "query", "(j).query", "count(j.query)"]
)
def test_a_column_that_may_not_be_read_is_found_in_joins_within_joins(output: str) -> None:
    decision = decide(f"SELECT {output} FROM {NESTED}", ("archive",), READER)
    assert f"SELECT {output} FROM (((SELECT pid AS pid, CASE WHEN false THEN query END AS query FROM" in decision.text


@pytest.mark.parametrize("output", ["j.*", "*", "j", "j.note"])
def test_what_is_masked_is_masked_in_joins_within_joins(output: str) -> None:
    text = f"SELECT {output} FROM ((public.orders o CROSS JOIN people p) AS x CROSS JOIN archive.letters l) AS j"
    decision = decide(text)
    assert decision.action is Action.REWRITE
    assert "'***'" in decision.text
    if output != "j.note":
        assert "SELECT id AS id, person AS person, note AS note FROM public.orders" in decision.text
