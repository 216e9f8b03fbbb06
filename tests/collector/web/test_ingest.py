"""Taking in events: what is acknowledged, what is kept, and what raises an alarm."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.collector.conftest import WRITER, token_line

from penstock_core.audit.chain import canonical, digest
from penstock_core.audit.export import StreamLine, read
from penstock_core.audit.report import Fault
from penstock_core.audit.verify import verify

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


async def test_a_batch_is_acknowledged_after_it_is_stored(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1) + sender.statement(2)
    assert await client.send(events) == 5
    assert await client.exported() == events
    assert verify(await client.exported()).intact
    (stream,) = (await client.get("/v1/streams")).json()["streams"]
    assert (stream["name"], stream["seq"], stream["hash"]) == ("gw1/boot1", 5, sender.head.hash)
    assert (stream["database"], stream["version"], stream["closed"]) == ("shop", "0.1.0", False)


async def test_a_batch_sent_again_changes_nothing(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1)
    assert await client.send(events) == 3
    assert await client.send(events) == 3
    assert await client.send(events[1:]) == 3
    assert await client.exported() == events
    assert len(await client.search()) == 1
    assert await client.alarms() == {}


async def test_the_same_batch_from_two_connections_at_once(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1)
    assert await asyncio.gather(*(client.send(events) for _ in range(8))) == [3] * 8
    assert await client.exported() == events


async def test_an_empty_batch_tells_where_the_stream_stands(client: Any, sender: Any) -> None:
    assert await client.send([]) == 0
    await client.send(sender.seal(OPEN))
    assert await client.send([]) == 1


async def test_events_behind_a_gap_are_kept_and_not_acknowledged(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1) + sender.statement(2)
    assert await client.send(events[:1]) == 1
    assert await client.send(events[3:]) == 1
    assert [found["statement"] for found in await client.search()] == ["2"]
    assert (await client.alarms())["gap"]["detail"] == "seq 2 to 3 are missing"
    assert await client.send(events[1:3]) == 5
    assert await client.alarms() == {}
    assert verify(await client.exported()).intact


async def test_what_the_sender_lost_for_good_is_stepped_over(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1) + sender.statement(2)
    assert await client.send(events[:1]) == 1
    assert await client.send(events[3:], oldest=4) == 5
    alarms = await client.alarms()
    assert alarms.keys() == {"lost"}
    assert alarms["lost"]["detail"] == "seq 2 to 3 were lost by the sender"
    assert [(f.fault, f.seq) for f in verify(await client.exported()).findings] == [(Fault.GAP, 2)]


async def test_a_sender_cannot_declare_lost_what_it_sends(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1)
    assert await client.send(events, oldest=1000) == 3
    assert await client.alarms() == {}
    assert await client.send([], oldest=1000) == 3


async def test_a_fork_is_kept_and_raises_an_alarm(client: Any, sender: Any, new_sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1)
    rival = new_sender("gw1/boot1")
    others = rival.seal(OPEN) + rival.statement(1, sql="DROP TABLE orders")
    assert await client.send(events) == 3
    assert await client.send(others) == 3
    alarms = await client.alarms()
    assert alarms.keys() == {"fork"}
    assert (alarms["fork"]["first_seq"], alarms["fork"]["count"]) == (2, 2)
    assert {found["sql"] for found in await client.search()} == {"SELECT 1", "DROP TABLE orders"}
    assert {f.fault for f in verify(await client.exported()).findings} == {Fault.FORK}
    # The stream goes on, on either branch.
    assert await client.send(rival.statement(2)) == 5


async def test_an_event_that_does_not_follow_is_kept_and_raises_an_alarm(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN) + sender.statement(1)
    events[2]["prev"] = "ab" * 32
    events[2]["hash"] = digest(events[2])
    assert await client.send(events) == 3
    assert (await client.alarms())["break"]["detail"] == "event 3 does not follow event 2"
    assert "does not follow the one before it" in (await client.get("/statements/gw1/boot1/3")).text


def altered(event: dict[str, Any]) -> bytes:
    return line({**event, "kind": "close"})


def with_seq(seq: object) -> Any:
    return lambda event: line({**event, "seq": seq})


def sealed_as(**fields: Any) -> Any:
    def change(event: dict[str, Any]) -> bytes:
        changed = {**event, **fields}
        return line({**changed, "hash": digest(changed)})

    return change


BAD_LINES = {
    "altered": (altered, "altered: its hash is not that of its content"),
    "not JSON": (lambda event: b"{ nonsense\n", "not JSON"),
    "cut in the middle": (lambda event: line(event)[: len(line(event)) // 2] + b"\n", "not JSON"),
    "not text": (lambda event: b"\xff\xfe\x00\n", "not JSON"),
    "nested beyond reason": (lambda event: b"[" * 100_000 + b"\n", "not JSON"),
    "a huge number": (lambda event: b'{"seq": ' + b"9" * 5000 + b"}\n", "not JSON"),
    "no object": (lambda event: b"[1, 2]\n", "not a JSON object"),
    "no seq": (with_seq(None), "no usable seq"),
    "seq true": (with_seq(True), "no usable seq"),
    "a fraction": (with_seq(2.0), "no usable seq"),
    "far away": (with_seq(10**12), "altered: its hash is not that of its content"),
    "another stream": (sealed_as(stream="gw2/boot1"), "of another stream"),
    "another version": (sealed_as(v=3), "version is not 1 or 2"),
    "a field of another type": (sealed_as(kind="intent", masked="public.t.c"), "no usable masked"),
    "no time": (sealed_as(time="yesterday"), "no usable time"),
    "no kind": (sealed_as(kind=7), "no usable kind"),
    "no hash": (lambda event: line({**event, "hash": None}), "no usable hash"),
    "a fraction inside": (lambda event: line({**event, "rows": 0.5}), "not canonical: float is not a JSON type"),
    "lone surrogate": (lambda event: line({**event, "sql": "\ud800"}), "not canonical: str is not valid UTF-8"),
    "deep inside": (
        lambda event: line({**event, "sql": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}),
        "not canonical: nested",
    ),
    "too long": (lambda event: line({**event, "sql": "x" * 300_000}), "longer than 262144 bytes"),
}


@pytest.mark.parametrize("name", BAD_LINES)
async def test_a_bad_line_takes_its_place_in_quarantine_and_blocks_nothing(name: str, client: Any, sender: Any) -> None:
    spoil, reason = BAD_LINES[name]
    good = sender.seal(OPEN, {"kind": "heartbeat"}, {"kind": "heartbeat"}) + sender.statement(1)
    body = line(good[0]) + spoil(good[1]) + b"".join(map(line, good[2:]))
    assert await client.send(body) == 5
    alarms = await client.alarms()
    assert alarms.keys() == {"quarantine"}
    assert alarms["quarantine"]["detail"].startswith(f"line at seq 2: {reason}")
    assert (alarms["quarantine"]["first_seq"], alarms["quarantine"]["count"]) == (2, 1)
    # Sent again, it is known already.
    assert await client.send(body) == 5
    assert (await client.alarms())["quarantine"]["count"] == 1
    assert len(await client.search()) == 1
    findings = verify(await client.export_lines()).findings
    assert [(one.stream, one.fault, one.seq) for one in findings if one.fault is Fault.QUARANTINED] == [
        ("gw1/boot1", Fault.QUARANTINED, 2)
    ]
    assert {one.stream for one in findings} == {"gw1/boot1"}, "whatever stream the line names"
    # The genuine event may still come, and takes its place.
    assert await client.send(good[1:2]) == 5
    assert good[1] in await client.exported()


async def test_bad_lines_at_either_end_of_a_batch(client: Any, sender: Any) -> None:
    good = sender.seal(OPEN, {"kind": "heartbeat"}, {"kind": "heartbeat"}, {"kind": "heartbeat"})
    assert await client.send(b"?\n?\n" + line(good[2])) == 3
    assert await client.send(b"?\n") == 4
    assert (await client.alarms())["quarantine"]["count"] == 3


async def test_a_batch_cut_off_at_its_end_is_taken_as_far_as_it_is_whole(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN, {"kind": "heartbeat"}, {"kind": "heartbeat"})
    whole = b"".join(canonical(event) + b"\n" for event in events)
    for length in range(0, len(whole), 97):
        await client.send(whole[:length])
    assert await client.alarms() == {}
    assert await client.send(whole) == 3


async def test_a_connection_cut_in_the_middle_of_a_batch_stores_nothing(client: Any, sender: Any) -> None:
    body = b"".join(map(line, sender.seal(OPEN, {"kind": "heartbeat"})))
    address = urlsplit(client.running.url)

    def cut() -> None:
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            head = f"POST /v1/streams/gw1/boot1/events HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            connection.sendall(head.encode() + b"authorization: Bearer write-gw1\r\n\r\n" + body[:-10])

    await asyncio.to_thread(cut)
    await asyncio.sleep(0.1)
    assert await client.exported() == []
    assert await client.send(body) == 2


async def test_who_may_write(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN)
    for token in (None, "nonsense", "read-ada", "a.b.c"):
        refused = await client.post(events, token=token)
        assert (refused.status_code, refused.json()) == (
            401,
            {"error": "the token proves nobody who may write events"},
        )
    headers = [(b"authorization", "Bearer ключ".encode())]
    assert (await client.http.post("/v1/streams/gw1/boot1/events", content=b"", headers=headers)).status_code == 401
    other = await client.post(events, token="write-gw2")
    assert (other.status_code, other.json()) == (403, {"error": "the token may not write streams of gw1"})
    assert await client.exported() == []
    # Nor does a token read that is for writing.
    assert (await client.get("/v1/events", token="write-gw1")).status_code == 401


@pytest.mark.parametrize("stream", ["gw1", "gw1/a/b", "gw1/%2e%2e", "gw1/a b", "gw1/" + "x" * 200, "gw1/-", "gw1/%00"])
async def test_names_that_are_no_stream(stream: str, client: Any) -> None:
    response = await client.post(b"", stream=stream)
    assert response.status_code in (400, 404, 405)
    assert "error" in response.json()


async def test_a_body_beyond_the_limit_is_refused_unread(client: Any) -> None:
    response = await client.post(b"x" * (8 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()) == (413, {"error": "a batch is at most 8388608 bytes"})


@pytest.mark.parametrize("oldest", ["-1", "x", "1e3", "9" * 30, "٣"])
async def test_an_impossible_oldest_seq(oldest: str, client: Any) -> None:
    headers = [(b"authorization", b"Bearer write-gw1"), (b"penstock-oldest-seq", oldest.encode())]
    response = await client.http.post("/v1/streams/gw1/boot1/events", content=b"", headers=headers)
    assert response.status_code == 400


async def test_an_outcome_may_come_before_its_intent(client: Any, sender: Any) -> None:
    first, intent, outcome = sender.seal(OPEN) + sender.statement(7)
    await client.send([outcome])
    assert await client.search() == []
    await client.send([first, intent])
    (found,) = await client.search()
    assert (found["statement"], found["result"], found["rows"]) == ("7", "ok", 7)


async def test_the_writers_of_many_streams_do_not_mix(client: Any, new_sender: Any) -> None:
    senders = [new_sender(f"gw1/boot{number}") for number in range(5)]
    batches = [sender.seal(OPEN) + sender.statement(1) for sender in senders]
    names = [sender.head.stream for sender in senders]
    assert await asyncio.gather(*map(client.send, batches, names)) == [3] * 5
    report = verify(await client.exported())
    assert report.intact
    assert [stream.stream for stream in report.streams] == names
    assert await client.exported("stream=gw1/boot3") == batches[3]


async def test_a_stream_is_its_senders_from_its_first_batch_on(client: Any, new_sender: Any) -> None:
    tokens = client.running.collector.settings.stream_tokens_file
    lines = tokens.read_text()
    tokens.write_text(lines + token_line("fleet", "gw*") + token_line("other", "gw2"))
    await asyncio.sleep(1.1)
    fleets, own = new_sender("gw1/fleet"), new_sender("gw1/boot1")
    opening = fleets.seal(OPEN)
    assert await client.send(opening, "gw1/fleet", token="fleet") == 1
    assert await client.send(own.seal(OPEN)) == 1
    # Each may write that owner's streams, and neither the other's.
    for token, name, sender in [(WRITER, "gw1/fleet", fleets), ("fleet", "gw1/boot1", own)]:
        refused = await client.post(sender.seal({"kind": "heartbeat"}), name, token=token)
        assert refused.status_code == 403
        assert f"the stream {name} was opened by token:" in refused.json()["error"]
    told = [one for line in await client.export_lines() if isinstance(one := read(line), StreamLine)]
    assert [(one.stream, one.sender) for one in told[:2]] == [("gw1/boot1", "token:gw1"), ("gw1/fleet", "token:gw*")]
    assert await client.exported("stream=gw1/fleet") == opening
    # A new token goes on where it has the name of the old one as well.
    tokens.write_text(lines.replace("gw1", "gone") + token_line("new", "gw1") + token_line("new", "gw*"))
    await asyncio.sleep(1.1)
    assert await client.send([], "gw1/boot1", token="new") == 1
    assert await client.send([], "gw1/fleet", token="new") == 1


async def test_what_somebody_sends_as_anothers_event_counts_against_whoever_sent_it(
    client: Any, new_sender: Any
) -> None:
    tokens = client.running.collector.settings.stream_tokens_file
    tokens.write_text(tokens.read_text() + token_line("other", "gw2"))
    await asyncio.sleep(1.1)
    victim = new_sender("gw1/boot1")
    await client.send(victim.seal(OPEN) + victim.statement(1))
    forged = victim.seal({"kind": "heartbeat"})
    await client.send(forged, "gw2/boot1", token="other")
    report = verify(await client.export_lines())
    assert [(one.stream, one.fault, one.message) for one in report.findings] == [
        ("gw2/boot1", Fault.QUARANTINED, "at seq 1, token:gw2 sent what is no event of it: of another stream"),
    ]


async def test_a_stream_that_goes_on_behind_its_close(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN, {"kind": "close"}, {"kind": "heartbeat"})
    await client.send(events[:2])
    assert (await client.get("/v1/streams")).json()["streams"][0]["closed"]
    assert await client.send(events) == 3
    alarm = (await client.alarms())["break"]
    assert alarm["detail"] == "event 3 comes after event 2, which closed the stream"
    assert not (await client.get("/v1/streams")).json()["streams"][0]["closed"], "so that its silence counts again"
    # Sent again, the close closes nothing, and nothing is counted twice.
    await client.send(events)
    assert (await client.alarms())["break"]["count"] == 1
    assert not (await client.get("/v1/streams")).json()["streams"][0]["closed"]


async def test_a_close_that_comes_late_is_seen_to_have_been_passed(client: Any, sender: Any) -> None:
    events = sender.seal(OPEN, {"kind": "close"}, {"kind": "heartbeat"})
    await client.send(events[2:])
    await client.send(events[:2])
    assert (await client.alarms())["break"]["detail"] == "event 3 comes after event 2, which closed the stream"


@pytest.mark.parametrize("time", ["2026-02-30T09:00:00Z", "٢٠٢٦-11-25T09:00:00Z", "2026-11-25T09:00:00Z' OR 1"])
async def test_a_time_that_there_is_not_is_no_event(time: str, client: Any, new_sender: Any) -> None:
    event, _ = new_sender("gw1/boot1").head.seal(OPEN, time)
    await client.send([event])
    assert (await client.alarms())["quarantine"]["detail"] == "line at seq 1: no usable time"


async def test_what_is_counted(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    await client.send(b"?\n")
    await client.post(b"", token="nonsense")
    text = (await client.get("/metrics", token=None)).text
    assert 'penstock_collector_events_total{kind="intent"} 1.0' in text
    assert "penstock_collector_quarantined_total 1.0" in text
    assert 'penstock_collector_refused_total{status="401"} 1.0' in text
    assert 'penstock_collector_alarms{kind="quarantine"} 1.0' in text
    assert "gw1" not in text


async def test_a_flood_of_tiny_lines_is_too_large(client: Any) -> None:
    response = await client.post(b"{}\n" * 20_001)
    assert response.status_code == 413
    assert "20000 lines" in response.json()["error"]
