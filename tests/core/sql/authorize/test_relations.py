"""Relations that are read: replaced, qualified, refused; the system's own by a list; COPY and samples like queries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKED, MASKING, PLAIN, decide, governor, reason, table

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("SELECT 1 FROM people AS p (key)", f"SELECT 1 FROM {MASKED} AS p (key)"),
        ("SELECT 1 FROM ONLY people", f"SELECT 1 FROM {MASKED.replace('FROM ', 'FROM ONLY ')} AS people"),
        ("SELECT (SELECT max(email) FROM people)",
         f"SELECT (SELECT pg_catalog.max(email) FROM {MASKED} AS people)"),
        ("WITH people AS (SELECT id FROM people) SELECT id FROM people",
         f"WITH people AS (SELECT id FROM {MASKED} AS people) SELECT id FROM people"),
        ("COPY people TO STDOUT", f"COPY {MASKED} TO STDOUT"),
    ],
)  # fmt: skip
def test_wherever_it_is_read_the_masked_columns_are_read(text: str, rewritten: str) -> None:
    decision = decide(text)
    masked = MASKED.replace("FROM ", "FROM ONLY ")
    assert decision.text in (rewritten, rewritten.replace(MASKED, masked))
    assert decision.masked == ("public.people.email",)
    assert decision.redact_errors


def test_columns_that_are_copied_are_those_that_are_named() -> None:
    decision = decide("COPY people (name, email) TO STDOUT")
    assert "(SELECT name AS name, CAST('***' AS pg_catalog.text) AS email FROM" in decision.text
    assert "phone" in reason(decide("COPY people (phone) TO STDOUT"))


def test_a_relation_that_can_not_be_read_says_why() -> None:
    filtering = replace(table("public", "v", "id"), kind="v", filters=frozenset({("public", "people", "email")}))
    catalog = replace(CATALOG, relations={filtering.key: filtering, **CATALOG.relations})
    judge = Governor(EffectivePolicy("shop", MASKING, None), catalog, KEY)
    for text in ("SELECT id FROM v", "COPY v TO STDOUT", "SELECT 1 FROM people WHERE EXISTS (TABLE v)"):
        denial = judge.decide(text, ("public",)).denial
        assert denial is not None
        assert denial.reason.startswith("public.v cannot be read: ")


@pytest.mark.parametrize(
    ("text", "masked", "plain"),
    [
        ("SELECT relname FROM pg_class", True, True),
        ("SELECT * FROM pg_class", False, True),
        ("SELECT x FROM pg_class AS c (x)", False, True),
        ("COPY pg_class TO STDOUT", False, True),
        ("COPY pg_namespace TO STDOUT", True, True),
        ("SELECT 1 FROM pg_locks", False, True),
        ("SELECT 1 FROM pg_authid", False, False),
        ("COPY pg_authid TO STDOUT", False, False),
        ("SELECT 1 FROM pg_stat_activity", True, True),
        ("SELECT 1 FROM pg_toast.pg_toast_1", False, True),
    ],
)
def test_the_systems_own_are_read_by_a_list(text: str, masked: bool, plain: bool) -> None:
    assert (governor(MASKING).decide(text, ("public",)).action is not Action.DENY) is masked
    assert (governor(PLAIN).decide(text, ("public",)).action is not Action.DENY) is plain


def test_a_temporary_table_is_named_surely() -> None:
    decision = governor().decide("SELECT a FROM fresh", ("public",), temporary=frozenset({"fresh"}))
    assert decision.text == "SELECT a FROM pg_temp.fresh"
    rival = governor().decide("SELECT a FROM people", ("public",), temporary=frozenset({"people"}))
    assert reason(rival) == "people is the name of a temporary table and of public.people"


@pytest.mark.parametrize(
    ("sample", "allowed"),
    [
        ("letters TABLESAMPLE system (1)", True),
        ("letters TABLESAMPLE pg_catalog.bernoulli (1)", True),
        ("letters TABLESAMPLE public.bernoulli (1)", False),
        ("letters TABLESAMPLE mine (1)", False),
        ("public.people TABLESAMPLE system (1)", False),
    ],
)
def test_a_sample_is_of_what_masked_values_do_not_lay_out(sample: str, allowed: bool) -> None:
    assert (decide(f"SELECT 1 FROM {sample}", ("archive",)).denial is None) is allowed


def test_a_relation_that_nobody_knows_has_the_servers_words() -> None:
    for text in ("SELECT 1 FROM public.nowhere", "COPY public.nowhere TO STDOUT"):
        decision = decide(text)
        assert reason(decision) == 'relation "public.nowhere" does not exist'
        assert decision.denial is not None
        assert decision.denial.unknown_names


@pytest.mark.parametrize(
    ("text", "sqlstate", "words"),
    [
        ("COPY people (id, id) TO STDOUT", "42701", 'column "id" specified more than once'),
        ("COPY people (email, id, email) TO STDOUT", "42701", 'column "email" specified more than once'),
        ("COPY people (id, made) TO STDOUT", "42P10", 'column "made" is a generated column'),
        ("COPY people (id, nothing, id) TO STDOUT", "42703", 'column "nothing" does not exist'),
    ],
)
def test_what_copy_of_a_table_does_not_show_is_the_servers_error(text: str, sqlstate: str, words: str) -> None:
    plain = table("public", "people", "id", "email", "made")
    people = replace(plain, columns=(*plain.columns[:2], replace(plain.columns[2], generated=True)))
    catalog = Catalog(relations={people.key: people}, search_path=("public",))
    decision = Governor(EffectivePolicy("shop", MASKING, None), catalog, KEY).decide(text, ("public",))
    assert decision.denial is not None
    assert (decision.denial.sqlstate, decision.denial.reason) == (sqlstate, words)
