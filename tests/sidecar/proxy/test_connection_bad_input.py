"""What no program should send: one clear line each, and nothing else is disturbed."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.sidecar.proxy.freshness import RAW, House, done, house_in
from tests.sidecar.proxy.raw import Raw, bind, describe, errors, rows

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, message, parse, query

Start = Any
# 63 bytes are the most that PostgreSQL keeps of a name.
NAMES = {
    "latin": "n" * 63,
    "chinese": "表" * 21,
    "emoji": "🗄" * 15 + "abc",
    "arabic": "جدول" * 7 + "جدول"[:3] + "x",
    "quotes and spaces": 'a "b" ' * 10 + "abc",
    "combining": "e\N{COMBINING ACUTE ACCENT}" * 21,
}
NESTED = {
    "brackets": "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 10_000 + "people" + ") s" * 10_000,
    "calls": "SELECT " + "abs(" * 10_000 + "1" + ")" * 10_000,
    "arrays": "SELECT " + "ARRAY[" * 10_000 + "1" + "]" * 10_000,
    "cases": "SELECT " + "CASE WHEN true THEN " * 10_000 + "1" + " END" * 10_000,
    "negations": "SELECT " + "NOT " * 10_000 + "true",
    "operators": "SELECT 1" + " + 1" * 10_000,
    "unions": "SELECT 1" + " UNION SELECT 1" * 10_000,
    "joins": "SELECT 1 FROM people a0" + "".join(f" JOIN people a{n} USING (id)" for n in range(1, 10_000)),
}


@pytest.fixture
async def house(start: Start, old_or_new_shop: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(start, old_or_new_shop, "bad_input", tmp_path) as one:
        yield one


async def both(house: House) -> list[Raw]:
    """One session with masks, one without."""
    return [await house.clerk(), await house.owner()]


async def refused(session: Raw, data: bytes) -> str:
    """The SQLSTATE of the one error that it is answered with, whose message is one line; then the session goes on."""
    session.writer.write(data)
    got = await session.until(b"Z")
    (sqlstate,) = errors(got)
    for kind, body in got:
        if kind == b"E":
            fields = messages.read_error(body)
            assert fields.message
            assert "\n" not in fields.message
    assert rows(await session.ask("SELECT 1")) == [[b"1"]]
    return sqlstate


@pytest.mark.parametrize("name", NESTED)
async def test_a_statement_nested_ten_thousand_deep(house: House, name: str) -> None:
    beside = await house.clerk()
    for session in await both(house):
        assert await refused(session, query(NESTED[name])) == "54001"
        assert await refused(session, parse("", NESTED[name]) + bind() + SYNC) == "54001"
        assert rows(await beside.ask("SELECT email FROM people")) == [[b"***"]]


def with_parameters(count: int) -> tuple[bytes, list[bytes]]:
    """A Parse of a statement with that many parameters, and values for them."""
    text = f"SELECT count(*), max(email) FROM people WHERE id IN ({', '.join(f'${n}' for n in range(1, count + 1))})"
    return parse("", text), [str(n).encode() for n in range(count)]


async def test_as_many_parameters_as_the_protocol_has_are_allowed(house: House) -> None:
    statement, values = with_parameters(65_535)
    for session, email in zip(await both(house), (b"***", RAW), strict=True):
        session.writer.write(statement + bind(values=values) + messages.execute("") + SYNC)
        got = await session.until(b"Z")
        assert rows(got) == [[b"1", email]], errors(got)
        assert await refused(session, statement + bind(values=values[:10]) + SYNC) == "08P01"


async def test_more_words_than_are_analysed(house: House) -> None:
    text = f"SELECT id FROM people WHERE id IN ({', '.join(map(str, range(130_000)))})"
    for session in await both(house):
        assert await refused(session, query(text)) == "54001"
        assert await refused(session, parse("", text) + bind() + messages.execute("") + SYNC) == "54001"


@pytest.mark.parametrize("script", NAMES)
async def test_names_of_63_bytes(house: House, script: str) -> None:
    name = NAMES[script]
    assert len(name.encode()) == 63
    quoted = '"' + name.replace('"', '""') + '"'
    owner, clerk = await house.owner(), await house.clerk()
    for text in (
        f"CREATE TABLE {quoted} (email text, {quoted} int)",
        f"INSERT INTO {quoted} VALUES ('{RAW.decode()}', 7)",
    ):
        assert b"ERROR" not in await done(owner, query(text))
    for asks in (f"SELECT * FROM {quoted}", f"SELECT q.email, q.{quoted} FROM {quoted} AS q WHERE {quoted} = 7"):
        assert rows(await clerk.ask(asks)) == [[b"***", b"7"]]
        assert rows(await owner.ask(asks)) == [[RAW, b"7"]]
    # What is longer means the same to the server, which cuts it: so it does to the gate, or it is refused.
    longer = '"' + (name + "more").replace('"', '""') + '"'
    got = await clerk.ask(f"SELECT email FROM {longer}")
    assert rows(got) in ([[b"***"]], [])
    assert RAW not in b"".join(body for _, body in got)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
async def test_text_that_is_not_utf8(house: House, bad: bytes) -> None:
    places = (
        b"SELECT '" + bad + b"'", b'SELECT 1 AS "' + bad + b'"', b"SELECT email FROM people -- " + bad,
        b"SELECT $$" + bad + b"$$", bad,
    )  # fmt: skip
    for session in await both(house):
        for text in places:
            assert await refused(session, message(b"Q", text + b"\x00")) == "22021"
            assert await refused(session, message(b"P", b"\x00" + text + b"\x00\x00\x00") + SYNC) == "22021"
        # Of a parameter, the server says it.
        given = parse("", "SELECT email, $1::text FROM people") + bind(values=[bad]) + messages.execute("") + SYNC
        assert await refused(session, given) == "22021"


# What holds of the type in a plan that the server keeps says so itself (XX000).
DROPPED = {
    "a table": ("CREATE TABLE gone (id int)", "DROP TABLE gone", "SELECT id FROM gone", {"42P01", "26000"}),
    "a type": (
        "CREATE TYPE gone AS ENUM ('a')", "DROP TYPE gone", "SELECT 'a'::gone::text",
        {"42704", "26000", "42501", "XX000"},
    ),
    "a function": (
        "CREATE FUNCTION gone() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'", "DROP FUNCTION gone()",
        "SELECT gone()", {"42883", "26000", "42501"},
    ),
    "a column": (
        "CREATE TABLE gone (id int, email text)", "ALTER TABLE gone DROP COLUMN id", "SELECT id FROM gone",
        {"42703", "26000"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DROPPED)
async def test_what_is_dropped_between_parse_and_bind(house: House, what: str) -> None:
    make, drop, asks, states = DROPPED[what]
    maker = await house.owner()
    for session in await both(house):
        assert b"ERROR" not in await done(maker, query(make))
        first = await done(session, parse("kept", asks) + SYNC)
        assert b"ERROR" not in await done(maker, query(drop))
        again = bind("", "kept") + describe("P") + messages.execute("") + SYNC
        sqlstate = await refused(session, again)
        assert sqlstate in states, (sqlstate, first)
        await done(maker, query("DROP TABLE IF EXISTS gone"))


async def test_a_policy_that_names_what_does_not_exist(house: House) -> None:
    path = house.gate.directory / "shop.yaml"
    path.write_text(
        path.read_text()
        .replace('"*.*.secret"', '"*.*.secret", "nowhere.nothing.never", "public.people.missing"')
        .replace("masks:", "allowFunctions: [nowhere.never]\n  masks:")
    )
    house.gate.proxy.source.poll()
    clerk, owner = await both(house)
    assert rows(await clerk.ask("SELECT email FROM people")) == [[b"***"]]
    assert rows(await owner.ask("SELECT email FROM people")) == [[RAW]]


@pytest.mark.parametrize("count", [-1, 0xFFFF])
async def test_lengths_that_are_not_true(house: House, count: int) -> None:
    """A Bind that promises more parameters than it holds: an error, not a wait."""
    body = b"\x00\x00" + struct.pack(">hHHH", 0, count & 0xFFFF, 0, 0)
    for session in await both(house):
        assert await refused(session, parse("", "SELECT 1") + message(b"B", body) + SYNC) == "08P01"
