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
        "pg_trgm",
        "seg",
        "unaccent",
        "uuid-ossp",
        "vector",
    }
)

# Functions of those extensions that are refused all the same: they change session state or tell about the server.
UNTRUSTED_EXTENSION_FUNCTIONS: frozenset[str] = frozenset({"set_limit", "uuid_generate_v1", "uuid_generate_v1mc"})

# Functions of other extensions that run SQL which they are given as a text, lead to other servers or to files, or read
# what is stored beside the rules: for those who may run code of their own.
CODE_EXTENSION_FUNCTIONS: frozenset[str] = words("""
    bt_page_items connectby crosstab crosstab2 crosstab3 crosstab4 dblink dblink_connect dblink_connect_u dblink_exec
    dblink_fetch dblink_get_result dblink_open dblink_send_query get_raw_page heap_page_item_attrs http http_delete
    http_get http_head http_patch http_post http_put pg_file_read pg_file_rename pg_file_sync pg_file_unlink
    pg_file_write pg_logdir_ls xpath_table
""")
