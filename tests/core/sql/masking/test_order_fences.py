"""Sorted subqueries in place of relations: which, under which name, in which order."""

from __future__ import annotations

import pytest
from tests.core.sql.masking.test_order_completion import rewritten


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("SELECT x.id FROM person x WHERE 1 / x.id > 0", "ORDER BY x.id OFFSET 0) AS x WHERE"),
        # Renamed, the key is found by its new name.
        ("SELECT a FROM person x (a) WHERE 1 / a > 0", "AS x (a) ORDER BY x.a OFFSET 0) AS x"),
        # Without a key, by all that it holds.
        (
            "SELECT max(y.made), min(y.made) FROM person x (a), person y (b) WHERE 1 / a > 0",
            "AS y (b) ORDER BY ROW(y.*) USING OPERATOR(pg_catalog.*<) OFFSET 0) AS y",
        ),
        # Each of several.
        (
            "SELECT x.id FROM person x JOIN person y ON x.id = y.tenant AND 1 / x.id > 0",
            "ORDER BY y.id OFFSET 0) AS y ON",
        ),
        # Where conditions may go below, there is nothing to hold them off.
        (
            "SELECT id FROM person ORDER BY made FETCH FIRST 2 ROWS WITH TIES",
            "ORDER BY person.id) AS person ORDER BY made",
        ),
    ],
)
def test_relations_come_sorted(text: str, part: str) -> None:
    assert part in rewritten(text).replace("  ", " ")


def test_relations_without_a_hazard_and_targets_stay() -> None:
    text = rewritten("SELECT i.id FROM item i JOIN person ON person.tenant = i.person AND 1 / i.id > 0")
    assert "FROM public.item AS i JOIN (SELECT * FROM" in text
    assert rewritten("UPDATE item SET person = 1 / p.id FROM person p WHERE p.id = item.id").startswith(
        "UPDATE public.item"
    )
