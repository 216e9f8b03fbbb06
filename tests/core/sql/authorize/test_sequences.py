"""Numbers of sequences where some number masked columns: none of these, by whatever way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, MASKING, reason, table

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog, Relation, Routine
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

EMAIL = ("public", "people", "email")
WRITING = replace(MASKING, allow=frozenset({"select", "insert", "update", "create"}), require_where=())


def sequence(schema: str, name: str, *numbered: tuple[str, str, str]) -> Relation:
    made = table(schema, name, "last_value", "log_cnt", "is_called")
    columns = tuple(replace(one, derives_from=frozenset(numbered)) for one in made.columns)
    return replace(made, kind="S", columns=columns)


PEOPLE = table("public", "people", "id", "email")
MASKED, PLAIN = sequence("public", "people_email_seq", EMAIL), sequence("public", "orders_id_seq")
ROUTINES = {
    "plain": "SELECT nextval('orders_id_seq')",
    "take": "SELECT nextval('public.people_email_seq')",
    "tell": "SELECT lastval()",
    "any_of": "SELECT nextval($1::regclass)",
    "bare": "SELECT currval('people_email_seq'::regclass)",
}


def decide(text: str, *relations: Relation) -> Decision:
    routines = {("app", name): (Routine("app", name, "f", "sql", body),) for name, body in ROUTINES.items()}
    catalog = Catalog(
        relations={one.key: one for one in (PEOPLE, PLAIN, *relations)}, routines=routines, search_path=("public",),
        user_functions=dict.fromkeys(ROUTINES, ("app",)),
        system_functions=frozenset({"nextval", "currval", "lastval", "setval", "pg_get_sequence_data"}),
    )  # fmt: skip
    return Governor(EffectivePolicy("shop", WRITING, None), catalog, KEY).decide(text, ("public",))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT nextval('people_email_seq')",
        "SELECT nextval('public.people_email_seq'::regclass)",
        "SELECT pg_catalog.currval('\"people_email_seq\"'::text)",
        "SELECT currval('PUBLIC.People_Email_Seq')",
        "SELECT nextval('16384'::regclass)",
        "SELECT nextval('people' || '_email_seq')",
        "SELECT nextval(pg_get_serial_sequence('people', 'email'))",
        "SELECT nextval($1)",
        "SELECT ('people_email_seq'::regclass).nextval",
        "SELECT lastval()",
        "INSERT INTO people (id) VALUES (nextval('people_email_seq'))",
        "CREATE TEMP TABLE t (n int DEFAULT nextval('people_email_seq'))",
        "SELECT app.take()",
        "SELECT app.tell()",
        "SELECT app.any_of('s')",
        "SELECT app.bare()",
    ],
)
def test_what_may_tell_a_number_of_a_masked_column_is_refused(text: str) -> None:
    assert "public.people_email_seq" in reason(decide(text, MASKED))
    assert "numbers a masked column" in reason(decide(text, MASKED))
    assert decide(text).denial is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT nextval('orders_id_seq'), currval('public.orders_id_seq'::regclass)",
        "SELECT nextval('other.people_email_seq')",
        "SELECT app.plain()",
        "SELECT setval('orders_id_seq', 5)",
        "SELECT last_value FROM people_email_seq",
    ],
)
def test_other_sequences_are_as_good_as_ever(text: str) -> None:
    assert decide(text, MASKED).denial is None


def test_a_sequence_of_a_masked_column_shows_as_one_that_is_new() -> None:
    text = decide("SELECT * FROM people_email_seq", MASKED).text
    assert "FROM pg_catalog.pg_sequence WHERE seqrelid OPERATOR(pg_catalog.=) public.people_email_seq.tableoid" in text
    assert "CAST(0 AS pg_catalog.int8) AS log_cnt, false AS is_called" in text or "0::bigint" in text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT seqrelid, last_value FROM pg_sequence, pg_get_sequence_data(seqrelid)",
        "SELECT d.last_value FROM pg_catalog.pg_get_sequence_data('people_email_seq') AS d (last_value, is_called)",
        "SELECT last_value FROM people o JOIN LATERAL pg_get_sequence_data(o.id) ON true",
    ],
)
def test_what_a_sequence_is_at_is_told_but_for_those_of_masked_columns(text: str) -> None:
    decision = decide(text, MASKED)
    assert decision.action is Action.REWRITE
    assert "n.nspname OPERATOR(pg_catalog.=) 'public'" in decision.text
    assert "c.relname OPERATOR(pg_catalog.=) 'people_email_seq'" in decision.text
    assert "seqstart" not in decide(text).text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_get_sequence_data('orders_id_seq')",
        "SELECT (pg_get_sequence_data('people_email_seq')).last_value",
        "SELECT 1 FROM ROWS FROM (pg_get_sequence_data('people_email_seq'), generate_series(1, 2)) r",
        "SELECT 1 FROM pg_get_sequence_data('people_email_seq') WITH ORDINALITY",
        "SELECT 1 FROM pg_get_sequence_data(relation => 'people_email_seq')",
        "SELECT 1 FROM pg_get_sequence_data('people_email_seq', 'more')",
        "SELECT 1 FROM people WHERE pg_get_sequence_data('people_email_seq') IS NOT NULL",
        "SELECT ('people_email_seq'::regclass).pg_get_sequence_data",
    ],
)
def test_what_a_sequence_is_at_is_asked_in_from_alone(text: str) -> None:
    assert reason(decide(text, MASKED)) == (
        "function pg_get_sequence_data may be called in FROM alone where columns are masked"
    )
