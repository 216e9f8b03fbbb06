"""Types that clients declare for parameters: those that run code of the database's own read nothing that is masked.

Against real servers, with the policy itself as decider.
"""

from __future__ import annotations

import struct

import pytest
from tests.sidecar.proxy.conftest import MASKED, Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, describe

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, execute, parse, query

SECRET = "ada@example.com"
SCHEMA = f"""
CREATE SCHEMA typed AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE typed.person (id int PRIMARY KEY, email text);
INSERT INTO typed.person VALUES (1, '{SECRET}');
CREATE TABLE typed.log (said text);
CREATE TYPE typed.addr AS (a int, b text);
CREATE FUNCTION typed.shown(typed.addr) RETURNS text LANGUAGE sql AS 'SELECT min(email) FROM typed.person';
CREATE CAST (typed.addr AS text) WITH FUNCTION typed.shown(typed.addr) AS IMPLICIT;
CREATE FUNCTION typed.guess(text) RETURNS bool LANGUAGE sql
    AS 'SELECT $1 = ANY (SELECT left(email, length($1)) FROM typed.person)';
CREATE DOMAIN typed.oracle AS text CHECK (typed.guess(VALUE));
CREATE DOMAIN typed.nested AS typed.oracle;
CREATE TYPE typed.pair AS (first typed.oracle, second int);
CREATE TYPE typed.oracles AS RANGE (subtype = typed.oracle);
CREATE FUNCTION typed.noted(text) RETURNS bool LANGUAGE sql AS 'INSERT INTO typed.log VALUES ($1) RETURNING true';
CREATE DOMAIN typed.writing AS text CHECK (typed.noted(VALUE));
CREATE TYPE typed.writings AS (one typed.writing);
CREATE TYPE typed.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN typed.small AS int CHECK (VALUE < 10);
CREATE TYPE typed.plain AS (a int, b typed.mood);
"""
# Each with a value of it, and whether it may be declared where columns are masked.
CODED = [
    ("typed.addr", b"(1,x)"), ("typed.addr[]", b'{"(1,x)"}'), ("typed.oracle", b"ada"), ("typed.nested", b"ada"),
    ("typed.oracle[]", b"{ada}"), ("typed.pair", b"(ada,1)"), ("typed.pair[]", b'{"(ada,1)"}'),
    ("typed.writing", b"x"), ("typed.writings", b"(x)"), ("pg_catalog.pg_class", b"()"),
    ("pg_catalog.cstring", b"x"),
    ("pg_catalog.internal", b"x"),
]  # fmt: skip
PLAIN = [
    ("text", b"x"), ("int4", b"1"), ("int4[]", b"{1}"), ("jsonb", b"{}"), ("timestamptz", b"2026-01-01"),
    ("numrange", b"empty"), ("uuid[]", b"{}"), ("regclass", b"pg_class"), ("typed.mood", b"ok"),
    ("typed.mood[]", b"{ok}"), ("typed.small", b"5"), ("typed.plain", b"(1,ok)"), ("typed.person", b"(1,x)"),
    ("bpchar", b"x"), ('"char"', b"x"), ("money", b"1"), ("xml", b"<a/>"),
    ("information_schema.sql_identifier", b"x"), ("information_schema.cardinal_number", b"1"),
    ("information_schema.yes_or_no[]", b"{YES}"),
]  # fmt: skip
TEXTS = [
    "SELECT $1 IS NULL", "SELECT $1", "SELECT concat($1)", "SELECT $1::text",
    "SELECT id FROM typed.person WHERE $1 IS NULL",
]  # fmt: skip


@pytest.fixture
def typed(each_shop: EmbeddedPostgres) -> EmbeddedPostgres:
    each_shop.psql("DROP SCHEMA IF EXISTS typed CASCADE", dbname="shop")
    each_shop.psql(SCHEMA, dbname="shop")
    return each_shop


def oid(server: EmbeddedPostgres, name: str) -> int:
    return int(server.psql(f"SELECT '{name}'::regtype::oid", dbname="shop"))


def parsed(text: str, *types: int) -> bytes:
    return parse("", text, struct.pack(f">H{len(types)}I", len(types), *types))


async def told(raw: Raw, sent: bytes) -> tuple[list[str], bytes]:
    """The SQLSTATEs, and all bytes, of the answer."""
    raw.writer.write(sent)
    got = await raw.until(b"Z")
    states = [messages.read_error(body).sqlstate for kind, body in got if kind == b"E"]
    return states, b"".join(body for _, body in got)


async def test_no_type_of_the_databases_own_code_may_be_declared_where_columns_are_masked(
    start: Start, typed: EmbeddedPostgres
) -> None:
    gate = await start(typed, governed=True, more=MASKED)
    pair = Pair(gate, typed)
    raw = await pair.gated()
    try:
        for name, value in CODED:
            number = oid(typed, name)
            for text in TEXTS:
                states, said = await told(raw, parsed(text, number) + bind(values=[value]) + execute("") + SYNC)
                assert states == ["42501"] or (states == ["42704"] and b"does not exist" in said), (name, text, said)
                assert SECRET.encode() not in said
            # As in the text itself.
            states, _ = await told(raw, query(f"PREPARE p ({name}) AS SELECT $1 IS NULL"))
            assert states in (["42501"], ["42704"]), name
        assert typed.psql("SELECT count(*) FROM typed.log", dbname="shop").strip() == "0"
    finally:
        pair.end()


async def test_the_refusal_names_the_type_and_says_what_to_do(start: Start, typed: EmbeddedPostgres) -> None:
    gate = await start(typed, governed=True, more=MASKED)
    pair = Pair(gate, typed)
    raw = await pair.gated()
    for sent, words in ((oid(typed, "typed.addr"), "type typed.addr runs code"), (999_999, "the OID 999999")):
        raw.writer.write(parsed("SELECT upper($1)", sent) + SYNC)
        (error,) = [messages.read_error(body) for kind, body in await raw.until(b"Z") if kind == b"E"]
        assert words in error.message
        assert error.hint == "leave the parameter's type out (OID 0), or cast the parameter in SQL"
    events = await gate.settled(2)
    assert {event["result"] for event in events} == {"denied"}
    pair.end()


async def test_plain_types_may_be_declared(start: Start, typed: EmbeddedPostgres) -> None:
    gate = await start(typed, governed=True, more=MASKED)
    pair = Pair(gate, typed)
    through, itself = await pair.gated(), await pair.direct()
    for name, value in PLAIN:
        number = oid(typed, name)
        for text in ("SELECT $1 IS NULL", "SELECT $1", "SELECT id FROM typed.person WHERE $1 IS NULL"):
            sent = parsed(text, number) + bind(values=[value]) + describe("P") + execute("") + SYNC
            answer = await told(itself, sent)
            if (name, answer[0]) == ("xml", ["0A000"]):
                # A server that was built without libxml has the type, and takes no value of it.
                assert (await told(through, sent))[0] == answer[0]
                continue
            assert await told(through, sent) == answer, (name, text)
            assert answer[0] == []
    pair.end()


async def test_a_type_made_a_moment_ago_is_known_after_one_reading(start: Start, typed: EmbeddedPostgres) -> None:
    gate = await start(typed, governed=True, more=MASKED)
    pair = Pair(gate, typed)
    raw = await pair.gated()
    await told(raw, query("SELECT 1"))
    typed.psql("DROP TYPE IF EXISTS typed.later; CREATE TYPE typed.later AS ENUM ('a')", dbname="shop")
    sent = parsed("SELECT $1", oid(typed, "typed.later")) + bind(values=[b"a"]) + execute("") + SYNC
    assert (await told(raw, sent))[0] == []
    pair.end()
