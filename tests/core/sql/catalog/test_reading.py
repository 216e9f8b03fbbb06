"""A catalog that is read by its differences is the one that is read as a whole, whatever changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from tests.core.sql.catalog.schema_changes import BEGINNING, changes

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.reading import Known, Reading
from penstock_core.sql.catalog.snapshot import Snapshots, snapshot

Connection = psycopg.Connection[tuple[str]]
# Changes that succeed, of each sequence.
_MANY = 60


@pytest.fixture(params=["postgres15", "postgres"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql("DROP DATABASE IF EXISTS changing WITH (FORCE)")
    server.psql("CREATE DATABASE changing")
    with psycopg.connect(server.url("changing"), autocommit=True) as one:
        one.execute(BEGINNING)
        yield one
    server.psql("DROP DATABASE changing")


def read(connection: Connection, known: Known | None = None) -> Reading:
    reading = Reading(known)
    text = reading.next()
    while text is not None:
        cursor = connection.execute(text)
        text = reading.next(*(cursor.fetchall()[0] if cursor.description else ()))
    return reading


def known(reading: Reading) -> Known:
    assert reading.known is not None
    return reading.known


@pytest.mark.parametrize("seed", range(4))
def test_after_each_change_it_is_the_one_that_is_read_as_a_whole(connection: Connection, seed: int) -> None:
    connection.execute("SET lock_timeout = '2s'; SET statement_timeout = '20s'")
    snapshots = Snapshots()
    now = known(read(connection))
    snapshots.of(now.parts)
    done, wholes = 0, 0
    for change in itertools.islice(changes(seed), 2000):
        try:
            connection.execute(change)
        except psycopg.Error:
            continue
        reading = read(connection, now)
        whole = known(read(connection))
        wholes += reading.whole
        now = known(reading)
        found, expected = now.parts.documents(), whole.parts.documents()
        for name, text in expected.items():
            assert found[name] == text, (change, name)
        assert snapshots.of(now.parts) == snapshot(expected), change
        done += 1
        if done == _MANY:
            break
    assert done == _MANY
    assert wholes < done / 2
