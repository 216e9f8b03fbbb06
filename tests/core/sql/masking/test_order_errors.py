"""What is done so that errors tell nothing of an order: outputs computed late, relations fenced, errors told alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.masking.test_order_completion import ITEM, PERSON, rewritten

LATE = "CASE WHEN pg_catalog.clock_timestamp() IS NULL THEN 1 / id ELSE 1 / id END"
FENCE = "(SELECT * FROM person{} ORDER BY person.id OFFSET 0) AS person"


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        # Late: what is computed of rows that are sorted already.
        ("SELECT 1 / id FROM person LIMIT 3", f'SELECT {LATE} AS "?column?" FROM person ORDER BY person.id LIMIT 3'),
        (
            "SELECT made, 1 / id AS part FROM person ORDER BY made",
            f"SELECT made, {LATE} AS part FROM person ORDER BY made, person.id",
        ),
        # Fenced: what decides about rows, or comes before the sort.
        (
            "SELECT id FROM person WHERE 1 / id > 0",
            f"SELECT id FROM {FENCE.format('')} WHERE (1 / id) > 0 ORDER BY person.id",
        ),
        (
            "SELECT id FROM person WHERE tenant = 5 AND 1 / id > 0",
            f"SELECT id FROM {FENCE.format(' WHERE tenant = 5')} WHERE (tenant = 5) AND ((1 / id) > 0)"
            " ORDER BY person.id",
        ),
        (
            "SELECT DISTINCT 1 / id FROM person",
            f"SELECT DISTINCT 1 / id FROM {FENCE.format('')} ORDER BY 1",
        ),
        (
            "SELECT EXISTS (SELECT FROM person WHERE 1 / id > 0)",
            f"SELECT EXISTS (SELECT  FROM {FENCE.format('')} WHERE (1 / id) > 0)",
        ),
        (
            "SELECT tenant, 1 / id, count(*) FROM person GROUP BY 1, 2",
            f"SELECT tenant, 1 / id, pg_catalog.count(*) FROM {FENCE.format('')} GROUP BY 1, 2 ORDER BY 1, 2",
        ),
        (
            "SELECT tenant, sum(1 / id) FROM person GROUP BY tenant, made",
            "SELECT tenant, pg_catalog.sum(1 / id) FROM person GROUP BY tenant, made"
            " ORDER BY person.tenant, person.made",
        ),
        (
            "SELECT v.x FROM person, LATERAL (VALUES (1 / person.id)) v (x)",
            f"SELECT v.x FROM {FENCE.format('')}, LATERAL (VALUES (1 / person.id)) AS v (x) ORDER BY person.id,"
            " ROW(v.*) USING OPERATOR(pg_catalog.*<)",
        ),
        # The order that the client wants.
        (
            "SELECT id FROM person WHERE 1 / id > 0 ORDER BY made DESC LIMIT 3",
            "SELECT id FROM (SELECT * FROM person ORDER BY person.made DESC, person.id OFFSET 0) AS person"
            " WHERE (1 / id) > 0 ORDER BY made DESC, person.id LIMIT 3",
        ),
        # All rows are read before any is shown, so nothing is sorted.
        ("SELECT sum(1 / id) FROM person", "SELECT pg_catalog.sum(1 / id) FROM person"),
        (
            "SELECT count(*) FROM person WHERE 1 / id > 0",
            "SELECT pg_catalog.count(*) FROM person WHERE (1 / id) > 0",
        ),
        # But the lowest one may be the first of an index.
        (
            "SELECT min(tenant) FROM person WHERE 1 / id > 0",
            f"SELECT pg_catalog.min(tenant) FROM {FENCE.format('')} WHERE (1 / id) > 0",
        ),
        # One row at most: there is no order to tell, unless others are asked the condition.
        ("SELECT 1 / id FROM person WHERE id = 7", "SELECT 1 / id FROM person WHERE id = 7"),
        (
            "SELECT id FROM person WHERE id = 7 AND 1 / made > 0",
            f"SELECT id FROM {FENCE.format(' WHERE id = 7')} WHERE (id = 7) AND ((1 / made) > 0)",
        ),
    ],
)
def test_each_in_the_cheapest_way_that_does(text: str, completed: str) -> None:
    assert rewritten(text) == completed


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("SELECT id FROM person WHERE 1 / id > 0 AND tenant = $1", " WHERE tenant = $1"),
        # A parameter that stands elsewhere might get another type.
        ("SELECT id FROM person WHERE made / id > $1 AND tenant = $1", ""),
        ("SELECT id FROM person WHERE 1 / id > 0 AND random() < 0.5", ""),
        ("SELECT id FROM person WHERE 1 / id > 0 AND (tenant = 5 OR made = 1 / tenant)", ""),
        ("SELECT id FROM person WHERE 1 / id > 0 AND EXISTS (SELECT 1)", ""),
    ],
)
def test_what_goes_into_the_fence(text: str, inside: str) -> None:
    assert FENCE.format(inside) in rewritten(text)


@pytest.mark.parametrize(
    ("join", "inside"),
    [
        ("item i JOIN person ON person.tenant = i.person AND tenant = 5", " WHERE tenant = 5"),
        ("item i LEFT JOIN person ON person.tenant = i.person AND tenant = 5", " WHERE tenant = 5"),
        ("person LEFT JOIN item i ON person.id = i.person AND tenant = 5", ""),
        ("person FULL JOIN item i ON person.id = i.person AND tenant = 5", ""),
    ],
)
def test_conditions_of_joins_go_into_it_where_they_choose_its_rows(join: str, inside: str) -> None:
    text = rewritten(f"SELECT person.id FROM {join} WHERE 1 / person.id > 0")
    assert FENCE.format(inside) in text


@pytest.mark.parametrize(
    ("text", "looked_up"),
    [
        ("item i JOIN person ON person.id = i.person", True),
        ("item i LEFT JOIN person ON i.person = person.id AND tenant = 5", True),
        ("item i JOIN person ON person.id = i.person + 0", False),
        ("item i JOIN person ON person.tenant = i.person", False),
        ("item i FULL JOIN person ON person.id = i.person", False),
        ("person JOIN item i ON person.id = i.person", False),
    ],
)
def test_rows_that_a_join_finds_by_the_key_are_looked_up(text: str, looked_up: bool) -> None:
    written = rewritten(f"SELECT i.id FROM {text} WHERE 1 / i.id > 0")
    assert "OFFSET 0" in written
    assert ("LATERAL (SELECT * FROM person WHERE" in written) is looked_up


def test_conditions_behind_an_outer_join_stay_outside() -> None:
    text = rewritten(
        "SELECT i.id FROM item i LEFT JOIN person ON person.tenant = i.person WHERE tenant IS NULL AND 1 / i.id > 0"
    )
    assert FENCE.format("") in text


def test_an_output_that_is_sorted_by_is_no_late_one() -> None:
    for order in ("part", "1", "1 / id"):
        text = rewritten(f"SELECT 1 / id AS part FROM person ORDER BY {order}")
        assert "clock_timestamp" not in text
        assert "OFFSET 0" in text


def test_columns_that_are_computed_when_they_are_read_may_fail_below_the_sort() -> None:
    made = next(one for one in PERSON.columns if one.name == "made")
    computed = tuple(replace(made, fallible=True) if one is made else one for one in PERSON.columns)
    person = replace(PERSON, columns=computed)
    late = rewritten("SELECT id, made FROM person", person)
    assert "THEN made ELSE made END AS made" in late
    fenced = rewritten("SELECT id FROM person WHERE made > 0", person, ITEM)
    assert "ORDER BY ROW(person.*) USING OPERATOR(pg_catalog.*<) OFFSET 0" in fenced
