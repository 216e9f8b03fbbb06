"""The SQL that fetches a catalog snapshot: what is asked, in which order. What it means is in `snapshot.py`.

Each named statement answers with one row of one text column (JSON). They read only catalogs that every role may read,
in one read-only transaction that pins search_path, so that the text of definitions comes out qualified. They run over
one connection, as the role whose sessions are governed and with that role's defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from penstock_core.sql.allowlists.statement_kinds import CHANGING_WORDS
from penstock_core.sql.catalog.model import RANGE_CONSTRUCTOR
from penstock_core.sql.catalog.relation_queries import RELATION_QUERIES

_FUNCTIONS = """
SELECT DISTINCT p.proname, n.nspname, x.extname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
   OR (n.nspname = 'pg_catalog' AND p.oid >= 16384)
ORDER BY p.proname, n.nspname, x.extname
"""

_SYSTEM_FUNCTIONS = """
SELECT p.proname, bool_and(p.provolatile = 'i') FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 GROUP BY p.proname
ORDER BY p.proname
"""

# The server's own functions that come with each range type: they put values together, and compare them.
_CONSTRUCTS_RANGE = "l.lanname = 'internal' AND p.prosrc ~ '^(multi)?range_constructor[0-9]$'"

# Functions with their bodies, where the language is one that is read here.
_ROUTINES = """
SELECT n.nspname, p.proname, p.prokind, CASE WHEN CONSTRUCTS_RANGE THEN 'RANGE_CONSTRUCTOR' ELSE l.lanname END,
       CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc ELSE '' END, pg_get_function_sqlbody(p.oid),
       p.provolatile, p.proretset, json_build_array(rn.nspname, r.typname),
       (SELECT json_agg(json_build_array(coalesce(p.proargmodes[a.place], 'i'), coalesce(p.proargnames[a.place], ''),
                                         an.nspname, t.typname) ORDER BY a.place)
        FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a(type, place)
        JOIN pg_type t ON t.oid = a.type JOIN pg_namespace an ON an.oid = t.typnamespace),
       pg_get_expr(p.proargdefaults, 0), p.proconfig, x.extname,
       (SELECT json_agg(json_build_array(fn.nspname, f.proname)) FROM pg_aggregate g
        JOIN pg_proc f ON f.oid IN (g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn,
                                    g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
        JOIN pg_namespace fn ON fn.oid = f.pronamespace WHERE g.aggfnoid = p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
JOIN pg_type r ON r.oid = p.prorettype JOIN pg_namespace rn ON rn.oid = r.typnamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
   OR (n.nspname = 'pg_catalog' AND p.oid >= 16384)
ORDER BY n.nspname, p.proname, p.oid
""".replace("CONSTRUCTS_RANGE", _CONSTRUCTS_RANGE).replace("RANGE_CONSTRUCTOR", RANGE_CONSTRUCTOR)

_SYSTEM_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0
  AND NOT a.attisdropped
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
"""

_OPERATORS = """
SELECT DISTINCT o.oprname, n.nspname, x.extname, fn.nspname, p.proname, o.oprrest <> 0 OR o.oprjoin <> 0
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_proc p ON p.oid = o.oprcode OR (p.oid IN (o.oprrest, o.oprjoin) AND p.oid >= 16384)
LEFT JOIN pg_namespace fn ON fn.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE o.oid >= 16384
ORDER BY o.oprname, n.nspname, x.extname, fn.nspname, p.proname, 6
"""

# What a type is read again with: the relation whose rows or arrays of such it has, itself, or (s) nothing, as the
# system's.
TYPE_OWNER = """
    CASE WHEN n.nspname IN ('pg_catalog', 'information_schema') THEN 's'
    WHEN t.typrelid <> 0 THEN t.typrelid::text
    WHEN e.typrelid <> 0 AND e.typarray = t.oid THEN e.typrelid::text
    ELSE 't' || t.oid END"""

# A domain's checks and a cast's function are code that runs where the type is only named. The extensions (empty: none)
# whose functions and operators the checks use.
_TYPES = """
SELECT OWNER, t.typname, n.nspname, t.typtype, x.extname,
       array_to_json(ARRAY(
           SELECT DISTINCT coalesce(cx.extname, '') FROM pg_constraint k
           JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
           LEFT JOIN pg_depend cm ON cm.classid = d.refclassid AND cm.objid = d.refobjid AND cm.deptype = 'e'
           LEFT JOIN pg_extension cx ON cx.oid = cm.refobjid
           WHERE k.contypid = t.oid AND d.refobjid >= 16384
             AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) ORDER BY 1)),
       array_to_json(CASE WHEN t.typtype = 'c' THEN ARRAY(
           SELECT ARRAY[an.nspname, a.typname]
           FROM pg_attribute f JOIN pg_type a ON a.oid = f.atttypid JOIN pg_namespace an ON an.oid = a.typnamespace
           WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped ORDER BY f.attnum)
       WHEN t.typtype = 'r' THEN ARRAY(
           SELECT ARRAY[an.nspname, a.typname]
           FROM pg_range g JOIN pg_type a ON a.oid = g.rngsubtype JOIN pg_namespace an ON an.oid = a.typnamespace
           WHERE g.rngtypid = t.oid AND g.rngcanonical::oid = 0 AND g.rngsubdiff::oid < 16384)
       WHEN t.typtype = 'm' THEN ARRAY(
           SELECT ARRAY[an.nspname, a.typname]
           FROM pg_range g JOIN pg_type a ON a.oid = g.rngtypid JOIN pg_namespace an ON an.oid = a.typnamespace
           WHERE g.rngmultitypid = t.oid)
       WHEN b.oid IS NOT NULL THEN ARRAY[ARRAY[bn.nspname, b.typname]] END)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem
LEFT JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE nullif(t.typelem, 0) END
LEFT JOIN pg_namespace bn ON bn.oid = b.typnamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' AND WANTED_TYPE
ORDER BY IN_ORDER
""".replace("OWNER", TYPE_OWNER)

# What Parse messages may call types by; the rows of the system's catalogs and views are none that anybody sends.
_TYPE_OIDS = """
SELECT OWNER, t.oid::int8, n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE n.nspname !~ '^pg_(toast|temp)'
  AND (n.nspname NOT IN ('pg_catalog', 'information_schema') OR (t.typrelid = 0 AND coalesce(e.typrelid, 0) = 0))
  AND WANTED_TYPE
ORDER BY IN_ORDER
""".replace("OWNER", TYPE_OWNER)

_RANGE_CONSTRUCTORS = """
SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE CONSTRUCTS_RANGE
""".replace("CONSTRUCTS_RANGE", _CONSTRUCTS_RANGE)

_CASTS = """
SELECT sn.nspname, s.typname, tn.nspname, t.typname, c.castcontext
FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc
JOIN pg_type s ON s.oid = c.castsource JOIN pg_namespace sn ON sn.oid = s.typnamespace
JOIN pg_type t ON t.oid = c.casttarget JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid AND m.deptype = 'e'
WHERE p.oid >= 16384 AND m.objid IS NULL AND p.oid NOT IN (RANGE_CONSTRUCTORS)
ORDER BY 1, 2, 3, 4, 5
""".replace("RANGE_CONSTRUCTORS", _RANGE_CONSTRUCTORS)

# Functions of the user's that turn something into a value of a type, or that into something else.
_CONVERSIONS = """
SELECT DISTINCT n.nspname, t.typname, fn.nspname, p.proname
FROM (
    SELECT k.contypid, CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
    FROM pg_constraint k JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    WHERE k.contypid <> 0 AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    UNION ALL SELECT castsource, castfunc FROM pg_cast WHERE castfunc >= 16384
    UNION ALL SELECT casttarget, castfunc FROM pg_cast WHERE castfunc >= 16384
) AS used(type, function)
JOIN pg_type t ON t.oid = used.type JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_proc p ON p.oid = used.function JOIN pg_namespace fn ON fn.oid = p.pronamespace
WHERE p.oid >= 16384 AND n.nspname <> 'pg_catalog' AND p.oid NOT IN (RANGE_CONSTRUCTORS)
ORDER BY 1, 2, 3, 4
""".replace("RANGE_CONSTRUCTORS", _RANGE_CONSTRUCTORS)

# Types that are compared by functions of the user's, and functions of theirs that indexes and partition keys compare
# by.
_ORDERS = """
SELECT DISTINCT n.nspname, t.typname, c.opcdefault, k.relname, kn.nspname, p.proname, pn.nspname, x.extname
FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod JOIN pg_type t ON t.oid = c.opcintype
JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_amproc f ON f.amprocfamily = c.opcfamily AND (f.amproclefttype = c.opcintype OR f.amprocrighttype = c.opcintype)
JOIN pg_proc p ON p.oid = f.amproc JOIN pg_namespace pn ON pn.oid = p.pronamespace
LEFT JOIN (SELECT indrelid, unnest(indclass) FROM pg_index UNION ALL SELECT partrelid, unnest(partclass)
           FROM pg_partitioned_table) i(relation, class) ON i.class = c.oid
LEFT JOIN pg_class k ON k.oid = i.relation LEFT JOIN pg_namespace kn ON kn.oid = k.relnamespace
LEFT JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = e.refobjid
WHERE p.oid >= 16384 AND (i.relation IS NOT NULL OR (c.opcdefault AND m.amname IN ('btree', 'hash')))
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
"""

# Functions that run whenever a table comes or goes.
_EVENTS = """
SELECT DISTINCT n.nspname, p.proname
FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
ORDER BY 1, 2
"""

# Functions whose code may change the catalog: by its own words, by naming such a function, or because nothing is known
# of its language. Of those in C, an extension's are taken for harmless. Whether one runs without being named (views,
# operators, defaults, other functions' parsed bodies), and whether it does as a trigger.
_CHANGING = """
WITH RECURSIVE code AS (
    SELECT p.oid, p.proname, p.prosrc,
           CASE l.lanname
               WHEN 'plpgsql' THEN p.prosrc ~* 'WORDS'
               WHEN 'sql' THEN p.prosrc ~* 'WORDS'
                   OR regexp_replace(p.prosrc, '\\m(insert|merge)\\s+into\\M', '', 'gi') ~* '\\minto\\M'
               ELSE NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid
                                                          AND m.deptype = 'e') END AS direct
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND p.prokind <> 'a' AND NOT (CONSTRUCTS_RANGE)
), mention AS (
    SELECT DISTINCT code.oid, code.proname, word[1] AS word
    FROM code, regexp_matches(lower(code.prosrc), '[[:alpha:]_][[:alnum:]_$]*', 'g') AS word
    WHERE EXISTS (SELECT FROM code WHERE direct)
), changing AS (
    SELECT oid, proname FROM code
    WHERE direct OR EXISTS (SELECT FROM code odd WHERE odd.direct AND odd.proname !~ '^[[:alpha:]_][[:alnum:]_$]*$')
    UNION
    SELECT mention.oid, mention.proname FROM mention JOIN changing ON mention.word = lower(changing.proname)
)
SELECT c.proname,
       bool_or(d.classid IS NOT NULL AND d.classid NOT IN ('pg_trigger'::regclass, 'pg_event_trigger'::regclass)),
       bool_or(d.classid IS NOT DISTINCT FROM 'pg_trigger'::regclass)
FROM changing c
LEFT JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = c.oid AND d.deptype <> 'e'
GROUP BY c.proname
ORDER BY c.proname
""".replace("WORDS", CHANGING_WORDS).replace("CONSTRUCTS_RANGE", _CONSTRUCTS_RANGE)

# Modules that are loaded define settings of theirs; a session's own (`app.tenant`) do not show here.
_SETTINGS = "SELECT DISTINCT split_part(name, '.', 1) FROM pg_settings WHERE name LIKE '%.%' ORDER BY 1"


# Types and their arrays of those relations, and types by themselves, that are asked for.
_SOME_TYPES = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND t.oid = ANY (ARRAY(
        SELECT unnest(ARRAY[y.oid, y.typarray]) FROM pg_class k JOIN pg_type y ON y.oid = k.reltype
        WHERE k.oid = ANY (RELATIONS)) || TYPES)"""
# Every row of one owner in a row, and always in the same order.
_TYPE_ORDER = """CASE WHEN t.typrelid <> 0 THEN t.typrelid WHEN e.typrelid <> 0 AND e.typarray = t.oid THEN e.typrelid
    ELSE t.oid END, t.oid"""
_WANTED = re.compile(r"\bWANTED\(([a-z_.]+)\)")


def _document(query: str, columns: int) -> str:
    """The query, its rows as one JSON array of arrays in one text column."""
    names = ", ".join(f"c{number}" for number in range(columns))
    answer = "SELECT coalesce(json_agg(json_build_array(NAMES)), '[]')::text FROM (QUERY) AS answer(NAMES)"
    return answer.replace("NAMES", names).replace("QUERY", query)


def _of(relations: Sequence[str], types: Sequence[str], query: str, columns: int) -> str:
    """The document, of these relations and types alone: by their OIDs."""
    wanted, others = (f"'{{{','.join(oids)}}}'::oid[]" for oids in (relations, types))
    of_types = _SOME_TYPES.replace("RELATIONS", wanted).replace("TYPES", others)
    text = query.replace("WANTED_TYPE", of_types).replace("IN_ORDER", _TYPE_ORDER)
    return _document(_WANTED.sub(lambda found: f"{found[1]} = ANY ({wanted})", text), columns)


def _of_all(query: str, columns: int) -> str:
    text = query.replace("WANTED_TYPE", "true").replace("IN_ORDER", _TYPE_ORDER)
    return _document(_WANTED.sub("true", text), columns)


BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
COMMIT = "COMMIT"
SESSION = (
    "SELECT pg_catalog.json_build_array(pg_catalog.json_build_array("
    "pg_catalog.array_to_json(pg_catalog.current_schemas(false)),"
    " pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_encoding'),"
    " CASE WHEN current_user OPERATOR(pg_catalog.=) session_user THEN session_user END,"
    " EXISTS (SELECT FROM pg_catalog.pg_collation WHERE NOT collisdeterministic)))::pg_catalog.text"
)
# What is compiled first takes seconds, what is asked milliseconds.
SETTINGS = ("SET LOCAL search_path = pg_catalog", "SET LOCAL jit = off")

# Documents whose rows are each of one relation or type, which they begin with.
_OWNED: dict[str, tuple[str, int]] = {
    **RELATION_QUERIES,
    "types": (_TYPES, 7),
    "type_oids": (_TYPE_OIDS, 4),
}
OWNED = tuple(_OWNED)
# Documents about functions.
OF_FUNCTIONS: dict[str, str] = {
    "functions": _document(_FUNCTIONS, 3),
    "routines": _document(_ROUTINES, 14),
    "changing": _document(_CHANGING, 3),
}
# Documents about the system's own.
_OF_SYSTEM: dict[str, str] = {
    "system_functions": _document(_SYSTEM_FUNCTIONS, 2),
    "system_columns": _document(_SYSTEM_COLUMNS, 3),
}
# All others, which are short and depend on many things.
OTHERS: dict[str, str] = {
    "operators": _document(_OPERATORS, 6),
    "casts": _document(_CASTS, 5),
    "conversions": _document(_CONVERSIONS, 4),
    "orders": _document(_ORDERS, 8),
    "events": _document(_EVENTS, 2),
    "settings": _document(_SETTINGS, 1),
}
# Every document but the session's.
ALL: dict[str, str] = {
    **{name: _of_all(query, columns) for name, (query, columns) in _OWNED.items()},
    **OF_FUNCTIONS,
    **_OF_SYSTEM,
    **OTHERS,
}


def of_some(relations: Sequence[str], types: Sequence[str]) -> dict[str, str]:
    """The documents by relation or type, of those with these OIDs alone."""
    return {name: _of(relations, types, query, columns) for name, (query, columns) in _OWNED.items()}


def at_once(queries: Iterable[str]) -> str:
    """The answers of all these in one row."""
    return f"SELECT {', '.join(f'({query})' for query in queries)}"


# (name, SQL): to run in this order; a nameless one returns no rows.
STATEMENTS: tuple[tuple[str, str], ...] = (
    ("", BEGIN),
    ("session", SESSION),
    *(("", text) for text in SETTINGS),
    *ALL.items(),
    ("", COMMIT),
)
