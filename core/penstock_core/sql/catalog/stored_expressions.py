"""The SQL that asks for constraints and the other expressions that the server evaluates for each row that is written.

A row that is only changed in another column is checked again as a whole: by every CHECK, NOT NULL and partition bound,
and (unless the change stays within its page) by every index expression and predicate. What these gave when the row was
stored they give again, but where they depend on the session's settings: `extra_float_digits` changes the text of a
float, `TimeZone` an age, though both functions are marked immutable. Of each row's expression this module therefore
asks whether it is steady: the same at any time and in any session. Functions of the database's own never count as
steady: they may have been replaced since.

What the answers mean for a statement is decided in `penstock_core.sql.authorize.write_targets`.
"""

from __future__ import annotations

# Functions of pg_catalog that are marked immutable and depend on a setting, besides those that turn values into text
# for the client (`float8out`), which all return cstring. A test calls every immutable function under two sets of
# settings and finds these.
SETTING_SENSITIVE: tuple[str, ...] = ("pg_catalog.age(timestamptz, timestamptz)",)

# Whether a text of nodes calls only what is the same in any session; domains are not looked into.
_FREE_OF_SETTINGS = """
    (NODES !~ '[{](COERCEVIAIO|SQLVALUEFUNCTION|XMLEXPR|JSON|ROWCOMPAREEXPR)'
     AND NODES !~ ':(funcid|opfuncid) 0[ }]' AND NOT EXISTS (
         SELECT FROM regexp_matches(NODES, ':(?:funcid|opfuncid) ([0-9]+)', 'g') AS called
         JOIN pg_proc p ON p.oid = called[1]::oid
         WHERE p.provolatile <> 'i' OR p.prorettype = 'cstring'::regtype OR p.oid IN (SENSITIVE)
            OR (p.oid >= 16384 AND NOT EXISTS (
                SELECT FROM pg_depend e
                WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'))))
""".replace("SENSITIVE", ", ".join(f"to_regprocedure('{signature}')::oid" for signature in SETTING_SENSITIVE))

# Whether an expression (its text, of one or more parts) gives the same in any session. Where it makes a value of a
# domain, the checks of domains have to be so too.
_STEADY = """
    (SELECT e.nodes = '' OR (FREE AND (e.nodes !~ '[{]COERCETODOMAIN' OR NOT EXISTS (
         SELECT FROM pg_constraint d WHERE d.contypid <> 0 AND d.conbin IS NOT NULL
         AND NOT (d.convalidated AND CHECKED))))
     FROM (SELECT concat(PARTS)) AS e(nodes))
""".replace("FREE", _FREE_OF_SETTINGS.replace("NODES", "e.nodes")).replace(
    "CHECKED", _FREE_OF_SETTINGS.replace("NODES", "d.conbin::text")
)

# The columns that an expression of one relation reads; 0 is the row as a whole. (pg_depend has those of partition keys
# the other way round.)
_READ = "SELECT found[1]::int2 FROM regexp_matches(concat(PARTS), ':varattno ([0-9]+)', 'g') AS found"

# The expressions of the virtual generated columns among those that a constraint looks at: computed for each check.
_VIRTUAL = """
    (SELECT string_agg(f.adbin::text, ' ')
     FROM pg_attrdef f JOIN pg_attribute va ON va.attrelid = f.adrelid AND va.attnum = f.adnum
     WHERE f.adrelid = k.conrelid AND va.attgenerated = 'v' AND (va.attnum = ANY (k.conkey) OR 0 = ANY (k.conkey)))
"""

# Those of the columns with these numbers that are NULL in a new row that does not mention them.
_NULL_UNLESS_GIVEN = """
    ARRAY(SELECT ua.attnum FROM pg_attribute ua JOIN pg_type ut ON ut.oid = ua.atttypid
          WHERE ua.attrelid = RELATION AND ua.attnum = ANY (NUMBERS) AND NOT ua.atthasdef AND ua.attidentity = ''
            AND NOT ua.attnotnull AND ut.typdefault IS NULL)
"""

# What a new row of an index's relation has in the columns that it does not mention: their default, or NULL.
_DEFAULTS = """
    (SELECT json_object_agg(ua.attname, pg_get_expr(ud.adbin, ud.adrelid)) FROM pg_attribute ua
     JOIN pg_type ut ON ut.oid = ua.atttypid
     LEFT JOIN pg_attrdef ud ON ud.adrelid = ua.attrelid AND ud.adnum = ua.attnum
     WHERE ua.attrelid = i.indrelid AND ua.attnum > 0 AND NOT ua.attisdropped AND ua.attidentity = ''
       AND ua.attgenerated = '' AND (ud.oid IS NOT NULL OR (NOT ua.attnotnull AND ut.typdefault IS NULL)))
"""

# The columns by which a unique index takes rows for equal, where it does so as the columns' own types do.
_EQUAL_BY = """
    (SELECT (ki.indkey::int2[])[0:ki.indnkeyatts - 1] FROM pg_index ki
     WHERE ki.indexrelid = INDEX AND ki.indisunique AND NOT ki.indisexclusion AND ki.indexprs IS NULL AND NOT EXISTS (
         SELECT FROM unnest(ki.indkey::int2[], ki.indclass::oid[], ki.indcollation::oid[]) AS part(number, class, rules)
         JOIN pg_opclass pc ON pc.oid = part.class
         JOIN pg_attribute pa ON pa.attrelid = ki.indrelid AND pa.attnum = part.number
         WHERE NOT pc.opcdefault OR part.rules <> pa.attcollation))
"""

# A NOT NULL counts where rows may break it: one that is not valid, or whose column is computed whenever it is checked.
_CHECKS = """
SELECT k.conrelid::text, CASE WHEN k.contype = 'n' THEN 'c' ELSE k.contype::text END,
       k.conkey, k.confrelid::text, k.confkey, k.confdeltype IN ('c', 'n', 'd'), k.confupdtype IN ('c', 'n', 'd'),
       k.convalidated AND STEADY, k.conname,
       CASE WHEN (k.contype = 'f' AND k.confmatchtype = 's') OR k.contype = 'x' OR (k.contype = 'u' AND NOT EXISTS (
           SELECT FROM pg_index ui WHERE ui.indexrelid = k.conindid AND ui.indnullsnotdistinct))
       THEN SPARING END, NULL, NULL::json, CASE WHEN k.contype IN ('p', 'u') THEN EQUAL_BY END
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (k.contype IN ('p', 'u', 'x', 'c', 'f') OR (k.contype = 'n' AND (NOT k.convalidated OR VIRTUAL IS NOT NULL)))
  AND k.conkey IS NOT NULL AND OWN_RELATION
"""

_INDEXES = """
SELECT i.indrelid::text, CASE WHEN i.indisunique OR i.indisexclusion THEN 'i' ELSE 'e' END,
       ARRAY(READ UNION SELECT number FROM unnest(i.indkey::int2[]) number WHERE number > 0),
       NULL, NULL, false, false, i.indisvalid AND STEADY, x.relname,
       CASE WHEN i.indexprs IS NULL AND NOT i.indnullsnotdistinct THEN SPARING END,
       pg_get_expr(i.indpred, i.indrelid), CASE WHEN i.indpred IS NOT NULL THEN DEFAULTS END, EQUAL_BY
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION AND (i.indisunique OR i.indisexclusion OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
"""

_PARTITION_KEYS = """
SELECT p.partrelid::text, 'k',
       ARRAY(READ UNION SELECT number FROM unnest(p.partattrs::int2[]) number WHERE number > 0),
       NULL, NULL, false, false, STEADY, '', NULL, NULL, NULL, NULL
FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION
"""

# A stored one is computed again where what it reads changes, or its row moves to another partition.
_GENERATED = """
SELECT f.adrelid::text, 'g', ARRAY(READ UNION SELECT f.adnum),
       NULL, NULL, false, false, a.attgenerated = 'v' OR STEADY, a.attname, NULL, NULL, NULL, NULL
FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
JOIN pg_class c ON c.oid = f.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE OWN_RELATION
"""


def _about(query: str, parts: str) -> str:
    """The query, for an expression that consists of those parts."""
    return query.replace("STEADY", _STEADY).replace("READ", _READ).replace("PARTS", parts)


def _sparing(relation: str, numbers: str) -> str:
    return _NULL_UNLESS_GIVEN.replace("RELATION", relation).replace("NUMBERS", numbers)


# Constraints, indexes that are unique or have an expression or predicate, partition keys and generated columns: each
# with the columns it looks at, where a foreign key leads to and what it carries on, whether every row keeps to it in
# any session, its name, the columns that, left out of a new row, keep it from being compared with others, and those by
# which rows are equal.
CONSTRAINTS = "UNION ALL".join(
    (
        _about(_CHECKS, "k.conbin::text, VIRTUAL")
        .replace("VIRTUAL", _VIRTUAL)
        .replace("SPARING", _sparing("k.conrelid", "k.conkey"))
        .replace("EQUAL_BY", _EQUAL_BY.replace("INDEX", "k.conindid")),
        _about(_INDEXES, "i.indexprs::text, i.indpred::text")
        .replace("SPARING", _sparing("i.indrelid", "(i.indkey::int2[])[0:i.indnkeyatts - 1]"))
        .replace("DEFAULTS", _DEFAULTS)
        .replace("EQUAL_BY", _EQUAL_BY.replace("INDEX", "i.indexrelid")),
        _about(_PARTITION_KEYS, "p.partexprs::text"),
        _about(_GENERATED, "f.adbin::text"),
    )
)
