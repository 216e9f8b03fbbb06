"""What may be named of the system's own is there, and shows no values, statements or secrets."""

from __future__ import annotations

from tests.core.sql.allowlists.test_functions import names

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists import system_relations as system
from penstock_core.sql.catalog.view_hazards import hazards


def test_types_and_catalogs_exist(postgres: EmbeddedPostgres) -> None:
    types = names(postgres, "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace")
    assert sorted(system.TYPES - types) == []
    for schema, listed in (
        ("pg_catalog", system.CATALOGS.keys() | system.UNMASKED_CATALOGS.keys()),
        ("information_schema", system.INFORMATION_SCHEMA.keys()),
    ):
        relations = names(postgres, f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace")
        assert sorted(listed - relations) == []


def test_hidden_columns_exist(postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres) -> None:
    query = "SELECT attrelid::regclass::text || '.' || attname FROM pg_attribute"
    columns = names(postgres, query) | names(postgres16, query)
    lists = (
        ("", system.CATALOGS), ("", system.UNMASKED_CATALOGS), ("information_schema.", system.INFORMATION_SCHEMA),
    )  # fmt: skip
    for prefix, listed in lists:
        for relation, hidden in listed.items():
            assert {f"{prefix}{relation}.{column}" for column in hidden} <= columns


def test_nothing_that_shows_values_or_statements_may_be_read() -> None:
    refused = {
        "pg_stats", "pg_statistic", "pg_statistic_ext_data", "pg_stat_activity", "pg_prepared_statements", "pg_cursors",
        "pg_largeobject", "pg_authid", "pg_shadow", "pg_stats_ext", "pg_hba_file_rules",
        "pg_file_settings", "pg_stat_all_tables", "pg_stat_user_tables",
    }  # fmt: skip
    assert not refused & system.CATALOGS.keys()
    secret = {
        "pg_authid", "pg_shadow", "pg_hba_file_rules", "pg_ident_file_mappings",
        "pg_file_settings", "pg_config", "pg_stat_replication", "pg_statistic",
    }  # fmt: skip
    assert not secret & system.UNMASKED_CATALOGS.keys()


def test_options_that_may_hold_passwords_are_hidden(postgres: EmbeddedPostgres, postgres15: EmbeddedPostgres) -> None:
    """By the names of columns of relations that may be read: a newer server's would show here."""
    query = (
        "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'pg_catalog'::regnamespace AND a.attnum > 0"
        " AND a.attname ~ 'options$|conninfo$|(set|rol|use)config$'"
    )
    for server in (postgres, postgres15):
        for relation, column in (one.split(".", 1) for one in names(server, query)):
            # How tables, columns and tablespaces are stored.
            if column in ("reloptions", "attoptions", "spcoptions"):
                continue
            for listed in (system.CATALOGS, {**system.CATALOGS, **system.UNMASKED_CATALOGS}):
                assert relation not in listed or column in listed[relation], (relation, column)


def test_views_of_statistics_are_no_way_to_their_rows() -> None:
    """What a view of the database's own reads is not rewritten, so it may read only what hides nothing."""
    for name in system.VISIBLE_ROWS:
        assert name not in system.CATALOGS
        assert hazards(f"SELECT * FROM {name}") == (f"pg_catalog.{name}",)


def test_what_masked_identities_may_read_stands_in_no_second_list() -> None:
    """Of those in both, no more shows where something is masked."""
    for name in system.CATALOGS.keys() & system.UNMASKED_CATALOGS.keys():
        assert system.CATALOGS[name] >= system.UNMASKED_CATALOGS[name]
    assert not system.CATALOGS.keys() & system.INFORMATION_SCHEMA.keys()


def test_the_columns_that_every_table_has_are_the_servers(postgres: EmbeddedPostgres) -> None:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_class'::regclass AND attnum < 0"
    assert names(postgres, query) == system.SYSTEM_COLUMNS


def test_what_tells_how_much_a_table_holds_is_hidden(postgres: EmbeddedPostgres, postgres15: EmbeddedPostgres) -> None:
    """By the names of columns of relations that may be read: a newer server's would show here."""
    query = (
        "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'pg_catalog'::regnamespace AND a.attnum > 0"
        " AND a.attname ~ 'pages$|tuples$|^relall|frozenxid|minmxid|missingval'"
    )
    for server in (postgres, postgres15):
        telling = {tuple(one.split(".", 1)) for one in names(server, query)}
        shown = {(table, column) for table, column in telling if table in system.CATALOGS}
        open_ones = {".".join(one) for one in shown if one[1] not in system.CATALOGS[one[0]]}
        # Of a database as a whole, not of a table.
        assert open_ones <= {"pg_database.datfrozenxid", "pg_database.datminmxid"}
