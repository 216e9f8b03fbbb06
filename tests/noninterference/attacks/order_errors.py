"""Order by errors (L3, L5, L6): which of several errors comes first, how many rows come before one, and whether what
stops early meets one, where an index, a partition or the stored order of a table goes by masked values.

Rows fail by a bit of their number, so that each question tells a bit of the row that comes first: six are asked of each.
"""

from __future__ import annotations

from tests.noninterference.attacks.order import RELATIONS, SORTS
from tests.noninterference.scenes import Mode, Scene, Statement, Talk, perform
from tests.sidecar.proxy.raw import bind

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC

_BITS = range(6)
_BIT = "((id * 7919 / 64) >> {n}) % 2"
# Fails for half of the rows; for all rows, in one of two ways.
_HALF = f"1 / ({_BIT})"
_BOTH = f"1 / ({_BIT}) + ln(({_BIT}) - 1)"
# Of any relation: by the first row that fails, or the first that does not.
EVERYWHERE = {
    "two kinds": "SELECT {both} FROM {t} WHERE {w}",
    "two kinds of a sum": "SELECT sum({both}) FROM {t} WHERE {w}",
    "rows before an error": "SELECT 1 FROM {t} WHERE {w} AND {half} < 9",
    "limit": "SELECT 1 FROM {t} WHERE {w} AND {half} < 9 LIMIT 1",
    "exists": "SELECT EXISTS (SELECT FROM {t} WHERE {w} AND {half} < 9)",
}
WAYS = {
    "two kinds in an order": "SELECT id FROM {t} WHERE {w} ORDER BY {both} LIMIT 1",
    "two kinds in groups": "SELECT tenant, {both}, count(*) FROM {t} WHERE {w} GROUP BY 1, 2",
    "two kinds of groups": "SELECT tenant, max({both}) FROM {t} WHERE {w} GROUP BY tenant",
    "two kinds in a filter": "SELECT count(*) FILTER (WHERE {both} < 9) FROM {t} WHERE {w}",
    "two kinds in a window": "SELECT id, sum({both}) OVER () FROM {t} WHERE {w}",
    "two kinds of casts": "SELECT (CASE WHEN {bit} = 0 THEN 'x' ELSE '1' END)::int / ({bit} - 1) FROM {t} WHERE {w}",
    "two kinds in a copy": "COPY (SELECT {both} FROM {t} WHERE {w}) TO STDOUT",
    "two kinds of an array": "SELECT ARRAY(SELECT {both} FROM {t} WHERE {w})",
    "two kinds of a set": "SELECT {both} FROM {t} WHERE {w} UNION ALL SELECT 0",
    "two kinds, put away": "CREATE TEMP TABLE q AS SELECT {both} AS x FROM {t} WHERE {w}",
    "two kinds, inserted": "INSERT INTO plain_log (line) SELECT ({both})::text FROM {t} WHERE {w}",
    "rows of an output": "SELECT id, {half} FROM {t} WHERE {w}",
    "rows of a copy": "COPY (SELECT id, {half} FROM {t} WHERE {w}) TO STDOUT",
    "rows of a join": "SELECT x.id, {half} FROM {t} x, (VALUES (1)) v(one) WHERE {w}",
    "rows of sets": "SELECT id, generate_series(0, {half}) FROM {t} WHERE {w}",
    "limit of an output": "SELECT {half} FROM {t} WHERE {w} LIMIT 1",
    "limit by ties": "SELECT {half} FROM {t} WHERE {w} ORDER BY tenant LIMIT 1",
    "limit of with": "WITH c AS (SELECT {half} AS x FROM {t} WHERE {w}) SELECT x FROM c LIMIT 1",
    "limit of a parameter": "PREPARE p (int) AS SELECT {half} FROM {t} WHERE {w} LIMIT $1; EXECUTE p (1)",
    "lowest by an index": "SELECT min(tenant) FROM {t} WHERE {w} AND {half} < 9",
    "any": "SELECT 1 = ANY (SELECT {half} FROM {t} WHERE {w})",
    "lateral": "SELECT l.* FROM (VALUES (1)) v(one), LATERAL (SELECT {half} FROM {t} WHERE {w} LIMIT 1) l",
    "scalar": "SELECT (SELECT id FROM {t} WHERE {w} AND {half} < 9)",
    "semijoin": "SELECT p.id FROM plain p WHERE EXISTS (SELECT FROM {t} WHERE {w} AND {half} < 9) LIMIT 1",
    "cursor": "DECLARE c CURSOR FOR SELECT {half} FROM {t} WHERE {w}; FETCH 1 FROM c; FETCH 1 FROM c",
}
WRITING = {
    "two kinds, updated": "UPDATE {t} SET note = ({both})::text WHERE {w}",
    "two kinds, updated by": "UPDATE {t} SET note = 'x' WHERE {w} AND {both} < 9",
    "two kinds, returned": "UPDATE {t} SET note = 'x' WHERE {w} RETURNING {both}",
    "two kinds, deleted by": "DELETE FROM {t} WHERE {w} AND {both} < 9",
    "two kinds, prepared": "PREPARE p AS UPDATE {t} SET note = ({both})::text WHERE {w}; EXECUTE p",
    "two kinds, merged": "MERGE INTO plain p USING {t} x ON p.id = -x.id AND x.{w} WHEN NOT MATCHED AND x.{w} THEN INSERT (id, n)"
    " VALUES (0, {both_x})",
    "moved keys": "UPDATE {t} SET id = id + 50 WHERE {w}",
    "beside a join": "UPDATE {t} SET note = 'x' FROM plain p WHERE p.id = {t}.tenant AND {t}.{w} AND 1 / ({t}.id - 55) < 9",
    "locked": "SELECT {half} FROM {t} WHERE {w} LIMIT 1 FOR UPDATE",
}
# Values that are equal and look different.
LOOKS = {
    "distinct": "SELECT DISTINCT CASE WHEN {bit} = 0 THEN 1.0 ELSE 1.00 END FROM {t} WHERE {w}",
    "lowest": "SELECT min(CASE WHEN {bit} = 0 THEN 1.0 ELSE 1.00 END) FROM {t} WHERE {w}",
    "groups": "SELECT CASE WHEN {bit} = 0 THEN '0'::float8 ELSE '-0' END, count(*) FROM {t} WHERE {w} GROUP BY 1",
    "union": "SELECT CASE WHEN {bit} = 0 THEN interval '1 month' ELSE '30 days' END FROM {t} WHERE {w} UNION SELECT '1 day'",
}


def _texts(way: str, relation: str) -> list[str]:
    """The statements that ask it for each bit."""
    found = []
    for n in _BITS:
        parts = {"bit": _BIT.format(n=n), "half": _HALF.format(n=n), "both": _BOTH.format(n=n)}
        parts["both_x"] = parts["both"].replace("id", "x.id")
        found.append(way.format(t=relation, w=RELATIONS[relation], **parts))
    return found


def _scene(name: str, way: str, relation: str) -> Scene:
    """Each question by itself, since it may fail; what is changed or made is undone."""
    texts = [one.split("; ") for one in _texts(way, relation)]
    flat = [part for one in texts for part in one]
    wrapped = len(texts[0]) > 1 or any(word in way for word in ("UPDATE", "DELETE", "INSERT", "MERGE", "CREATE"))

    def play(talk: Talk, mode: Mode) -> None:
        for one in texts:
            perform(talk, mode, [Statement(part) for part in one], wrapped)

    return Scene(
        "order errors", f"{name}, {relation}", play, ";\n".join(flat), statements=tuple(Statement(one) for one in flat)
    )


def _portal(relation: str) -> Scene:
    text = _texts("SELECT {half} FROM {t} WHERE {w}", relation)

    def play(talk: Talk, _mode: Mode) -> None:
        for one in text:
            parts = messages.parse("", one) + bind() + messages.execute("", 1) + messages.execute("", 2) + SYNC
            talk.send(f"{one}, one row and two of the portal", parts)

    return Scene("order errors", f"portal with a row limit, {relation}", play, ";\n".join(text), modes=("simple",))


SCENES = [
    *(_scene(name, way, relation) for relation in SORTS for name, way in EVERYWHERE.items()),
    *(_scene(name, way, "users") for name, way in {**WAYS, **WRITING}.items()),
    *(_scene(f"{name} of equals", way, relation) for relation in SORTS[:2] for name, way in LOOKS.items()),
    *(_portal(relation) for relation in SORTS),
]
