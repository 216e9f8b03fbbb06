"""Statements that write: what they return comes sorted, what they read too, and what would tell is refused."""

from __future__ import annotations

import pytest
from pglast import parse_sql
from tests.core.sql.masking.test_order_completion import ITEM, PERSON, rewritten
from tests.core.sql.masking.test_order_completion import POLICIES as MASKED

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.governor import Governor
from penstock_core.sql.masking.order_keys import Leaf
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.masking.order_writes import complete_order, judge_order
from penstock_core.sql.syntax.walk import below

OWN = OwnCalls(Functions(Catalog()))
SORTED = "ORDER BY ROW(penstock_rows.*) USING OPERATOR(pg_catalog.*<)"


def leaves(text: str, *, hazard: bool) -> tuple[object, dict[int, Leaf]]:
    statement = parse_sql(text)[0].stmt
    found = [one for one in below(statement) if type(one).__name__ == "RangeVar"]
    return statement, {id(one): Leaf(PERSON, hazard, ("id",)) for one in found}


def test_without_a_hazard_nothing_is_touched() -> None:
    statement, found = leaves("DELETE FROM person RETURNING id", hazard=False)
    completed = complete_order(statement, found, OWN)  # type: ignore[arg-type]  # a statement
    assert completed.statement is statement
    assert not completed.mixes


@pytest.mark.parametrize(
    ("text", "returned"),
    [
        ("DELETE FROM person RETURNING id", True),
        ("UPDATE person SET made = 1 RETURNING id", True),
        # One row at most, or nothing that tells one from another.
        ("DELETE FROM person WHERE id = 7 RETURNING id", False),
        ("DELETE FROM person RETURNING 1", False),
        ("DELETE FROM person", False),
        ("INSERT INTO person (id) VALUES (1) RETURNING id", False),
    ],
)
def test_what_is_returned_comes_sorted(text: str, returned: bool) -> None:
    assert (SORTED in rewritten(text)) is returned


def test_rows_are_written_in_the_order_in_which_they_are_read() -> None:
    text = "INSERT INTO item (id, person) SELECT id, tenant FROM person"
    assert rewritten(text).endswith("FROM person ORDER BY person.id")


def test_of_several_rows_for_one_the_first_counts_so_they_come_sorted() -> None:
    text = "UPDATE item SET person = p.made FROM person p WHERE p.tenant = item.person"
    assert "ORDER BY p.id" in rewritten(text)
    # Deleted is deleted, by whichever row.
    assert "ORDER BY" not in rewritten("DELETE FROM item USING person p WHERE p.tenant = item.person")


def test_a_statement_that_is_kept_is_completed_too() -> None:
    for text in ("PREPARE q AS {}", "DECLARE c CURSOR FOR {}", "COPY ({}) TO STDOUT", "CREATE TEMP TABLE x AS {}"):
        assert "ORDER BY person.id" in rewritten(text.format("SELECT id FROM person"))


def test_what_would_tell_in_which_order_rows_are_changed_is_refused() -> None:
    catalog = Catalog({one.key: one for one in (PERSON, ITEM)})
    judge = Governor(EffectivePolicy("shop", MASKED, None), catalog, b"k" * 16)
    denial = judge.decide("UPDATE person SET made = extract(epoch FROM clock_timestamp())", ("public",)).denial
    assert denial is not None
    assert denial.reason.startswith("clock_timestamp would tell in which order rows of public.person are changed")
    one_row = "UPDATE person SET made = extract(epoch FROM clock_timestamp()) WHERE id = 7"
    assert judge.decide(one_row, ("public",)).denial is None


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("SELECT id FROM person", False),
        ("SELECT array_agg(id) FROM person", True),
        ("SELECT row_number() OVER () FROM person", True),
        ("SELECT id FROM person LIMIT 1", True),
        ("SELECT max(id) FROM person", False),
        ("SELECT id, clock_timestamp() FROM person", True),
    ],
)
def test_whether_a_view_leaves_an_order_open(text: str, is_open: bool) -> None:
    statement, found = leaves(text, hazard=True)
    assert judge_order(statement, found, OWN).open is is_open  # type: ignore[arg-type]  # a statement


@pytest.mark.parametrize(
    ("text", "mixes"),
    [
        ("SELECT sum(1 / id) FROM person", "22000"),
        ("SELECT 1 / id FROM person", ""),
        ("SELECT count(*) FROM person", ""),
        ("UPDATE person SET made = 1 / id", "23000"),
        ("UPDATE person SET made = 1 / id WHERE id = 7", ""),
        ("DELETE FROM person WHERE 1 / id > 0", "23000"),
        ("DELETE FROM person", ""),
        ("INSERT INTO item (id) SELECT 1 / id FROM person", ""),
    ],
)
def test_errors_are_told_alike_where_no_sort_would_do(text: str, mixes: str) -> None:
    catalog = Catalog({one.key: one for one in (PERSON, ITEM)})
    decision = Governor(EffectivePolicy("shop", MASKED, None), catalog, b"k" * 16).decide(text, ("public",))
    assert decision.denial is None
    assert decision.mixed_errors == mixes


@pytest.mark.parametrize(
    ("text", "fails", "openly"),
    [
        ("SELECT id, 1 / id FROM person", False, False),
        ("SELECT id FROM person WHERE 1 / id > 0", True, False),
        ("SELECT p.id FROM person p JOIN item i ON i.id = p.id WHERE 1 / p.id > 0", True, True),
        ("SELECT id FROM person WHERE id > 0", False, False),
        ("SELECT tenant, sum(1 / id) FROM person GROUP BY tenant", True, False),
    ],
)
def test_whether_rows_make_a_view_fail(text: str, fails: bool, openly: bool) -> None:
    statement, found = leaves(text, hazard=True)
    judged = judge_order(statement, found, OWN)  # type: ignore[arg-type]  # a statement
    assert (judged.fails, judged.fails_openly) == (fails, openly)
