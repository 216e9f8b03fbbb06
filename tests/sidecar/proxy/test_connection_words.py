"""What developers read of the server's errors where columns are masked: their own mistakes, never a row's value."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.conftest import MASKED, Start

from penstock_cli.demo.postgres import EmbeddedPostgres

SCHEMA = """
DROP SCHEMA IF EXISTS said CASCADE;
CREATE SCHEMA said AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE said.person (
    id int PRIMARY KEY, name text NOT NULL CONSTRAINT person_name UNIQUE, age int CONSTRAINT grown CHECK (age > 17),
    friend int CONSTRAINT befriended REFERENCES said.person DEFERRABLE, email text, nick text,
    CONSTRAINT late UNIQUE (nick) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO said.person VALUES (1, 'Ada', 36, NULL, 'ada@example.com', 'countess'), (2, 'Bob', 40, 1, 'b@b', 'bob');
CREATE TABLE said.open (id int PRIMARY KEY, n int);
"""
WITHHELD = "text withheld"


async def opened(start: Start, server: EmbeddedPostgres) -> psycopg.AsyncConnection[Any]:
    server.psql(SCHEMA, dbname="shop")
    gate = await start(server, governed=True, more=MASKED)
    return await gate.psycopg()


async def failed(client: psycopg.AsyncConnection[Any], text: str) -> Any:
    """The fields of the error."""
    with pytest.raises(psycopg.Error) as raised:
        await client.execute(text)
    return raised.value.diag


# What a client sends, and what it reads, with the word that the position is at.
MISTAKES = [
    ("SELECT lower(age), id FROM said.person", "42883", "function lower(integer) does not exist", "lower"),
    ("SELECT name, count(*) FROM said.person", "42803", 'column "person.name" must appear in the GROUP BY', "name"),
    ("SELECT id FROM said.person WHERE name > 5", "42883", "operator does not exist: text > integer", ">"),
    ("SELECT id FROM said.person WHERE age = 'old'", "22P02", 'invalid input syntax for type integer: "old"', "'old'"),
    ("SELECT email FROM said.person WHERE count(*) > 1", "42803", "aggregate functions are not allowed", "count"),
    ("SELECT id FROM said.person UNION SELECT name FROM said.person", "42804", "UNION types", None),
    ("SELECT sum(name) FROM said.person", "42883", "function sum(text) does not exist", "sum"),
]  # fmt: skip


async def test_mistakes_in_the_text_are_told_with_their_place(start: Start, each_shop: EmbeddedPostgres) -> None:
    client = await opened(start, each_shop)
    key = base64.b64decode(base64.b64encode(bytes(32))).hex()
    for text, sqlstate, words, at in MISTAKES:
        said = await failed(client, text)
        assert (said.sqlstate, WITHHELD in said.message_primary) == (sqlstate, False), text
        assert words in said.message_primary
        assert "pg_catalog" not in said.message_primary
        assert "penstock" not in said.message_primary
        assert key not in said.message_primary
        if at is not None and said.statement_position is not None:
            assert text[int(said.statement_position) - 1 :].startswith(at), text
    await client.close()


# Names that nothing has, what is said of them, where, and which is meant.
UNKNOWN = [
    ("SELECT emial FROM said.person", "42703", 'column "emial" does not exist', "emial", "person.email"),
    ("SELECT id FROM said.person p WHERE p.nmae = 'Ada'", "42703", 'column "p.nmae" does not exist', "p.", "p.name"),
    ("SELECT 'é', (SELECT ag FROM said.person LIMIT 1)", "42703", 'column "ag" does not exist', "ag", "person.age"),
    ("UPDATE said.person SET nick = nik", "42703", 'column "nik" does not exist', "nik", "person.nick"),
    ("SELECT id FROM said.persno", "42P01", 'relation "said.persno" does not exist', "said.persno", "said.person"),
    ("SELECT o.id FROM said.person", "42P01", 'missing FROM-clause entry for table "o"', "o.id", None),
    ("SELECT lowr(email) FROM said.person", "42883", "function lowr does not exist", "lowr", "lower"),
    ("SELECT email::txt FROM said.person", "42704", 'type "txt" does not exist', "txt", "text"),
    ("SELECT wholly_another FROM said.person", "42703", 'column "wholly_another"', "wholly_another", None),
]  # fmt: skip


async def test_unknown_names_are_told_with_their_place_and_what_is_like_them(
    start: Start, each_shop: EmbeddedPostgres
) -> None:
    client = await opened(start, each_shop)
    for text, sqlstate, words, at, like in UNKNOWN:
        # Texts that differ in literals alone share a decision, and not the place of a word.
        for one in (text, f"SELECT 'a'; {text}", f"SELECT 'long, too long'; {text}", f"SELECT ''; {text}"):
            said = await failed(client, one)
            assert (said.sqlstate, words in said.message_primary) == (sqlstate, True), one
            assert one[int(said.statement_position) - 1 :].startswith(at), (one, said.statement_position)
            meant = "" if like is None else f"; perhaps you meant {like}"
            assert said.message_hint == f"check the name{meant}"
    await client.close()


async def test_names_of_constraints_reach_programs_and_values_do_not(start: Start, each_shop: EmbeddedPostgres) -> None:
    client = await opened(start, each_shop)
    for text, sqlstate, constraint, column in (
        ("INSERT INTO said.person (id, name) VALUES (3, 'Ada')", "23505", "person_name", None),
        ("INSERT INTO said.person (id, name) VALUES (1, 'Eve')", "23505", "person_pkey", None),
        ("INSERT INTO said.person (id) VALUES (3)", "23502", None, "name"),
        ("INSERT INTO said.person (id, name, age) VALUES (3, 'Eve', 3)", "23514", "grown", None),
        ("INSERT INTO said.person (id, name, friend) VALUES (3, 'Eve', 9)", "23503", "befriended", None),
        ("DELETE FROM said.person WHERE id = 1", "23503", "befriended", None),
    ):
        said = await failed(client, text)
        assert (said.sqlstate, said.schema_name, said.table_name) == (sqlstate, "said", "person"), text
        assert said.column_name == column
        if constraint is not None:
            assert said.constraint_name == constraint
        assert said.message_detail is None
        assert "Ada" not in said.message_primary
    await client.close()


async def test_only_what_may_be_about_governed_data_is_withheld_in_a_transaction(
    start: Start, each_shop: EmbeddedPostgres
) -> None:
    client = await opened(start, each_shop)
    await client.execute("BEGIN")
    await client.execute("SELECT email FROM said.person")
    said = await failed(client, "SELECT 1/0")
    assert said.message_primary == "division by zero"
    assert (await failed(client, "SELECT 1")).message_primary.startswith("current transaction is aborted")
    await client.execute("ROLLBACK")
    # A read of governed data itself may fail over a value.
    assert WITHHELD in (await failed(client, "SELECT 1 / (id - 1) FROM said.person")).message_primary
    await client.execute("BEGIN")
    await client.execute("INSERT INTO said.person (id, name, nick) VALUES (7, 'Eve', 'bob')")
    await client.execute("SAVEPOINT s")
    # A harmless statement is not what fires a deferred constraint.
    assert (await failed(client, "SELECT 1/0")).message_primary == "division by zero"
    await client.execute("ROLLBACK TO s")
    said = await failed(client, "COMMIT")
    assert (said.sqlstate, said.message_detail) == ("23505", None)
    for text in ("SET CONSTRAINTS ALL IMMEDIATE", "COMMIT"):
        await client.execute("BEGIN")
        await client.execute("INSERT INTO said.person (id, name, nick) VALUES (7, 'Eve', 'bob')")
        said = await failed(client, text)
        assert (said.sqlstate, said.message_detail) == ("23505", None)
        assert "bob" not in said.message_primary
        await client.execute("ROLLBACK")
    await client.close()


async def test_a_prepared_statement_that_is_not_there_is_named(start: Start, shop: EmbeddedPostgres) -> None:
    client = await opened(start, shop)
    said = await failed(client, "EXECUTE nothing_there")
    assert (said.sqlstate, said.message_primary) == ("26000", 'prepared statement "nothing_there" does not exist')
    await client.close()


async def test_a_refusal_by_the_gate_says_what_is_true(start: Start, shop: EmbeddedPostgres) -> None:
    shop.psql(SCHEMA, dbname="shop")
    for more in (MASKED, ""):
        gate = await start(shop, governed=True, more=more)
        async with await gate.psycopg() as client:
            for text in ("SELECT pg_read_file('x')", "SELEKT", "SET role = postgres"):
                said = await failed(client, text)
                assert said.message_detail == "The gate refused the statement before it reached the server."
