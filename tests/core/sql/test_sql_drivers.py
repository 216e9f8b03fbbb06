"""What drivers and tools send of their own accord passes to masked identities, and the answers are right."""

from __future__ import annotations

import re
import subprocess

import asyncpg.introspection
import psycopg
import pytest
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.multirange import MultirangeInfo
from psycopg.types.range import RangeInfo
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.decision import Action


@pytest.mark.parametrize("name", ["INTRO_LOOKUP_TYPES", "INTRO_LOOKUP_TYPES_13", "TYPE_BY_NAME"])
@pytest.mark.parametrize("path", [("public",), None])
def test_asyncpg_asks_for_types(twins18: Twins, name: str, path: tuple[str, ...] | None) -> None:
    text = getattr(asyncpg.introspection, name)
    decision = twins18.governor().decide(text, path)
    assert (decision.denial, decision.text) == (None, text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new",
        "SELECT set_config('jit', $1, false)",
        "\nSELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;",
        "SELECT pg_catalog.version()",
        "show standard_conforming_strings",
        "select current_schema()",
        "SELECT pg_is_in_recovery(), pg_backend_pid()",
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON"
        " pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_class.relname = $1::VARCHAR"
        " AND pg_class.relkind = ANY (ARRAY['r', 'p']) AND pg_catalog.pg_table_is_visible(pg_class.oid)",
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT 1 AS one FROM information_schema.tables WHERE table_name = $1 LIMIT 1",
    ],
)
def test_frameworks_start_up(twins18: Twins, text: str) -> None:
    assert twins18.governor().decide(text, ("public",)).denial is None


@pytest.mark.parametrize("info", [TypeInfo, EnumInfo, CompositeInfo, RangeInfo, MultirangeInfo])
def test_psycopg_asks_for_types(twins18: Twins, info: type[TypeInfo]) -> None:
    with psycopg.connect(twins18.left) as connection:
        query = info._get_info_query(connection)
        text = query if isinstance(query, str) else query.as_string(connection)
    assert twins18.governor().decide(text.replace("%(name)s", "$1"), ("public",)).denial is None


@pytest.mark.parametrize(
    "command", [r"\d", r"\dt", r"\dv", r"\dn", r"\l", r"\du", r"\df", r"\dT", r"\dx", r"\d u", r"\d+ o", r"\dp", r"\dX"]
)
def test_psql_lists(postgres: EmbeddedPostgres, twins18: Twins, command: str) -> None:
    shown = subprocess.run(
        [postgres.bin / "psql", "-XE", twins18.left, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    queries = re.findall(r"\*{3,} QUERY \*{3,}/?\n(.*?)\n/?\*{10,}", shown, re.DOTALL)
    assert queries
    for query in queries:
        decision = twins18.governor().decide(query, ("public",))
        assert (decision.action, decision.denial) == (Action.ALLOW, None)
