"""A row that a policy filters out is as if it were not there: for results, their order, errors and counts."""

from __future__ import annotations

import pytest
from tests.core.sql.twins.filtered_world import POLICY, make_filtered_twins
from tests.core.sql.twins.world import Mode, Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.decision import Action

MODES: tuple[Mode, ...] = ("simple", "extended", "binary")

READS = {
    "all": "SELECT * FROM orders",
    "counted": "SELECT count(*), sum(amount), min(id), max(at) FROM orders",
    "one that is hidden": "SELECT * FROM orders WHERE id = 1000",
    "one of the other": "SELECT id FROM orders WHERE id = 2000",
    "the first": "SELECT id FROM orders LIMIT 3",
    "the first by an index": "SELECT id FROM orders WHERE amount >= 0 LIMIT 3",
    "grouped": "SELECT region, count(*) FROM orders GROUP BY region",
    "distinct": "SELECT DISTINCT region FROM orders",
    "exists": "SELECT EXISTS (SELECT FROM orders WHERE region = 'us')",
    "whole rows": "SELECT o FROM orders o WHERE id < 4",
    "aggregated in order": "SELECT array_agg(id) FROM orders",
    "numbered": "SELECT id, row_number() OVER () FROM orders",
    "joined": "SELECT o.id, c.name FROM orders o JOIN customer c ON c.id = o.customer",
    "joined left": "SELECT c.id, count(o.id) FROM customer c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id",
    "joined full": "SELECT count(*) FROM orders o FULL JOIN customer c ON c.id = o.customer",
    "joined to what refers to it": "SELECT l.id, o.region FROM line l LEFT JOIN orders o ON o.id = l.orders ORDER BY 1",
    "divided by what is hidden": "SELECT id FROM orders WHERE 1000 / amount > 10 ORDER BY id",
    "divided, summed": "SELECT sum(amount) FROM orders WHERE 1000 / amount > 10",
    "divided, counted": "SELECT count(*) FROM orders WHERE 100 / (amount - 77) < 5",
    "divided in the output": "SELECT 1000 / amount FROM orders",
    "divided in a sum": "SELECT sum(1000 / amount) FROM orders",
    "divided in the order": "SELECT id FROM orders ORDER BY 1000 / amount",
    "divided in groups": "SELECT 1000 / amount, count(*) FROM orders GROUP BY 1",
    "divided in a join": "SELECT o.id FROM orders o JOIN plain p ON p.n = 1000 / o.amount",
    "divided in an outer join": "SELECT p.id, o.id FROM plain p LEFT JOIN orders o ON p.n = 1000 / o.amount",
    "divided within": "SELECT id FROM (SELECT id, 1000 / amount AS y FROM orders) s WHERE y > 10 ORDER BY id",
    "divided in HAVING": "SELECT amount FROM orders GROUP BY amount HAVING 1000 / amount > 10",
    "divided in a table of WITH": "WITH s AS (SELECT id, 1000 / amount AS y FROM orders) SELECT id FROM s WHERE y > 10",
    "divided in EXISTS": "SELECT id FROM plain p WHERE EXISTS (SELECT FROM orders WHERE 1000 / amount = p.n)",
    "divided in IN": "SELECT id FROM plain WHERE n IN (SELECT 1000 / amount FROM orders)",
    "divided in CASE": "SELECT sum(CASE WHEN amount = 0 THEN 1 / amount ELSE 0 END) FROM orders",
    "a pattern that is none": "SELECT id FROM orders WHERE 'x' !~ card ORDER BY id",
    "a pattern that is none, counted": "SELECT count(*) FROM orders WHERE 'x' !~ card",
    "cast": "SELECT id FROM orders WHERE card::int > 0 ORDER BY id",
    "cast in a count": "SELECT count(*) FROM orders WHERE card::bigint > 5",
    "a json that is no object": "SELECT count(*) FROM orders WHERE jsonb_object_keys(extra) = 'a'",
    "a root of a negative": "SELECT count(*) FROM orders WHERE sqrt(amount - 5) > 1",
    "called for each": "SELECT count(*) FROM orders WHERE random() < 2",
    "of a stored one with a filter": "SELECT * FROM customer ORDER BY born, id",
    "partitions": "SELECT id, n FROM event",
    "partitions one by one": "SELECT id FROM event_new",
    "a partition divided": "SELECT count(*) FROM event WHERE 10 / n > 1",
    "a union": "SELECT id FROM orders UNION SELECT id FROM event",
    "except": "SELECT n FROM plain EXCEPT SELECT id FROM orders",
    "for update": "SELECT id FROM orders WHERE id < 5 FOR UPDATE",
    "copied": "COPY orders TO STDOUT",
    "copied, some": "COPY orders (id, amount) TO STDOUT",
    "copied, a query": "COPY (SELECT id FROM orders WHERE 100 / amount > 1) TO STDOUT",
    "a row's place": "SELECT id FROM orders ORDER BY id OFFSET 35",
    "a lateral": "SELECT p.id, o.id FROM plain p, LATERAL (SELECT id FROM orders WHERE amount = p.n * 10 LIMIT 1) o",
    "recursive": "WITH RECURSIVE r AS (SELECT min(id) AS id FROM orders UNION ALL SELECT r.id + 1 FROM r, orders o"
    " WHERE o.id = r.id + 1) SELECT count(*) FROM r",
    "into another": "INSERT INTO plain SELECT id + 100, amount FROM orders WHERE 1000 / amount > 1 RETURNING id, n",
    "changing another": "UPDATE plain p SET n = o.amount FROM orders o WHERE o.id = p.id AND 1000 / o.amount > 1",
    "deleting from another": "DELETE FROM plain WHERE id IN (SELECT id FROM orders WHERE 10 / amount < 1)",
    "a setting beside": "SELECT id FROM orders WHERE at = '2030-01-01 00:00Z' ORDER BY id LIMIT 2",
    "with a parameter's place": "SELECT id FROM orders WHERE region = 'us' OR amount = 10",
    "sizes": "SELECT pg_relation_size('orders'), pg_table_size('public.customer')",
    "estimates": "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('orders', 'customer')",
    "statistics": "SELECT n_live_tup, n_tup_ins, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'orders'",
}  # fmt: skip

REFUSED = {
    "a view": ("SELECT * FROM sums", "cannot be read"),
    "a view of some": ("SELECT * FROM early", "cannot be read"),
    "a stored view": ("SELECT * FROM stored", "cannot be read"),
    "a function that reads it": ("SELECT total()", "total"),
    "where a row lies": ("SELECT ctid, id FROM orders", "ctid"),
    "a sample": ("SELECT id FROM orders TABLESAMPLE SYSTEM (50)", "TABLESAMPLE"),
    "deleting": ("DELETE FROM orders WHERE id = 1000", "cannot be written to"),
    "changing": ("UPDATE orders SET amount = 1 WHERE region = 'us'", "cannot be written to"),
    "inserting": ("INSERT INTO orders (id, region) VALUES (1000, 'eu')", "cannot be written to"),
    "inserting unless it is there": (
        "INSERT INTO orders (id, region) VALUES (1000, 'eu') ON CONFLICT DO NOTHING", "cannot be written to",
    ),
    "merging": (
        "MERGE INTO orders o USING plain p ON o.id = p.id WHEN MATCHED THEN UPDATE SET amount = 1",
        "cannot be written to",
    ),
    "emptying": ("TRUNCATE orders, line", "cannot be written to"),
    "a copy into it": ("COPY orders (id, region) FROM STDIN", "cannot be written to"),
    "a partition": ("DELETE FROM event_new WHERE id = 2000", "cannot be written to"),
    "what refers to one": ("INSERT INTO line (id, orders) VALUES (500, 1000)", "would be looked for in public.orders"),
    "what refers to one, changed": ("UPDATE line SET orders = 1000 WHERE id = 1", "would be looked for"),
    "what one refers to": ("DELETE FROM customer WHERE id = 1", "cannot be written to"),
    "a view by it": ("CREATE VIEW mine AS SELECT * FROM orders", "create"),
    "a plan": ("EXPLAIN ANALYZE SELECT * FROM orders", "EXPLAIN"),
}  # fmt: skip


@pytest.fixture(scope="module")
def twins(postgres: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres, "filtered")


@pytest.fixture(scope="module")
def twins15(postgres15: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres15, "filtered")


def check(twins: Twins, text: str) -> None:
    decision = twins.governor(POLICY).decide(text, ("public",))
    assert decision.action is Action.REWRITE, decision.denial
    for mode in MODES:
        left, right = twins.run(decision, mode)
        assert left == right


@pytest.mark.parametrize("name", READS)
def test_a_filtered_row_is_as_if_it_were_not_there(twins: Twins, name: str) -> None:
    check(twins, READS[name])


@pytest.mark.parametrize("name", READS)
def test_nor_on_postgresql_15(twins15: Twins, name: str) -> None:
    check(twins15, READS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_tell_of_one_is_refused(twins: Twins, name: str) -> None:
    text, word = REFUSED[name]
    denial = twins.governor(POLICY).decide(text, ("public",)).denial
    assert denial is not None
    assert word in denial.reason
    assert denial.remedy
