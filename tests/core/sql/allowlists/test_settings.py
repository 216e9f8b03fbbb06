"""The lists of settings: each a setting of some server, none of those that let a session past the gate."""

from __future__ import annotations

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists import settings

# Who one is, how text is read, what the log holds, what code runs, what others see.
NOBODYS = {
    "role", "session_authorization", "session_preload_libraries", "local_preload_libraries", "dynamic_library_path",
    "session_replication_role", "log_statement", "log_min_duration_statement",
    "debug_print_plan", "debug_print_parse", "debug_print_rewritten", "backslash_quote", "transform_null_equals",
    "lo_compat_privileges", "allow_system_table_mods", "zero_damaged_pages", "ignore_system_indexes", "event_triggers",
    "log_executor_stats", "shared_preload_libraries", "createrole_self_grant",
}  # fmt: skip


@pytest.fixture(scope="module")
def known(
    postgres: EmbeddedPostgres, postgres16: EmbeddedPostgres, postgres15: EmbeddedPostgres
) -> dict[str, set[str]]:
    """Settings of the servers, with the contexts in which they may be set."""
    found: dict[str, set[str]] = {}
    for server in (postgres, postgres16, postgres15):
        with psycopg.connect(server.url()) as connection:
            for name, context in connection.execute("SELECT lower(name), context FROM pg_settings"):
                found.setdefault(name, set()).add(context)
    return found


def test_each_is_one_that_sessions_of_some_server_can_set(known: dict[str, set[str]]) -> None:
    listed = settings.ANY | settings.UNMASKED | settings.FUNCTION_SETTINGS | settings.ONLY.keys()
    assert sorted(listed - known.keys()) == []
    assert sorted(name for name in listed if not known[name] & {"user", "superuser"}) == []


def test_none_is_listed_twice() -> None:
    assert sorted(settings.ANY & settings.UNMASKED) == []
    assert sorted(settings.ONLY.keys() & settings.ANY) == []


def test_what_leads_past_the_gate_is_in_none() -> None:
    for listed in (settings.ANY, settings.UNMASKED, settings.FUNCTION_SETTINGS, settings.ONLY):
        assert sorted(NOBODYS & set(listed)) == []


def test_what_a_function_sets_for_itself_a_session_may_set_too() -> None:
    assert sorted(settings.FUNCTION_SETTINGS - settings.ANY - settings.UNMASKED) == []
    # How long a statement runs and what messages show stay as they are.
    assert not settings.FUNCTION_SETTINGS & {"statement_timeout", "client_min_messages", "row_security"}


def test_the_planner_is_not_steered_where_columns_are_masked() -> None:
    steering = {name for name in settings.ANY if name.startswith("enable_") or name.endswith(("_cost", "_limit"))}
    assert sorted(steering) == []


def test_values_and_names_are_written_as_they_are_compared() -> None:
    for listed in (settings.ANY, settings.UNMASKED, settings.FUNCTION_SETTINGS, settings.MODULES, settings.ONLY):
        assert all(name == name.lower() for name in listed)
    for values in settings.ONLY.values():
        assert values
        assert all(value == value.lower() for value in values)
    # No first part of a setting that modules have is a setting's own name.
    assert not settings.MODULES & (settings.ANY | settings.UNMASKED)
