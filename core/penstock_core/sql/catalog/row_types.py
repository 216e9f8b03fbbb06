"""Columns that hold whole rows of relations, by their types: `users`, an array or domain of it, a composite type of it.

Such a column holds copies of whatever that relation holds, so what is masked there is masked here.
"""

from __future__ import annotations

# Column by relation and name, and each relation whose rows its type can hold, however deep.
ROW_TYPES = """
WITH RECURSIVE held(type, part) AS (
    SELECT DISTINCT a.atttypid, a.atttypid
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE OWN_RELATION AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION
    SELECT held.type, inner_type.part
    FROM held CROSS JOIN LATERAL (
        SELECT t.typbasetype AS part FROM pg_type t WHERE t.oid = held.part AND t.typbasetype <> 0
        UNION ALL SELECT t.typelem FROM pg_type t WHERE t.oid = held.part AND t.typelem <> 0
        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = held.part
        UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = held.part
        UNION ALL SELECT f.atttypid FROM pg_type t JOIN pg_attribute f ON f.attrelid = t.typrelid
                  WHERE t.oid = held.part AND t.typrelid <> 0 AND f.attnum > 0 AND NOT f.attisdropped
    ) AS inner_type
)
SELECT a.attrelid::text, a.attname, row_of.oid::text
FROM held JOIN pg_type t ON t.oid = held.part JOIN pg_class row_of ON row_of.oid = t.typrelid AND row_of.relkind <> 'c'
JOIN pg_attribute a ON a.atttypid = held.type AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND OWN_RELATION
"""
