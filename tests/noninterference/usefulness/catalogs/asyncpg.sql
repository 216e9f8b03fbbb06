-- a type by its name
SELECT t.oid, t.typelem AS elemtype, t.typtype AS kind FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace) WHERE t.typname = 'Role' AND ns.nspname = 'public';

-- types by their ids
WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, basetype, elemtype, elemdelim, range_subtype, attrtypoids, attrnames, depth) AS (SELECT t.oid, ns.nspname, t.typname, t.typtype, t.typbasetype, t.typelem, elem_t.typdelim, range_t.rngsubtype, (CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(ia.atttypid ORDER BY ia.attnum) FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid) WHERE ia.attnum > 0 AND NOT ia.attisdropped AND c.reltype = t.oid) ELSE NULL END), (CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(ia.attname::text ORDER BY ia.attnum) FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid) WHERE ia.attnum > 0 AND NOT ia.attisdropped AND c.reltype = t.oid) ELSE NULL END), 0 FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace) LEFT JOIN pg_type elem_t ON (t.typlen = -1 AND t.typelem != 0 AND t.typelem = elem_t.oid) LEFT JOIN pg_range range_t ON (t.oid = range_t.rngtypid) WHERE t.oid = any (ARRAY['"Role"'::regtype::oid]) UNION ALL SELECT ti.oid, 'x', ti.typname, ti.typtype, ti.typbasetype, ti.typelem, ti.typdelim, 0::oid, NULL::oid[], NULL::text[], tt.depth + 1 FROM pg_type ti, typeinfo_tree tt WHERE (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype)) SELECT DISTINCT *, basetype::regtype::text AS basetype_name, elemtype::regtype::text AS elemtype_name FROM typeinfo_tree ORDER BY depth DESC;

-- reset of a session
SELECT pg_advisory_unlock_all();

CLOSE ALL;

UNLISTEN *;

RESET ALL;
