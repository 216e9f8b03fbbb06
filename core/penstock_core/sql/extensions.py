"""Extensions whose functions, operators and types are known to compute from their arguments alone.

What is listed here counts as built in. Extensions that run SQL, read relations by name, reach the network or look
into pages (`dblink`, `tablefunc`, `xml2`, `pageinspect`, `pgstattuple`, `postgres_fdw`, …) are left out on purpose.
"""

from __future__ import annotations

TRUSTED_EXTENSIONS: frozenset[str] = frozenset(
    {
        "btree_gin",
        "btree_gist",
        "citext",
        "cube",
        "earthdistance",
        "fuzzystrmatch",
        "hstore",
        "intarray",
        "isn",
        "ltree",
        "pg_trgm",
        "seg",
        "unaccent",
        "uuid-ossp",
        "vector",
    }
)

# Functions of those extensions that are refused all the same: they change session state or tell about the server.
UNTRUSTED_EXTENSION_FUNCTIONS: frozenset[str] = frozenset({"set_limit", "uuid_generate_v1", "uuid_generate_v1mc"})
