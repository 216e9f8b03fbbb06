"""However large a statement, its values or what it concerns: it runs, or is refused in words, and is on record."""

from __future__ import annotations

import pytest
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Pair, errors, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.chain import canonical
from penstock_core.audit.size import MAX_BODY, MAX_EVENT
from penstock_sidecar.wire.messages import query

SCHEMA = """
DROP SCHEMA IF EXISTS told CASCADE;
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE told.people (id int PRIMARY KEY, email text, n int DEFAULT 0);
INSERT INTO told.people SELECT i, 'x' FROM generate_series(1, 100) i;
"""
MASKS = "  masks: [{columns: ['told.people.email'], with: {hash: {}}}]\n"
MANY = ",".join(map(str, range(1000, 41000)))
LITERAL = "'" + "v" * 2_000_000 + "'"
# Each is on record as one statement, by its first verb.
FORMS: list[tuple[str, bytes, str, str]] = [
    ("a read", query(f"SELECT count(*) FROM told.people WHERE id IN ({MANY})"), "select", ""),
    ("a write", query(f"DELETE FROM told.people WHERE id IN ({MANY})"), "delete", ""),
    ("a write by the protocol", run(f"UPDATE told.people SET n = 1 WHERE id IN ({MANY})"), "update", ""),
    ("a refused one", query(f"DROP TABLE told.people, {','.join(f'told.x{i}' for i in range(30_000))}"),
     "drop", "42501"),
    ("a refused one with a comment", query(f"DROP TABLE told.people /*{'x' * 500_000}*/"), "drop", "42501"),
    ("one that is not understood", query(f"SELECT {MANY} FROM FROM"), "", "42601"),
    ("what is prepared", query(f"PREPARE p AS DELETE FROM told.people WHERE id IN ({MANY})"), "prepare", ""),
    ("what runs that", query("EXECUTE p"), "execute", ""),
    ("a cursor", query(f"DECLARE c CURSOR WITH HOLD FOR SELECT id FROM told.people WHERE id NOT IN ({MANY})"),
     "declare", ""),
    ("what fetches from it", run("FETCH 3 FROM c"), "fetch", ""),
    ("a literal", query(f"SELECT length({LITERAL})"), "select", ""),
    ("a literal in COPY", query(f"COPY (SELECT {LITERAL}) TO STDOUT"), "copy", ""),
    ("a setting", query(f"SET app.x = {LITERAL}"), "set", ""),
    ("a value of 2 MB", run("SELECT length($1)", b"v" * 2_000_000), "select", ""),
    ("a value of 10 MB", run("SELECT length($1)", b"v" * 10_000_000), "select", ""),
    ("32,767 values", run(f"DELETE FROM told.people WHERE id IN ({','.join(f'${i}' for i in range(1, 32_768))})",
                          *[b"-7"] * 32_767), "delete", ""),
    ("65,535 values", run(f"SELECT 1 WHERE 1 IN ({','.join(f'${i}' for i in range(1, 65_536))})",
                          *[b"7"] * 65_535), "select", ""),
    ("a name", query(f"SELECT 1 AS {'n' * 400_000}"), "select", ""),
    ("a name in other letters", query(f'SELECT 1 AS "{"ü" * 200_000}"'), "select", ""),
    ("a setting's name", query(f"SET {'f' * 250_000} = 1"), "set", "42501"),
    ("a comment", query(f"SELECT 1 /*{'x' * 3_000_000}*/"), "select", ""),
    ("a text of 10 MB", query(f"SELECT '{'x' * 10_000_000}'"), "", "54001"),
]  # fmt: skip


@pytest.mark.parametrize("more", ["", MASKS], ids=["unmasked", "masked"])
async def test_every_form_of_a_large_statement(start: Start, shop: EmbeddedPostgres, more: str) -> None:
    shop.psql(SCHEMA, dbname="shop")
    gate = await start(shop, governed=True, allow="select, insert, update, delete, create", more=more)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    for form, sent, _, sqlstate in FORMS:
        assert errors(await raw.talk([(sent, b"Z")])) == ([sqlstate] if sqlstate else []), form
    outcomes = await gate.settled(len(FORMS))
    intents = gate.events("intent")
    told = [
        (form, (one["verbs"] or [""])[0], outcome["sqlstate"])
        for (form, *_), one, outcome in zip(FORMS, intents, outcomes, strict=True)
    ]
    assert told == [(form, verb, sqlstate) for form, _, verb, sqlstate in FORMS]
    cut = {form for (form, *_), one in zip(FORMS, intents, strict=True) if "truncated" in one}
    assert {"a read", "a write", "a refused one", "what is prepared", "32,767 values", "a name"} <= cut
    assert all(one["identity"]["name"] == "sa:shop/web" and len(canonical(one)) <= MAX_EVENT for one in intents)
    pair.end()


async def test_each_size_around_the_limit(start: Start, shop: EmbeddedPostgres) -> None:
    gate = await start(shop, governed=True)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    near = [MAX_BODY + more for more in (-1500, -900, -800, -700, -600, -500, -400, -300, -200, -100, -10, 0, 10)]
    sizes = [size for limit in (8192, 65_536) for size in (limit - 1, limit, limit + 1)] + near
    for size in sizes:
        await raw.ask(f"SELECT 1 AS {'n' * size}")
        await raw.ask(f"DROP TABLE {'n' * size}")
    outcomes = await gate.settled(2 * len(sizes))
    assert [one["result"] for one in outcomes] == ["ok", "denied"] * len(sizes)
    intents = gate.events("intent")
    assert [one["verbs"] for one in intents] == [["select"], ["drop"]] * len(sizes)
    assert 0 < sum("truncated" in one for one in intents) < len(intents)
    pair.end()
