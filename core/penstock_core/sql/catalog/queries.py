"""The SQL that fetches a catalog snapshot: what is asked, in which order. What it means is in `snapshot.py`.

Each named statement answers with one row of one text column (JSON). They read only catalogs that every role may read,
in one read-only transaction that pins search_path, so that the text of definitions comes out qualified. They run over
one connection, as the role whose sessions are governed and with that role's defaults.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.statement_kinds import CHANGING_WORDS
from penstock_core.sql.catalog.model import RANGE_CONSTRUCTOR
from penstock_core.sql.catalog.row_types import ROW_TYPES
from penstock_core.sql.catalog.stored_expressions import CONSTRAINTS

# The user's own relations: not the system's, not those of sessions' temporary schemas.
_OWN = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"

# A type's qualified name; the system's own never need quotes but for "char".
_TYPE_NAME = (
    "CASE WHEN SPACE.nspname = 'pg_catalog' AND TYPE.typname <> 'char' THEN 'pg_catalog.' || TYPE.typname"
    " ELSE quote_ident(SPACE.nspname) || '.' || quote_ident(TYPE.typname) END"
)

_RELATIONS = """
SELECT c.oid::text, n.nspname, c.relname, c.relkind,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'),
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
       c.relrowsecurity,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
       (SELECT string_agg(concat_ws('; ', 'SELECT ' || pg_get_expr(p.polqual, c.oid),
                                    'SELECT ' || pg_get_expr(p.polwithcheck, c.oid)), '; ')
        FROM pg_policy p WHERE p.polrelid = c.oid),
       EXISTS (SELECT FROM unnest(c.reloptions) o WHERE o LIKE 'security_barrier=%')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND OWN_RELATION
"""

# Domains are followed to the types below them once, not for each column.
_COLUMNS = """
WITH RECURSIVE domain(oid, below, typmod, depth) AS (
    SELECT oid, typbasetype, typtypmod, 1 FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT domain.oid, d.typbasetype, CASE WHEN domain.typmod >= 0 THEN domain.typmod ELSE d.typtypmod END, depth + 1
    FROM domain JOIN pg_type d ON d.oid = domain.below AND d.typtype = 'd'
), base AS (SELECT DISTINCT ON (oid) oid, below, typmod FROM domain ORDER BY oid, depth DESC)
SELECT c.oid::text, a.attnum, a.attname,
       TYPE_NAME(tn, t),
       TYPE_NAME(bn, b),
       format_type(t.oid, a.atttypmod),
       format_type(b.oid, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE coalesce(base.typmod, -1) END),
       b.typcategory,
       a.attnotnull, a.attgenerated::text,
       CASE WHEN a.attcollation <> b.typcollation AND co.oid IS NOT NULL
            THEN quote_ident(con.nspname) || '.' || quote_ident(co.collname) END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN base ON base.oid = t.oid
JOIN pg_type b ON b.oid = coalesce(base.below, t.oid) JOIN pg_namespace bn ON bn.oid = b.typnamespace
LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace con ON con.oid = co.collnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND OWN_RELATION AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.oid, a.attnum
""".replace("TYPE_NAME(tn, t)", _TYPE_NAME.replace("SPACE", "tn").replace("TYPE", "t")).replace(
    "TYPE_NAME(bn, b)", _TYPE_NAME.replace("SPACE", "bn").replace("TYPE", "b")
)

# Indexes that rows may be fetched by one after another, with the columns that decide in which order: those of the key,
# of expressions and of the predicate (column 0 is the row as a whole). What is only included decides nothing.
_INDEXES = """
SELECT i.indrelid::text, k.relname, ARRAY(
           SELECT number FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key(number, place)
           WHERE place <= i.indnkeyatts AND number > 0
           UNION SELECT found[1]::int2
           FROM regexp_matches(concat(i.indexprs::text, i.indpred::text), ':varattno ([0-9]+)', 'g') AS found),
       i.indisclustered
FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION AND pg_index_has_property(i.indexrelid, 'index_scan') IS NOT FALSE
ORDER BY k.relname
"""

_INHERITANCE = "SELECT i.inhrelid::text, i.inhparent::text FROM pg_inherits i"

# What views (v), row security policies (p) and generated columns (g) read: relation, its column there (0: none),
# what they read of which relation (column 0: the relation as such). And which columns a sequence (s) numbers: by their
# defaults, or as their own.
_DEPENDENCIES = """
SELECT r.ev_class::text, 'v', 0, d.refobjid::text, d.refobjsubid
FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
WHERE r.rulename = '_RETURN' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
UNION
SELECT p.polrelid::text, 'p', 0, d.refobjid::text, d.refobjsubid
FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
WHERE d.refclassid = 'pg_class'::regclass
UNION
SELECT f.adrelid::text, 'g', f.adnum, d.refobjid::text, d.refobjsubid
FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = f.adrelid AND d.refobjsubid NOT IN (0, f.adnum)
UNION
SELECT d.refobjid::text, 's', 0, f.adrelid::text, f.adnum
FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
JOIN pg_class q ON q.oid = d.refobjid AND q.relkind = 'S'
WHERE d.refclassid = 'pg_class'::regclass
UNION
SELECT d.objid::text, 's', 0, d.refobjid::text, d.refobjsubid
FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
"""

# Expressions that are evaluated whenever a relation is read (r): those of views, policies and generated columns; or (w)
# when it is written to: checks, index expressions, partition keys; or (d) where a new row leaves a column out.
_EXPRESSIONS = """
WITH expression(relation, moment, classid, objid) AS (
    SELECT ev_class, 'r', 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE rulename = '_RETURN'
    UNION ALL SELECT polrelid, 'r', 'pg_policy'::regclass, oid FROM pg_policy
    UNION ALL SELECT f.adrelid, CASE WHEN a.attgenerated <> '' THEN 'r' ELSE 'd' END, 'pg_attrdef'::regclass, f.oid
              FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    UNION ALL SELECT conrelid, 'w', 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid <> 0
    UNION ALL SELECT indrelid, 'w', 'pg_class'::regclass, indexrelid FROM pg_index WHERE indexprs IS NOT NULL
                                                                                    OR indpred IS NOT NULL
    UNION ALL SELECT partrelid, 'w', 'pg_class'::regclass, partrelid FROM pg_partitioned_table
)
"""

# Code of the user's that these run: functions, operators and casts.
_CALLS = """
EXPRESSIONS
SELECT e.relation::text, e.moment, n.nspname, p.proname, x.extname
FROM expression e
JOIN pg_depend d ON d.classid = e.classid AND d.objid = e.objid
LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
""".replace("EXPRESSIONS", _EXPRESSIONS)

# Types that these turn values into, which runs a domain's checks.
_COERCIONS = """
EXPRESSIONS
SELECT DISTINCT e.relation::text, e.moment, n.nspname, t.typname
FROM expression e
JOIN pg_depend d ON d.classid = e.classid AND d.objid = e.objid AND d.refclassid = 'pg_type'::regclass
JOIN pg_type t ON t.oid = d.refobjid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
""".replace("EXPRESSIONS", _EXPRESSIONS)

_FUNCTIONS = """
SELECT DISTINCT p.proname, n.nspname, x.extname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
   OR (n.nspname = 'pg_catalog' AND p.oid >= 16384)
"""

_SYSTEM_FUNCTIONS = """
SELECT p.proname, bool_and(p.provolatile = 'i') FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 GROUP BY p.proname
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
""".replace("CONSTRUCTS_RANGE", _CONSTRUCTS_RANGE).replace("RANGE_CONSTRUCTOR", RANGE_CONSTRUCTOR)

# Triggers that are not switched off, but for those that keep foreign keys.
_TRIGGERS = """
SELECT t.tgrelid::text, n.nspname, p.proname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
ORDER BY t.tgrelid, t.tgname
"""

_SYSTEM_COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0
  AND NOT a.attisdropped
GROUP BY n.nspname, c.relname
"""

_OPERATORS = """
SELECT DISTINCT o.oprname, n.nspname, x.extname, fn.nspname, p.proname, o.oprrest <> 0 OR o.oprjoin <> 0
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
LEFT JOIN pg_proc p ON p.oid = o.oprcode OR (p.oid IN (o.oprrest, o.oprjoin) AND p.oid >= 16384)
LEFT JOIN pg_namespace fn ON fn.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE o.oid >= 16384
"""

# A domain's checks and a cast's function are code that runs where the type is only named. The extensions (empty: none)
# whose functions and operators the checks use.
_TYPES = """
SELECT t.typname, n.nspname, t.typtype, x.extname,
       array_to_json(ARRAY(
           SELECT DISTINCT coalesce(cx.extname, '') FROM pg_constraint k
           JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
           LEFT JOIN pg_depend cm ON cm.classid = d.refclassid AND cm.objid = d.refobjid AND cm.deptype = 'e'
           LEFT JOIN pg_extension cx ON cx.oid = cm.refobjid
           WHERE k.contypid = t.oid AND d.refobjid >= 16384
             AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))),
       array_to_json(CASE WHEN t.typtype = 'c' THEN ARRAY(
           SELECT ARRAY[an.nspname, a.typname]
           FROM pg_attribute f JOIN pg_type a ON a.oid = f.atttypid JOIN pg_namespace an ON an.oid = a.typnamespace
           WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped)
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
LEFT JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE nullif(t.typelem, 0) END
LEFT JOIN pg_namespace bn ON bn.oid = b.typnamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
"""

# What Parse messages may call types by; the rows of the system's catalogs and views are none that anybody sends.
_TYPE_OIDS = """
SELECT t.oid::int8, n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE n.nspname !~ '^pg_(toast|temp)'
  AND (n.nspname NOT IN ('pg_catalog', 'information_schema') OR (t.typrelid = 0 AND coalesce(e.typrelid, 0) = 0))
"""

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
"""

# Functions that run whenever a table comes or goes.
_EVENTS = """
SELECT DISTINCT n.nspname, p.proname
FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
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
""".replace("WORDS", CHANGING_WORDS).replace("CONSTRUCTS_RANGE", _CONSTRUCTS_RANGE)

# Modules that are loaded define settings of theirs; a session's own (`app.tenant`) do not show here.
_SETTINGS = "SELECT DISTINCT split_part(name, '.', 1) FROM pg_settings WHERE name LIKE '%.%'"


def _document(query: str, columns: int) -> str:
    """The query, its rows as one JSON array of arrays in one text column."""
    names = ", ".join(f"c{number}" for number in range(columns))
    answer = "SELECT coalesce(json_agg(json_build_array(NAMES)), '[]')::text FROM (QUERY) AS answer(NAMES)"
    return answer.replace("NAMES", names).replace("QUERY", query).replace("OWN_RELATION", _OWN)


# (name, SQL): to run in this order; a nameless one returns no rows.
STATEMENTS: tuple[tuple[str, str], ...] = (
    ("", "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
    (
        "session",
        "SELECT pg_catalog.json_build_array(pg_catalog.json_build_array("
        "pg_catalog.array_to_json(pg_catalog.current_schemas(false)),"
        " pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_encoding'),"
        " CASE WHEN current_user OPERATOR(pg_catalog.=) session_user THEN session_user END,"
        " EXISTS (SELECT FROM pg_catalog.pg_collation WHERE NOT collisdeterministic)))::pg_catalog.text",
    ),
    ("", "SET LOCAL search_path = pg_catalog"),
    # What is compiled first takes seconds, what is asked milliseconds.
    ("", "SET LOCAL jit = off"),
    ("relations", _document(_RELATIONS, 10)),
    ("columns", _document(_COLUMNS, 11)),
    ("constraints", _document(CONSTRAINTS, 13)),
    ("indexes", _document(_INDEXES, 4)),
    ("row_types", _document(ROW_TYPES, 3)),
    ("inheritance", _document(_INHERITANCE, 2)),
    ("dependencies", _document(_DEPENDENCIES, 5)),
    ("calls", _document(_CALLS, 5)),
    ("coercions", _document(_COERCIONS, 4)),
    ("functions", _document(_FUNCTIONS, 3)),
    ("routines", _document(_ROUTINES, 14)),
    ("triggers", _document(_TRIGGERS, 4)),
    ("system_functions", _document(_SYSTEM_FUNCTIONS, 2)),
    ("system_columns", _document(_SYSTEM_COLUMNS, 3)),
    ("operators", _document(_OPERATORS, 6)),
    ("types", _document(_TYPES, 6)),
    ("type_oids", _document(_TYPE_OIDS, 3)),
    ("casts", _document(_CASTS, 5)),
    ("conversions", _document(_CONVERSIONS, 4)),
    ("orders", _document(_ORDERS, 8)),
    ("events", _document(_EVENTS, 2)),
    ("settings", _document(_SETTINGS, 1)),
    ("changing", _document(_CHANGING, 3)),
    ("", "COMMIT"),
)
