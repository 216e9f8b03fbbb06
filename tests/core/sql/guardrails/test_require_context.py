"""Statements that need a context where a policy requires one, and those that any session may send."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, governor, rule

from penstock_core.policy.effective import EffectivePolicy, PolicySet
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

REQUIRED = rule("guardrails.requireContext")
NEED = [
    "SELECT email FROM people", "SELECT count(*) FROM archive.letters", "INSERT INTO archive.letters VALUES ('1', 'b')",
    "COPY archive.letters TO STDOUT", "PREPARE p AS SELECT id FROM people", "EXECUTE p",
    "DECLARE c CURSOR FOR SELECT id FROM people", "CREATE TEMP TABLE t (a int)",
    "EXPLAIN SELECT body FROM archive.letters",
    "BEGIN; SELECT id FROM people", "WITH w AS (SELECT id FROM people) SELECT 1",
]  # fmt: skip
FREE = [
    "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1", "SELECT count(*) FROM pg_catalog.pg_class", "SET search_path = public",
    "RESET ALL", "DISCARD ALL", "DEALLOCATE ALL", "SHOW work_mem", "SAVEPOINT a", "",
]  # fmt: skip


@pytest.mark.parametrize("masks", [MASKING, PLAIN], ids=["masked", "unmasked"])
@pytest.mark.parametrize("text", NEED)
def test_what_reads_or_changes_anything_of_the_databases_own_needs_one(text: str, masks: PolicySet) -> None:
    policies = replace(masks, require_context=REQUIRED, allow=masks.allow | {"create"})
    denial = governor(policies).decide(text, ("public",)).denial
    assert denial is not None
    assert (denial.policy, denial.rule) == ("support", "guardrails.requireContext")
    assert "needs a context" in denial.reason


@pytest.mark.parametrize(
    "text",
    [
        "SELECT most_common_vals FROM pg_catalog.pg_stats", "SELECT data FROM pg_largeobject",
        "SELECT query FROM pg_stat_activity", "SELECT lo_get(1)",
        "SELECT loread(lo_open(1, 2), 3)",
    ],
)  # fmt: skip
def test_so_do_the_systems_relations_and_functions_that_show_values(text: str) -> None:
    policies = replace(PLAIN, require_context=REQUIRED)
    catalog = replace(
        CATALOG,
        system_functions=CATALOG.system_functions | {"lo_get", "lo_open", "loread"},
        system_columns={
            **CATALOG.system_columns,
            ("pg_catalog", "pg_stats"): ("most_common_vals",), ("pg_catalog", "pg_largeobject"): ("data",),
        },
    )  # fmt: skip
    denial = Governor(EffectivePolicy("shop", policies, None, 7), catalog, KEY).decide(text, ("public",)).denial
    assert denial is not None
    assert denial.rule == "guardrails.requireContext"


def test_so_does_code_of_the_databases_own() -> None:
    denial = governor(replace(PLAIN, require_context=REQUIRED)).decide("SELECT public.jot()").denial
    assert denial is not None
    assert denial.rule == "guardrails.requireContext"


@pytest.mark.parametrize("text", FREE)
def test_what_only_looks_after_a_session_needs_none(text: str) -> None:
    policies = replace(MASKING, require_context=REQUIRED)
    assert governor(policies).decide(text, ("public",)).action is not Action.DENY


def test_where_it_is_only_observed_it_is_told() -> None:
    decision = governor(None, replace(MASKING, require_context=REQUIRED)).decide(NEED[0], ("public",))
    assert (decision.action, decision.observed) == (Action.ALLOW, Action.DENY)
    assert decision.denial is not None
    assert decision.denial.rule == "guardrails.requireContext"
