"""The lists of what may be used name what there is, and nothing that reaches past the gate."""

from __future__ import annotations

import re

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists import functions

# Families of functions that run SQL or read by name, have state, or tell about rows by other ways.
DANGEROUS = re.compile(
    r"(query|table|cursor|schema|database)_to_xml.*|ts_stat|ts_rewrite|currtid2?|dblink.*|crosstab.*|connectby"
    r"|xpath_table|get_raw_page|heap_page_items|bt_page_items|pgstattuple.*|pgrowlocks|verify_heapam|bt_index_check"
    r"|pg_get_wal_.*|lo_.*|loread|lowrite|pg_read_.*|pg_ls_.*|pg_stat_.*|pg_logical_.*|pg_replication_.*"
    r"|pg_export_snapshot|pg_notify|set_config|setval|nextval|pg_advisory_(x|l|unlock$|unlock_shared).*|pg_try_advisory.*"
    r"|pg_sleep.*|pg_(terminate|cancel)_backend|pg_.*_size|pg_sequence_last_value|brin_.*|gin_clean_pending_list"
    r"|pg_mcv_list_items|current_query|txid_.*|pg_current_xact_id.*|binary_upgrade.*"
    r"|pg_restore_.*|pg_clear_.*|pg_reload_conf|pg_rotate_logfile.*|pg_switch_wal|pg_promote|pg_current_logfile"
)

# What leads to files, programs, other sessions or databases, replication, or the server's own affairs.
BEYOND = re.compile(
    r"dblink.*|lo_(import|export)|pg_read_.*|pg_ls_.*|pg_stat_file|pg_(terminate|cancel)_backend|binary_upgrade.*"
    r"|pg_reload_conf|pg_rotate_logfile.*|pg_switch_wal|pg_promote|pg_current_logfile|pg_logical_.*|pg_.*replication.*"
    r"|pg_backup_.*|pg_create_.*|pg_wal_replay_(pause|resume)|pg_stat_get_(activity|backend_activity|wal_.*|subscr.*)"
    r"|pg_stat_reset.*|pg_hba_.*|pg_ident_.*|pg_show_all_file_settings|pg_config|pg_log_.*|pg_(restore|clear)_.*"
    r"|pg_import_system_collations|set_config|pg_control_.*|pg_get_wal_.*|pg_nextoid"
)


def names(server: EmbeddedPostgres, query: str) -> set[str]:
    with psycopg.connect(server.url()) as connection:
        return {name for (name,) in connection.execute(query)}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server_functions(postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres) -> set[str]:
    query = "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
    return names(postgres, query) | names(postgres16, query)


def test_every_listed_function_exists(server_functions: set[str]) -> None:
    assert sorted(functions.FUNCTIONS - server_functions) == []
    unmasked = functions.UNMASKED_FUNCTIONS | functions.WRITING_FUNCTIONS.keys() | functions.CODE_FUNCTIONS
    assert sorted(unmasked - server_functions) == []


def test_every_function_is_listed_once() -> None:
    lists = (
        functions.FUNCTIONS, functions.UNMASKED_FUNCTIONS, functions.WRITING_FUNCTIONS.keys(), functions.CODE_FUNCTIONS,
    )  # fmt: skip
    assert sum(map(len, lists)) == len(set().union(*lists))


def test_the_functions_of_information_schema_exist_and_run_no_sql(postgres: EmbeddedPostgres) -> None:
    plain = names(
        postgres,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'information_schema'::regnamespace AND (provolatile = 'i'"
        " OR (provolatile = 's' AND proname = '_pg_index_position'))",
    )
    assert sorted(functions.INFORMATION_SCHEMA_FUNCTIONS - plain) == []


def test_no_listed_function_is_dangerous() -> None:
    assert sorted(name for name in functions.FUNCTIONS if DANGEROUS.fullmatch(name)) == []


def test_not_even_without_masks_a_listed_function_reaches_past_the_gate() -> None:
    listed = functions.UNMASKED_FUNCTIONS | functions.WRITING_FUNCTIONS.keys() | functions.CODE_FUNCTIONS
    assert sorted(name for name in listed if BEYOND.fullmatch(name)) == []


def test_what_changes_something_is_listed_as_writing(postgres: EmbeddedPostgres) -> None:
    """Of those that do, by their names."""
    telling = re.compile(r"nextval|setval|pg_notify|lo_(creat|from|put|trunc|unlink).*|lowrite|brin_.*|gin_clean.*")
    assert sorted(name for name in functions.UNMASKED_FUNCTIONS if telling.fullmatch(name)) == []


def test_no_listed_function_changes_anything_or_takes_internals(postgres: EmbeddedPostgres) -> None:
    volatile = names(
        postgres,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'",
    )
    assert volatile & functions.FUNCTIONS == {
        # They tell the time or are random.
        "array_sample", "array_shuffle", "clock_timestamp", "gen_random_uuid", "random",
        "random_normal", "timeofday", "uuidv4", "uuidv7",
        # About the server and the schema.
        "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_jit_available", "pg_partition_ancestors",
        "pg_partition_tree",
        # It only gives up locks.
        "pg_advisory_unlock_all",
    }  # fmt: skip


def test_the_operators_are_the_servers(postgres: EmbeddedPostgres) -> None:
    assert names(postgres, "SELECT oprname FROM pg_operator WHERE oid < 16384") == functions.OPERATORS


def test_what_the_system_calls_under_another_name_is_listed(
    postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres
) -> None:
    bodies = (
        "SELECT proname || ' ' || pg_get_function_sqlbody(oid) FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace AND prolang = 14"
        " AND provolatile = 'v' AND prosqlbody IS NOT NULL"
    )
    twice = (
        "SELECT string_agg(DISTINCT proname, ' ') FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        " AND prolang = 12 AND provolatile = 'v' GROUP BY prosrc HAVING count(DISTINCT proname) > 1"
    )
    for server in (postgres, postgres16):
        volatile = names(server, "SELECT proname FROM pg_proc WHERE provolatile = 'v'")
        for body in names(server, bodies):
            name, *rest = re.findall(r"\w+(?=\()|^\w+", body)
            calls = {one for one in rest if one in volatile} - {name, "clock_timestamp"}
            assert calls <= {functions.CALLING.get(name)}, body
        for same in names(server, twice):
            # Chance does nothing.
            assert same == "gen_random_uuid uuidv4" or functions.CALLING.items() & {tuple(reversed(same.split()))}, same
