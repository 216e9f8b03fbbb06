"""Order (L3, L5, L6): the order of rows, and which rows come first, where an index, a partition or the stored order of a
table goes by masked values. Every way to see an order, on every kind of relation whose order tells something.
"""

from __future__ import annotations

from tests.noninterference.scenes import Mode, Scene, Statement, Talk, perform, single
from tests.sidecar.proxy.raw import bind

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC

# Relations with a masked column about, and a condition that picks some of their rows.
RELATIONS = {
    "users": "tenant = 5",
    "unique_users": "tenant = 5",
    "expression_users": "tenant = 5",
    "partial_users": "tenant = 5",
    "include_users": "tenant = 5",
    "clustered_users": "tenant < 20",
    "generated_users": "tenant = 5",
    "descending": "tenant = 5",
    "wide": "id > 0",
    "user_ids": "tenant = 5",
    "user_notes": "id > 0",
    "by_rank": "tenant = 3",
    "by_pay": "tenant = 3",
    "range_parts": "tenant = 3",
    "list_parts": "tenant = 3",
    "hash_parts": "tenant = 3",
    "expression_parts": "tenant = 3",
    "fair_parts": "tenant = 0",
    "part_ids": "tenant = 3",
    "human": "tenant = 5",
    "creature": "tenant = 5",
}
# What shows an order of any relation.
EVERYWHERE = {
    "plain": "SELECT id FROM {t} WHERE {w}",
    "limit": "SELECT id FROM {t} WHERE {w} LIMIT 1",
    "offset": "SELECT id FROM {t} WHERE {w} OFFSET 1",
    "array_agg": "SELECT array_agg(id) FROM {t} WHERE {w}",
    "row_number": "SELECT row_number() OVER (), id FROM {t} WHERE {w}",
    "scalar": "SELECT (SELECT id FROM {t} WHERE {w} LIMIT 1)",
    "copy": "COPY (SELECT id FROM {t} WHERE {w}) TO STDOUT",
    "whole": "SELECT id FROM {t}",
}
# Further ways, on one relation of each sort.
WAYS = {
    "fetch first": "SELECT id FROM {t} WHERE {w} FETCH FIRST 2 ROWS ONLY",
    "with ties": "SELECT id FROM {t} WHERE {w} ORDER BY tenant FETCH FIRST 2 ROWS WITH TIES",
    "limit of a parameter": "PREPARE p (int) AS SELECT id FROM {t} WHERE {w} LIMIT $1; EXECUTE p (1)",
    "limit all": "SELECT id FROM {t} WHERE {w} LIMIT ALL",
    "order by a constant": "SELECT id FROM {t} WHERE {w} ORDER BY 1 + 0, tenant LIMIT 1",
    "order that ends in ties": "SELECT id FROM {t} WHERE {w} ORDER BY tenant LIMIT 1",
    "order by an expression": "SELECT id FROM {t} WHERE {w} ORDER BY tenant % 2, tenant + 1 LIMIT 1",
    "order descending": "SELECT id FROM {t} WHERE {w} ORDER BY tenant DESC NULLS LAST LIMIT 1",
    "order by using": "SELECT id FROM {t} WHERE {w} ORDER BY tenant USING > LIMIT 1",
    "string_agg": "SELECT string_agg(id::text, ',') FROM {t} WHERE {w}",
    "json_agg": "SELECT json_agg(id) FROM {t} WHERE {w}",
    "jsonb_agg": "SELECT jsonb_agg(id) FROM {t} WHERE {w}",
    "json_object_agg": "SELECT json_object_agg(id, 1) FROM {t} WHERE {w}",
    "array_agg of a row": "SELECT array_agg((id, tenant)) FROM {t} WHERE {w}",
    "array_agg with a filter": "SELECT array_agg(id) FILTER (WHERE id > 0) FROM {t} WHERE {w}",
    "array_agg in order of ties": "SELECT array_agg(id ORDER BY tenant) FROM {t} WHERE {w}",
    "array_agg in groups": "SELECT tenant, array_agg(id) FROM {t} WHERE {w} GROUP BY tenant",
    "first of array_agg": "SELECT (array_agg(id))[1] FROM {t} WHERE {w}",
    "array of a query": "SELECT ARRAY(SELECT id FROM {t} WHERE {w})",
    "float sum": "SELECT sum(id::float8 * 1e15 + 0.1) FROM {t} WHERE {w}",
    "first_value": "SELECT first_value(id) OVER () FROM {t} WHERE {w}",
    "lag": "SELECT id, lag(id) OVER () FROM {t} WHERE {w}",
    "lead in a window by ties": "SELECT id, lead(id) OVER (ORDER BY tenant) FROM {t} WHERE {w}",
    "ntile": "SELECT id, ntile(2) OVER () FROM {t} WHERE {w}",
    "running sum": "SELECT id, sum(id) OVER (ROWS UNBOUNDED PRECEDING) FROM {t} WHERE {w}",
    "window array": "SELECT array_agg(id) OVER () FROM {t} WHERE {w} LIMIT 1",
    "named window": "SELECT id, row_number() OVER w FROM {t} WHERE {w} WINDOW w AS (PARTITION BY tenant)",
    "distinct on": "SELECT DISTINCT ON (tenant) tenant, id FROM {t} WHERE {w}",
    "distinct on, ordered by ties": "SELECT DISTINCT ON (tenant) tenant, id FROM {t} WHERE {w} ORDER BY tenant",
    "distinct": "SELECT DISTINCT id FROM {t} WHERE {w} LIMIT 1",
    "group by, limit": "SELECT id, count(*) FROM {t} WHERE {w} GROUP BY id LIMIT 1",
    "union all": "SELECT id FROM {t} WHERE {w} UNION ALL SELECT 0",
    "union all, limit": "(SELECT id FROM {t} WHERE {w} LIMIT 1) UNION ALL (SELECT 0)",
    "intersect": "SELECT id FROM {t} WHERE {w} INTERSECT ALL SELECT id FROM {t} WHERE {w} LIMIT 1",
    "cte": "WITH c AS (SELECT id FROM {t} WHERE {w}) SELECT * FROM c LIMIT 2",
    "cte materialized": "WITH c AS MATERIALIZED (SELECT id FROM {t} WHERE {w} LIMIT 2) SELECT max(id) FROM c",
    "recursive": "WITH RECURSIVE r AS (SELECT id FROM {t} WHERE {w} UNION ALL SELECT 0 FROM r WHERE id < 0)"
    " SELECT * FROM r LIMIT 1",
    "subquery": "SELECT max(id) FROM (SELECT id FROM {t} WHERE {w} LIMIT 1) q",
    "subquery with offset": "SELECT min(id) FROM (SELECT id FROM {t} WHERE {w} OFFSET 3) q",
    "exists by rank": "SELECT EXISTS (SELECT FROM (SELECT id FROM {t} WHERE {w} LIMIT 1) q WHERE id > 2000)",
    "in a limited set": "SELECT id FROM plain WHERE id + 0 IN (SELECT id % 100 FROM {t} WHERE {w} LIMIT 1)",
    "lateral": "SELECT p.id, l.id FROM plain p, LATERAL (SELECT id FROM {t} WHERE {w} LIMIT 1) l WHERE p.id < 3",
    "lateral of the outer row": "SELECT p.id, l.id FROM plain p, LATERAL (SELECT x.id FROM {t} x WHERE x.tenant ="
    " p.tenant LIMIT 1) l ORDER BY p.id LIMIT 5",
    "join": "SELECT x.id, p.id FROM {t} x JOIN plain p ON p.id = x.tenant WHERE x.{w}",
    "join, limit": "SELECT x.id FROM {t} x JOIN plain p ON p.id = x.tenant WHERE x.{w} LIMIT 1",
    "left join": "SELECT x.id FROM plain p LEFT JOIN {t} x ON p.id = x.tenant AND x.{w} WHERE p.id = 5",
    "self join": "SELECT a.id, b.id FROM {t} a JOIN {t} b USING (tenant) WHERE a.{w} AND b.{w} LIMIT 3",
    "natural join": "SELECT id FROM {t} NATURAL JOIN (SELECT 5 AS tenant) x LIMIT 2",
    "srf beside": "SELECT id, generate_series(1, 2) FROM {t} WHERE {w} LIMIT 3",
    "case over order": "SELECT CASE WHEN (SELECT id FROM {t} WHERE {w} LIMIT 1) > 2000 THEN 'late' ELSE 'early' END",
    "temporary table": "CREATE TEMP TABLE q AS SELECT id FROM {t} WHERE {w} LIMIT 2; SELECT * FROM q",
    "insert": "INSERT INTO plain_log (line) SELECT id::text FROM {t} WHERE {w} RETURNING line",
    "sequence": "SELECT nextval('counter') - (SELECT 0), id FROM {t} WHERE {w}",
    "as of a values list": "SELECT v.n, (SELECT id FROM {t} WHERE {w} OFFSET v.n LIMIT 1) FROM (VALUES (0), (1)) v(n)",
    "cursor": "DECLARE c CURSOR FOR SELECT id FROM {t} WHERE {w}; FETCH 1 FROM c; FETCH ALL FROM c",
    "scrolling cursor": "DECLARE c SCROLL CURSOR FOR SELECT id FROM {t} WHERE {w}; FETCH LAST FROM c; FETCH ABSOLUTE 2"
    " FROM c; FETCH PRIOR FROM c",
    "count through a limit": "SELECT count(*) FROM (SELECT id FROM {t} WHERE {w} LIMIT 2) q WHERE id > 2000",
    "ordered set": "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY tenant), array_agg(id) FROM {t} WHERE {w}",
    "mode": "SELECT mode() WITHIN GROUP (ORDER BY id) FROM {t} WHERE {w}",
    "any_value by hand": "SELECT tenant, (array_agg(note || id))[1] FROM {t} WHERE {w} GROUP BY tenant",
    "grouping sets": "SELECT tenant, array_agg(id) FROM {t} WHERE {w} GROUP BY GROUPING SETS ((tenant), ())",
}
# What needs a table, and the right to write to it.
WRITING = {
    "update returning": "UPDATE {t} SET note = 'x' WHERE {w} RETURNING id",
    "update of the first": "UPDATE {t} SET note = 'x' WHERE id = (SELECT id FROM {t} WHERE {w} LIMIT 1) RETURNING id",
    "delete returning": "DELETE FROM {t} WHERE {w} AND id > 4990 RETURNING id",
    "update from": "UPDATE {t} SET note = p.note FROM plain p WHERE p.id = {t}.tenant AND {t}.{w} RETURNING {t}.id",
    "update from one of many": "UPDATE plain SET note = x.id::text FROM {t} x WHERE x.tenant = plain.id AND x.{w}"
    " RETURNING plain.note",
    "returning in a cte": "WITH w AS (UPDATE {t} SET note = 'x' WHERE {w} RETURNING id) SELECT * FROM w LIMIT 1",
    "for update": "SELECT id FROM {t} WHERE {w} LIMIT 1 FOR UPDATE",
    "skip locked": "SELECT id FROM {t} WHERE {w} LIMIT 1 FOR UPDATE SKIP LOCKED",
    "for share of": "SELECT x.id FROM {t} AS x WHERE x.{w} LIMIT 1 FOR SHARE OF x",
    "copy the table": "COPY {t} (id) TO STDOUT",
    "upsert": "INSERT INTO plain (id, note) SELECT 1, id::text FROM {t} WHERE {w} LIMIT 1 ON CONFLICT (id) DO UPDATE"
    " SET note = excluded.note RETURNING note",
    "merge": "MERGE INTO plain p USING (SELECT id FROM {t} WHERE {w} LIMIT 1) s ON s.id % 100 = p.id WHEN MATCHED THEN"
    " UPDATE SET note = 'hit'; SELECT id FROM plain WHERE note = 'hit'",
}
SORTS = ("users", "unique_users", "by_rank", "range_parts", "human")


def _statements(way: str, relation: str) -> list[Statement]:
    text = way.format(t=relation, w=RELATIONS[relation])
    return [Statement(one) for one in text.split("; ")]


def _scene(name: str, way: str, relation: str) -> Scene:
    statements = _statements(way, relation)
    scene = single("order", f"{name}, {relation}", statements[0].text)
    wrapped = any(word in way for word in ("UPDATE", "DELETE", "INSERT", "MERGE", "CREATE", "DECLARE"))

    def play(talk: Talk, mode: Mode) -> None:
        perform(talk, mode, statements, wrapped)

    text = ";\n".join(one.text for one in statements)
    return Scene("order", scene.name, play, text, statements=tuple(statements))


def _portal(relation: str) -> Scene:
    text = f"SELECT id FROM {relation} WHERE {RELATIONS[relation]}"

    def play(talk: Talk, _mode: Mode) -> None:
        parts = messages.parse("", text) + bind() + messages.execute("", 1) + messages.execute("", 2) + SYNC
        talk.send(f"{text}, one row and two of the portal", parts)

    return Scene("order", f"portal with a row limit, {relation}", play, text, modes=("simple",))


def _probe() -> Scene:
    """An address compared against probes that are inserted, and never stay."""
    statements = [
        Statement("INSERT INTO users (id, tenant, email, salary) VALUES (9001, 5, '8', 1)"),
        Statement("SELECT id FROM users WHERE tenant = 5"),
        Statement("SELECT id FROM users WHERE tenant = 5 LIMIT 1"),
    ]

    def play(talk: Talk, mode: Mode) -> None:
        perform(talk, mode, statements, wrapped=True)

    return Scene("order", "probes among masked values", play, ";\n".join(one.text for one in statements))


SCENES = [
    *(_scene(name, way, relation) for relation in RELATIONS for name, way in EVERYWHERE.items()),
    *(_scene(name, way, relation) for relation in ("users",) for name, way in WAYS.items()),
    *(
        _scene(name, WAYS[name], relation)
        for relation in SORTS[1:]
        for name in ("json_agg", "lag", "distinct on", "cte", "lateral", "join, limit", "cursor", "insert", "subquery")
    ),
    *(_scene(name, way, relation) for relation in ("users", "range_parts") for name, way in WRITING.items()),
    *(_portal(relation) for relation in SORTS),
    single("order", "array_agg in a materialized view", "SELECT ids FROM by_array WHERE tenant = 3"),
    _probe(),
]
