"""Whole rows and stars: what they mean, however deep it is in joins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import PLAIN, decide

from penstock_core.sql.decision import Action

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
