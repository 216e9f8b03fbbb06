"""What becomes of statements that read relations with an order hazard: their texts, completed."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Column, Constraint, Index, Relation
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor


def column(name: str, kind: str = "int4", *, not_null: bool = False) -> Column:
    return Column(name, f"pg_catalog.{kind}", f"pg_catalog.{kind}", f"pg_catalog.{kind}", "N", not_null=not_null)


PERSON = Relation(
    "public",
    "person",
    "r",
    (column("id", not_null=True), column("tenant"), column("email", "text"), column("made"), column("score", "float8")),
    primary_key=("id",),
    constraints=(Constraint("p", frozenset({"id"})),),
    indexes=(Index("person_mail", frozenset({"tenant", "email"})),),
)
SUBSTITUTE = (
    "(SELECT id AS id, tenant AS tenant, CAST('***' AS pg_catalog.text) AS email, made AS made, score AS score"
    " FROM public.person) AS person"
)
ITEM = Relation(
    "public",
    "item",
    "r",
    (column("id", not_null=True), column("person"), column("code", "text")),
    primary_key=("id",),
)
POLICIES = PolicySet(
    policies=("p",),
    allow=frozenset({"select", "insert", "update", "delete"}),
    masks=(MaskRule(("public.person.email",), Mask("redact", Rule("p", "masks[0]"))),),
)


def rewritten(text: str, *relations: Relation, policies: PolicySet = POLICIES) -> str:
    catalog = Catalog({one.key: one for one in relations or (PERSON, ITEM)})
    decision = Governor(EffectivePolicy("shop", policies, None), catalog, b"k" * 16).decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    return decision.text.replace(SUBSTITUTE, "person")


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("SELECT id FROM person", "SELECT id FROM person ORDER BY person.id"),
        ("SELECT id FROM person ORDER BY made DESC", "SELECT id FROM person ORDER BY made DESC, person.id"),
        (
            "SELECT person.id AS made FROM person ORDER BY made LIMIT 3",
            "SELECT person.id AS made FROM person ORDER BY made LIMIT 3",
        ),
        (
            "SELECT i.code FROM item i JOIN person ON person.id = i.person LIMIT 3",
            "SELECT i.code FROM public.item AS i JOIN person ON person.id = i.person ORDER BY i.id LIMIT 3",
        ),
        (
            "SELECT i.code FROM item i LEFT JOIN person ON person.id = i.person ORDER BY i.person, i.id",
            "SELECT i.code FROM public.item AS i LEFT JOIN person ON person.id = i.person ORDER BY i.person, i.id",
        ),
        (
            "SELECT i.code FROM item i FULL JOIN person ON person.id = i.person",
            "SELECT i.code FROM public.item AS i FULL JOIN person ON person.id = i.person ORDER BY i.id, person.id",
        ),
        (
            "SELECT row_number() OVER w, rank() OVER w FROM person WINDOW w AS (PARTITION BY tenant ORDER BY made)"
            " ORDER BY id",
            "SELECT pg_catalog.row_number() OVER (PARTITION BY tenant ORDER BY made, person.id), pg_catalog.rank() OVER"
            " w FROM person WINDOW w AS (PARTITION BY tenant ORDER BY made) ORDER BY id",
        ),
        (
            "SELECT tenant, array_agg(id ORDER BY made DESC) FROM person GROUP BY tenant",
            "SELECT tenant, pg_catalog.array_agg(id ORDER BY made DESC, person.id) FROM person GROUP BY tenant ORDER BY"
            " person.tenant",
        ),
        (
            "SELECT id % 3 AS tenant, count(*) FROM person GROUP BY tenant, 1",
            "SELECT id % 3 AS tenant, pg_catalog.count(*) FROM person GROUP BY tenant, 1 ORDER BY person.tenant, 1",
        ),
        (
            "SELECT sum(made), avg(made + 1) FROM person",
            "SELECT pg_catalog.sum(made), pg_catalog.avg(made + 1) FROM person",
        ),
        ("SELECT sum(score) FROM person", "SELECT pg_catalog.sum(score ORDER BY person.id) FROM person"),
        (
            "SELECT json_agg(s) FROM (SELECT id FROM person ORDER BY made) s",
            "SELECT pg_catalog.json_agg(s) FROM (SELECT id FROM person ORDER BY made, person.id) AS s",
        ),
        (
            "SELECT n FROM (SELECT tenant, count(*) AS n FROM person GROUP BY tenant) s LIMIT 1",
            "SELECT n FROM (SELECT tenant, pg_catalog.count(*) AS n FROM person GROUP BY tenant) AS s ORDER BY s.tenant"
            " LIMIT 1",
        ),
        (
            "SELECT DISTINCT tenant, made FROM person ORDER BY made",
            "SELECT DISTINCT tenant, made FROM person ORDER BY made, 1, 2",
        ),
        (
            "SELECT DISTINCT ON (tenant) tenant, id FROM person ORDER BY tenant, made DESC",
            "SELECT DISTINCT ON (tenant) tenant, id FROM person ORDER BY tenant, made DESC, person.id",
        ),
        (
            "SELECT id FROM person UNION ALL SELECT 1 ORDER BY id LIMIT 2",
            "SELECT * FROM ((SELECT id FROM person) UNION ALL (SELECT 1)) AS penstock_rows ORDER BY id,"
            " ROW(penstock_rows.*) USING OPERATOR(pg_catalog.*<) LIMIT 2",
        ),
        (
            "DELETE FROM person WHERE tenant = 5 RETURNING id",
            "WITH penstock_rows AS (DELETE FROM public.person WHERE tenant = 5 RETURNING id) SELECT * FROM"
            " penstock_rows ORDER BY ROW(penstock_rows.*) USING OPERATOR(pg_catalog.*<)",
        ),
    ],
)  # fmt: skip
def test_orders_are_completed_behind_what_the_client_sorts_by(text: str, completed: str) -> None:
    plain = rewritten(text, policies=replace(POLICIES, row_order="unspecified"))
    assert rewritten(text) == completed
    if "LIMIT 3" in text and "ORDER BY" in text:
        assert plain == completed


def test_ties_stay_ties() -> None:
    text = rewritten("SELECT id FROM person ORDER BY made FETCH FIRST 2 ROWS WITH TIES")
    assert text.endswith("ORDER BY made FETCH FIRST (2) ROWS WITH TIES")
    assert "ORDER BY person.id) AS person" in text


def test_without_a_key_all_that_shows_is_sorted_by() -> None:
    keyless = replace(PERSON, primary_key=(), constraints=())
    assert rewritten("SELECT made FROM person", keyless).endswith(
        "ORDER BY ROW(person.*) USING OPERATOR(pg_catalog.*<)"
    )
    unique = replace(keyless, constraints=(Constraint("u", frozenset({"id"})),))
    assert rewritten("SELECT made FROM person", unique).endswith("ORDER BY person.id")
    nullable = replace(keyless, constraints=(Constraint("u", frozenset({"made"})),))
    assert rewritten("SELECT made FROM person", nullable).endswith("*<)")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT made FROM person WHERE id = $1",
        "SELECT made FROM person WHERE (tenant = 5) AND (7 = person.id)",
        "SELECT made FROM person WHERE id = CAST('7' AS pg_catalog.int8)",
        "UPDATE public.person SET made = 1 WHERE id = 7 RETURNING made",
        "UPDATE public.person SET made = 1 WHERE tenant = 5",
        "SELECT 1 FROM person WHERE tenant = 5 LIMIT 1",
        "SELECT id, code FROM public.item LIMIT 3",
    ],
)
def test_where_no_order_can_show_nothing_is_added(text: str) -> None:
    assert rewritten(text) == text


@pytest.mark.parametrize(
    "condition",
    ["id = 7 OR tenant = 5", "id > 7", "id IN (7, 8)", "id = ANY ($1)", "id = tenant", "id = made + 1", "NOT id = 7"],
)
def test_what_pins_no_single_row_is_sorted(condition: str) -> None:
    assert rewritten(f"SELECT made FROM person WHERE {condition}").endswith("ORDER BY person.id")


def test_joins_of_very_many_read_sorted_sources_and_keep_nobody_busy() -> None:
    sources = ", ".join(f"person p{n}" for n in range(900))
    conditions = " AND ".join(f"p{n}.id = p{n - 1}.made" for n in range(1, 900))
    began = time.process_time()
    text = rewritten(f"SELECT p0.id FROM {sources} WHERE {conditions} LIMIT 1")
    assert time.process_time() - began < 10
    assert "ORDER BY p899.id" in text


def test_it_is_a_policys_choice() -> None:
    open_order = replace(POLICIES, row_order="unspecified")
    assert rewritten("SELECT made FROM person LIMIT 1", policies=open_order) == "SELECT made FROM person LIMIT 1"


def test_what_a_window_is_given_is_called_before_the_rows_are_sorted() -> None:
    fence = "ORDER BY person.id OFFSET 0"
    assert fence not in rewritten("SELECT id, clock_timestamp() FROM person")
    for windowed in ("rank() OVER (ORDER BY clock_timestamp())", "max(nextval('s')) OVER ()"):
        assert fence in rewritten(f"SELECT id, {windowed} FROM person")
