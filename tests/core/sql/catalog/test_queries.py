"""The SQL that fetches a snapshot: read only, in one transaction, with qualified names, on every server."""

from __future__ import annotations

import json
import re

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.queries import STATEMENTS
from penstock_core.sql.catalog.versions import PLACE, VERSIONS

NAMED = {name: sql for name, sql in STATEMENTS if name}


def test_they_are_one_transaction_that_only_reads() -> None:
    first, last = STATEMENTS[0][1], STATEMENTS[-1][1]
    assert first == "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    assert last == "COMMIT"
    assert all(sql.startswith("SELECT") for sql in NAMED.values())


def test_the_path_is_asked_for_before_it_is_set_and_all_else_is_asked_behind_that() -> None:
    names = [name or sql for name, sql in STATEMENTS]
    place = names.index("SET LOCAL search_path = pg_catalog")
    assert names[1:place] == ["session"]
    # So it must not trust the path.
    assert set(re.findall(r"([\w.]+)\(", NAMED["session"])) <= {
        "pg_catalog.json_build_array", "pg_catalog.array_to_json", "pg_catalog.current_schemas",
        "pg_catalog.current_setting", "OPERATOR",
    }  # fmt: skip


def test_no_placeholder_is_left() -> None:
    for name, sql in NAMED.items():
        assert not re.search(r"\b(NAMES|QUERY|OWN_RELATION|EXPRESSIONS|TYPE_NAME|SPACE|TYPE)\b", sql), name


_READ = r"(?:FROM|JOIN)\s+(?:pg_catalog\.)?(pg_[a-z_]+)\b(?!\()"


def test_whatever_is_read_has_a_number_that_tells_of_its_changes() -> None:
    """Settings are looked at by `PLACE`; schemas by their names."""
    read = {table for sql in NAMED.values() for table in re.findall(_READ, sql)}
    assert {"pg_class", "pg_depend", "pg_trigger", "pg_aggregate"} <= read
    told = set()
    for rows in VERSIONS.split("UNION ALL"):
        alias = re.search(r"(?:(\w+)\.)?xmin, ", rows)
        pattern = r"FROM (pg_\w+)" if alias is None or alias[1] is None else rf"(?:FROM|JOIN) (pg_\w+) {alias[1]}\b"
        told.update(re.findall(pattern, rows))
    assert read - told == {"pg_settings"}
    assert "FROM pg_catalog.pg_settings" in PLACE


def test_each_name_is_asked_for_once() -> None:
    assert len(NAMED) == sum(1 for name, _ in STATEMENTS if name)


@pytest.mark.parametrize("server", ["postgres15", "postgres16", "postgres"])
def test_a_role_without_any_right_gets_the_same_answers(request: pytest.FixtureRequest, server: str) -> None:
    """The role of the proxy need not own what it governs; nor does a setting of its sessions change an answer."""
    running: EmbeddedPostgres = request.getfixturevalue(server)
    with psycopg.connect(running.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_special")
        connection.execute("CREATE ROLE nobody_special")
        told = read(connection)
        connection.execute("SET ROLE nobody_special")
        connection.execute("SET search_path = pg_temp, information_schema")
        again = read(connection)
        connection.execute("RESET ROLE")
        connection.execute("DROP ROLE nobody_special")
    assert told.keys() == again.keys() == NAMED.keys()
    for name in sorted(NAMED.keys() - {"session"}):
        assert sorted(map(json.dumps, told[name])) == sorted(map(json.dumps, again[name])), name


def read(connection: psycopg.Connection[tuple[str]]) -> dict[str, list[object]]:
    documents = {}
    for name, sql in STATEMENTS:
        cursor = connection.execute(sql.encode())
        if name:
            ((document,),) = cursor.fetchall()
            documents[name] = json.loads(document)
    return documents
