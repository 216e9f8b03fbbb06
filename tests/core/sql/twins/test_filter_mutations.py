"""Each rule about filtered rows is needed: with any one of them switched off, the corpus tells of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pglast import ast
from tests.core.sql.twins.filtered_world import POLICY, make_filtered_twins
from tests.core.sql.twins.test_filtered import READS, REFUSED, WRITES, hidden_rows
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.authorize import filtered_targets, functions, text, write_targets
from penstock_core.sql.bind import references
from penstock_core.sql.catalog.overview import Overview
from penstock_core.sql.decision import Action
from penstock_core.sql.masking import masked_columns, order_errors, order_writes, row_filters
from penstock_core.sql.masking.filtered_writes import FilteredTarget
from penstock_core.sql.masking.order_failures import Failures
from penstock_core.sql.masking.order_hazards import OrderHazards
from penstock_core.sql.masking.order_meetings import Meetings
from penstock_core.sql.masking.row_filters import parsed
from penstock_core.sql.masking.substitution import Substitutions

Patch = pytest.MonkeyPatch
_hazards = masked_columns.order_hazards


def unfiltered(patch: Patch) -> None:
    patch.setattr(Substitutions, "_where", lambda self, relation: None)


def in_any_order(patch: Patch) -> None:
    def hazards(*known: Any, filtered: Any, **chosen: Any) -> OrderHazards:
        return replace(_hazards(*known, **chosen), filtered=frozenset(filtered))

    patch.setattr(masked_columns, "order_hazards", hazards)


def failing_alike(patch: Patch) -> None:
    """Errors that rows make are told as one, but told."""
    original = OrderHazards.leaf
    patch.setattr(
        OrderHazards, "leaf", lambda self, *of, **chosen: replace(original(self, *of, **chosen), filtered=False)
    )


def not_fenced(patch: Patch) -> None:
    patch.setattr(order_errors.ErrorOrder, "_fence", lambda *_: None)


def changing_all(patch: Patch) -> None:
    patch.setattr(FilteredTarget, "_there", lambda *_: parsed("true"))


def asked_of_all(patch: Patch) -> None:
    """The filter stands beside the client's conditions."""
    original = FilteredTarget.keep_to_rows
    patch.setattr(
        FilteredTarget, "keep_to_rows", lambda self, node, _, parts: original(self, node, lambda part: False, parts)
    )


def told_by_what_is_steady(patch: Patch) -> None:
    """Conditions that fail for all rows alike are asked of all."""
    original = Failures.may_fail
    patch.setattr(
        Failures,
        "may_fail",
        lambda self, node, level, *, deep=True, always=True: original(self, node, level, deep=deep),
    )


def alone(patch: Patch) -> None:
    """Partitions are not filtered."""
    patch.setattr(Overview, "family", lambda self, relation: {relation.key: relation})


def of_any_collation(patch: Patch) -> None:
    patch.setattr(Meetings, "collide", lambda *_: False)


def of_any_day(patch: Patch) -> None:
    patch.setattr(Meetings, "shift", lambda *_: False)


def fitting(patch: Patch) -> None:
    """Parameters are taken to fit."""
    differ = Meetings._differ
    patch.setattr(
        Meetings,
        "_differ",
        lambda self, wide, floats: differ(self, [one for one in wide if not isinstance(one, ast.ParamRef)], floats),
    )


def views_as_they_are(patch: Patch) -> None:
    patch.setitem(text.MASKED, references.ViewWrittenOut, lambda *_: None)  # type: ignore[arg-type]  # of that kind


def asked_by_the_planner(patch: Patch) -> None:
    patch.setattr(functions, "_estimated", lambda *_: None)


def referring_anywhere(patch: Patch) -> None:
    patch.setattr(filtered_targets, "_is_kept_alike", lambda *_: True)


@pytest.fixture(scope="module")
def twins(postgres: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres, "filter_mutations")


def differs(twins: Twins, sql: str) -> bool:
    decision = twins.governor(POLICY).decide(sql, ("public",))
    if decision.action is Action.DENY:
        return False
    left, right = twins.run(decision)
    return left != right


@pytest.mark.parametrize(
    ("mutation", "name"),
    [
        (unfiltered, "all"),
        (in_any_order, "the first"),
        (failing_alike, "a pattern that is none, counted"),
        (not_fenced, "a pattern that is none"),
        (alone, "partitions one by one"),
        (told_by_what_is_steady, "always failing"),
        (changing_all, "changing all"),
        (changing_all, "changing and returning"),
        (asked_of_all, "changing by a pattern that is none"),
        (told_by_what_is_steady, "changing by what always fails"),
        (of_any_collation, "texts of two collations"),
        (of_any_collation, "changing by texts of two collations"),
        (of_any_day, "a day that has no times"),
        (fitting, "a parameter that does not fit"),
        (asked_by_the_planner, "what the planner asks of frequent values"),
        (views_as_they_are, "a view of all"),
        (referring_anywhere, "referring across tenants"),
    ],
)
def test_a_rule_that_is_missing_is_noticed(
    twins: Twins, mutation: Callable[[Patch], None], name: str, monkeypatch: Patch
) -> None:
    sql = {**READS, **WRITES, **{name: sql for name, (sql, _) in REFUSED.items()}}[name]
    assert not differs(twins, sql)
    mutation(monkeypatch)
    assert differs(twins, sql)


@pytest.mark.parametrize(
    ("rule", "name"),
    [("check_new", "inserting one outside"), ("check_set", "moving out"), ("check_new", "inserting what is cut")],
)
def test_a_row_that_is_not_checked_goes_out(twins: Twins, rule: str, name: str, monkeypatch: Patch) -> None:
    before = hidden_rows(twins, "SELECT")
    assert hidden_rows(twins, WRITES[name]) == before
    monkeypatch.setattr(FilteredTarget, rule, lambda *_: None)
    assert hidden_rows(twins, WRITES[name]) != before


def test_one_that_an_upsert_meets_is_left_as_it_is(twins: Twins, monkeypatch: Patch) -> None:
    """The left one alone has it: where a policy reveals keys, that it is there is told."""
    sql = "INSERT INTO task (id, region, kind, score) VALUES (50, 'eu', 'b', 1) ON CONFLICT (id) DO UPDATE SET n = 1"
    before = hidden_rows(twins, "SELECT")
    assert hidden_rows(twins, sql) == before
    failing = sql + " WHERE 10 / task.n > 0"
    assert twins.run(twins.governor(POLICY).decide(failing, ("public",)))[0].status == "INSERT 0 0"
    monkeypatch.setattr(FilteredTarget, "keep_to_rows", lambda *_: None)
    assert hidden_rows(twins, sql) != before
    assert twins.run(twins.governor(POLICY).decide(failing, ("public",)))[0].sqlstate == "22012"


def test_a_target_that_is_not_kept_to_its_rows_is_refused(twins: Twins, monkeypatch: Patch) -> None:
    monkeypatch.setattr(order_writes._StatementOrder, "_keep_to_rows", lambda *_: None)
    denial = twins.governor(POLICY).decide(WRITES["changing all"], ("public",)).denial
    assert denial is not None
    assert "stands where it can't be written to" in denial.reason


@pytest.mark.parametrize(
    ("owner", "rule", "value", "name"),
    [
        (write_targets, "refuse_filtered", None, "deleting what filtered rows go with"),
        (write_targets, "refuse_telling", None, "inserting a key"),
        (filtered_targets, "_refuse_unique", None, "changing a key"),
        (filtered_targets, "_refuse_unique", None, "inserting a number"),
        (filtered_targets, "_refuse_computed", None, "moving to another partition"),
        (write_targets, "refuse_referring", None, "what refers to one"),
        (row_filters, "_showing", ({}, {}), "a stored view"),
        (row_filters, "_kept_apart", "", "a view with a barrier"),
        (row_filters, "_kept_apart", "", "a view of row security"),
    ],
)
def test_so_is_one_that_refuses(twins: Twins, owner: Any, rule: str, value: Any, name: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(owner, rule, lambda *_: value)
    assert twins.governor(POLICY).decide(REFUSED[name][0], ("public",)).action is not Action.DENY
