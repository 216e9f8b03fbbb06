"""Statements, portals, COPY and what comes unasked: byte for byte as from the server itself.

The numbers are those of docs/protocol.md.
"""

from __future__ import annotations

import asyncio
import re
import struct
from pathlib import Path

import pytest
from tests.sidecar.proxy.raw import Pair, Step, bind, close, describe, errors, kinds, rows, run, states

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, execute, message, parse, query

# Not before it is executed.
FAILS = "SELECT 1 / g FROM generate_series(0, 0) g"
TESTS = Path(__file__).resolve().parents[2]


def test_every_behaviour_of_the_document_is_pinned_by_a_test() -> None:
    document = (TESTS.parent / "docs" / "protocol.md").read_text()
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", document, re.MULTILINE)}
    texts = [path.read_text() for path in (TESTS / "sidecar").rglob("test_*.py")]
    pinned = {int(number) for text in texts for number in re.findall(r"mark\.behaviour\((\d+)\)", text)}
    assert numbers == pinned == set(range(1, 21))


@pytest.mark.behaviour(6)
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SELECT 1; SELECT 'two'; SELECT 3", "TDCTDCTDCZ"),
        ("", "IZ"),
        (" ; ;; ", "IZ"),
        ("-- nothing but words", "IZ"),
        ("SELECT 1; SELECT 1/0; SELECT 3", "TDCEZ"),
        ("SELECT 1; SELEKT 2; SELECT 3", "EZ"),
        ("SELECT 1; SELECT * FROM nowhere; SELECT 3", "TDCEZ"),
        ("BEGIN; SELECT 1/0; ROLLBACK", "CEZ"),
        ("SELECT 1; BEGIN; SELECT 2", "TDCCTDCZ"),
        ("CREATE TEMP TABLE several (a int); INSERT INTO several VALUES (1); SELECT a + 0 FROM several", "CCTDCZ"),
    ],
)
async def test_several_statements_in_one_query(pair: Pair, text: str, answer: str) -> None:
    got = await pair.same((query(text), b"Z"), (query("SELECT 'after'"), b"Z"))
    assert kinds(got).startswith(answer)


@pytest.mark.behaviour(7)
@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        # What comes after the error is skipped, up to the Sync; what comes after that is not.
        ([(run("SELECT 1")[:-5] + run(FAILS)[:-5] + run("SELECT 2") + run("SELECT 3"), b"Z"), (b"", b"Z")],
         "12TDC12TEZ12TDCZ"),
        # Several Syncs on their way, some with nothing before them.
        ([(run("SELECT 1") + SYNC + run("SELECT 2") + SYNC, b"Z"), *[(b"", b"Z")] * 3], "12TDCZZ12TDCZZ"),
        # Flush brings the answers without ending anything.
        ([(parse("", "SELECT 1") + bind() + FLUSH, b"2"), (execute("") + FLUSH, b"C"), (SYNC, b"Z")], "12DCZ"),
        # An error answers at once, without Sync or Flush; the rest waits for the Sync.
        ([(parse("", "SELEKT"), b"E"), (parse("", "SELECT 1") + bind() + execute(""), b""), (SYNC, b"Z")], "EZ"),
        # A Query in the middle of a pipeline that failed is skipped too.
        ([(run(FAILS)[:-5] + query("SELECT 2") + SYNC, b"Z")], "12TEZ"),
    ],
)  # fmt: skip
async def test_pipelines(pair: Pair, steps: list[Step], answer: str) -> None:
    assert kinds(await pair.same(*[step for step in steps if step != (b"", b"")])) == answer


NAMED = parse("one", "SELECT 1") + parse("", "SELECT 0")


@pytest.mark.behaviour(8)
@pytest.mark.parametrize(
    ("steps", "sqlstates"),
    [
        # Named and unnamed beside each other, described, and bound to portals of either kind.
        ([(NAMED + describe("S", "one") + describe("S") + bind("p", "one") + bind() + describe("P", "p") + describe("P")
           + execute("p") + execute("") + SYNC, b"Z")], []),
        # The unnamed one may be made again, a named one not until it is closed.
        ([(NAMED + parse("", "SELECT 5") + bind() + execute("") + SYNC, b"Z")], []),
        ([(NAMED + SYNC, b"Z"), (parse("one", "SELECT 2") + SYNC, b"Z"), (bind("", "one") + execute("") + SYNC, b"Z"),
          (close("S", "one") + parse("one", "SELECT 3") + bind("", "one") + execute("") + SYNC, b"Z")], ["42P05"]),
        # A failed Parse leaves no unnamed statement, and keeps the named one.
        ([(parse("", "SELECT 1") + SYNC, b"Z"), (parse("", "SELEKT") + SYNC, b"Z"), (bind() + SYNC, b"Z")],
         ["42601", "26000"]),
        # A Query ends the unnamed statement.
        ([(parse("", "SELECT 1") + SYNC, b"Z"), (query("SELECT 2"), b"Z"), (bind() + SYNC, b"Z")], ["26000"]),
        # Closing what is not there is no error.
        ([(close("S", "nobody") + close("P", "nobody") + SYNC, b"Z")], []),
        ([(describe("S", "nobody") + SYNC, b"Z"), (describe("P", "nobody") + SYNC, b"Z")], ["26000", "34000"]),
        # SQL's own ways to be rid of them.
        ([(NAMED + SYNC, b"Z"), (query("DEALLOCATE one"), b"Z"), (bind("", "one") + SYNC, b"Z")], ["26000"]),
        ([(NAMED + SYNC, b"Z"), (query("DEALLOCATE ALL"), b"Z"), (bind("", "one") + SYNC, b"Z")], ["26000"]),
        ([(NAMED + SYNC, b"Z"), (query("DISCARD ALL"), b"Z"), (bind("", "one") + SYNC, b"Z")], ["26000"]),
        # A portal lives as long as its transaction, and takes its name until it is closed.
        ([(query("BEGIN") + NAMED + bind("p", "one") + SYNC, b"Z"), (b"", b"Z"), (execute("p") + SYNC, b"Z"),
          (bind("p", "one") + SYNC, b"Z"), (query("ROLLBACK"), b"Z")], ["42P03"]),
        ([(NAMED + bind("p", "one") + SYNC, b"Z"), (execute("p") + SYNC, b"Z")], ["34000"]),
    ],
)  # fmt: skip
async def test_statements_and_portals_come_and_go(pair: Pair, steps: list[Step], sqlstates: list[str]) -> None:
    assert errors(await pair.same(*steps)) == sqlstates


@pytest.mark.behaviour(8)
async def test_what_sql_prepared_is_executed_by_sql(pair: Pair) -> None:
    steps = [(query("PREPARE two AS SELECT 2"), b"Z"), (query("EXECUTE two"), b"Z"), (run("EXECUTE two"), b"Z")]
    assert rows(await pair.same(*steps)) == [[b"2"], [b"2"]]
    # By Bind, the server would: whose text it is the gate does not know.
    got = await (await pair.gated()).talk([steps[0], (bind("", "two") + execute("") + SYNC, b"Z")])
    assert errors(got) == ["26000"]


@pytest.mark.behaviour(9)
async def test_portals_are_suspended_and_resumed(pair: Pair) -> None:
    begin = query("BEGIN") + parse("", "SELECT generate_series(1, 10)") + bind("p")
    got = await pair.same(
        (begin + execute("p", 4) + SYNC, b"Z"), (b"", b"Z"), (execute("p", 4) + execute("p", 1) + FLUSH, b"s"),
        (b"", b"s"), (execute("p", 100) + SYNC, b"Z"), (execute("p", 1) + SYNC, b"Z"), (query("COMMIT"), b"Z"),
    )  # fmt: skip
    assert kinds(got) == "CZ12DDDDsZDDDDsDsDCZCZCZ"
    # Exactly as many rows as there are: suspended all the same, and then nothing.
    exact = (parse("", "SELECT generate_series(1, 2)") + bind() + execute("", 2) + execute("", 2) + SYNC, b"Z")
    assert kinds(await pair.same(exact)) == "12DDsCZ"


@pytest.mark.behaviour(10)
async def test_formats_are_mixed_by_parameter_and_column(pair: Pair) -> None:
    text = parse("", "SELECT $1::int4, $2::text, $3::int8, $1 + 1, null::text, '\\x00ff'::bytea")
    values = [struct.pack(">i", 41), "tüxt".encode(), b"123456789012"]
    for results in ((), (0,), (1,), (1, 0, 1, 0, 1, 1)):
        bound = bind(values=values, formats=(1, 0, 0), results=results)
        got = await pair.same((text + bound + describe("P") + execute("") + SYNC, b"Z"))
        assert kinds(got) == "12TDCZ"
    assert rows(got) == [[struct.pack(">i", 41), values[1], struct.pack(">q", 123456789012), b"42", None, b"\x00\xff"]]
    # A format that does not exist, and too few of them: the server's own errors.
    for formats in ((7,), (1, 1)):
        got = await pair.same((text + bind(values=values, formats=formats) + execute("") + SYNC, b"Z"))
        assert kinds(got) == "1EZ"


TABLE = (query("CREATE TEMP TABLE copied (a int, b text)"), b"Z")
COUNT = (query("SELECT count(*), sum(a) FROM copied"), b"Z")
DATA = b"1\tone\n2\ttwo\n\\.\n3\tafter the end"
BEGINNINGS = {
    "simple": query("COPY copied FROM STDIN"),
    "extended": parse("", "COPY copied FROM STDIN") + bind() + execute("") + FLUSH,
}


def in_pieces(data: bytes, size: int) -> bytes:
    """As CopyData messages of that many bytes."""
    return b"".join(message(b"d", data[at : at + size]) for at in range(0, len(data), size))


@pytest.mark.behaviour(11)
@pytest.mark.parametrize("protocol", ["simple", "extended"])
async def test_copy_in_takes_data_across_any_messages(pair: Pair, protocol: str) -> None:
    sync = b"" if protocol == "simple" else SYNC
    lines = b"1\tone\n2\ttw\xc3\xb6\n10\tten\n"
    for size in (1, 3, 7, 100):
        data = in_pieces(lines, size) + message(b"c", b"") + sync
        got = await pair.same(TABLE, (BEGINNINGS[protocol], b"G"), (data, b"Z"), COUNT)
        assert rows(got) == [[b"3", b"13"]]


@pytest.mark.behaviour(11)
@pytest.mark.parametrize("protocol", ["simple", "extended"])
@pytest.mark.parametrize(
    ("data", "end", "sqlstate"),
    [
        (b"1\tone\n", message(b"f", b"changed my mind\x00"), "57014"),
        (b"1\tone\nx\ttwo\n", message(b"c", b""), "22P02"),
        (b"1\n", message(b"c", b""), "22P04"),
        # The server gave up long ago, and the client still sends.
        (b"x\n" * 5000, message(b"c", b""), "22P02"),
        (b"1\tone\n", FLUSH + message(b"d", b"2\ttwo") + message(b"f", b"\x00"), "57014"),
    ],
)  # fmt: skip
async def test_copy_in_that_fails(pair: Pair, protocol: str, data: bytes, end: bytes, sqlstate: str) -> None:
    sync = b"" if protocol == "simple" else SYNC
    got = await pair.same(TABLE, (BEGINNINGS[protocol], b"G"), (in_pieces(data, 50) + end + sync, b"Z"), COUNT)
    assert errors(got) == [sqlstate]
    assert rows(got) == [[b"0", None]]


@pytest.mark.behaviour(11)
async def test_copy_out_in_both_protocols_and_formats(pair: Pair) -> None:
    text = "COPY (SELECT g, repeat('x', g) FROM generate_series(1, 50) g) TO STDOUT"
    for way in (text, f"{text} (FORMAT binary)", f"{text} (FORMAT csv, HEADER)", "COPY (SELECT 1/0) TO STDOUT"):
        got = await pair.same((query(way), b"Z"), (run(way), b"Z"))
        # `run` describes the portal, and a COPY has no columns.
        assert ("1/0" in way) == bool(errors(got))
    several = "SELECT 1; COPY (SELECT 2) TO STDOUT; SELECT 3"
    assert kinds(await pair.same((query(several), b"Z"))) == "TDCHdcCTDCZ"


@pytest.mark.behaviour(12)
async def test_notices_come_between_other_messages(pair: Pair) -> None:
    pair.server.psql(
        """CREATE OR REPLACE FUNCTION chatter(n int) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE NOTICE 'row %', n; RETURN n; END $$""",
        dbname="shop",
    )
    text = "SELECT chatter(g) FROM generate_series(1, 3) g"
    got = await pair.same((query(text), b"Z"), (run(text), b"Z"))
    assert kinds(got) == "TNDNDNDCZ12TNDNDNDCZ"


@pytest.mark.behaviour(12)
async def test_notifications_come_while_idle_and_after_a_transaction(pair: Pair) -> None:
    heard = []
    for listener in (await pair.gated(), await pair.direct()):
        sender = await pair.direct()
        await listener.ask("LISTEN news")
        await sender.ask("NOTIFY news, 'while idle'")
        got = await listener.until(b"A")
        # One's own comes with the statement's answer; in a transaction they wait for its end.
        got += await listener.talk([(query("NOTIFY news, 'own'"), b"Z"), (query("BEGIN"), b"Z")])
        await sender.ask("NOTIFY news, 'in between'")
        got += await listener.talk([(query("SELECT 1"), b"Z"), (query("COMMIT"), b"Z")])
        await listener.ask("UNLISTEN *")
        pids = {listener.pid.to_bytes(4, "big"): b"own ", sender.pid.to_bytes(4, "big"): b"other "}
        heard.append([(kind, pids.get(body[:4], b"") + body[4 if kind == b"A" else 0 :]) for kind, body in got])
    assert heard[0] == heard[1]
    told = [body for kind, body in heard[0] if kind == b"A"]
    assert told == [b"other news\x00while idle\x00", b"own news\x00own\x00", b"other news\x00in between\x00"]


@pytest.mark.behaviour(13)
async def test_changes_of_parameters_are_reported(pair: Pair) -> None:
    got = await pair.same(
        (query("SET TimeZone = 'Asia/Tokyo'"), b"Z"), (run("SET application_name = 'till'"), b"Z"),
        (query("BEGIN; SET LOCAL DateStyle = 'German'"), b"Z"), (query("ROLLBACK"), b"Z"),
        (query("SET search_path = public"), b"Z"), (query("RESET ALL"), b"Z"),
    )  # fmt: skip
    reported = [body.split(b"\x00")[0] for kind, body in got if kind == b"S"]
    assert [name for name in reported if name in (b"TimeZone", b"application_name", b"DateStyle", b"search_path")] == [
        b"TimeZone", b"application_name", b"DateStyle", b"DateStyle", b"search_path", *reported[5:],
    ]  # fmt: skip


@pytest.mark.behaviour(13)
async def test_what_the_server_reports_at_the_start_is_handed_on(pair: Pair) -> None:
    through, itself = await pair.gated(TimeZone="Asia/Tokyo"), await pair.direct(TimeZone="Asia/Tokyo")
    assert through.parameters == itself.parameters
    assert through.parameters["TimeZone"] == "Asia/Tokyo"


@pytest.mark.behaviour(17)
async def test_the_fast_path_fails_like_a_statement(pair: Pair) -> None:
    call = message(b"F", struct.pack(">IHHH", 0, 0, 0, 0))
    steps = [(call, b"Z"), (query("BEGIN"), b"Z"), (call, b"Z"), (query("SELECT 1"), b"Z"), (query("ROLLBACK"), b"Z")]
    through, itself = await (await pair.gated()).talk(steps), await (await pair.direct()).talk(steps)
    assert kinds(through) == kinds(itself) == "EZCZEZEZCZ"
    assert states(through) == states(itself) == "ITEEI"
    # The server says that there is no function 0; the gate that it lets none through. In an aborted transaction …
    assert errors(through) == ["0A000", "0A000", "25P02"]


@pytest.mark.behaviour(19)
@pytest.mark.parametrize("send", [query, run], ids=["simple", "extended"])
async def test_the_transactions_status_is_the_servers(pair: Pair, send: type) -> None:
    texts = [
        "SELECT 1", "BEGIN", "SELECT 1", "{}", "SELECT 1", "{}", "ROLLBACK", "{}", "BEGIN", "SAVEPOINT s", "{}",
        "ROLLBACK TO s", "SELECT 1", "{}", "COMMIT", "BEGIN", "COMMIT AND CHAIN", "{}", "ROLLBACK AND CHAIN", "COMMIT",
    ]  # fmt: skip
    denied = [(send(text.format("SELECT forbidden")), b"Z") for text in texts]
    failing = [(send(text.format("SELECT forbidden FROM (SELECT) x")), b"Z") for text in texts]
    through, itself = await (await pair.gated()).talk(denied), await (await pair.direct()).talk(failing)
    assert states(through) == states(itself)
    # Apart from Describe, which the failed ones never come to.
    assert kinds(through) == kinds(itself)
    wanted = {"I", "T", "E"}
    assert set(states(through)) == wanted


@pytest.mark.behaviour(19)
async def test_denials_in_the_middle_of_a_pipeline(pair: Pair) -> None:
    denied, failing = ((run("BEGIN")[:-5] + run(text)[:-5] + run("SELECT 2")) for text in (
        "SELECT forbidden", "SELECT forbidden FROM (SELECT) x"))  # fmt: skip
    rest = [(query("SELECT 1"), b"Z"), (query("ROLLBACK"), b"Z")]
    through = await (await pair.gated()).talk([(denied, b"Z"), *rest])
    itself = await (await pair.direct()).talk([(failing, b"Z"), *rest])
    assert kinds(through) == kinds(itself)
    assert states(through) == states(itself) == "EEI"


@pytest.mark.behaviour(16)
async def test_messages_in_any_pieces(pair: Pair) -> None:
    """Each byte on its own, then all at once."""
    talk = run("SELECT 1") + query("SELECT 2") + run("SELECT forbidden") + run("SELECT 3")
    answers = []
    for size in (1, len(talk)):
        raw = await pair.gated()
        for at in range(0, len(talk), size):
            raw.writer.write(talk[at : at + size])
            await raw.writer.drain()
            if size == 1:
                await asyncio.sleep(0)
        answers.append([message for _ in range(4) for message in await raw.until(b"Z")])
    assert answers[0] == answers[1]
    assert messages.read_error(answers[0][[kind for kind, _ in answers[0]].index(b"E")][1]).sqlstate == "42501"
