"""What may be written to beside rows that a policy filters out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql.test_governor import KEY, table, text_column

from penstock_core.policy.effective import EffectivePolicy, PolicySet, RowFilter, Rule
from penstock_core.sql.catalog.model import Cascade, Catalog, Constraint, Relation
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

ORDERS = replace(table("public", "orders", "id", "region"), referenced=frozenset({"id"}))
ID = ("public", "orders", "id")
CUSTOMERS = replace(table("public", "customers", "id", "name"), referenced=frozenset({"id"}))


def child(name: str, *, of: Relation, spared: bool = True) -> Relation:
    source = (*of.key, "id")
    key = Constraint("f", frozenset({"of"}), name=f"{name}_of", spared_without=frozenset({"of"} if spared else ()))
    return replace(
        table("public", name, "id"),
        columns=(text_column("id"), text_column("note"), text_column("of", derives_from=frozenset({source}))),
        constraints=(key,),
    )


LINES = child("lines", of=ORDERS)
STRICT = child("strict", of=ORDERS, spared=False)
# A filtered relation that refers to one that is not.
VISITS = replace(child("visits", of=CUSTOMERS), columns=(*child("visits", of=CUSTOMERS).columns, text_column("region")))
OWNERS = replace(
    table("public", "owners", "id"), referenced=frozenset({"id"}),
    cascades=(Cascade(("public", "orders"), frozenset({"id"}), on_delete=True, on_update=True),),
)  # fmt: skip
WORLD = Catalog(relations={one.key: one for one in (ORDERS, CUSTOMERS, LINES, STRICT, VISITS, OWNERS)})
POLICIES = PolicySet(
    ("p",), frozenset({"select", "insert", "update", "delete", "truncate"}),
    row_filters=(
        RowFilter(("public", "orders"), "region = 'eu'", Rule("p", "rowFilters[0]")),
        RowFilter(("public", "visits"), "region = 'eu'", Rule("p", "rowFilters[1]")),
    ),
)  # fmt: skip


def decide(text: str) -> Decision:
    return Governor(EffectivePolicy("shop", POLICIES, None, 1), WORLD, KEY).decide(text, ("public",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("INSERT INTO lines (id, of) VALUES ('1', '2')", "(foreign key lines_of)"),
        (
            "INSERT INTO lines VALUES ('1', 'n', '2')",
            "a value of of in public.lines would be looked for in public.orders",
        ),
        ("UPDATE lines SET of = '2'", "would be looked for in public.orders"),
        ("INSERT INTO strict (id) VALUES ('1')", "would be looked for in public.orders"),
        ("DELETE FROM customers WHERE id = '1'", "depends on the rows of public.visits that refer to it"),
        ("UPDATE customers SET id = '2'", "depends on the rows of public.visits"),
        ("DELETE FROM owners WHERE id = '1'", "public.orders (written to through public.owners) cannot be written to"),
        ("UPDATE owners SET id = '1'", "public.orders (written to through public.owners) cannot be written to"),
    ],
)
def test_nothing_is_written_that_tells_of_a_filtered_row(text: str, words: str) -> None:
    denial = decide(text).denial
    assert denial is not None
    assert words in denial.reason
    assert "ask someone for whom" in denial.remedy


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO lines (id) VALUES ('1')", "UPDATE lines SET note = 'x'", "DELETE FROM lines WHERE of = '1'",
        "UPDATE customers SET name = 'x'", "INSERT INTO customers VALUES ('1', 'x')", "UPDATE strict SET note = 'x'",
    ],
)  # fmt: skip
def test_all_else_is(text: str) -> None:
    assert decide(text).action is not Action.DENY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ALTER TABLE customers ADD FOREIGN KEY (name) REFERENCES orders (id)", "a foreign key to public.orders"),
        ("CREATE TABLE fresh (of text REFERENCES orders (id))", "a foreign key to public.orders"),
        (
            "ALTER TABLE lines VALIDATE CONSTRAINT lines_of",
            "rows of it would be looked for in public.orders (foreign key lines_of)",
        ),
        ("ALTER TABLE orders VALIDATE CONSTRAINT positive", "a change of public.orders"),
        ("CREATE TABLE fresh (LIKE orders INCLUDING ALL)", "a table LIKE public.orders"),
        ("CREATE STATISTICS s ON id, region FROM orders", "a change of public.orders"),
        ("CREATE TABLE fresh (of text REFERENCES customers (id))", ""),
        ("ALTER TABLE customers VALIDATE CONSTRAINT positive", ""),
        ("CREATE TABLE fresh (LIKE customers)", ""),
    ],
)
def test_the_schema_is_changed_beside_them_where_that_looks_at_none(text: str, words: str) -> None:
    policies = replace(POLICIES, allow=POLICIES.allow | {"create", "alter"})
    decision = Governor(EffectivePolicy("shop", policies, None, 1), WORLD, KEY).decide(text, ("public",))
    assert (decision.action is Action.DENY) is bool(words), decision.denial
    assert decision.denial is None or words in decision.denial.reason


KEYS = frozenset({"tenant", "id"})
ACCOUNTS = replace(
    table("public", "accounts", "tenant", "id", "region", "code"),
    columns=(
        text_column("tenant"), text_column("id"), text_column("region"), text_column("code"),
        text_column("whole", generated=True, derives_from=frozenset({("public", "accounts", "code")})),
    ),
    constraints=(
        Constraint("p", KEYS, name="accounts_pkey", equal_by=KEYS),
        Constraint("u", frozenset({"code"}), name="accounts_code"),
    ),
)  # fmt: skip


def decide_accounts(text: str, *filters: tuple[str, bool], relation: Relation = ACCOUNTS) -> Decision:
    rules = tuple(
        RowFilter(relation.key, where, Rule("p", f"rowFilters[{place}]"), reveals)
        for place, (where, reveals) in enumerate(filters)
    )
    policies = PolicySet(("p",), frozenset({"select", "insert", "update", "delete", "truncate"}), row_filters=rules)
    world = Catalog(relations={relation.key: relation, CUSTOMERS.key: CUSTOMERS})
    return Governor(EffectivePolicy("shop", policies, None, 1), world, KEY).decide(text, ("public",))


OWN = ("tenant = '5'", False)
PLAIN = replace(ACCOUNTS, constraints=ACCOUNTS.constraints[:1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("INSERT INTO accounts (tenant, id) VALUES ('5', '1')", "unique constraint accounts_code"),
        ("UPDATE accounts SET code = '1'", "unique constraint accounts_code"),
        ("UPDATE accounts SET id = '1'", ""),
        ("DELETE FROM accounts", ""),
        ("INSERT INTO accounts (tenant) VALUES ('5') ON CONFLICT (id) DO UPDATE SET code = '1'", "accounts_code"),
        ("TRUNCATE accounts", "TRUNCATE on public.accounts"),
        ("MERGE INTO accounts a USING customers c ON a.id = c.id WHEN MATCHED THEN DELETE", "MERGE on public.accounts"),
        ("COPY accounts (tenant, id) FROM STDIN", "COPY on public.accounts"),
    ],
)
def test_a_filtered_table_is_written_to_where_no_key_tells(text: str, words: str) -> None:
    denial = decide_accounts(text, OWN).denial
    assert (denial.reason if denial is not None else "").count(words) == 1 if words else denial is None


def test_a_key_with_all_that_the_filter_looks_at_tells_of_no_other_rows() -> None:
    insert = "INSERT INTO accounts (tenant, region, id) VALUES ('5', 'eu', '1')"
    assert decide_accounts(insert, OWN, relation=PLAIN).action is Action.REWRITE
    both = decide_accounts(insert, ("tenant = '5' AND region = 'eu'", False), relation=PLAIN)
    assert both.denial is not None
    assert "primary key accounts_pkey" in both.denial.reason
    assert "uniqueness: reveal" in both.denial.remedy
    loose = replace(PLAIN, columns=tuple(replace(one, collation="public.loose") for one in PLAIN.columns))
    assert decide_accounts(insert, OWN, relation=loose).action is Action.DENY


def test_one_that_compares_in_another_way_may() -> None:
    loose = replace(PLAIN, constraints=(Constraint("i", KEYS, name="accounts_index"),))
    denial = decide_accounts("INSERT INTO accounts (tenant, id) VALUES ('5', '1')", OWN, relation=loose).denial
    assert denial is not None
    assert "unique index accounts_index" in denial.reason


def test_keys_may_tell_where_each_filter_says_so() -> None:
    insert = "INSERT INTO accounts (tenant, region, id) VALUES ('5', 'eu', '1')"
    assert decide_accounts(insert, ("tenant = '5'", True), ("region = 'eu'", True)).action is Action.REWRITE
    assert decide_accounts(insert, ("tenant = '5'", True), ("region = 'eu'", False)).action is Action.DENY


def test_what_the_database_computes_is_not_checked() -> None:
    denial = decide_accounts("UPDATE accounts SET code = '1'", ("whole = 'x'", True)).denial
    assert denial is not None
    assert "whole decides which rows of public.accounts a policy filters out, and the database computes it" in (
        denial.reason
    )
    assert decide_accounts("UPDATE accounts SET region = '1'", ("whole = 'x'", True)).action is Action.REWRITE
    assert decide_accounts("INSERT INTO accounts (code) VALUES ('x')", ("whole = 'x'", True)).action is Action.DENY


def test_references_may_be_told_of_where_a_filter_says_so() -> None:
    filters = tuple(replace(one, reveals_uniqueness=True) for one in POLICIES.row_filters)
    policy = EffectivePolicy("shop", replace(POLICIES, row_filters=filters), None, 1)
    governor = Governor(policy, WORLD, KEY)
    for text in ("INSERT INTO lines (id, of) VALUES ('1', '2')", "DELETE FROM customers WHERE id = '1'"):
        assert governor.decide(text, ("public",)).denial is None
    led = governor.decide("DELETE FROM owners WHERE id = '1'", ("public",)).denial
    assert led is not None
    assert "(written to through public.owners) cannot be written to" in led.reason


def tenants_world(*, condition: str = "tenant = '5'", crossed: bool = False, twice: bool = False) -> Governor:
    """A filtered table that refers to another one by its tenant and a number."""
    forum = replace(table("public", "forum", "tenant", "id"), referenced=frozenset({"tenant", "id"}))
    ends = ("id", "tenant") if crossed else ("tenant", "id")
    columns = tuple(
        text_column(name, derives_from=frozenset({("public", "forum", end)}))
        for name, end in zip(("tenant", "forum"), ends, strict=True)
    )
    keys = [Constraint("f", frozenset({"tenant", "forum"}), name="reply_forum")]
    if twice:
        keys.append(Constraint("f", frozenset({"tenant"}), name="reply_again"))
    reply = replace(table("public", "reply", "tenant"), columns=(*columns, text_column("n")), constraints=tuple(keys))
    filters = (
        RowFilter(("public", "forum"), "tenant = '5'", Rule("p", "rowFilters[0]")),
        RowFilter(("public", "reply"), condition, Rule("p", "rowFilters[1]")),
    )
    policies = PolicySet(("p",), frozenset({"select", "insert", "update", "delete"}), row_filters=filters)
    catalog = Catalog(relations={one.key: one for one in (forum, reply)})
    return Governor(EffectivePolicy("shop", policies, None, 1), catalog, KEY)


SENT = ("INSERT INTO reply (tenant, forum) VALUES ('5', '1')", "UPDATE reply SET forum = '1'", "DELETE FROM forum")


@pytest.mark.parametrize("text", SENT)
def test_keys_by_what_both_are_filtered_by_stay_among_the_rows_that_are_there(text: str) -> None:
    assert tenants_world().decide(text, ("public",)).denial is None


@pytest.mark.parametrize("text", SENT)
@pytest.mark.parametrize("world", [{"condition": "tenant = '6'"}, {"crossed": True}, {"twice": True}])
def test_other_keys_may_lead_to_others(text: str, world: dict[str, Any]) -> None:
    denial = tenants_world(**world).decide(text, ("public",)).denial
    assert denial is not None
    assert "reveal" in denial.remedy
