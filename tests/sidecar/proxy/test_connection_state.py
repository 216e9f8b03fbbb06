"""What a session holds changes in the order of the messages: any pipeline is answered as by the server itself.

Prepared statements, portals, cursors, the search_path, temporary tables and transactions, made and given up by either
protocol. Deterministic: each number is one conversation. `make soak` has twenty times as many.
"""

from __future__ import annotations

from random import Random
from typing import get_args

import pytest
from tests.sidecar.proxy.conftest import MASKED, Start
from tests.sidecar.proxy.raw import close, describe
from tests.sidecar.proxy.test_connection_equivalence import Talk, direct, gated

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources.access_policy import Verb
from penstock_sidecar.wire.messages import FLUSH, SYNC, bind, execute, parse, query

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS sa AUTHORIZATION penstock;
CREATE SCHEMA IF NOT EXISTS sb AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE IF NOT EXISTS sa.placed AS SELECT 'sa' AS who, 'ada@example.com' AS email;
CREATE TABLE IF NOT EXISTS sb.placed AS SELECT 'sb' AS who, 'ada@example.com' AS email;
"""
HELD = [
    "DEALLOCATE a", "DEALLOCATE ALL", "DISCARD ALL", "DISCARD TEMP", "PREPARE a AS SELECT 7", "EXECUTE a",
    "PREPARE b AS SELECT set_config('search_path', 'sb', false)", "EXECUTE b", "DEALLOCATE b",
    "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "RELEASE s", "BEGIN; SET LOCAL search_path = sa",
    "SET search_path = sa", "SET search_path = sb, public", "SET LOCAL search_path = sb", "RESET search_path",
    "RESET ALL", "SELECT set_config('search_path', 'sa', true)", "SHOW search_path", "SET search_path = ''",
    "CREATE TEMP TABLE mine (x int)", "DROP TABLE mine", "INSERT INTO mine VALUES (1)", "SELECT count(*) FROM mine",
    "CREATE TEMP TABLE mine (x int); ROLLBACK", "DROP TABLE mine; CREATE TEMP TABLE mine (y int)",
    "SELECT who FROM placed", "SELECT p.who FROM placed AS p", "DECLARE c CURSOR FOR SELECT 1", "FETCH c", "CLOSE c",
    "CLOSE ALL", "DECLARE h CURSOR WITH HOLD FOR SELECT 2", "FETCH h", "CLOSE h", "SELECT 1/0",
    "SELECT 1; DEALLOCATE ALL; SELECT 2", "DEALLOCATE a; SELECT 1/0", "SELECT 22", "SELECT generate_series(1, 3)",
    "COPY (SELECT 1) TO STDOUT", "DEALLOCATE ALL; COPY (SELECT 1) TO STDOUT",
]  # fmt: skip
NAMES = ["", "a", "s1"]
PORTALS = ["", "p"]
BATCHES = pytest.mark.parametrize(
    "batch", [0, 1, *(pytest.param(number, marks=pytest.mark.soak) for number in range(2, 40))]
)
EACH = 40


def spoken(dice: Random) -> Talk:
    """What a client sends, each part with whether it waits a moment then."""
    # Of each conversation, few texts and names: they have to meet.
    texts = dice.sample(HELD, 6)
    said: Talk = []
    for _ in range(dice.randrange(3, 14)):
        text, name, portal = dice.choice(texts), dice.choice(NAMES), dice.choice(PORTALS)
        part = dice.choice([
            query(text), query(text), parse(name, text), parse("", text) + bind("", "") + execute(""),
            parse("", text) + bind("", "") + execute("") + SYNC, parse("s1", "SELECT 22") + bind(portal, "s1"),
            bind(portal, name), execute(portal, dice.choice([0, 0, 1])), bind(portal, name) + execute(portal), SYNC,
            FLUSH, close("S", name), close("P", portal), describe("S", name), describe("P", portal),
        ])  # fmt: skip
        said.append((part, dice.random() < 0.3))
    if dice.random() < 0.5:
        # In one write.
        return [(b"".join(part for part, _ in said), False)]
    return said


@pytest.fixture
def stateful(each_shop: EmbeddedPostgres) -> EmbeddedPostgres:
    each_shop.psql(
        "CREATE TABLE IF NOT EXISTS public.placed AS SELECT 'public' AS who, 'ada@example.com' AS email;"
        "GRANT ALL ON public.placed TO PUBLIC",
        dbname="shop",
    )
    each_shop.psql(SCHEMA, dbname="shop")
    return each_shop


@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@BATCHES
async def test_any_pipeline_is_answered_as_by_the_server(
    start: Start, stateful: EmbeddedPostgres, batch: int, masked: bool
) -> None:
    policy = {"more": MASKED} if masked else {"allow": ", ".join(get_args(Verb))}
    gate = await start(stateful, governed=True, on_failure="continue", **policy)
    credentials = gate.directory / "credentials"
    whole = 0
    for number in range(batch * EACH, (batch + 1) * EACH):
        talk = spoken(Random(number))
        through = await gated(gate.proxy.port, talk)
        itself = await direct(stateful, credentials, talk)
        # Where it can't be told which table a name means, the gate refuses; from there on they differ.
        refused = refusals(through, itself)
        whole += refused is None
        assert through[:refused] == itself[:refused], f"conversation {number}"
    assert whole > EACH * (0.5 if masked else 0.9)


def refusals(through: list[tuple[bytes, bytes]], itself: list[tuple[bytes, bytes]]) -> int | None:
    """Where the gate refuses what the server does not (its 42501 has been made the 42703 that the server is given)."""
    for place, (one, other) in enumerate(zip(through, itself, strict=False)):
        if one != other and one[0] == b"E" and one[1] == b"ERROR42703":
            return place
    return None
