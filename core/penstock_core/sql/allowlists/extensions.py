"""Extensions whose functions, operators and types are known to compute from their arguments alone.

What is listed here counts as built in. Extensions that run SQL, read relations by name, reach the network or look
into pages (`dblink`, `tablefunc`, `xml2`, `pageinspect`, `pgstattuple`, `postgres_fdw`, …) are left out on purpose.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

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
        "moddatetime",
        "pg_trgm",
        "pgcrypto",
        "postgis",
        "seg",
        "unaccent",
        "uuid-ossp",
        "vector",
    }
)

# Functions of those extensions that are refused all the same: they change session state or tell about the server; or
# (PostGIS) look into statistics and indexes, or read and change tables that they are given the names of.
UNTRUSTED_EXTENSION_FUNCTIONS: frozenset[str] = words("""
    set_limit uuid_generate_v1 uuid_generate_v1mc
    st_estimated_extent st_estimatedextent st_findextent st_find_extent
""")

# Of PostGIS only what these begin: what else there is keeps tables, extensions and locks.
_POSTGIS = (
    "st_", "_st_", "box2d", "box3d", "geography", "geometry", "gidx_", "gserialized_", "postgis_geos_version",
    "postgis_lib_version", "postgis_typmod_", "postgis_version", "spheroid_",
)  # fmt: skip


def is_trusted(extension: str | None, function: str) -> bool:
    """Whether that function of an extension computes from its arguments alone."""
    if extension not in TRUSTED_EXTENSIONS or function in UNTRUSTED_EXTENSION_FUNCTIONS:
        return False
    return extension != "postgis" or function.startswith(_POSTGIS)


# Functions of other extensions that run SQL which they are given as a text, lead to other servers or to files, or read
# what is stored beside the rules: for those who may run code of their own.
CODE_EXTENSION_FUNCTIONS: frozenset[str] = words("""
    bt_page_items connectby crosstab crosstab2 crosstab3 crosstab4 dblink dblink_connect dblink_connect_u dblink_exec
    dblink_fetch dblink_get_result dblink_open dblink_send_query get_raw_page heap_page_item_attrs http http_delete
    http_get http_head http_patch http_post http_put pg_file_read pg_file_rename pg_file_sync pg_file_unlink
    pg_file_write pg_logdir_ls xpath_table
""")
