"""The shipper against a real collector: nothing is lost whatever the collector does, and little is said about it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.sidecar.shipping.shipped import MEGABYTE, Bench, statement, warnings
from tests.sidecar.spooled import pending

from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import OWN
from penstock_sidecar.shipping.spool import Spool


async def test_events_arrive_and_leave_the_spool(bench: Bench) -> None:
    await bench.collect()
    bench.ship()
    await bench.spool.append([{"kind": "open"}])
    for number in range(1200):
        await bench.spool.append(statement(number))
    await bench.shipped()
    assert len(await bench.collected()) == 2401
    await bench.spool.append([{"kind": "close", "reason": "stopped"}])
    await bench.shipped()
    assert (await bench.collected())[-1]["kind"] == "close"


async def test_a_collector_that_is_down_is_said_once_and_loses_nothing(
    bench: Bench, said: list[dict[str, Any]]
) -> None:
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.until(lambda: shipper.trouble is not None)
    await asyncio.sleep(0.5)
    (line,) = warnings(said)
    assert line.startswith(f"collector http://127.0.0.1:{bench.port} cannot be reached: ")
    assert "\n" not in line
    await bench.collect()
    await bench.shipped()
    assert len(await bench.collected()) == 3
    assert shipper.trouble is None
    assert [entry["event"] for entry in said if entry["event"].startswith("audit events")] == [
        "audit events reach the collector"
    ]


async def test_a_collector_that_restarts_again_and_again(bench: Bench) -> None:
    await bench.collect()
    bench.ship()
    await bench.spool.append([{"kind": "open"}])
    number = 0
    for _ in range(4):
        for _ in range(100):
            number += 1
            await bench.spool.append(statement(number))
        await bench.stop_collecting()
        await bench.spool.append(statement(number := number + 1))
        await bench.collect()
    await bench.shipped()
    assert len(await bench.collected()) == 1 + 2 * number


async def test_a_collector_that_is_down_fills_the_spool_which_then_recovers(tmp_path: Path) -> None:
    from penstock_sidecar.shipping.spool import SpoolFull

    bench = Bench(tmp_path, max_bytes=120_000)
    try:
        bench.ship()
        await bench.spool.append([{"kind": "open"}])
        refused = taken = 0
        for number in range(300):
            try:
                await bench.spool.append(statement(number))
                taken += 1
            except SpoolFull:
                refused += 1
        assert (taken > 50, refused > 50) == (True, True)
        await bench.collect()
        await bench.shipped()
        await bench.spool.append(statement(1000))
        await bench.shipped()
        assert len(await bench.collected()) == 1 + 2 * taken + 2
    finally:
        await bench.close()


async def test_a_wrong_token_is_said_once_and_the_right_one_is_read(bench: Bench, said: list[dict[str, Any]]) -> None:
    (bench.directory / "token").write_text("wrong\n")
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    await bench.until(lambda: shipper.trouble is not None)
    await asyncio.sleep(0.5)
    assert warnings(said) == [
        f"collector http://127.0.0.1:{bench.port} does not accept the token in {bench.directory / 'token'}"
    ]
    (bench.directory / "token").write_text("secret\n")
    await bench.shipped()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda path: path.unlink(), "No such file or directory"),
        (lambda path: path.write_text("  \n"), "holds no token"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "holds no token"),
        (lambda path: path.write_text("a\nb"), "holds no token"),
    ],
)
async def test_a_token_file_that_cannot_be_used(spoil: Any, complaint: str, bench: Bench) -> None:
    spoil(bench.directory / "token")
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    await bench.until(lambda: shipper.trouble is not None)
    assert complaint in (shipper.trouble or "")
    assert "\n" not in (shipper.trouble or "")
    (bench.directory / "token").write_text("secret")
    await bench.shipped()


async def test_a_stream_that_may_not_be_written_holds_up_no_other(bench: Bench, said: list[dict[str, Any]]) -> None:
    await bench.spool.append([{"kind": "open"}])
    bench.spool.close()
    # The next start has another name, and its token is good for that one alone.
    bench.spool = Spool.open(bench.directory / "spool", "gw2/boot1", MEGABYTE)
    bench._write_tokens("secret", "gw2")
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.until(lambda: bench.spool.streams()[-1].depth == 0)
    assert [event["stream"] for event in await bench.collected()] == ["gw2/boot1"] * 3
    assert "does not let this token write this stream" in (shipper.trouble or "")
    assert len(warnings(said)) == 1


async def test_what_an_earlier_process_left_is_shipped_first(bench: Bench) -> None:
    await bench.spool.append([{"kind": "open"}, *statement(1)[:1]])
    bench.spool.close()
    bench.spool = Spool.open(bench.directory / "spool", "gw1/boot2", MEGABYTE)
    await bench.spool.append([{"kind": "open"}])
    await bench.collect()
    bench.ship()
    await bench.shipped()
    events = await bench.collected()
    assert [(event["stream"], event["kind"], event.get("result")) for event in events] == [
        ("gw1/boot1", "open", None),
        ("gw1/boot1", "intent", None),
        ("gw1/boot1", "outcome", "unknown"),
        ("gw1/boot1", "close", None),
        ("gw1/boot2", "open", None),
    ]
    assert [state.name for state in bench.spool.streams()] == ["gw1/boot2"]


async def test_flush_ships_all_in_time(bench: Bench) -> None:
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    bench.spool.append([event for number in range(500) for event in statement(number)])
    await bench.spool.append([{"kind": "close"}])
    assert await shipper.flush(10)
    assert bench.spool.depth == 0
    assert await shipper.flush(0.01)


async def test_flush_gives_up_in_time(bench: Bench) -> None:
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    started = asyncio.get_running_loop().time()
    assert not await shipper.flush(0.4)
    assert 0.3 < asyncio.get_running_loop().time() - started < 2


async def test_a_collector_that_lost_its_database_is_told_what_never_comes(bench: Bench) -> None:
    await bench.collect()
    bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.shipped()
    await bench.stop_collecting()
    for file in bench.directory.glob("audit.db*"):
        file.unlink()
    await bench.collect()
    await bench.spool.append(statement(2))
    await bench.shipped()
    assert bench.running is not None
    async with httpx2.AsyncClient(trust_env=False) as http:
        headers = {"authorization": "Bearer reader"}
        streams = (await http.get(bench.running.url + "/v1/streams", headers=headers)).json()
    assert [(alarm["kind"], alarm["detail"]) for alarm in streams["alarms"]] == [
        ("lost", "seq 1 to 3 were lost by the sender")
    ]


async def test_tls_with_a_ca_file_that_is_rotated(bench: Bench) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key, ca = (bench.directory / name for name in ("tls.crt", "tls.key", "ca.crt"))
    cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    stranger.cert_pem.write_to_path(str(ca))
    bench.scheme = "https"
    await bench.collect(tls_cert_file=cert, tls_key_file=key)
    shipper = bench.ship(ca)
    await bench.spool.append([{"kind": "open"}])
    await bench.until(lambda: shipper.trouble is not None)
    assert "certificate verify failed" in (shipper.trouble or "")
    authority.cert_pem.write_to_path(str(ca))
    await bench.shipped()


class Odd:
    """A server that is no collector, or one behind something that interferes."""

    def __init__(self) -> None:
        self.answers: list[Callable[[bytes], Response]] = []
        self.last: Callable[[bytes], Response] = acknowledge_all
        self.bodies: list[bytes] = []
        # How long each answer takes.
        self.pause = 0.0

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.bodies.append(body)
        await asyncio.sleep(self.pause)
        return (self.answers.pop(0) if self.answers else self.last)(body)


def acknowledge_all(body: bytes) -> Response:
    return JSONResponse({"acknowledged": json.loads(body.splitlines()[-1])["seq"]})


@pytest.fixture
async def odd(bench: Bench) -> AsyncIterator[Odd]:
    odd = Odd()
    app = Starlette(routes=[Route("/{path:path}", odd.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=bench.port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await bench.until(lambda: server.started)
    yield odd
    server.should_exit = True
    await task


@pytest.mark.parametrize(
    "answer",
    [
        lambda body: PlainTextResponse("<html>welcome</html>"),
        lambda body: JSONResponse({}),
        lambda body: JSONResponse([]),
        lambda body: JSONResponse({"acknowledged": "1"}),
        lambda body: JSONResponse({"acknowledged": True}),
        lambda body: JSONResponse({"acknowledged": 1}, 202),
        lambda body: Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}),
        lambda body: PlainTextResponse("x\ny", 500),
        lambda body: JSONResponse({"error": "later"}, 503, headers={"retry-after": "0"}),
        lambda body: JSONResponse({"error": "slow down"}, 429, headers={"retry-after": "nonsense"}),
    ],
)
async def test_answers_that_acknowledge_nothing(answer: Any, bench: Bench, odd: Odd) -> None:
    odd.answers = [answer]
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}])
    await bench.until(lambda: len(odd.bodies) >= 1 and shipper.trouble is not None)
    assert "\n" not in (shipper.trouble or "")
    await bench.shipped()
    assert odd.bodies[0] == odd.bodies[1]


async def test_an_event_that_something_refuses_holds_up_no_other(bench: Bench, odd: Odd) -> None:
    def refuse_third(body: bytes) -> Response:
        if b'"seq":3,' in body:
            return PlainTextResponse("too large", 413)
        last: int = json.loads(body.splitlines()[-1])["seq"]
        return JSONResponse({"acknowledged": min(last, 2)})

    odd.last = refuse_third
    await bench.spool.append([{"kind": "open"}, *statement(1), *statement(2), *statement(3)])
    shipper = bench.ship()
    await bench.until(lambda: any(b'"seq":7,' in body and b'"seq":3,' not in body for body in odd.bodies))
    await bench.until(lambda: bench.spool.depth == 5)
    assert "refuses events with 413" in (shipper.trouble or "")
    seen = len(odd.bodies)
    await asyncio.sleep(0.3)
    assert len(odd.bodies) <= seen + 1, "what is refused is not tried in a tight loop"
    # Nothing that was not acknowledged was dropped.
    assert [event["seq"] for event in pending(bench.spool)] == [3, 4, 5, 6, 7]


async def test_a_server_that_refuses_everything_is_not_asked_in_a_tight_loop(bench: Bench, odd: Odd) -> None:
    odd.last = lambda body: PlainTextResponse("no", 400)
    await bench.spool.append([{"kind": "open"}, *(event for number in range(500) for event in statement(number))])
    bench.ship()
    await bench.until(lambda: bool(odd.bodies))
    await asyncio.sleep(1)
    assert len(odd.bodies) < 20
    assert bench.spool.depth == 1001


async def test_an_acknowledgement_that_does_not_move_is_no_tight_loop(bench: Bench, odd: Odd) -> None:
    odd.last = lambda body: JSONResponse({"acknowledged": 0})
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    bench.ship()
    await bench.until(lambda: bool(odd.bodies))
    await asyncio.sleep(0.5)
    assert len(odd.bodies) == 1
    assert bench.spool.depth == 3


async def test_what_was_never_sent_is_not_forgotten_whatever_is_acknowledged(bench: Bench, odd: Odd) -> None:
    await bench.spool.append([{"kind": "open"}])
    for number in range(1000):
        await bench.spool.append(statement(number))
    odd.answers = [lambda body: JSONResponse({"acknowledged": 1_000_000_000})]
    bench.ship()
    await bench.shipped()
    sent = [json.loads(line)["seq"] for body in odd.bodies for line in body.splitlines()]
    assert sent == list(range(1, 2002))


async def test_a_stolen_token_can_not_make_the_spool_forget(bench: Bench) -> None:
    """Who may write the stream claims that all of it, up to far ahead, was lost by its sender."""
    await bench.collect()
    assert bench.running is not None
    event, _ = Head("gw1/boot1", 10**9 - 1, "0" * 64).seal({"kind": "heartbeat"}, "2026-11-25T09:00:00Z")
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{bench.running.url}/v1/streams/gw1/boot1/events",
            headers={"authorization": "Bearer secret", "penstock-oldest-seq": str(10**9)},
            content=canonical(event) + b"\n",
        )
    assert answer.json() == {"acknowledged": 10**9}
    await bench.spool.append([{"kind": "open"}])
    for number in range(1000):
        await bench.spool.append(statement(number))
    bench.ship()
    await bench.shipped()
    async with httpx2.AsyncClient(trust_env=False) as http:
        export = await http.get(f"{bench.running.url}/v1/export", headers={"authorization": "Bearer reader"})
    events = [one for line in export.text.splitlines() if "export" not in (one := json.loads(line))]
    assert [one["seq"] for one in events if not one["stream"].startswith(OWN)] == [*range(1, 2002), 10**9]


async def test_batches_stay_within_their_size(bench: Bench, odd: Odd) -> None:
    await bench.spool.append([{"kind": "open"}])
    await bench.spool.append([event for number in range(30) for event in statement(number, sql="x" * 150_000)])
    await bench.spool.append([event for number in range(30, 700) for event in statement(number)])
    bench.ship()
    await bench.shipped()
    assert max(map(len, odd.bodies)) <= MEGABYTE
    assert max(body.count(b"\n") for body in odd.bodies) == 1000
    assert sum(body.count(b"\n") for body in odd.bodies) == 1401


# What a server may say that is no whole answer; behind it the connection ends, or nothing comes for long.
BROKEN = {
    "no answer": b"",
    "a head that ends early": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"acknowledged": ',
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{",
    "chunks that are none": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"acknowledged": 1}\r\n0\r\n',
    "no HTTP": b"\x00\xff\x15\x03\x01 acknowledged 1\r\n\r\n",
    "a line that never ends": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "compressed garbage": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00x",
    "no UTF-8": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe{}",
    "more than was asked for": b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b" " * 1_000_000,
}


@pytest.mark.parametrize("said_first", BROKEN)
async def test_what_is_no_whole_answer_acknowledges_nothing(said_first: str, bench: Bench) -> None:
    bodies: list[bytes] = []

    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(BROKEN[said_first])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(breaks_off, "127.0.0.1", bench.port)
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.until(lambda: len(bodies) >= 2 and shipper.trouble is not None, 30)
    assert "\n" not in (shipper.trouble or "")
    assert [event["seq"] for event in pending(bench.spool)] == [1, 2, 3]
    server.close()
    await server.wait_closed()
    await bench.collect()
    await bench.until(lambda: bench.spool.depth == 0, 40)
    assert len(await bench.collected()) == 3


async def test_a_collector_that_answers_slowly_gets_each_event_once(bench: Bench, odd: Odd) -> None:
    odd.pause = 1.5
    bench.ship()
    for number in range(3):
        await bench.spool.append(statement(number))
        await asyncio.sleep(0.5)
    await bench.shipped()
    seqs = [json.loads(line)["seq"] for body in odd.bodies for line in body.splitlines()]
    assert seqs == sorted(set(seqs)) == list(range(1, 7))


async def test_a_token_that_expires_while_it_ships_loses_nothing(bench: Bench, said: list[dict[str, Any]]) -> None:
    await bench.collect()
    shipper = bench.ship()
    await bench.spool.append([{"kind": "open"}, *statement(1)])
    await bench.shipped()
    bench._write_tokens("renewed", "gw1")
    sent = 1
    async with asyncio.timeout(40):
        # The collector looks at its file now and then.
        while "does not accept the token" not in (shipper.trouble or ""):
            sent += 1
            await bench.spool.append(statement(sent))
            await asyncio.sleep(0.2)
    (bench.directory / "token").write_text("renewed")
    await bench.until(lambda: bench.spool.depth == 0, 40)
    assert [event["seq"] for event in await bench.collected()] == list(range(1, 2 + 2 * sent))
    assert len([line for line in warnings(said) if "does not accept the token" in line]) == 1
