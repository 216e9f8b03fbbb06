"""Statements whose rows, or whose values, would tell in which order masked values are, by the kind of way they take."""

from __future__ import annotations

# They show the order on the servers of `order_world.py` unless it is completed.
LEAKING: dict[str, str] = {
    "plain": "SELECT id FROM person WHERE tenant = 5",
    "plain, all columns": "SELECT * FROM person WHERE tenant = 5",
    "ordered by ties": "SELECT id FROM person WHERE tenant = 5 ORDER BY note",
    "ordered by ties, descending": "SELECT id FROM person WHERE tenant = 5 ORDER BY note DESC NULLS LAST",
    "ordered by a mask": "SELECT id FROM person WHERE tenant = 5 ORDER BY email",
    "limit": "SELECT id FROM person WHERE tenant = 5 LIMIT 1",
    "limit, ordered by ties": "SELECT id FROM person WHERE tenant = 5 ORDER BY note LIMIT 3",
    "offset": "SELECT id FROM person WHERE tenant = 5 OFFSET 15",
    "fetch first": "SELECT id FROM person WHERE tenant = 5 FETCH FIRST 2 ROWS ONLY",
    "with ties": "SELECT id FROM person WHERE tenant = 5 ORDER BY note FETCH FIRST 2 ROWS WITH TIES",
    "limit in a subquery": "SELECT * FROM (SELECT id FROM person WHERE tenant = 5 LIMIT 1) s",
    "limit in IN": "SELECT id FROM item WHERE person IN (SELECT id FROM person WHERE tenant = 5 LIMIT 2) ORDER BY id",
    "limit in a scalar subquery": "SELECT (SELECT id FROM person WHERE tenant = 5 LIMIT 1)",
    "limit in a lateral one": "SELECT t, s.id FROM generate_series(4, 6) t, LATERAL (SELECT id FROM person"
    " WHERE tenant = t LIMIT 1) s ORDER BY t",
    "limit in WITH": "WITH c AS (SELECT id FROM person WHERE tenant = 5 LIMIT 1) SELECT * FROM c",
    "limit of WITH": "WITH c AS MATERIALIZED (SELECT id FROM person WHERE tenant = 5) SELECT * FROM c LIMIT 1",
    "recursive": "WITH RECURSIVE r(id, n) AS (SELECT id, 0 FROM person WHERE tenant = 5 UNION ALL SELECT id,"
    " row_number() OVER ()::int FROM r WHERE n = 0) SELECT id, n FROM r WHERE n > 0",
    "recursive, of what can't fail": "WITH RECURSIVE r(id, n) AS (SELECT id, 0::bigint FROM person WHERE tenant = 5"
    " UNION ALL SELECT id, row_number() OVER () FROM r WHERE n = 0) SELECT id, n FROM r WHERE n > 0",
    "distinct on": "SELECT DISTINCT ON (tenant) tenant, id FROM person",
    "distinct on, ordered": "SELECT DISTINCT ON (tenant, note) tenant, id FROM person ORDER BY tenant DESC",
    "row_number": "SELECT id, row_number() OVER (ORDER BY tenant) FROM person ORDER BY id",
    "row_number of nothing": "SELECT id, row_number() OVER () FROM person WHERE tenant = 5 ORDER BY id",
    "row_number, beside rank": "SELECT id, rank() OVER w, row_number() OVER w FROM person WINDOW w AS (ORDER BY tenant)"
    " ORDER BY id",
    "lag": "SELECT id, lag(id) OVER (PARTITION BY tenant) FROM person ORDER BY id",
    "first_value": "SELECT id, first_value(id) OVER (PARTITION BY tenant) FROM person ORDER BY id",
    "last_value": "SELECT id, last_value(id) OVER (PARTITION BY tenant) FROM person ORDER BY id",
    "nth_value of peers": "SELECT id, nth_value(id, 2) OVER (ORDER BY tenant) FROM person ORDER BY id",
    "sum of preceding rows": "SELECT id, sum(id) OVER (PARTITION BY tenant ROWS 2 PRECEDING) FROM person ORDER BY id",
    "array_agg of peers": "SELECT id, array_agg(id) OVER (ORDER BY tenant) FROM person ORDER BY id",
    "windows of a window": "SELECT id, row_number() OVER (w ORDER BY note) FROM person WINDOW w AS (PARTITION BY"
    " tenant) ORDER BY id",
    "array_agg": "SELECT array_agg(id) FROM person WHERE tenant = 5",
    "array_agg by ties": "SELECT array_agg(id ORDER BY note) FROM person WHERE tenant = 5",
    "array_agg by group": "SELECT tenant, array_agg(id) FROM person GROUP BY tenant ORDER BY tenant",
    "string_agg": "SELECT string_agg(id::text, ',') FROM person WHERE tenant = 5",
    "json_agg of rows": "SELECT json_agg(p) FROM person p WHERE tenant = 5",
    "jsonb_object_agg": "SELECT json_object_agg(id, note) FROM person WHERE tenant = 5",
    "any_value's kin": "SELECT (array_agg(id))[1] FROM person WHERE tenant = 5",
    "sum of floats": "SELECT sum(weight) FROM person WHERE tenant = 5",
    "average of floats": "SELECT tenant, avg(weight * 3) FROM person GROUP BY tenant ORDER BY tenant",
    "regression": "SELECT corr(weight, id) FROM person WHERE tenant = 5",
    "aggregate of an outer query": "SELECT (SELECT string_agg(p.id::text, ',')) FROM person p WHERE p.tenant = 5",
    "array of a subquery": "SELECT ARRAY(SELECT id FROM person WHERE tenant = 5)",
    "masked key": "SELECT n FROM by_name",
    "pinned by nothing": "SELECT id FROM person WHERE tenant = 5 AND id = id + 0",
    "pinned by what is computed": "SELECT id FROM person WHERE tenant = 5 AND id = coalesce(id, 7)",
    "pinned in an outer join only": "SELECT p.id FROM person p LEFT JOIN item i ON p.id = 7 AND i.id = 1"
    " WHERE p.tenant = 5",
    "update, returned, with WITH": "WITH c AS (SELECT 5 AS t) UPDATE person SET note = 'x' FROM c WHERE tenant = t"
    " RETURNING id, id",
    "parent's key": "SELECT note, id FROM base WHERE note = 'note' AND id < 61 LIMIT 5",
    "union all": "SELECT id FROM person WHERE tenant = 5 UNION ALL SELECT id FROM account WHERE false",
    "union all, limited": "SELECT * FROM (SELECT id FROM person WHERE tenant = 5 UNION ALL SELECT 0 WHERE false"
    " LIMIT 2) s",
    "union all, ordered by ties": "SELECT note, id FROM person WHERE tenant = 5 UNION ALL SELECT 'x', 0 ORDER BY note",
    "join": "SELECT i.id FROM item i JOIN person p ON p.id = i.person WHERE p.tenant = 5",
    "join, limited": "SELECT i.id, p.note FROM person p, item i WHERE p.id = i.person AND p.tenant = 5 LIMIT 4",
    "left join": "SELECT p.id, i.id FROM person p LEFT JOIN item i ON i.person = p.id WHERE p.tenant = 5",
    "join with an alias": "SELECT j.* FROM (person p CROSS JOIN (VALUES (1)) v(x)) AS j WHERE j.tenant = 5",
    "lateral": "SELECT p.id, s.id FROM person p, LATERAL (SELECT id FROM item WHERE person = p.id) s"
    " WHERE p.tenant = 5",
    "semijoin": "SELECT i.id FROM item i WHERE i.person IN (SELECT id FROM person WHERE tenant = 5)",
    "function in FROM": "SELECT p.id, g FROM person p, generate_series(1, 2) g WHERE p.tenant = 5",
    "view": "SELECT id FROM people WHERE tenant = 5 LIMIT 2",
    "view of a view": "SELECT id FROM deeper WHERE tenant = 5",
    "view of a join": "SELECT id FROM tickets WHERE tenant = 5 LIMIT 3",
    "unique": "SELECT id FROM account LIMIT 3",
    "included in an index by a mask": "SELECT id, tenant FROM account WHERE tenant = 5",
    "expression index": "SELECT id FROM lowered WHERE tenant = 5 LIMIT 1",
    "keyless": "SELECT word, doc FROM keyless WHERE tenant = 5",
    "keyless, limited": "SELECT doc FROM keyless WHERE tenant = 5 ORDER BY word LIMIT 4",
    "partitions by list": "SELECT id FROM by_list",
    "partitions by range": "SELECT id FROM by_range LIMIT 5",
    "partitions by hash": "SELECT array_agg(id) FROM by_hash",
    "view of partitions": "SELECT id FROM parted LIMIT 5",
    "copy of partitions": "COPY (SELECT id FROM by_list) TO STDOUT",
    "clustered": "SELECT id FROM heaped LIMIT 5",
    "copy": "COPY heaped (id, tenant) TO STDOUT",
    "copy of a query": "COPY (SELECT id FROM person WHERE tenant = 5) TO STDOUT",
    "materialized by a window": "SELECT id FROM ranked",
    "materialized from an index": "SELECT id FROM kept",
    "children": "SELECT id FROM base WHERE note = 'note'",
    "cursor": "DECLARE c CURSOR FOR SELECT id FROM person WHERE tenant = 5; FETCH 1 FROM c",
    "prepared": "PREPARE p (int) AS SELECT id FROM person WHERE tenant = $1; EXECUTE p(5)",
    "table of a query": "CREATE TEMP TABLE t AS SELECT id FROM person WHERE tenant = 5; SELECT * FROM t",
    "select into": "SELECT id INTO TEMP t FROM person WHERE tenant = 5; TABLE t",
    "insert, numbered": "INSERT INTO log (n) SELECT id FROM person WHERE tenant = 5; SELECT n FROM log ORDER BY id"
    " OFFSET 60",
    "insert, returned": "INSERT INTO bare (n) SELECT id FROM person WHERE tenant = 5 RETURNING n",
    "numbers for rows": "SELECT n, id FROM (SELECT nextval('counter') AS n, id FROM person WHERE tenant = 5 OFFSET 0) s"
    " ORDER BY id",
    "numbers in the output": "SELECT id, nextval('counter') FROM person WHERE tenant = 5",
    "numbers in the output, sorted by them": "SELECT id FROM (SELECT nextval('counter') AS n, id FROM person"
    " WHERE tenant = 5 ORDER BY note) s ORDER BY n",
    "numbers that choose": "SELECT id FROM person WHERE tenant = 5 AND nextval('counter') % 2 = 0 ORDER BY id",
    "update, returned": "UPDATE person SET note = 'x' WHERE tenant = 5 RETURNING id",
    "update, returned into a query": "WITH w AS (UPDATE person SET note = 'x' WHERE tenant = 5 RETURNING id)"
    " SELECT id FROM w LIMIT 1",
    "update of others": "UPDATE bare SET line = 'x' FROM person p WHERE p.id = bare.n AND p.tenant = 5; SELECT n FROM"
    " bare",
    "update, one of several": "UPDATE bare SET n = p.id FROM person p WHERE p.tenant = 5; SELECT n FROM bare LIMIT 1",
    "update by a semijoin": "UPDATE log SET line = 'x' WHERE n IN (SELECT id FROM person WHERE tenant = 5) RETURNING n",
    "delete, returned": "DELETE FROM person WHERE tenant = 5 RETURNING id",
    "delete using": "DELETE FROM bare USING person p WHERE p.tenant = 5 AND bare.n = 1 RETURNING p.id",
    "merge": "MERGE INTO log USING (SELECT id FROM person WHERE tenant = 5) p ON log.n = -p.id WHEN NOT MATCHED THEN"
    " INSERT (n) VALUES (p.id); SELECT n FROM log ORDER BY id OFFSET 60",
    "a job": "SELECT id FROM person WHERE tenant = 5 LIMIT 1 FOR UPDATE SKIP LOCKED",
    "a job, deleted": "DELETE FROM person WHERE id IN (SELECT id FROM person WHERE tenant = 5 LIMIT 1 FOR UPDATE"
    " SKIP LOCKED) RETURNING id",
    "a probe": "INSERT INTO person (id, tenant, email) VALUES (0, 5, '7fffffffffffffffffffffffffffffff');"
    " SELECT array_position(ARRAY(SELECT id FROM person WHERE tenant = 5), 0)",
    "a probe, by its neighbours": "INSERT INTO person (id, tenant, email) VALUES (1000, 5, 'b');"
    " SELECT id FROM person WHERE tenant = 5 LIMIT 10",
    "subquery in order, ties": "SELECT array_agg(s.id) FROM (SELECT id FROM person WHERE tenant = 5 ORDER BY note) s",
    "rows of sets": "SELECT id, g FROM (SELECT id, generate_series(1, 2) AS g FROM person WHERE tenant = 5) s LIMIT 4",
    "in values": "VALUES ((SELECT id FROM person WHERE tenant = 5 LIMIT 1))",
    "json array": "SELECT JSON_ARRAY(SELECT id FROM person WHERE tenant = 5)",
}
# Known to servers of that version on.
SINCE = {"json array": 16}

# So may these, by plans that these servers do not choose.
EQUAL: dict[str, str] = {
    "grouped": "SELECT note, id FROM person WHERE tenant = 5 GROUP BY note, id",
    "merge using a relation": "MERGE INTO log USING person p ON log.n = -p.id AND p.tenant > 0 WHEN NOT MATCHED THEN"
    " INSERT (n) VALUES (p.id); SELECT n FROM log ORDER BY id OFFSET 60",
    "view by a window": "SELECT id, r FROM ordered",
    "distinct": "SELECT DISTINCT id, note FROM person WHERE tenant = 5 ORDER BY note LIMIT 2",
    "grouping sets": "SELECT tenant, array_agg(id) FROM person GROUP BY GROUPING SETS ((tenant), ()) ORDER BY tenant",
    "a view's total": "SELECT tenant, n FROM counted WHERE tenant = 5 ORDER BY tenant, n, letters",
}

# They tell nothing, so nothing is added to them; many of them are what applications send all day.
UNTOUCHED: dict[str, str] = {
    "point read": "SELECT id, note FROM person WHERE id = 7",
    "point read by a parameter": "SELECT id, note FROM person WHERE id = $1",
    "point read by a typed value": "SELECT note FROM person WHERE id = '7'::int8 AND tenant > 1",
    "aggregates": "SELECT count(*), min(id), max(id), sum(id), avg(length(note)), bool_or(tenant > 4) FROM person",
    "counts in a subquery": "SELECT t, (SELECT count(*) FROM person WHERE tenant = t) FROM generate_series(4, 6) t",
    "whether there is any": "SELECT 1 AS a FROM person WHERE tenant = 5 LIMIT 1",
    "exists": "SELECT EXISTS (SELECT id FROM person WHERE tenant = 5 LIMIT 1)",
    "ordered by the key": "SELECT id FROM person WHERE tenant = 5 ORDER BY id DESC LIMIT 3",
    "ordered by the key's place": "SELECT note, id FROM person ORDER BY 1, 2 LIMIT 3",
    "joined by the key": "SELECT i.id, p.note FROM item i JOIN person p ON p.id = i.person ORDER BY i.id LIMIT 3",
    "points, joined": "SELECT i.price, p.note FROM item i JOIN person p ON p.id = i.person WHERE i.id = 7",
    "point, updated": "UPDATE person SET note = 'x' WHERE id = 7 RETURNING id, note",
    "point, deleted": "DELETE FROM person WHERE id = 7 RETURNING id",
    "updated": "UPDATE person SET note = 'x' WHERE tenant = 5",
    "rank of peers": "SELECT id, rank() OVER (ORDER BY tenant), count(*) OVER (PARTITION BY tenant) FROM person"
    " ORDER BY id",
    "window of the key": "SELECT id, row_number() OVER (PARTITION BY tenant ORDER BY id) FROM person ORDER BY id",
    "array of the key": "SELECT array_agg(note ORDER BY id) FROM person",
    "without a hazard": "SELECT id, note FROM quiet WHERE tenant = 5 LIMIT 3",
    "included columns": "SELECT id FROM included WHERE tenant = 5",
    "other tables": "SELECT * FROM item LIMIT 3",
}

# Nothing can complete the order inside of them.
REFUSED: dict[str, str] = {
    "view with LIMIT": "SELECT * FROM pick",
    "view with row_number": "SELECT * FROM numbered",
    "view with array_agg": "SELECT * FROM gathered",
    "view with DISTINCT ON": "SELECT * FROM newest",
    "one partition": "SELECT id FROM by_list_a",
    "plan of a view of partitions": "EXPLAIN SELECT id FROM parted WHERE id = 1",
    "place in the heap": "SELECT ctid FROM kept",
    "table of a row": "SELECT tableoid FROM parted",
    "sample": "SELECT id FROM kept TABLESAMPLE BERNOULLI (50)",
    "numbers for changed rows": "UPDATE person SET note = nextval('counter')::text WHERE tenant = 5",
}
ALLOWED = {"view whose choice is decided": "SELECT * FROM decided ORDER BY tenant"}

# What they give is determined without any completion, so it must stay exactly that.
DETERMINED: dict[str, str] = {
    "windows of ties": "SELECT id, rank() OVER w, dense_rank() OVER w, row_number() OVER (w ORDER BY id),"
    " sum(id) OVER w, count(*) OVER (w ORDER BY note) FROM person WINDOW w AS (PARTITION BY tenant) ORDER BY id",
    "named windows": "SELECT id, row_number() OVER w, lag(id, 2, 0) OVER w, ntile(4) OVER w, first_value(id)"
    " OVER w FROM person WINDOW w AS (PARTITION BY tenant ORDER BY id DESC) ORDER BY id",
    "frames": "SELECT id, sum(id) OVER (PARTITION BY tenant ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1"
    " FOLLOWING), array_agg(id) OVER (ORDER BY id GROUPS 2 PRECEDING EXCLUDE CURRENT ROW), last_value(id) OVER (ORDER"
    " BY tenant, id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM person ORDER BY id",
    "windows over groups": "SELECT tenant, count(*), row_number() OVER (ORDER BY tenant DESC), rank() OVER"
    " (ORDER BY count(*)), sum(count(*)) OVER (ORDER BY tenant) FROM person GROUP BY tenant ORDER BY tenant",
    "groups by number, by name, by column": "SELECT id % 3 AS tenant, count(*) FROM person GROUP BY tenant, 1"
    " ORDER BY 1, 2",
    "groups by an output": "SELECT id % 7 AS seventh, sum(id) FROM person GROUP BY seventh ORDER BY seventh",
    "groups of groups": "SELECT tenant, note, count(*), grouping(tenant, note) FROM person GROUP BY ROLLUP"
    " (tenant, note) ORDER BY tenant, note, grouping(tenant, note)",
    "having": "SELECT tenant FROM person GROUP BY tenant HAVING count(*) > 1 AND (array_agg(id ORDER BY id))[1]"
    " > 1 ORDER BY tenant DESC LIMIT 1",
    "sets": "SELECT id FROM person WHERE id < 9 INTERSECT ALL SELECT id FROM account EXCEPT SELECT 3 ORDER BY 1"
    " DESC LIMIT 4 OFFSET 1",
    "sets of sets": "(SELECT id FROM person WHERE id < 5 ORDER BY id DESC LIMIT 2) UNION ALL (SELECT id FROM"
    " account WHERE id < 3 ORDER BY id) ORDER BY id",
    "distinct": "SELECT DISTINCT tenant, note FROM person ORDER BY tenant DESC",
    "distinct on": "SELECT DISTINCT ON (tenant) tenant, id FROM person ORDER BY tenant, id DESC",
    "ordered by an expression": "SELECT id FROM person ORDER BY -id LIMIT 5",
    "ordered by an output that hides a column": "SELECT -id AS id FROM person ORDER BY id LIMIT 5",
    "ordered by a subquery": "SELECT id FROM person p ORDER BY (SELECT count(*) FROM item i WHERE i.person ="
    " p.id), id LIMIT 5",
    "with ties": "SELECT id FROM (SELECT id FROM person ORDER BY tenant FETCH FIRST 3 ROWS WITH TIES) s ORDER BY id",
    "joins": "SELECT p.id, i.id, p.note FROM person p RIGHT JOIN item i ON i.person = p.id AND p.tenant = 5"
    " WHERE i.id < 40 ORDER BY i.id, p.id",
    "a join that merges": "SELECT id, tenant FROM person JOIN account USING (id, tenant) WHERE id < 9 ORDER BY id",
    "aggregates of an outer query": "SELECT (SELECT count(p.id)), (SELECT sum(p.id) FROM (VALUES (1)) v) FROM person p",
    "aggregates by filter": "SELECT array_agg(id ORDER BY id DESC) FILTER (WHERE tenant = 5),"
    " string_agg(DISTINCT note, ',') FROM person",
    "ordered sets": "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id), mode() WITHIN GROUP (ORDER BY"
    " tenant), rank(5) WITHIN GROUP (ORDER BY tenant) FROM person",
    "aggregate of an ordered subquery": "SELECT json_agg(s) FROM (SELECT id, note FROM person ORDER BY id DESC) s",
    "array of an ordered subquery": "SELECT ARRAY(SELECT id FROM person WHERE tenant = 5 ORDER BY id DESC)",
    "recursive": "WITH RECURSIVE r AS (SELECT id, 1 AS n FROM person WHERE id = 1 UNION ALL SELECT p.id, r.n +"
    " 1 FROM person p JOIN r ON p.id = r.id + 1 WHERE r.n < 9) SELECT max(n), sum(id) FROM r",
    "returned": "UPDATE person p SET note = v.x FROM (VALUES (5, 'five')) v(t, x) WHERE p.tenant = v.t"
    " RETURNING p.id, v.*",
    "view": "SELECT tenant, n, letters FROM counted ORDER BY tenant LIMIT 2",
    "lateral": "SELECT t, s.* FROM generate_series(4, 6) t CROSS JOIN LATERAL (SELECT id, note FROM person"
    " WHERE tenant = t ORDER BY id LIMIT 2) s ORDER BY t, id",
    "in a case": "SELECT CASE WHEN EXISTS (SELECT FROM person WHERE tenant = 5 LIMIT 1) THEN (SELECT max(id)"
    " FROM person) END",
}
