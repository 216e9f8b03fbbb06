"""Any sequence of messages is answered through the gate as by the server itself, byte for byte.

A denied statement stands where one stands that fails in analysis: all but the error's own text must be the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sidecar.proxy.conftest import Start

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import CostLimit, Limit, Rule
from penstock_sidecar.proxy import upstream
from penstock_sidecar.proxy.upstream import Server
from penstock_sidecar.session.refusals import FAILING_TEXT
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, bind, close_statement, execute, message, parse, query

DENIED = "SELECT forbidden"
TEXTS = [
    "SELECT 1", "SELECT generate_series(1, 5)", "SELECT 1/0", "SELEKT", "", "SELECT * FROM nowhere", "BEGIN", "COMMIT",
    "ROLLBACK", "SAVEPOINT s", "SELECT 1; SELECT 2", "SELECT 1; SELECT 1/0; SELECT 2", "SET TimeZone = 'UTC'", DENIED,
    "SELECT 1; " + DENIED, "CREATE TEMP TABLE IF NOT EXISTS t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO t VALUES (1)", "DEALLOCATE ALL", "DISCARD ALL", "COPY (SELECT 1) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT 1", "FETCH c", "DO $$ BEGIN RAISE NOTICE 'n'; END $$",
]  # fmt: skip
NAMES = st.sampled_from(["", "a", "b"])

single = st.one_of(
    st.builds(parse, NAMES, st.sampled_from(TEXTS)),
    st.builds(bind, NAMES, NAMES),
    st.builds(execute, NAMES, st.sampled_from([0, 1, 2])),
    st.builds(lambda kind, name: message(b"D", kind + name.encode() + b"\x00"), st.sampled_from([b"S", b"P"]), NAMES),
    st.builds(close_statement, NAMES),
    st.builds(lambda name: message(b"C", b"P" + name.encode() + b"\x00"), NAMES),
    st.just(SYNC),
    st.just(FLUSH),
    st.builds(query, st.sampled_from(TEXTS)),
)
# COPY data comes as a block: in its middle, the gate lets nothing else through.
END = st.sampled_from([message(b"c", b""), message(b"f", b"no\x00")])
ROWS = st.lists(st.sampled_from([b"1\n", b"2\n", b"not a number\n"]), max_size=3)
COPY = "COPY t FROM STDIN"
copied = st.builds(
    lambda start, early, rows, end: start + early + b"".join(message(b"d", row) for row in rows) + end + SYNC,
    st.sampled_from([query(COPY), parse("", COPY) + bind("", "") + execute("")]),
    st.sampled_from([b"", SYNC, FLUSH]),
    ROWS,
    END,
)
# Each with whether the client pauses after it, so that answers come in between.
talks = st.lists(st.tuples(st.one_of(single, single, single, copied), st.booleans()), min_size=1, max_size=14)
LAST = message(b"f", b"x\x00") + SYNC + SYNC + query("ROLLBACK") + query("SELECT 'this is the end'")

Talk = list[tuple[bytes, bool]]
# The transaction in which the portal was open has ended before it is executed once more.
TWICE = [(parse("", "SELECT 1") + bind("", "") + execute("") + SYNC + execute("") + SYNC, False)]


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Talk) -> list[tuple[bytes, bytes]]:
    for data, pause in talk:
        writer.write(data)
        if pause:
            await asyncio.sleep(0.002)
    writer.write(LAST)
    got: list[tuple[bytes, bytes]] = []
    ended = False
    while True:
        kind = await reader.readexactly(1)
        body = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        ended = ended or b"this is the end" in body
        if kind == b"E":
            fields = messages.read_error(body)
            body = fields.severity.encode() + fields.sqlstate.replace("42501", "42703").encode()
        got.append((kind, body))
        if ended and kind == b"Z":
            return got


async def direct(shop: EmbeddedPostgres, credentials: Path, talk: Talk) -> list[tuple[bytes, bytes]]:
    session = await upstream.connect(
        Server("127.0.0.1", shop.port, "disable", credentials), {"database": "shop", "client_encoding": "UTF8"}
    )
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    session.transport.set_protocol(protocol)
    protocol.connection_made(session.transport)
    session.transport.resume_reading()
    writer = asyncio.StreamWriter(session.transport, protocol, reader, asyncio.get_running_loop())
    try:
        return await asyncio.wait_for(answers(reader, writer, talk), 30)
    finally:
        session.transport.abort()


async def gated(port: int, talk: Talk) -> list[tuple[bytes, bytes]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(messages.startup({"user": "app", "database": "shop"}))
    await asyncio.wait_for(reader.readuntil(b"Z\x00\x00\x00\x05I"), 30)
    try:
        return await asyncio.wait_for(answers(reader, writer, talk), 30)
    finally:
        writer.transport.abort()


FAR = Limit(1000, Rule("web", "guardrails.maxRowsReturned"))
DEAR = CostLimit(1e9, Rule("web", "guardrails.maxPlanCost"))


@pytest.fixture(
    params=[
        ("block", {}), ("continue", {}), ("block", {"limit": FAR}), ("continue", {"limit": FAR}),
        ("block", {"changes": FAR}), ("continue", {"cost": DEAR}),
        ("continue", {"limit": FAR, "changes": FAR, "cost": DEAR}),
    ],
    ids=[
        "block", "continue", "block, rows counted", "continue, rows counted", "block, changes counted",
        "continue, costs asked", "continue, all counted",
    ],
)  # fmt: skip
async def runner(start: Start, shop: EmbeddedPostgres, request: pytest.FixtureRequest) -> Any:
    on_failure, limits = request.param
    gate = await start(shop, on_failure=on_failure)
    for name, limit in limits.items():
        setattr(gate.script, name, limit)

    def sent(talk: Talk) -> Talk:
        """Where rows are counted, a Query ends with a Sync; without one before it the server would go on from there in
        a transaction of neither protocol, which no driver asks for.
        """
        return [(SYNC + part if limits and part[:1] == b"Q" else part, pause) for part, pause in talk]

    loop = asyncio.get_running_loop()

    def both(talk: Talk, plain: Talk) -> tuple[Any, Any]:
        """From Hypothesis's thread: what either answers."""

        async def ask() -> tuple[Any, Any]:
            through = await gated(gate.proxy.port, sent(talk))
            return through, await direct(shop, gate.directory / "credentials", sent(plain))

        return asyncio.run_coroutine_threadsafe(ask(), loop).result(30)

    return both


async def test_the_gate_answers_as_the_server_does(runner: Any) -> None:
    @settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(talks)
    @example(TWICE)
    def compare(talk: Talk) -> None:
        through, itself = runner(talk, [(failing(part), pause) for part, pause in talk])
        assert through == itself

    await asyncio.to_thread(compare)


def failing(part: bytes) -> bytes:
    """The message as the gate sends it: with a text that fails where one is denied."""
    if b"forbidden" not in part:
        return part
    if part[:1] == b"Q":
        return query(FAILING_TEXT)
    name, _ = messages.read_text(part[5:], 0)
    return parse(name, FAILING_TEXT)
