"""What is on record of what stands in other statements, or runs by a name: all verbs, relations, and what made it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, bind, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import SYNC, execute, message, parse, query

SCHEMA = """
DROP SCHEMA IF EXISTS told CASCADE;
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE SEQUENCE told.numbers;
CREATE TABLE told.people (id int PRIMARY KEY, email text, n int DEFAULT 0);
CREATE TABLE told.pets (id int, owner int);
CREATE FUNCTION told.wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM told.pets; SELECT 1';
CREATE PROCEDURE told.forget() LANGUAGE sql AS 'DELETE FROM told.pets';
"""
MASKS = "  masks: [{columns: ['told.people.email'], with: {hash: {}}}]\n"
ALLOW = "select, insert, update, delete, create, drop, alter, truncate"
# One after the other in one session: the statement, its verbs (its own first) and relations; what made what it runs.
PEOPLE, PETS = "told.people", "told.pets"
DELETES = "DELETE FROM told.people WHERE id = 1 RETURNING id"
CONVERSATION: list[tuple[str, str, list[str], str]] = [
    ("WITH a AS (WITH b AS (SELECT 1 AS i) INSERT INTO told.people (id) SELECT i FROM b RETURNING id),"
     " c AS (UPDATE told.people SET n = 1 RETURNING id) SELECT count(*) FROM a, c",
     "select insert update", [PEOPLE], ""),
    (f"WITH a AS ({DELETES}) INSERT INTO told.people (id) SELECT id + 1 FROM a", "insert delete select", [PEOPLE], ""),
    (f"COPY (WITH a AS ({DELETES}) UPDATE told.people SET n = 2 RETURNING id) TO STDOUT", "copy delete select update",
     [PEOPLE], ""),
    (f"CREATE TABLE told.kept AS WITH a AS ({DELETES}) SELECT id FROM a", "create delete select", [PEOPLE], ""),
    ("MERGE INTO told.people USING (SELECT 3 AS i) s ON id = i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN"
     " INSERT (id) VALUES (i)", "merge delete insert", [PEOPLE], ""),
    ("WITH m AS (MERGE INTO told.people USING (SELECT 3 AS i) s ON id = i WHEN MATCHED THEN UPDATE SET n = 4"
     " RETURNING id) SELECT id FROM m", "select merge update", [PEOPLE], ""),
    ("EXPLAIN DELETE FROM told.pets", "explain delete", [PETS], ""),
    ("EXPLAIN ANALYZE INSERT INTO told.pets (id) VALUES (1)", "explain insert", [PETS], ""),
    ("SELECT id FROM (SELECT id FROM told.people FOR UPDATE) x", "select update", [PEOPLE], ""),
    ("SELECT 1 WHERE 1 IN (SELECT id FROM told.people FOR KEY SHARE)", "select update", [PEOPLE], ""),
    ("SELECT 1 WHERE (SELECT setval('told.numbers', 9)) = 9", "select update", [], ""),
    ("SELECT told.wipe()", "select delete", [PETS], ""),
    ("CALL told.forget()", "call delete", [PETS], ""),
    ("COPY told.people (id) FROM STDIN", "copy insert", [PEOPLE], ""),
    (f"PREPARE p AS {DELETES}", "prepare delete select", [PEOPLE], ""),
    ("EXECUTE p", "execute delete select", [PEOPLE], f"PREPARE p AS {DELETES}"),
    (f"PREPARE w AS WITH a AS ({DELETES}) SELECT id FROM a", "prepare select delete", [PEOPLE], ""),
    ("EXECUTE w", "execute select delete", [PEOPLE], f"PREPARE w AS WITH a AS ({DELETES}) SELECT id FROM a"),
    ("PREPARE s (int) AS SELECT email FROM told.people WHERE id = $1", "prepare select", [PEOPLE], ""),
    ("CREATE TABLE told.more AS EXECUTE s(4)", "create execute select", [PEOPLE],
     "PREPARE s (int) AS SELECT email FROM told.people WHERE id = $1"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT email FROM told.people", "declare select", [PEOPLE], ""),
    ("FETCH 2 FROM c", "fetch select", [PEOPLE], "DECLARE c CURSOR WITH HOLD FOR SELECT email FROM told.people"),
    ("MOVE 2 IN c", "fetch select", [PEOPLE], "DECLARE c CURSOR WITH HOLD FOR SELECT email FROM told.people"),
    ("TRUNCATE told.pets", "truncate", [PETS], ""),
]  # fmt: skip


async def ran(gate: Running, count: int) -> list[dict[str, Any]]:
    """The intents of so many statements that ran and ended well. What was bound before the catalog was read anew, after
    what was created here, may be on record as `unexecuted`, and once more as it was executed, where that says more.
    """
    left = 0
    while len(ended := [one for one in gate.events("outcome") if one["result"] != "unexecuted"]) < count:
        left = len(await gate.settled(left + 1))
    assert [one["result"] for one in ended] == ["ok"] * count
    numbers = {one["statement"] for one in ended}
    return [one for one in gate.events("intent") if one["statement"] in numbers]


@pytest.mark.parametrize("more", ["", MASKS], ids=["unmasked", "masked"])
@pytest.mark.parametrize("make", [query, run], ids=["simple", "extended"])
async def test_all_verbs_of_a_statement(start: Start, shop: EmbeddedPostgres, more: str, make: Any) -> None:
    shop.psql(SCHEMA, dbname="shop")
    gate = await start(shop, governed=True, allow=ALLOW, more=more)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    for text, _, _, _ in CONVERSATION:
        if text.startswith("COPY told"):
            await raw.talk([(query(text), b"G"), (message(b"c", b""), b"Z")])
        else:
            await raw.talk([(make(text), b"Z")])
    intents = await ran(gate, len(CONVERSATION))
    numbers = {text: intent["statement"] for (text, *_), intent in zip(CONVERSATION, intents, strict=True)}
    told = [
        (text, intent["verbs"][0], sorted(intent["verbs"]), intent["relations"], intent.get("madeBy", []))
        for (text, *_), intent in zip(CONVERSATION, intents, strict=True)
    ]
    assert told == [
        (text, verbs.split()[0], sorted(verbs.split()), relations, [numbers[made]] if made else [])
        for text, verbs, relations, made in CONVERSATION
    ]
    if more:
        run_by_name = [one["masked"] for one in intents if "madeBy" in one and "delete" not in one["verbs"]]
        assert run_by_name == [["told.people.email"]] * 3
    pair.end()


async def test_what_was_made_a_moment_ago_is_named(start: Start, shop: EmbeddedPostgres) -> None:
    shop.psql(SCHEMA, dbname="shop")
    gate = await start(shop, governed=True, allow=ALLOW)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    await raw.ask("SELECT 1")
    # Behind the gate's back, so that it is not known yet.
    shop.psql("SET ROLE penstock; CREATE TABLE told.new (id int)", dbname="shop")
    for text in ("INSERT INTO told.new VALUES (1)", "SELECT new.id FROM told.new", "COPY told.new TO STDOUT",
                 "UPDATE told.new SET id = 2", "ALTER TABLE told.new ADD more int", "DROP TABLE told.new"):  # fmt: skip
        await raw.ask(text)
    outcomes = await gate.settled(7)
    assert [one["result"] for one in outcomes] == ["ok"] * 7
    assert [one["relations"] for one in gate.events("intent")] == [[], *[["told.new"]] * 6]
    pair.end()


@pytest.mark.parametrize("more", ["", MASKS], ids=["unmasked", "masked"])
async def test_what_was_made_by_the_protocol_is_known_in_sql_and_the_other_way_round(
    start: Start, shop: EmbeddedPostgres, more: str
) -> None:
    shop.psql(SCHEMA, dbname="shop")
    gate = await start(shop, governed=True, allow=ALLOW, more=more)
    pair = Pair(gate, shop)
    raw = await pair.gated()
    await raw.talk(
        [
            (parse("p", "SELECT email FROM told.people") + SYNC, b"Z"),
            (query("EXECUTE p"), b"Z"),
            (query("PREPARE q AS DELETE FROM told.people"), b"Z"),
            (bind("", "q") + execute("") + SYNC, b"Z"),
        ]
    )
    await gate.settled(3)
    executed, prepared, bound = gate.events("intent")
    assert (executed["verbs"], executed["relations"]) == (["execute", "select"], [PEOPLE])
    assert executed["masked"] == (["told.people.email"] if more else [])
    assert (bound["verbs"], bound["relations"]) == (["execute", "delete"], [PEOPLE])
    assert bound["madeBy"] == [prepared["statement"]]
    pair.end()
