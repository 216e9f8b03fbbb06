"""The SQL that asks for relations: what of a snapshot belongs to one relation, by which it can be read for a few alone.

Each row begins with the OID of the relation that it is read again with. How these are put together as statements is
`queries.py`'s, which also asks for what belongs to no relation.
"""

from __future__ import annotations

from penstock_core.sql.catalog.row_types import ROW_TYPES
from penstock_core.sql.catalog.stored_expressions import CONSTRAINTS

# The user's own relations, as far as they are asked for: not the system's, not those of sessions' temporary schemas.
_OWN = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND WANTED(c.oid)"

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
ORDER BY c.oid
"""

# What is volatile and still tells no order: chance.
_CHANCES = "'gen_random_uuid', 'random', 'random_normal', 'uuidv4'"

# Domains are followed to the types below them once, not for each column.
_COLUMNS = (
    """
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
            THEN quote_ident(con.nspname) || '.' || quote_ident(co.collname) END,
       a.attidentity <> '' OR (a.attgenerated = '' AND EXISTS (
           SELECT FROM regexp_matches(coalesce(f.adbin::text, t.typdefaultbin::text),
                                      ':(?:funcid|opfuncid) ([0-9]+)', 'g') AS called
           JOIN pg_proc p ON p.oid = called[1]::oid
           WHERE p.oid >= 16384 OR (p.provolatile = 'v' AND p.proname NOT IN (CHANCES))))
FROM pg_attribute a
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN base ON base.oid = t.oid
JOIN pg_type b ON b.oid = coalesce(base.below, t.oid) JOIN pg_namespace bn ON bn.oid = b.typnamespace
LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace con ON con.oid = co.collnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND OWN_RELATION AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.oid, a.attnum
""".replace("CHANCES", _CHANCES)
    .replace("TYPE_NAME(tn, t)", _TYPE_NAME.replace("SPACE", "tn").replace("TYPE", "t"))
    .replace("TYPE_NAME(bn, b)", _TYPE_NAME.replace("SPACE", "bn").replace("TYPE", "b"))
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
ORDER BY i.indrelid, k.relname
"""

_INHERITANCE = """
SELECT c.oid::text, i.inhparent::text
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION
ORDER BY c.oid, i.inhseqno
"""

# What views (v), row security policies (p) and generated columns (g) read: relation, its column there (0: none),
# what they read of which relation (column 0: the relation as such). And which columns a sequence (s) numbers: by their
# defaults, or as their own; these belong to the table.
_DEPENDENCIES = """
SELECT c.oid::text, d.relation, d.kind, d.number, d.other, d.other_number FROM (
    SELECT r.ev_class, r.ev_class::text, 'v', 0, d.refobjid::text, d.refobjsubid
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.rulename = '_RETURN' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
      AND WANTED(r.ev_class)
    UNION
    SELECT p.polrelid, p.polrelid::text, 'p', 0, d.refobjid::text, d.refobjsubid
    FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    WHERE d.refclassid = 'pg_class'::regclass AND WANTED(p.polrelid)
    UNION
    SELECT f.adrelid, f.adrelid::text, 'g', f.adnum, d.refobjid::text, d.refobjsubid
    FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = f.adrelid AND d.refobjsubid NOT IN (0, f.adnum)
      AND WANTED(f.adrelid)
    UNION
    SELECT f.adrelid, d.refobjid::text, 's', 0, f.adrelid::text, f.adnum
    FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
    JOIN pg_class q ON q.oid = d.refobjid AND q.relkind = 'S'
    WHERE d.refclassid = 'pg_class'::regclass AND WANTED(f.adrelid)
    UNION
    SELECT d.refobjid, d.objid::text, 's', 0, d.refobjid::text, d.refobjsubid
    FROM pg_depend d JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND WANTED(d.refobjid)
) AS d(owner, relation, kind, number, other, other_number)
JOIN pg_class c ON c.oid = d.owner JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION
ORDER BY c.oid, d.kind, d.number, length(d.relation), d.relation, length(d.other), d.other, d.other_number
"""

# Expressions that are evaluated whenever a relation is read (r): those of views, policies and generated columns; or (w)
# when it is written to: checks, index expressions, partition keys; or (d) where a new row leaves a column out.
_EXPRESSIONS = """
WITH expression(relation, moment, classid, objid) AS (
    SELECT ev_class, 'r', 'pg_rewrite'::regclass, oid FROM pg_rewrite
    WHERE rulename = '_RETURN' AND WANTED(ev_class)
    UNION ALL SELECT polrelid, 'r', 'pg_policy'::regclass, oid FROM pg_policy WHERE WANTED(polrelid)
    UNION ALL SELECT f.adrelid, CASE WHEN a.attgenerated <> '' THEN 'r' ELSE 'd' END, 'pg_attrdef'::regclass, f.oid
              FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
              WHERE WANTED(f.adrelid)
    UNION ALL SELECT conrelid, 'w', 'pg_constraint'::regclass, oid FROM pg_constraint
              WHERE conrelid <> 0 AND WANTED(conrelid)
    UNION ALL SELECT indrelid, 'w', 'pg_class'::regclass, indexrelid FROM pg_index
              WHERE (indexprs IS NOT NULL OR indpred IS NOT NULL) AND WANTED(indrelid)
    UNION ALL SELECT partrelid, 'w', 'pg_class'::regclass, partrelid FROM pg_partitioned_table WHERE WANTED(partrelid)
)
"""

# Code of the user's that these run: functions, operators and casts.
_CALLS = """
EXPRESSIONS
SELECT c.oid::text, e.moment, fn.nspname, p.proname, x.extname
FROM expression e
JOIN pg_class c ON c.oid = e.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = e.classid AND d.objid = e.objid
LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
JOIN pg_namespace fn ON fn.oid = p.pronamespace
LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = m.refobjid
WHERE fn.nspname NOT IN ('pg_catalog', 'information_schema') AND OWN_RELATION
ORDER BY c.oid, e.moment, fn.nspname, p.proname, x.extname
""".replace("EXPRESSIONS", _EXPRESSIONS)

# Types that these turn values into, which runs a domain's checks.
_COERCIONS = """
EXPRESSIONS
SELECT c.oid::text, e.moment, tn.nspname, t.typname
FROM expression e
JOIN pg_class c ON c.oid = e.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = e.classid AND d.objid = e.objid AND d.refclassid = 'pg_type'::regclass
JOIN pg_type t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.typnamespace
WHERE tn.nspname NOT IN ('pg_catalog', 'information_schema') AND OWN_RELATION
GROUP BY c.oid, e.moment, tn.nspname, t.typname
ORDER BY c.oid, e.moment, tn.nspname, t.typname
""".replace("EXPRESSIONS", _EXPRESSIONS)

# Triggers that are not switched off, but for those that keep foreign keys.
_TRIGGERS = """
SELECT c.oid::text, fn.nspname, p.proname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace fn ON fn.oid = p.pronamespace
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND OWN_RELATION
ORDER BY c.oid, t.tgname
"""

# In an order that is always the same: what is declared comes before its index.
_CONSTRAINTS = """
SELECT * FROM (CONSTRAINTS)
    AS c(relation, kind, columns, other, others, deletes, updates, steady, name, sparing, predicate, defaults,
         equal_by)
ORDER BY length(relation), relation, strpos('ie k g', kind), name::text COLLATE "C", kind, columns::text
""".replace("CONSTRAINTS", CONSTRAINTS)
_ROW_TYPES = """
SELECT * FROM (ROW_TYPES) AS r(relation, name, other) ORDER BY length(relation), relation, name, length(other), other
""".replace("ROW_TYPES", ROW_TYPES)

# Each with its number of columns.
RELATION_QUERIES: dict[str, tuple[str, int]] = {
    name: (query.replace("OWN_RELATION", _OWN), columns)
    for name, query, columns in (
        ("relations", _RELATIONS, 10),
        ("columns", _COLUMNS, 12),
        ("constraints", _CONSTRAINTS, 13),
        ("indexes", _INDEXES, 4),
        ("row_types", _ROW_TYPES, 3),
        ("inheritance", _INHERITANCE, 2),
        ("dependencies", _DEPENDENCIES, 6),
        ("calls", _CALLS, 5),
        ("coercions", _COERCIONS, 4),
        ("triggers", _TRIGGERS, 4),
    )
}
