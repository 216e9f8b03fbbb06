"""A row that a policy filters out is as if it were not there: for results, their order, errors and counts."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import pq
from tests.core.sql.twins.filtered_world import POLICIES, POLICY, make_filtered_twins
from tests.core.sql.twins.world import Mode, Twins, see

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
    "a view": "SELECT * FROM sums",
    "a view of some": "SELECT * FROM early",
    "a view of all": "SELECT * FROM plainly",
    "a view, some of it": "SELECT public.plainly.id FROM public.plainly WHERE id < 1003",
    "a view that fails": "SELECT number FROM dear WHERE cost > 5",
    "a view that fails, shown": "SELECT * FROM dear",
    "a view that fails, counted": "SELECT count(*), count(DISTINCT buyer) FROM dear d WHERE d.cost > 5",
    "a view that is renamed": "SELECT v.a, v.buyer FROM dear AS v (a, b) WHERE b IS NOT NULL",
    "a view as a row": "SELECT v FROM plainly v WHERE v.id = 3",
    "a view over a view": "SELECT * FROM best",
    "a view without an order": "SELECT * FROM latest",
    "a view of several": "SELECT region, count(*) FROM several GROUP BY region",
    "a view that reads twice": "SELECT * FROM twice WHERE below > 3",
    "a view with masks": "SELECT * FROM people",
    "a view with masks, asked": "SELECT id FROM people WHERE secret LIKE 's%' OR loud LIKE 'S%'",
    "a view that counts": "SELECT * FROM counted",
    "a view that numbers": "SELECT * FROM ranked WHERE place < 5",
    "views joined": "SELECT e.id, p.region FROM early e JOIN plainly p USING (id) JOIN sums s ON s.region = p.region",
    "a view within": "SELECT id FROM plain WHERE n IN (SELECT number FROM dear) AND EXISTS (SELECT FROM latest)",
    "a view and a table of WITH by its name": "WITH orders AS (SELECT 1 AS id) SELECT p.id FROM plainly p, orders o"
    " WHERE p.id > o.id",
    "a view for update": "SELECT id FROM plainly WHERE id < 4 FOR UPDATE",
    "a view, copied": "COPY (SELECT * FROM plainly) TO STDOUT",
    "a view, kept": "CREATE TEMP TABLE mine AS SELECT * FROM dear; SELECT count(*), sum(cost) FROM mine",
    "a view in a cursor": "DECLARE c CURSOR FOR SELECT * FROM plainly; FETCH 3 FROM c",
    "a view, prepared": "PREPARE q AS SELECT * FROM dear WHERE cost > 5; EXECUTE q",
    "a view, lateral": "SELECT p.id, d.cost FROM plain p, LATERAL (SELECT cost FROM dear WHERE number = p.id * 10) d",
    "always failing": "SELECT count(*) FROM watched WHERE id = 100"
    " AND greatest(n, date_part('x', timestamptz '2030-01-01Z')) IS NULL",
    "always failing in a join": "SELECT count(*) FROM plain p JOIN watched w ON w.id = 100 AND p.id = 1"
    " AND greatest(w.n, date_part('x', timestamptz '2030-01-01Z')) IS NULL",
    "texts of two collations": "SELECT id FROM mixed WHERE id = 1000 AND code = name",
    "texts of two collations, listed": "SELECT id FROM mixed WHERE id = 1000 AND code IN ('x', name)",
    "texts of two collations, apart": "SELECT id FROM mixed WHERE id = 1000 AND code IS DISTINCT FROM name",
    "texts of two collations, in a row": "SELECT id FROM mixed WHERE id = 1000 AND (code, id) = (name, 1000)",
    "texts of two collations, put together": "SELECT id FROM mixed WHERE id = 1000 AND lower(code || name) = 'x'",
    "texts of two collations, hashed": "SELECT id FROM mixed WHERE id = 1000 AND hashtext(code || name) > 5",
    "texts of two collations, the greater": "SELECT id FROM mixed WHERE id = 1000 AND greatest(code, name) = 'x'",
    "texts of two collations, by cases": "SELECT id FROM mixed WHERE id = 1000 AND CASE code WHEN name THEN true END",
    "texts of two collations, around": "SELECT id FROM mixed m WHERE id = 1000 AND EXISTS (SELECT FROM plain p"
    " WHERE p.id = 1 AND m.code < m.name)",
    "texts of two collations, joined": "SELECT p.id FROM plain p JOIN mixed m ON m.id = p.id + 999 AND m.code = m.name",
    "arrays of what is not compared": "SELECT id FROM mixed WHERE id = 1000 AND tags @> '{1}'",
    "arrays that hold what is not compared": "SELECT id FROM mixed WHERE id = 1000 AND tags @> ARRAY[js]",
    "whole rows that are not compared": "SELECT id FROM mixed m WHERE id = 1000 AND m = m",
    "a json that is no jsonb": "SELECT id FROM mixed WHERE id = 1000 AND to_jsonb(js) IS NULL",
    "bytes that are no text": "SELECT id FROM mixed WHERE id = 1000 AND length(body, 'UTF8') > 1",
    "a number that is no oid": "SELECT id FROM mixed WHERE id = 1000 AND o = big",
    "a day that has no times": "SELECT id FROM mixed WHERE id = 1000 AND coalesce(day, made) IS NULL",
    "a day that has no times, the greater": "SELECT id FROM mixed WHERE id = 1000 AND greatest(day, made) IS NULL",
    "an area that is too large": "SELECT id FROM mixed WHERE id = 1000 AND area = area",
    # From the sixth time on, the plan is one for all values.
    "a parameter that does not fit": "PREPARE p (numeric) AS SELECT id FROM mixed WHERE id = 1000 AND ratio = $1;"
    + "EXECUTE p(1);" * 6
    + "EXECUTE p(1e400)",
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
    "a sequence": "SELECT last_value, is_called FROM ticket_id_seq",
    "all sequences": "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1",
    "sizes": "SELECT pg_relation_size('orders'), pg_table_size('public.customer')",
    "estimates": "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('orders', 'customer')",
    "statistics": "SELECT n_live_tup, n_tup_ins, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'orders'",
}  # fmt: skip

WRITES = {
    "changing all": "UPDATE orders SET price = 1",
    "changing some": "UPDATE orders SET price = 1 WHERE id IN (1, 2, 1000, 2000)",
    "changing a hidden one": "UPDATE orders SET price = 1 WHERE id IN (1000, 2000)",
    "changing one": "UPDATE orders SET price = 2 WHERE id = 3 RETURNING id, price",
    "changing and returning": "UPDATE orders SET price = amount + 1 RETURNING id, price",
    "changing by what fails": "UPDATE orders SET price = 1 WHERE 1000 / amount > 10",
    "changing by what fails for one": "UPDATE orders SET price = 1 WHERE id = 1000 AND 1000 / amount > 10",
    "changing by a pattern that is none": "UPDATE orders SET price = 1 WHERE 'x' ~ card AND id < 2000",
    "changing by a cast": "UPDATE orders SET price = 1 WHERE card::int > 40005 RETURNING id",
    "changing by what always fails": "UPDATE watched SET n = 1 WHERE id = 100"
    " AND greatest(n, date_part('x', timestamptz '2030-01-01Z')) IS NULL",
    "changing by another": "UPDATE orders o SET price = p.n FROM plain p WHERE p.id = o.id RETURNING o.id, p.n",
    "changing by itself": "UPDATE orders o SET price = (SELECT count(*) FROM orders i WHERE i.region = o.region)"
    " WHERE o.id < 9 RETURNING price",
    "changing by what is in another": "UPDATE orders SET price = 9 WHERE id IN (SELECT n FROM plain) RETURNING id",
    "changing by what fails in another": "UPDATE orders SET price = 9 WHERE id IN (SELECT 10 / (n - 1) FROM plain)",
    "changing by how often it is asked": "UPDATE orders SET price = 9 WHERE random() < 2 AND id >= 1000",
    "referring within the tenant": "INSERT INTO reply VALUES (5, 100, 9) RETURNING id",
    "referring to the other tenant's": "INSERT INTO reply VALUES (5, 100, 20)",
    "referring anew to the other tenant's": "UPDATE reply SET forum = 20 WHERE id = 1",
    "deleting what nobody in the tenant refers to": "DELETE FROM forum WHERE id > 7 RETURNING id",
    "deleting what the tenant refers to": "DELETE FROM forum WHERE id = 1",
    "changing a key that is referred to": "UPDATE forum SET id = 100 WHERE id IN (8, 20) RETURNING id",
    "changing by texts of two collations": "UPDATE mixed SET n = 1 WHERE id = 1000 AND code = name",
    "deleting by texts of two collations": "DELETE FROM mixed WHERE id = 1000 AND code < name",
    "changing what fails": "UPDATE orders SET amount = 100 / (amount - 77)",
    "moving within": "UPDATE orders SET region = 'uk' WHERE id = 4 RETURNING region",
    "moving out": "UPDATE orders SET region = 'us' WHERE id = 4",
    "moving out by another": "UPDATE orders o SET state = 'void' FROM plain p WHERE p.id = o.id AND p.id = 2",
    "moving none out": "UPDATE orders SET region = 'us' WHERE id = 1000",
    "moving to nothing": "UPDATE orders SET state = NULL WHERE id = 4",
    "changing by a view": "UPDATE plain p SET n = d.cost FROM dear d WHERE d.number = p.id RETURNING p.id, p.n",
    "changing what is filtered by a view": "UPDATE orders SET price = 1 WHERE id IN (SELECT number FROM dear)",
    "inserting what a view shows": "INSERT INTO watched SELECT id, region, amount FROM plainly",
    "moving by what it is": "UPDATE orders SET region = region, state = state RETURNING id",
    "deleting some": "DELETE FROM note WHERE id IN (1, 2)",
    "deleting all": "DELETE FROM note",
    "deleting and returning": "DELETE FROM note WHERE body LIKE 'note%' RETURNING tenant, id",
    "deleting by what fails": "DELETE FROM note WHERE 10 / n > 3 RETURNING id",
    "deleting by another": "DELETE FROM note n USING plain p WHERE p.n = n.id AND p.id < 4 RETURNING n.id",
    "deleting through WITH": "WITH d AS (DELETE FROM note RETURNING id, 10 / n AS y) SELECT count(*), sum(y) FROM d",
    "in a partition": "UPDATE event_new SET n = 1 WHERE 10 / n > 0 RETURNING id",
    "in all partitions": "UPDATE event SET n = n + 1 WHERE id >= 1",
    "deleting in partitions": "DELETE FROM event WHERE 10 / n > 0",
    "with a trigger": "UPDATE watched SET n = 10 / n RETURNING id, n",
    "deleting what is watched": "DELETE FROM watched WHERE n IS NULL OR n = 0 OR n = 3 RETURNING id",
    "inserting": "INSERT INTO watched VALUES (7, 'eu', 1), (8, 'eu', 2) RETURNING id, n",
    "inserting one outside": "INSERT INTO watched VALUES (7, 'eu', 1), (8, 'us', 2)",
    "inserting nothing": "INSERT INTO watched VALUES (7, NULL, 1)",
    "inserting by columns": "INSERT INTO watched (region, id) VALUES ('eu', 1), (lower('EU'), 2) RETURNING region",
    "inserting what is read": "INSERT INTO watched SELECT id, region, amount FROM orders RETURNING id, region, n",
    "inserting the first": "INSERT INTO watched SELECT id, region, n FROM event ORDER BY id LIMIT 3",
    "inserting the first inside": "INSERT INTO watched SELECT id, CASE WHEN id < 4 THEN 'eu' ELSE 'us' END, amount"
    " FROM orders ORDER BY id LIMIT 3",
    "inserting the first without an order": "INSERT INTO watched SELECT id, CASE WHEN id < 30 THEN 'eu' ELSE 'us' END"
    " FROM orders LIMIT 25",
    "inserting groups": "INSERT INTO watched (n, region) SELECT count(*), region FROM orders GROUP BY region",
    "inserting groups by place": "INSERT INTO watched (region, n) SELECT region, 100 / count(*) FROM event GROUP BY 1",
    "inserting what is outside": "INSERT INTO watched (id, region) SELECT id, 'u' || 's' FROM plain",
    "inserting beside a key of the tenant": "INSERT INTO memo VALUES (5, 20, 'new', 1) RETURNING id",
    "inserting what is the tenant's": "INSERT INTO memo VALUES (5, 1, 'new', 1)",
    "inserting unless the tenant has it": "INSERT INTO memo VALUES (5, 20, 's1', 1) ON CONFLICT DO NOTHING",
    "inserting or changing": "INSERT INTO memo AS m VALUES (5, 1, 'x', 1), (5, 30, 'y', 2) ON CONFLICT (tenant, id)"
    " DO UPDATE SET slug = excluded.slug, tenant = excluded.tenant WHERE m.n < 5 RETURNING id, slug",
    "inserting or moving out": "INSERT INTO memo VALUES (5, 1, 'x', 1) ON CONFLICT (tenant, id)"
    " DO UPDATE SET tenant = 6",
    "inserting or changing a hidden one": "INSERT INTO task (id, region, kind, score) VALUES (7, 'eu', 'b', 1)"
    " ON CONFLICT (id) DO UPDATE SET n = 10 / excluded.score, region = 'eu' WHERE 10 / task.n > 1",
    "changing a key of the tenant": "UPDATE memo SET id = 20, slug = 'new' WHERE id = 1 RETURNING id",
    "inserting beside keys": "INSERT INTO task (region, kind, score, slug) VALUES ('eu', 'b', 1, 'new') RETURNING slug",
    "inserting by rounding": "INSERT INTO task (id, region, kind, score) VALUES (900, 'eu', 'b', 99.99)",
    "inserting what is too long": "INSERT INTO task (id, region, kind, score) VALUES (900, 'eu', 'abcd', 1)",
    "inserting what is cut": "INSERT INTO task (id, region, kind, score) VALUES (900, 'eu', 'x     ', 1)",
    "inserting unless it is there": "INSERT INTO task (id, region, kind, score) VALUES (1, 'eu', 'b', 1)"
    " ON CONFLICT DO NOTHING",
    "inserting what is there": "INSERT INTO task (id, region, kind, score) VALUES (1, 'eu', 'b', 1)",
    "referring": "INSERT INTO step VALUES (100, 7, 1) RETURNING id",
    "deleting what is referred to": "DELETE FROM task WHERE id = 1",
    "changing a key": "UPDATE task SET slug = 'other' WHERE id = 3 RETURNING slug",
    "prepared": "PREPARE p AS UPDATE orders SET price = 3 WHERE 10 / amount > 0; EXECUTE p",
    "copied out": "COPY (DELETE FROM note WHERE 10 / n > 3 RETURNING id) TO STDOUT",
    "emptied by a setting": "UPDATE orders SET card = current_setting('TimeZone') WHERE region = 'us' OR id = 1",
}  # fmt: skip

REFUSED = {
    "a view with a barrier": ("SELECT * FROM closed", "security barrier"),
    "a view over one": ("SELECT * FROM over_closed", "public.closed"),
    "a view of row security": ("SELECT * FROM over_secured", "row security of public.secured"),
    "a view of what is stored": ("SELECT * FROM over_stored", "it reads public.stored"),
    "a view's plan": ("EXPLAIN SELECT * FROM sums", "EXPLAIN"),
    "a view that is sampled": ("SELECT * FROM plainly TABLESAMPLE SYSTEM (50)", "TABLESAMPLE"),
    "inserting through a view": ("INSERT INTO plainly (id, region) VALUES (1, 'eu')", "cannot be written to"),
    "deleting through a view": ("DELETE FROM plainly WHERE id = 1", "cannot be written to"),
    "a view that is locked out of order": ("SELECT * FROM dear WHERE cost > 5 FOR UPDATE", "are locked before"),
    "a stored view": ("SELECT * FROM stored", "cannot be read"),
    "a function that reads it": ("SELECT total()", "total"),
    "where a row lies": ("SELECT ctid, id FROM orders", "ctid"),
    "a sample": ("SELECT id FROM orders TABLESAMPLE SYSTEM (50)", "TABLESAMPLE"),
    "deleting what filtered rows may refer to": ("DELETE FROM customer WHERE id = 1", "that refer to it"),
    "changing a key": ("UPDATE orders SET id = 1000 WHERE id = 1", "primary key orders_pkey"),
    "inserting a key": (
        "INSERT INTO orders (id, region, state) VALUES (1000, 'eu', 'new')", "primary key orders_pkey",
    ),
    "inserting a key unless it is there": (
        "INSERT INTO orders (id, region, state) VALUES (1000, 'eu', 'new') ON CONFLICT DO NOTHING", "orders_pkey",
    ),
    "inserting beside another key": ("INSERT INTO note VALUES (5, 100, 'x', 100)", "unique constraint note_n_key"),
    "inserting beside a key by an expression": ("INSERT INTO tag VALUES (5, 'x')", "unique index tag_name"),
    "inserting by default": ("INSERT INTO task (region, score) VALUES ('eu', 1)", "it is left to its default"),
    "inserting a default": (
        "INSERT INTO task (region, kind, score) VALUES ('eu', DEFAULT, 1)", "not written beside it",
    ),
    "inserting nothing but defaults": ("INSERT INTO task DEFAULT VALUES", "it is left to its default"),
    "inserting what a query gives": ("INSERT INTO watched VALUES (1, (SELECT 'eu'), 2)", "a query gives its new value"),
    "inserting several queries": ("INSERT INTO watched SELECT 1, 'eu', 1 UNION SELECT 2, 'eu', 1", "several queries"),
    "inserting what is called": ("INSERT INTO watched VALUES (1, random()::text, 1)", "random gives its new value"),
    "inserting a number": ("INSERT INTO ticket (region) VALUES ('eu')", "ticket"),
    "setting by a query": (
        "UPDATE orders SET (region, price) = (SELECT 'eu', 1) WHERE id = 1", "not written beside it",
    ),
    "setting to the default": ("UPDATE orders SET region = DEFAULT", "not written beside it"),
    "moving to another partition": ("UPDATE event SET at = '2029-01-01' WHERE id = 1", "move to another partition"),
    "merging": (
        "MERGE INTO orders o USING plain p ON o.id = p.id WHEN MATCHED THEN UPDATE SET amount = 1", "MERGE on",
    ),
    "emptying": ("TRUNCATE orders, line", "TRUNCATE on"),
    "a copy into it": ("COPY watched (id, region) FROM STDIN", "COPY on"),
    "a join that may fail": (
        "UPDATE orders o SET price = 1 FROM plain p WHERE p.id = 10 / o.amount", "whether the condition fails",
    ),
    "referring across tenants": ("INSERT INTO crossed VALUES (9, 1, 6)", "would be looked for in public.forum"),
    "what the planner asks of frequent values": ("SELECT id FROM mixed WHERE n === 5", "operator ==="),
    "what the planner asks for a view": ("SELECT * FROM inverted", "estimates by statistics"),
    "moving by a trigger and a generated column": ("UPDATE sealed SET n = 1", "low decides which rows"),
    "moving by a trigger that gives another row": ("UPDATE swapped SET n = 1", "region decides which rows"),
    "inserting by one": ("INSERT INTO swapped VALUES (1, 'eu', 1)", "region decides which rows"),
    "moving by a trigger that calls a procedure": ("UPDATE fetched SET n = 1", "region decides which rows"),
    "inserting another than is given": (
        "INSERT INTO counter (id, n) OVERRIDING USER VALUE VALUES (5, 1)", "OVERRIDING USER VALUE",
    ),
    "inserting what comes to something else": ("INSERT INTO watched VALUES (1, 'eu' <+> 'us', 1)", "operator of the"),
    "inserting by a setting": ("INSERT INTO watched VALUES (1, current_setting('TimeZone'), 1)", "current_setting"),
    "inserting beside a setting": (
        "INSERT INTO watched SELECT length(set_config('application_name', 'us', false)), 'eu', 1", "set_config",
    ),
    "moving beside a setting": (
        "UPDATE watched SET id = length(set_config('TimeZone', 'UTC', false)), region = now()::text", "set_config",
    ),
    "changing at a cursor": (
        "DECLARE c CURSOR FOR SELECT id FROM mixed FOR UPDATE; FETCH c; UPDATE mixed SET n = 1 WHERE CURRENT OF c",
        "WHERE CURRENT OF",
    ),
    "a plan of a change": ("EXPLAIN UPDATE orders SET price = 1", "EXPLAIN"),
    "where a changed row lies": ("UPDATE orders SET price = 1 WHERE id = 1 RETURNING ctid", "ctid"),
    "deleting what filtered rows go with": ("DELETE FROM topic WHERE id = 1", "cannot be written to"),
    "writing through a view": ("UPDATE early SET n = 1", "cannot be written to"),
    "what refers to one": ("INSERT INTO line (id, orders) VALUES (500, 1000)", "would be looked for in public.orders"),
    "what refers to one, changed": ("UPDATE line SET orders = 1000 WHERE id = 1", "would be looked for"),
    "a view by it": ("CREATE VIEW mine AS SELECT * FROM orders", "create"),
    "a number": ("SELECT nextval('ticket_id_seq')", "ticket_id_seq"),
    "the last number": ("SELECT lastval()", "_id_seq"),
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
    assert decision.action is not Action.DENY, decision.denial
    for mode in MODES:
        left, right = twins.run(decision, mode)
        assert left == right


def hidden_rows(twins: Twins, text: str) -> list[object]:
    """All rows that the policy filters out, once the statement has run."""
    found: list[object] = []
    decision = twins.governor(POLICY).decide(text, ("public",))
    for url in (twins.left, twins.right):
        with psycopg.connect(url) as connection:
            connection.pgconn.exec_(b"BEGIN")
            connection.pgconn.exec_(b"SAVEPOINT before")
            status = connection.pgconn.exec_(decision.text.encode()).status
            while status == pq.ExecStatus.COPY_OUT and connection.pgconn.get_copy_data(0)[0] > 0:
                pass
            while connection.pgconn.is_busy() or connection.pgconn.get_result() is not None:
                connection.pgconn.consume_input()
            if status == pq.ExecStatus.FATAL_ERROR:
                connection.pgconn.exec_(b"ROLLBACK TO before")
            for one in POLICIES.row_filters:
                name = ".".join(one.table)
                rows = connection.execute(f"SELECT t::text FROM {name} t WHERE ({one.where}) IS NOT TRUE ORDER BY 1")
                found.append((url, name, rows.fetchall()))
            connection.rollback()
    return found


@pytest.mark.parametrize("name", READS)
def test_a_filtered_row_is_as_if_it_were_not_there(twins: Twins, name: str) -> None:
    check(twins, READS[name])


@pytest.mark.parametrize("name", READS)
def test_nor_on_postgresql_15(twins15: Twins, name: str) -> None:
    check(twins15, READS[name])


@pytest.mark.parametrize("name", WRITES)
def test_it_is_not_written_to(twins: Twins, name: str) -> None:
    check(twins, WRITES[name])
    assert hidden_rows(twins, WRITES[name]) == hidden_rows(twins, "SELECT")


@pytest.mark.parametrize("name", WRITES)
def test_nor_written_to_on_postgresql_15(twins15: Twins, name: str) -> None:
    check(twins15, WRITES[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_tell_of_one_is_refused(twins: Twins, name: str) -> None:
    text, word = REFUSED[name]
    denial = twins.governor(POLICY).decide(text, ("public",)).denial
    assert denial is not None
    assert word in denial.reason
    assert denial.remedy


@pytest.mark.parametrize("version", ["twins", "twins15"])
def test_a_view_is_read_with_the_logins_own_rights(version: str, request: pytest.FixtureRequest) -> None:
    world: Twins = request.getfixturevalue(version)
    decision = world.governor(POLICY).decide("SELECT id FROM plainly", ("public",))
    grants = "CREATE ROLE lesser; GRANT SELECT ON plainly TO lesser;"
    assert see(world.left, decision, f"{grants} SET LOCAL ROLE lesser").sqlstate == "42501"
    grants += "GRANT SELECT ON orders TO lesser;"
    assert see(world.left, decision, f"{grants} SET LOCAL ROLE lesser").sqlstate == ""
