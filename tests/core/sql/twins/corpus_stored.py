"""Statements about what the server computes unasked: by stored expressions, in views, and for rows of children."""

from __future__ import annotations

_DIGITS = "SET extra_float_digits = -15; "
_ZONE = "SET timezone = 'Asia/Tokyo'; "

# Views that are no part of the query around, so that all they compute is computed where their rows are carried.
_COMPUTING = (
    "in_cte", "in_cte_only", "in_kept_cte", "in_random_cte", "in_deep_cte", "in_plain_cte", "in_group", "in_order",
    "in_limit", "in_offset", "in_lock", "in_subquery_of_lock", "in_window", "in_random", "in_set", "in_barrier",
    "in_union", "over_union", "over_limit", "over_over_limit", "over_join", "over_distinct",
)  # fmt: skip


def _carried(view: str) -> str:
    return f"UPDATE log SET n = 1 FROM depot.{view} v WHERE v.id = log.n"


PASS: dict[str, str] = {
    "26 size of a parent": "SELECT pg_relation_size('depot.rack')",
    "26 size of a child": "SELECT pg_total_relation_size('depot.shelf')",
    "33 steady expressions over masked columns": _DIGITS + "SET timezone = 'Asia/Tokyo'; SET bytea_output = 'escape';"
    " UPDATE depot.steady SET note = 'y', half = 2 RETURNING id, note, g",
    "33 a new row beside steady expressions": "INSERT INTO depot.steady (id, w, raw, due) VALUES (2, 1, 'x', now())",
    "33 a new row beside expressions of settings": _DIGITS
    + "INSERT INTO depot.by_index (id, w) VALUES (2, 12.5) RETURNING id",
    "25 view that computes what nobody asks for": "UPDATE log SET n = 1 FROM depot.calc v WHERE v.id = log.n"
    " RETURNING v.id, v.x",
    "25 view over such, in a join": "DELETE FROM log USING depot.calc_of_join v WHERE v.id = log.n RETURNING log.n",
    "25 view, locked": "SELECT v.id, v.x FROM depot.calc v FOR UPDATE",
    "25 view beside what is locked": "SELECT log.n, v.id FROM log JOIN depot.calc v ON v.id = log.n FOR UPDATE OF log",
    "25 sums": "UPDATE log SET n = v.n FROM depot.sums v WHERE v.id = log.n RETURNING v.*",
    "25 ranks": "UPDATE log SET n = v.place FROM depot.ranks v WHERE v.id = log.n RETURNING v.*",
    "25 view of the first rows": "UPDATE log SET n = 5 FROM depot.paid v WHERE v.id = log.n RETURNING v.*",
    "25 view that locks": "SELECT id, dept FROM depot.locking",
    "25 view that was computed before": "UPDATE log SET n = 5 FROM depot.kept v WHERE v.id = log.n RETURNING v.*",
    "26 place of a row of a parent alone": "SELECT id, ctid FROM ONLY depot.rack",
    "26 sample of a parent alone": "SELECT id FROM ONLY depot.rack TABLESAMPLE SYSTEM (50) REPEATABLE (7)",
    "26 explain of a parent alone": "EXPLAIN SELECT id FROM ONLY depot.rack",
    "26 explain of a sibling": "EXPLAIN SELECT id FROM depot.corner",
    "26 table of a row of a parent": "SELECT id, tableoid::regclass FROM depot.rack",
    "33 deletion beside expressions of settings": _DIGITS + "DELETE FROM depot.by_index WHERE id = 1",
}

# Each would tell the twins apart if it were forwarded as it is: a test shows it.
LEAKS: dict[str, str] = {
    "33 index expression under a setting": _DIGITS + "UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting, by set_config": "SELECT set_config('extra_float_digits', '-15', false);"
    " UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting of the transaction": "SET LOCAL extra_float_digits = -15;"
    " UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting, by upsert": _DIGITS + "INSERT INTO depot.by_index (id) VALUES (1)"
    " ON CONFLICT (id) DO UPDATE SET note = 'x'",
    "33 index expression under a setting, by merge": _DIGITS + "MERGE INTO depot.by_index t USING log ON log.id = t.id"
    " WHEN MATCHED THEN UPDATE SET note = 'x'",
    "33 index predicate under a setting": _DIGITS + "UPDATE depot.by_predicate SET id = 5",
    "33 exclusion constraint under a setting": _DIGITS + "UPDATE depot.by_exclusion SET note = 'x'",
    "33 unique index under a setting": _DIGITS + "UPDATE depot.by_unique SET note = 'x'",
    "33 output function in a check": _DIGITS + "UPDATE depot.by_output SET note = 'x'",
    "33 domain whose check depends on a setting": _DIGITS + "UPDATE depot.by_domain SET note = 'x'",
    "33 array's text in a check": _DIGITS + "UPDATE depot.by_text SET note = 'x'",
    "33 partition key under a setting": _DIGITS + "UPDATE depot.by_key SET note = 'x'",
    "33 partition bound under a setting": _DIGITS + "UPDATE depot.by_key_only SET note = 'x'",
    "33 text of bytes under a setting": "SET bytea_output = 'escape'; UPDATE depot.by_bytes SET note = 'x'",
    "33 age under a time zone": _ZONE + "UPDATE depot.by_zone SET note = 'x'",
    "33 comparison of rows under a time zone": _ZONE + "UPDATE depot.by_row SET note = 'x'",
    "33 index of a child under a setting": _DIGITS + "UPDATE depot.base SET note = 'x'",
    "33 index of what a deletion changes, under a setting": _DIGITS + "DELETE FROM depot.owner",
    "37 function in a partition key": "INSERT INTO depot.shaped VALUES (1)",
    "37 function in the bounds of a partition": "INSERT INTO depot.shaped_all VALUES (1)",
    "37 function that a partition key compares by": "INSERT INTO depot.ordered VALUES (1, 'c')",
    **{f"25 view that computes, {view.replace('_', ' ')}": _carried(view) for view in _COMPUTING},
    "25 view that computes, read": "SELECT id FROM depot.in_cte",
    "25 view that computes, merged": "MERGE INTO log USING depot.in_group v ON v.id = log.n WHEN MATCHED THEN DELETE",
    "25 view that computes, deleted by": "DELETE FROM log USING depot.in_order v WHERE v.id = log.n",
    "25 view that computes, beside what is locked": "SELECT log.id FROM log, depot.in_window v WHERE v.id = log.n"
    " FOR UPDATE OF log",
    "25 view that computes, in a join": "UPDATE log SET n = 1 FROM depot.owner o LEFT JOIN depot.in_limit v"
    " ON v.id = o.id WHERE o.id = log.n",
    "26 place of a row of a parent": "SELECT id, ctid FROM depot.rack",
    "26 place of a row of a parent, qualified": "SELECT r.ctid FROM depot.rack r ORDER BY r.id",
    "26 place of a row of a parent, compared": "SELECT id FROM depot.rack WHERE ctid < '(1,0)'",
    "26 place of a row of a parent, with its transaction": "SELECT min(xmin::text), max(ctid::text), min(cmin::text)"
    " FROM depot.rack",
    "26 place of a row of another parent": "SELECT id, ctid FROM depot.room",
    "26 sample of a parent": "SELECT count(*) FROM depot.rack TABLESAMPLE SYSTEM (50) REPEATABLE (7)",
    "26 sample of a parent, by rows": "SELECT id FROM depot.room TABLESAMPLE BERNOULLI (50) REPEATABLE (7)",
    "26 explain of a parent": "EXPLAIN SELECT id FROM depot.rack",
    "26 explain of a view of a parent": "EXPLAIN SELECT id FROM depot.rack_view",
    "26 explain of a join with a parent": "EXPLAIN SELECT 1 FROM log JOIN depot.room r ON r.id = log.n",
    "26 explain with what is done": "EXPLAIN (ANALYZE, BUFFERS, TIMING off, SUMMARY off) SELECT id FROM depot.rack",
    "26 place of a row of a parent, through a view": "SELECT place FROM depot.places",
    "26 place of a row of a parent, through a view of two": "SELECT place FROM depot.places_of_two",
    "26 sample of a parent, through a view": "SELECT id FROM depot.sampled",
    "26 place of a row of a parent, of a write": "DELETE FROM depot.rack RETURNING ctid",
    "26 place of a row of a parent, for a write": "UPDATE depot.rack SET note = 'y' WHERE ctid = '(1,1)'",
}

# Likewise on servers since a version: older ones do not know the table, or compute less.
LEAKS_SINCE: dict[str, tuple[int, str]] = {
    "33 generated column of a row that moves": (16, _DIGITS + "UPDATE depot.by_move SET half = 2"),
    "25 view that computes a virtual column": (18, _carried("over_virtual")),
    "33 check of a virtual column": (18, _DIGITS + "UPDATE depot.by_virtual SET note = 'x'"),
    "33 check of a row with a virtual column": (18, _DIGITS + "UPDATE depot.by_virtual_row SET note = 'y'"),
    "33 virtual column that is not null": (18, _DIGITS + "UPDATE depot.by_virtual_null SET note = 'x'"),
}

DENY: dict[str, str] = {
    "38 explain of a view that shows nothing governed": "EXPLAIN SELECT id FROM plain",
    "38 explain of what such a view reads, with what is done": "EXPLAIN (ANALYZE, COSTS OFF) SELECT id FROM plain",
    "38 explain of a view of partitions by masked values": "EXPLAIN (ANALYZE, COSTS OFF) SELECT id FROM cust_ids",
    "26 place of a row of a parent, through a cursor": "DECLARE c CURSOR FOR SELECT ctid FROM depot.rack; FETCH ALL"
    " FROM c",
    "26 place of a row of a parent, copied": "COPY (SELECT ctid FROM depot.rack) TO STDOUT",
    "26 place of a row of a parent, in a subquery": "SELECT (SELECT max(r.ctid::text) FROM depot.rack r)",
    "26 place of a row of a parent, prepared": "PREPARE p AS SELECT ctid FROM depot.rack; EXECUTE p",
    "37 function that bounds of a partition compare by": "INSERT INTO depot.ordered_some VALUES (1, 'c')",
    **LEAKS,
    **{name: text for name, (_, text) in LEAKS_SINCE.items()},
}
