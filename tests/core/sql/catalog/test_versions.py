"""Numbers that tell which parts are others than before, and what depends on these."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from tests.core.sql.catalog.schema_changes import BEGINNING

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.versions import PLACE, PROCESSES, VERSIONS, dependents

Connection = psycopg.Connection[tuple[str]]


@pytest.fixture(params=["postgres15", "postgres"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql("CREATE DATABASE versioned")
    with psycopg.connect(server.url("versioned"), autocommit=True) as one:
        one.execute(BEGINNING)
        yield one
    server.psql("DROP DATABASE versioned")


def numbers(connection: Connection) -> dict[str, str]:
    return dict(json.loads(connection.execute(VERSIONS).fetchall()[0][0]))


def oid(connection: Connection, name: str, kind: str = "regclass") -> str:
    return str(connection.execute(f"SELECT '{name}'::{kind}::oid".encode()).fetchall()[0][0])


def differing(connection: Connection, change: str) -> set[str]:
    before = numbers(connection)
    connection.execute(change.encode())
    after = numbers(connection)
    return {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}


def test_a_change_is_of_the_part_that_it_is_made_to(connection: Connection) -> None:
    people, items = oid(connection, "one.people"), oid(connection, "two.items")
    mood, function = oid(connection, "one.mood", "regtype"), oid(connection, "one.f(int)", "regprocedure")
    assert differing(connection, "SELECT 1") == set()
    assert differing(connection, "CREATE INDEX more ON one.people (b)") == {people}
    assert differing(connection, "ALTER TABLE two.items RENAME COLUMN b TO renamed") == {items}
    assert differing(connection, "CREATE POLICY own ON two.items USING (a > 1)") == {items}
    assert differing(connection, "ALTER TYPE one.mood ADD VALUE 'odd'") == {f"t{mood}"}
    assert differing(connection, "ALTER FUNCTION one.f(int) STABLE") == {f"p{function}"}
    assert "*" in differing(connection, "ALTER DOMAIN one.short ADD CONSTRAINT more CHECK (VALUE <> 'x')")
    assert "*" in differing(connection, "CREATE FUNCTION pg_catalog.made() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert differing(connection, "CREATE TEMP TABLE hidden (a int)") == set()


def test_what_depends_on_a_part_is_told_with_it(connection: Connection) -> None:
    found = connection.execute(dependents([oid(connection, "one.people")], [], []).encode()).fetchall()[0][0]
    told = {"one.people", "one.shown", "two.listed", "two.items"}
    assert {oid(connection, name) for name in told} <= set(json.loads(found))
    found = connection.execute(dependents([], [oid(connection, "one.mood", "regtype")], []).encode()).fetchall()[0][0]
    assert {oid(connection, name) for name in told} <= set(json.loads(found))
    connection.execute("ALTER DOMAIN one.short ADD CONSTRAINT called CHECK (one.f(length(VALUE)) > 0)")
    function = oid(connection, "one.f(int)", "regprocedure")
    found = connection.execute(dependents([], [], [function]).encode()).fetchall()[0][0]
    assert {"*", "f"} <= set(json.loads(found))


def test_the_place_is_the_same_for_each_new_session_and_processes_are_some(connection: Connection) -> None:
    """Not for one that has loaded modules, which have settings."""
    places = []
    for _ in range(2):
        with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as new:
            places.append(new.execute(PLACE).fetchall())
    assert places[0] == places[1]
    assert json.loads(connection.execute(PROCESSES).fetchall()[0][0])
