"""Statements whose errors, or values that are equal and look different, would tell in which order masked values are.

On the servers of `order_world.py`, the row 58 comes first on the one, 1 on the other; 28 is the third and the ninth.
"""

from __future__ import annotations

# Fails in one way for one row and in another for another; for a third alone.
_TWO = "1 / (id - 58) + ln(id - 1)"
_ONE = "1 / (id - 28)"
_FIRST = "1 / (id - 58) < 9"
_HERE = "FROM person WHERE tenant = 5"

# They show the order on these servers, unless it is kept from showing.
TELLING: dict[str, str] = {
    "two kinds in the output": f"SELECT {_TWO} {_HERE}",
    "two kinds in two outputs": f"SELECT id, 1 / (id - 58), ln(id - 1) {_HERE}",
    "two kinds in a condition": f"SELECT id {_HERE} AND {_TWO} < 9",
    "two kinds of cast": f"SELECT (CASE id WHEN 58 THEN 'x' ELSE '1' END)::int, ln(id - 1) {_HERE}",
    "two kinds, locked": f"SELECT {_TWO} {_HERE} FOR UPDATE",
    "two kinds in an order": f"SELECT id {_HERE} ORDER BY {_TWO}",
    "two kinds in an output that is sorted by": f"SELECT {_TWO} AS x {_HERE} ORDER BY x",
    "rows before it": f"SELECT id, {_ONE} {_HERE}",
    "rows before it, all the same": f"SELECT 1 {_HERE} AND {_ONE} < 9",
    "rows before it, copied": f"COPY (SELECT id, {_ONE} {_HERE}) TO STDOUT",
    "rows before it, of sets": f"SELECT id, generate_series(0, {_ONE}) {_HERE}",
    "two kinds, by ties": f"SELECT id, {_TWO} {_HERE} ORDER BY tenant, note",
    "rows before it, of a union": f"SELECT {_ONE} {_HERE} UNION ALL SELECT 0",
    "limit": f"SELECT 1 {_HERE} AND {_FIRST} LIMIT 1",
    "limit of what is the same for all, asked of some": f"SELECT 1 {_HERE} AND (id = 58 OR"
    " 1 / (extract(year FROM now())::int * 0) > 0) LIMIT 1",
    "limit of an output": f"SELECT {_ONE} {_HERE} LIMIT 5",
    "limit by ties": f"SELECT {_TWO} {_HERE} ORDER BY note LIMIT 2",
    "limit of WITH": f"WITH c AS (SELECT {_ONE} AS x {_HERE}) SELECT x FROM c LIMIT 4",
    "limit in a subquery": f"SELECT count(*) FROM (SELECT id {_HERE} AND {_FIRST} LIMIT 1) s",
    "limit of a subquery": f"SELECT 1 FROM (SELECT {_ONE} AS x {_HERE}) s WHERE x < 9 LIMIT 4",
    "cursor": f"DECLARE c CURSOR FOR SELECT id, {_ONE} {_HERE}; FETCH 4 FROM c",
    "cursor by a condition": f"DECLARE c CURSOR FOR SELECT 1 {_HERE} AND {_FIRST}; FETCH 1 FROM c",
    "exists": f"SELECT EXISTS (SELECT {_HERE} AND {_FIRST})",
    "exists for each": "SELECT t FROM generate_series(4, 5) t WHERE EXISTS (SELECT FROM person WHERE tenant = t AND"
    f" {_FIRST}) ORDER BY t",
    "scalar subquery": f"SELECT (SELECT id {_HERE} AND {_FIRST})",
    "array of a subquery": f"SELECT ARRAY(SELECT {_TWO} {_HERE})",
    "lateral": f"SELECT t, s.x FROM generate_series(5, 6) t, LATERAL (SELECT {_ONE} AS x FROM person WHERE tenant = t"
    " LIMIT 4) s ORDER BY t",
    "join": "SELECT i.id, 1 / (p.id - 28) FROM item i JOIN person p ON p.id = i.person WHERE p.tenant = 5",
    "join by a condition": "SELECT 1 FROM person p JOIN item i ON i.person = p.id WHERE p.tenant = 5 AND"
    " 1 / (p.id - 58) < 9 LIMIT 1",
    "join by a lookup": "SELECT i.id FROM item i JOIN person p ON i.person = p.id AND p.tenant = 5 WHERE"
    " 1 / (i.id - 82) < 9 LIMIT 5",
    "join by a lookup, two kinds": "SELECT i.id FROM item i JOIN person p ON i.person = p.id WHERE p.tenant = 5 AND"
    " 1 / (p.id - 58) + ln(p.id - 1) < 9",
    "join of another's error": "SELECT i.id FROM person p JOIN item i ON i.person = p.id AND 1 / (i.id - 82) < 9 WHERE"
    " p.tenant = 5 LIMIT 5",
    "sum": f"SELECT sum({_TWO}) {_HERE}",
    "sum by a condition": f"SELECT count(*) {_HERE} AND {_TWO} < 9",
    "sums of groups": f"SELECT tenant, sum({_TWO}) FROM person GROUP BY tenant ORDER BY tenant DESC",
    "groups of what fails": f"SELECT tenant, {_TWO}, count(*) FROM person WHERE tenant = 5 GROUP BY 1, 2",
    "lowest by an index": f"SELECT min(tenant) FROM person WHERE tenant > 4 AND {_FIRST}",
    "filter": f"SELECT count(*) FILTER (WHERE {_TWO} < 9) {_HERE}",
    "window": f"SELECT id, sum({_TWO}) OVER (PARTITION BY tenant) {_HERE} ORDER BY id",
    "window of what fails": f"SELECT id, row_number() OVER (ORDER BY {_TWO}) {_HERE} ORDER BY id",
    "window beside what fails": f"SELECT id, rank() OVER (PARTITION BY tenant), {_TWO} {_HERE}",
    "distinct": f"SELECT DISTINCT {_TWO} {_HERE}",
    "distinct on": f"SELECT DISTINCT ON (tenant) tenant, id FROM person WHERE tenant = 5 AND {_TWO} < 9",
    "prepared": f"PREPARE p (int) AS SELECT count(*) FROM person WHERE tenant = $1 AND {_TWO} < 9; EXECUTE p (5)",
    "table of a query": f"CREATE TEMP TABLE t AS SELECT {_TWO} AS x {_HERE}",
    "view that computes": "SELECT id, part FROM computed WHERE tenant = 5",
    "view that computes, whole": "SELECT * FROM computed WHERE tenant = 5",
    "view that computes, limited": "SELECT part FROM computed WHERE tenant = 5 LIMIT 5",
    "view by a condition": "SELECT id FROM checked WHERE tenant = 5",
    "view by a condition, limited": "SELECT 1 FROM checked WHERE tenant = 5 LIMIT 1",
    "insert": f"INSERT INTO log (n) SELECT {_TWO} {_HERE}",
    "insert beside constraints": f"INSERT INTO strict SELECT id, id {_HERE}",
    "insert beside a cast": f"INSERT INTO strict SELECT id, 100 / (id - 58) {_HERE}",
    "update": f"UPDATE person SET note = ({_TWO})::text WHERE tenant = 5",
    "update by a condition": f"UPDATE person SET note = 'x' WHERE tenant = 5 AND {_TWO} < 9",
    "update beside constraints": "UPDATE bound SET code = 0, size = id WHERE tenant = 5",
    "update beside what it refers to": "UPDATE bound SET up = CASE id WHEN 58 THEN 999 END, next = CASE id WHEN 1"
    " THEN 999 END WHERE tenant = 5",
    "update beside what waits": "SET CONSTRAINTS ALL DEFERRED; UPDATE bound SET up = CASE id WHEN 58 THEN 999 END, next"
    " = CASE id WHEN 1 THEN 999 END WHERE tenant = 5; SET CONSTRAINTS ALL IMMEDIATE",
    "update of others": "UPDATE bare SET n = 1 / (p.id - 58) + ln(p.id - 1) FROM person p WHERE p.tenant = 5 AND"
    " bare.n = p.id",
    "update, returned": f"UPDATE person SET note = 'x' WHERE tenant = 5 RETURNING {_TWO}",
    "delete beside what refers to it": "DELETE FROM bound WHERE tenant = 5",
    "delete by a condition": f"DELETE FROM bound WHERE tenant = 5 AND {_TWO} < 9",
    "merge": "MERGE INTO log USING person p ON log.n = -p.id AND p.tenant = 5 WHEN NOT MATCHED AND p.tenant = 5 THEN"
    " INSERT (n) VALUES (1 / (p.id - 58) + ln(p.id - 1))",
    "merge into it": "MERGE INTO person p USING (VALUES (5)) v (t) ON p.tenant = t WHEN MATCHED THEN UPDATE SET note ="
    " (1 / (p.id - 58) + ln(p.id - 1))::text",
}

# So may these, by plans that these servers do not choose.
ALIKE: dict[str, str] = {
    "any": f"SELECT 1 = ANY (SELECT id {_HERE} AND {_FIRST})",
    "join with nothing": "SELECT count(*) FROM person p JOIN item i ON i.person = p.id + 0 WHERE p.tenant = 5 AND"
    " 1 / (p.id - 58) < 9 AND i.id < 0",
    "groups by two": f"SELECT tenant, {_ONE}, count(*) FROM person GROUP BY 1, 2 LIMIT 1",
    "rows before it, by a prefix": f"SELECT id, {_ONE} FROM person ORDER BY tenant, note LIMIT 30",
}

# Values that are equal and look different: the first one stands for all.
LOOKING: dict[str, str] = {
    f"{what} of {column}": text.format(column)
    for column in ("word", "size", "span", "pad", "doc")
    for what, text in {
        "distinct": "SELECT DISTINCT {} FROM odd WHERE tenant = 5",
        "groups": "SELECT {}, count(*) FROM odd WHERE tenant = 5 GROUP BY 1",
        "values of groups": "SELECT array_agg(DISTINCT {}) FROM odd WHERE tenant = 5",
        "union": "SELECT {0} FROM odd WHERE tenant = 5 UNION SELECT {0} FROM odd WHERE tenant < 0",
        "mode": "SELECT mode() WITHIN GROUP (ORDER BY {}) FROM odd WHERE tenant = 5",
    }.items()
}
LOOKING |= {
    f"{what} of {column}": text.format(column)
    for column in ("word", "size", "span", "pad")
    for what, text in {
        "lowest": "SELECT min({}) FROM odd WHERE tenant = 5 AND id NOT IN (10, 49)",
        "highest of each": "SELECT tenant, max({}) FROM odd GROUP BY tenant ORDER BY tenant",
        "lowest of a window": "SELECT id, min({}) OVER (PARTITION BY tenant) FROM odd ORDER BY id",
    }.items()
}
LOOKING |= {
    "ties of equals": "SELECT word, id FROM odd WHERE tenant = 5 ORDER BY word LIMIT 3",
    "sum of different ones": "SELECT sum(DISTINCT word) FROM odd WHERE tenant = 5",
    "recursive": "WITH RECURSIVE r AS (SELECT word FROM odd WHERE tenant = 5 UNION SELECT word FROM r) SELECT * FROM r",
    "groups of a subquery": "SELECT w, count(*) FROM (SELECT word AS w FROM odd WHERE tenant = 5) s GROUP BY w",
}

# Whatever fails of some rows does not of these, so that they give what they gave.
SAME: dict[str, str] = {
    "late": "SELECT id, 10 / id AS part, note || id, made::date FROM person WHERE tenant = 5 ORDER BY id LIMIT 7",
    "late, of types with modifiers": "SELECT id, (id + 0.5)::numeric(9, 3), lpad(note, id)::varchar(7) FROM person",
    "late, with subqueries": "SELECT id, (SELECT sum(10 / i.id) FROM item i WHERE i.person = person.id) FROM person",
    "late, by name": "SELECT p.id AS made, -p.id AS id, 10 / p.id FROM person p ORDER BY made, id LIMIT 4",
    "late, without names": "SELECT 10 / id, id::float8 / 3, row(10 / id, 'x'), coalesce(10 / id, 0) FROM person",
    "fenced": "SELECT id FROM person WHERE tenant = 5 AND 10 / id >= 0 AND note = 'note' ORDER BY id DESC LIMIT 3",
    "fenced, in an outer join": "SELECT i.id, p.id FROM item i LEFT JOIN person p ON p.id = i.person AND p.tenant = 5"
    " WHERE p.tenant IS NULL AND 10 / i.id >= 0",
    "fenced, in a full join": "SELECT p.id, a.id FROM person p FULL JOIN account a ON p.id = a.id + 1 AND p.tenant = 5"
    " WHERE 10 / coalesce(p.id, a.id) >= 0",
    "fenced, in joins of joins": "SELECT i.id, p.id FROM item i JOIN (account a LEFT JOIN person p ON p.id = a.id AND"
    " p.tenant = 5) ON i.person = a.id AND p.id IS NULL WHERE 10 / i.id >= 0",
    "fenced, looked up": "SELECT i.id, p.id FROM item i LEFT JOIN person p ON i.person = p.id AND p.tenant = 5"
    " WHERE 10 / i.id >= 0 AND (p.id IS NULL OR 10 / p.id >= 0)",
    "fenced, looked up twice": "SELECT i.id, p.id, a.id FROM item i JOIN person p ON i.person = p.id JOIN account a ON"
    " a.id = p.id WHERE 10 / i.id >= 0 AND a.tenant = 5",
    "fenced, renamed": "SELECT x.a FROM person x (a, b) WHERE 10 / x.a >= 0 AND b = 5",
    "fenced, grouped": "SELECT tenant, 10 / id AS part, count(*) FROM person GROUP BY tenant, part",
    "fenced, in a subquery": "SELECT t FROM generate_series(4, 7) t WHERE EXISTS (SELECT FROM person WHERE"
    " tenant = t AND 10 / id >= 0)",
    "fenced, in each": "SELECT t, s.id FROM generate_series(4, 7) t LEFT JOIN LATERAL (SELECT id FROM person WHERE"
    " tenant = t AND 10 / id >= 0 ORDER BY id DESC LIMIT 2) s ON true",
    "fenced, of a view": "SELECT id FROM people WHERE tenant = 5 AND 10 / id >= 0",
    "fenced, for others": "UPDATE bare SET line = 10 / p.id FROM person p WHERE p.id = bare.n AND p.tenant = 5"
    " RETURNING n, line",
    "sorted, grouped": "SELECT word, count(*), min(size), sum(DISTINCT word) FROM odd WHERE tenant <> 5 AND"
    " id % 2 = 0 GROUP BY word",
}

# They end well, or fail in one way for whatever order, so they are sent as if there were no hazard.
AS_BEFORE: dict[str, str] = {
    "point read": "SELECT 1 / (id - 58), ln(id - 1) FROM person WHERE id = 7",
    "page by the key": "SELECT id, note, length(note) FROM person WHERE tenant = 5 AND note LIKE 'n%' ORDER BY id"
    " LIMIT 3",
    "total conditions": "SELECT id FROM person WHERE tenant = 5 AND lower(note) = 'note' AND made > now() -"
    " interval '7 days' AND note IS NOT NULL AND id IN (1, 2, 3) ORDER BY id",
    "total aggregates": "SELECT count(*), min(id), max(id), sum(id), avg(id) FROM person WHERE tenant = 5",
    "constants": "SELECT id FROM person WHERE tenant = 10 / 2 ORDER BY id",
    "update of one": "UPDATE person SET note = (1 / (id - 58))::text WHERE id = 7",
    "updated to a constant": "UPDATE person SET note = 'x' WHERE tenant = 5",
    "other tables": "SELECT 1 / (id - 7) FROM item",
    "without a hazard": "SELECT 1 / (id - 7) FROM quiet",
}

# Whether they fail at all would depend on an order that nothing can complete.
REFUSED: dict[str, str] = {
    "locked by a condition": "SELECT id FROM person WHERE tenant = 5 AND 10 / id >= 0 ORDER BY id LIMIT 3 FOR UPDATE",
    "locked beside a condition": "SELECT id FROM person WHERE id IN (SELECT id FROM person WHERE 10 / id >= 0)"
    " ORDER BY id FOR UPDATE",
    "a cursor on rows locked by a condition": "DECLARE c CURSOR FOR SELECT id FROM person WHERE 10 / id >= 0"
    " ORDER BY id FOR UPDATE",
    "values that move": "UPDATE bound SET code = code + 3 WHERE tenant = 5",
    "values that move, merged": "MERGE INTO bound USING (VALUES (5)) v (t) ON bound.tenant = t WHEN MATCHED THEN UPDATE"
    " SET code = code + 3",
    "condition beside a join": "UPDATE person SET note = 'x' FROM item i WHERE i.person = person.id AND"
    " 1 / (person.id - 58) < 9",
    "condition beside a semijoin": "DELETE FROM person WHERE 1 / (id - 58) < 9 AND EXISTS (SELECT FROM item WHERE"
    " item.person = person.id)",
    "join with a condition in a view": "SELECT id FROM checked_join WHERE tenant = 5",
}
