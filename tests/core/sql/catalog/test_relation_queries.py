"""What belongs to a relation is the same whether it is asked for alone or with all others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from tests.core.sql.catalog.schema_changes import BEGINNING

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.queries import ALL, SETTINGS, of_some
from penstock_core.sql.catalog.relation_queries import RELATION_QUERIES

MORE = """
CREATE TABLE one.whole (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE one.leaf PARTITION OF one.whole FOR VALUES FROM (1) TO (5);
CREATE TABLE one.holding (rows one.people[]);
CREATE POLICY own ON two.items USING (a > one.f(1));
CREATE UNIQUE INDEX called ON two.items (one.f(a)) WHERE b = 'sad';
ALTER TABLE two.items ADD CONSTRAINT short CHECK (b::text::one.short <> '');
CREATE TRIGGER first BEFORE INSERT ON two.items FOR EACH ROW EXECUTE FUNCTION one.touched();
"""


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[str]]]:
    postgres.psql("CREATE DATABASE alone")
    with psycopg.connect(postgres.url("alone")) as one:
        one.execute(BEGINNING + MORE)
        for text in SETTINGS:
            one.execute(text)
        yield one
    postgres.psql("DROP DATABASE alone")


@pytest.mark.parametrize("name", RELATION_QUERIES)
def test_those_that_are_asked_for_have_the_rows_that_they_have_among_all(
    connection: psycopg.Connection[tuple[str]], name: str
) -> None:
    every = json.loads(connection.execute(ALL[name]).fetchall()[0][0])
    assert every, "some have such rows"
    for oid in {row[0] for row in every}:
        (row,) = connection.execute(of_some([oid], [])[name]).fetchall()
        assert json.loads(row[0]) == [one for one in every if one[0] == oid]
    (row,) = connection.execute(of_some([], [])[name]).fetchall()
    assert json.loads(row[0]) == []


def test_which_defaults_may_tell_the_order_in_which_rows_got_them(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url()) as one:
        one.execute("""
            CREATE SCHEMA given;
            CREATE FUNCTION given.one() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
            CREATE DOMAIN given.moment AS timestamptz DEFAULT clock_timestamp();
            CREATE TABLE given.defaults (
                id int GENERATED ALWAYS AS IDENTITY, n bigserial, at timestamptz DEFAULT clock_timestamp(),
                domain given.moment, own int DEFAULT given.one(), twice int GENERATED ALWAYS AS (given.one()) STORED,
                made timestamptz DEFAULT now(), chance uuid DEFAULT gen_random_uuid(), plain text DEFAULT lower('X'),
                overruled given.moment DEFAULT '2030-01-01', none text
            )
        """)
        oid = one.execute("SELECT 'given.defaults'::regclass::oid::text").fetchone()
        assert oid is not None
        for text in SETTINGS:
            one.execute(text)
        (row,) = one.execute(of_some([oid[0]], [])["columns"]).fetchall()
        one.rollback()
    told = [name for _, _, name, *_, telling in json.loads(row[0]) if telling]
    assert told == ["id", "n", "at", "domain", "own"]
