"""The SQL that tells which parts of the catalog are others than before, and what depends on these.

Every row of the system's tables has the number of the transaction that wrote it (`xmin`) and a place (`ctid`), so that
a number made of these changes whenever the row does. They are added up for each relation, type and function of the
database's own; what else definitions depend on is added up as a whole, and where that changes all is read again.

What doesn't belong: what the parts consist of (`queries.py`), what follows from the answers (`differences.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_core.sql.catalog.queries import TYPE_OWNER

# What the numbers hang on: the same database of a server that was started once, whose transactions are not counted anew
# (which happens after four billion); and all settings, since some change how definitions are printed.
PLACE = """
SELECT pg_catalog.json_build_array(
    d.oid::pg_catalog.text, pg_catalog.version(), pg_catalog.pg_postmaster_start_time(),
    pg_catalog.pg_is_in_recovery(), pg_catalog.inet_server_addr(), pg_catalog.inet_server_port(),
    pg_catalog.div(pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::pg_catalog.numeric,
                   4294967296),
    CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
         THEN (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()) END,
    CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
         THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) END,
    (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(name, '=', setting), ',' ORDER BY name))
     FROM pg_catalog.pg_settings)
)::pg_catalog.text FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
"""

# The server's background processes. A crash ends them all, and what was written shortly before may be gone, its numbers
# given to something else. Sessions that begin are among these for a moment.
PROCESSES = """
SELECT coalesce(pg_catalog.json_agg(pid), '[]')::pg_catalog.text FROM pg_catalog.pg_stat_activity
WHERE datid IS NULL AND usesysid IS NULL
"""

_OWN = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
_SYSTEM = "n.nspname IN ('pg_catalog', 'information_schema')"
# The parts: a relation by its OID; by their letter types (t), functions (p), what uses functions (f), schemas by name
# (n), event triggers (v), and all that everything else may depend on (*).
_ROWS = """
SELECT c.oid::text, 'c', c.xmin, c.ctid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND OWN
UNION ALL SELECT c.oid::text, 'a' || a.attnum, a.xmin, a.ctid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND OWN AND a.attnum > 0
UNION ALL SELECT c.oid::text, 'i' || i.indexrelid, i.xmin, i.ctid FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE OWN
UNION ALL SELECT c.oid::text, 'x' || x.oid, x.xmin, x.ctid FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE OWN
UNION ALL SELECT conrelid::text, 'k' || oid, xmin, ctid FROM pg_constraint WHERE conrelid <> 0
UNION ALL SELECT adrelid::text, 'd' || oid, xmin, ctid FROM pg_attrdef
UNION ALL SELECT ev_class::text, 'r' || oid, xmin, ctid FROM pg_rewrite WHERE oid >= 16384
UNION ALL SELECT tgrelid::text, 't' || oid, xmin, ctid FROM pg_trigger
UNION ALL SELECT polrelid::text, 'p' || oid, xmin, ctid FROM pg_policy
UNION ALL SELECT inhrelid::text, 'h' || inhseqno, xmin, ctid FROM pg_inherits
UNION ALL SELECT partrelid::text, 'q', xmin, ctid FROM pg_partitioned_table
UNION ALL SELECT c.oid::text, 'o' || d.refobjid, d.xmin, d.ctid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
    WHERE c.relkind NOT IN ('i', 'I', 't') AND d.classid = 'pg_class'::regclass
      AND (d.deptype = 'e' OR (d.objsubid = 0 AND d.refobjsubid > 0))
UNION ALL SELECT d.refobjid::text, 's' || d.objid, d.xmin, d.ctid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
    WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.refobjsubid > 0
      AND d.refclassid = 'pg_class'::regclass
UNION ALL SELECT OWNER, 'y' || t.oid, t.xmin, t.ctid FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem
    WHERE NOT SYSTEM AND n.nspname !~ '^pg_(toast|temp)'
UNION ALL SELECT OWNER, 'm' || d.refobjid, d.xmin, d.ctid FROM pg_depend d JOIN pg_type t ON t.oid = d.objid
    JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem
    WHERE d.classid = 'pg_type'::regclass AND d.deptype = 'e'
UNION ALL SELECT 't' || enumtypid, 'e' || oid, xmin, ctid FROM pg_enum
UNION ALL SELECT 't' || contypid, 'k' || oid, xmin, ctid FROM pg_constraint WHERE contypid <> 0
UNION ALL SELECT 'p' || oid, '', xmin, ctid FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'p' || aggfnoid::oid, 'a', xmin, ctid FROM pg_aggregate WHERE aggfnoid >= 16384
UNION ALL SELECT 'p' || objid, 'e' || refobjid, xmin, ctid FROM pg_depend
    WHERE classid = 'pg_proc'::regclass AND deptype = 'e'
UNION ALL SELECT 'f', classid || '.' || objid || '.' || refobjid, xmin, ctid FROM pg_depend
    WHERE refclassid = 'pg_proc'::regclass
UNION ALL SELECT '*', 'p' || oid, xmin, ctid FROM pg_proc
    WHERE oid < 16384 OR pronamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
UNION ALL SELECT '*', 'y' || t.oid, t.xmin, t.ctid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE SYSTEM
UNION ALL SELECT '*', 'c' || c.oid, c.xmin, c.ctid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE SYSTEM
UNION ALL SELECT '*', 'a' || a.attrelid || '.' || a.attnum, a.xmin, a.ctid FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE SYSTEM AND a.attnum > 0
UNION ALL SELECT '*', 'k' || oid, xmin, ctid FROM pg_constraint WHERE contypid <> 0
UNION ALL SELECT '*', 'g' || rngtypid, xmin, ctid FROM pg_range
UNION ALL SELECT 'v', oid::text, xmin, ctid FROM pg_event_trigger
UNION ALL SELECT '*', 'd' || classid || '.' || objid || '.' || refobjid, xmin, ctid FROM pg_depend
    WHERE deptype = 'e' AND classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass)
"""
# Catalogs that seldom change, and of which many a definition may depend.
_WHOLE = (
    "pg_operator", "pg_cast", "pg_language", "pg_extension", "pg_opclass", "pg_opfamily", "pg_amop", "pg_amproc",
    "pg_am", "pg_collation", "pg_ts_config", "pg_ts_dict",
)  # fmt: skip
_OF_WHOLE = "".join(
    "UNION ALL SELECT '*', 'NAME' || oid, xmin, ctid FROM NAME\n".replace("NAME", name) for name in _WHOLE
)

# Every part with its number, in the same order each time.
_VERSIONS = """
SELECT coalesce(json_agg(json_build_array(part, number) ORDER BY part COLLATE "C"), '[]')::text FROM (
    SELECT part, sum(hashtextextended(row || ':' || xmin || ctid, 0))::text AS number
    FROM (ALL_ROWS) AS rows(part, row, xmin, ctid) GROUP BY part
    UNION ALL SELECT 'n' || oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'
) AS parts
"""


def _versions() -> str:
    text = _VERSIONS.replace("ALL_ROWS", _ROWS + _OF_WHOLE)
    for name, meaning in (("OWNER", TYPE_OWNER), ("OWN", _OWN), ("SYSTEM", _SYSTEM)):
        text = text.replace(name, meaning)
    return text


VERSIONS = _versions()

# The parts that depend on what changed, at whatever level; `f` for functions, `*` for the check of a domain.
_DEPENDENTS = """
WITH RECURSIVE moved(classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, unnest(RELATIONS)
    UNION SELECT 'pg_type'::regclass, unnest(TYPES)
    UNION SELECT 'pg_proc'::regclass, unnest(FUNCTIONS)
    UNION SELECT next.classid, next.objid FROM moved CROSS JOIN LATERAL (
        SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = moved.classid AND d.refobjid = moved.objid
        UNION ALL SELECT 'pg_class'::regclass, r.ev_class FROM pg_rewrite r
            WHERE moved.classid = 'pg_rewrite'::regclass AND r.oid = moved.objid
        UNION ALL SELECT 'pg_type'::regclass, k.reltype FROM pg_class k
            WHERE moved.classid = 'pg_class'::regclass AND k.oid = moved.objid AND k.relkind = 'c'
    ) AS next
)
SELECT coalesce(json_agg(DISTINCT part), '[]')::text FROM (
    SELECT coalesce(i.indrelid, m.objid)::text FROM moved m LEFT JOIN pg_index i ON i.indexrelid = m.objid
        WHERE m.classid = 'pg_class'::regclass
    UNION ALL SELECT r.ev_class::text FROM moved m JOIN pg_rewrite r ON r.oid = m.objid
        WHERE m.classid = 'pg_rewrite'::regclass
    UNION ALL SELECT f.adrelid::text FROM moved m JOIN pg_attrdef f ON f.oid = m.objid
        WHERE m.classid = 'pg_attrdef'::regclass
    UNION ALL SELECT CASE WHEN k.conrelid = 0 THEN '*' ELSE k.conrelid::text END
        FROM moved m JOIN pg_constraint k ON k.oid = m.objid WHERE m.classid = 'pg_constraint'::regclass
    UNION ALL SELECT p.polrelid::text FROM moved m JOIN pg_policy p ON p.oid = m.objid
        WHERE m.classid = 'pg_policy'::regclass
    UNION ALL SELECT t.tgrelid::text FROM moved m JOIN pg_trigger t ON t.oid = m.objid
        WHERE m.classid = 'pg_trigger'::regclass
    UNION ALL SELECT OWNER FROM moved m JOIN pg_type t ON t.oid = m.objid
        JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON e.oid = t.typelem
        WHERE m.classid = 'pg_type'::regclass
    UNION ALL SELECT 'f' FROM moved m WHERE m.classid = 'pg_proc'::regclass
) AS parts(part)
""".replace("OWNER", TYPE_OWNER)


def dependents(relations: Sequence[str], types: Sequence[str], functions: Sequence[str]) -> str:
    """What asks for the parts that depend on these, by OID, and for these themselves."""
    text = _DEPENDENTS
    for name, oids in (("RELATIONS", relations), ("TYPES", types), ("FUNCTIONS", functions)):
        text = text.replace(name, f"'{{{','.join(oids)}}}'::oid[]")
    return text
