"""Numbers of sequences where some number masked columns: none of these, by whatever way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, MASKING, reason, table

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog.model import Catalog, Relation, Routine
from penstock_core.sql.decision import Decision
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
        system_functions=frozenset({"nextval", "currval", "lastval", "setval"}),
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
