"""Checkpoints together, and an export held against them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.core.audit.as_defined import as_defined

from penstock_core.audit.chain import GENESIS, Head, canonical
from penstock_core.audit.checkpoint import Checkpoint, StreamHead, line_hash
from penstock_core.audit.checkpoint_series import Checkpoints, gather
from penstock_core.audit.event import Event
from penstock_core.audit.export import EndLine, StreamLine
from penstock_core.audit.report import Fault, Verdict
from penstock_core.audit.verify import verify

KEY = Ed25519PrivateKey.generate()
TIME = "2026-11-25T09:00:00Z"


def stream(name: str = "gw/1", count: int = 9, kind: str = "heartbeat") -> list[Event]:
    events, head = [], Head(name)
    for number in range(count):
        event, head = head.seal(as_defined({"kind": kind if number else "open"}), TIME)
        events.append(event)
    return events


def head_of(event: Event, sender: str = "token:gw", trimmed: int = 0) -> StreamHead:
    return StreamHead(event["stream"], event["seq"], event["hash"], sender, trimmed)


def series(*heads: list[StreamHead], collector: str = "collector:1", key: Ed25519PrivateKey = KEY) -> list[bytes]:
    lines: list[bytes] = []
    for number, listed in enumerate(heads, start=1):
        prev = line_hash(lines[-1]) if lines else GENESIS
        lines.append(Checkpoint(collector, number, TIME, prev, number % 2 == 1, tuple(listed)).sign(key))
    return lines


def gathered(lines: list[bytes], partial: bool = False) -> Checkpoints:
    files = [(f"{number}.json", line + b"\n") for number, line in enumerate(lines, start=1)]
    return gather(files, [KEY.public_key()], partial=partial)


def faults(lines: list[bytes], partial: bool = False) -> list[str]:
    return [finding.message for finding in gathered(lines, partial).found.kept]


EVENTS = stream()
SERIES = series(*[[head_of(EVENTS[seq - 1])] for seq in (2, 4, 6, 9)])


def test_a_whole_series_in_whatever_order() -> None:
    for lines in (SERIES, SERIES[::-1], [*SERIES, SERIES[1]]):
        found = gathered(lines)
        assert found.found.kept == []
        assert [(one.collector, one.first, one.last, one.last_time) for one in found.series] == [
            ("collector:1", 1, 4, TIME)
        ]
        assert list(found.promises.of("gw/1").heads) == [2, 4, 6, 9]


def test_one_that_is_missing_is_named() -> None:
    assert faults(SERIES[:1] + SERIES[2:]) == ["collector:1: checkpoints 2 are missing"]
    assert faults(SERIES[:1] + SERIES[3:]) == ["collector:1: checkpoints 2 to 3 are missing"]
    assert faults(SERIES[2:]) == ["collector:1: checkpoints 1 to 2 are missing"]


def test_the_first_ones_may_be_thrown_away_up_to_one_that_lists_all() -> None:
    assert faults(SERIES[2:], partial=True) == []
    assert faults(SERIES[1:], partial=True) == ["collector:1: checkpoints 1 are missing"]
    assert faults(SERIES[:1] + SERIES[2:], partial=True) == ["collector:1: checkpoints 2 are missing"]


def test_one_that_was_made_anew_does_not_follow() -> None:
    forged = series([head_of(EVENTS[1])], [head_of(stream(kind="close")[3])], [head_of(EVENTS[5])])
    assert faults([SERIES[0], forged[1], *SERIES[2:]]) == ["collector:1: checkpoint 3 does not follow checkpoint 2"]
    assert "2.json: there is another checkpoint 1 of collector:1" in faults([SERIES[0], *series([])])


def test_what_is_not_signed_by_the_key_promises_nothing() -> None:
    foreign = series([head_of(EVENTS[1])], key=Ed25519PrivateKey.generate())
    assert faults(foreign) == ["1.json: signed by another key than was given"]
    assert gathered(foreign).promises.streams == {}
    assert faults([b"{}"]) == ["1.json: not a checkpoint of version 1"]


def test_a_stream_that_went_back_or_to_somebody_else() -> None:
    back = series([head_of(EVENTS[5])], [head_of(EVENTS[3])])
    assert faults(back) == ["collector:1: checkpoint 2 has gw/1 at seq 4, and one before it had seq 6"]
    other = series([head_of(EVENTS[3])], [head_of(EVENTS[5], "token:other")])
    assert faults(other) == ["collector:1: checkpoint 2 has gw/1 opened by token:other, and one before it by token:gw"]


def test_two_collectors_have_two_series() -> None:
    found = gathered([*SERIES, *series([head_of(stream("gw/2")[3])], collector="collector:2")])
    assert [one.collector for one in found.series] == ["collector:1", "collector:2"]
    assert sorted(found.promises.streams) == ["gw/1", "gw/2"]


def export(events: list[Event], sender: str = "token:gw", trimmed: int = 0) -> list[bytes]:
    said = StreamLine("gw/1", sender, events[-1]["seq"], events[-1]["hash"], trimmed) if events else None
    lines = [*([said.line()] if said else []), *map(canonical, events)]
    return [*lines, EndLine(len(lines)).line()]


def held(lines: list[bytes], partial: bool = False, signed: list[bytes] = SERIES) -> list[tuple[Fault, int, str]]:
    report = verify(lines, checkpoints=gathered(signed, partial), partial=partial)
    return [(finding.fault, finding.seq, finding.message) for finding in report.findings]


def test_an_export_that_has_what_was_promised() -> None:
    longer = stream(count=12)
    for events in (EVENTS, longer):
        report = verify(export(events), checkpoints=gathered(SERIES))
        assert report.verdict is Verdict.INTACT
        assert report.document()["checkpoints"] == [
            {"collector": "collector:1", "first": 1, "last": 4, "lastTime": TIME}
        ]


def test_a_stream_written_anew_is_not_what_was_signed() -> None:
    # Whole and consistent: only what was signed meanwhile gives it away.
    anew = stream(kind="close")[:1] + stream(count=12, kind="policy")[1:]
    assert verify(export(anew)).intact
    found = held(export(anew))
    assert [(fault, seq) for fault, seq, _ in found] == [(Fault.FORK, seq) for seq in (2, 4, 6, 9)]
    assert found[0][2] == "event 2 is not the one that checkpoint 1 has"


def test_a_cut_tail_a_missing_stream_and_another_sender() -> None:
    assert held(export(EVENTS[:7])) == [(Fault.CUT_TAIL, 7, "ends at seq 7, yet 9 was reached, as checkpoint 4 has it")]
    assert held(export([])) == [(Fault.CUT_TAIL, 0, "is not there, yet 9 was reached, as checkpoint 4 has it")]
    assert held(export(EVENTS, "token:other")) == [
        (Fault.SENDER, 0, "opened by token:gw, and by token:other as the export has it")
    ]


def test_what_retention_took_is_what_was_signed() -> None:
    signed = series([head_of(EVENTS[1])], [head_of(EVENTS[8], trimmed=4)])
    assert [fault for fault, _, _ in held(export(EVENTS[4:], trimmed=4), signed=signed)] == [Fault.RETENTION]
    # What the export says of itself does not count where something was signed.
    (start,) = held(export(EVENTS[5:], trimmed=5), signed=signed)
    assert start[0] is Fault.START
    assert "use newer checkpoints" in start[2]
    assert held(export(EVENTS[4:], trimmed=4), partial=True, signed=signed) == []


@pytest.mark.parametrize("partial", [False, True])
def test_what_is_wrong_with_the_checkpoints_is_wrong_with_the_whole(partial: bool) -> None:
    lines = [*SERIES[:1], replace_last_byte(SERIES[1]), *SERIES[2:]]
    report = verify(export(EVENTS), checkpoints=gathered(lines, partial), partial=partial)
    assert report.verdict is Verdict.FAULTY
    assert {finding.fault for finding in report.findings} == {Fault.CHECKPOINT}


def replace_last_byte(line: bytes) -> bytes:
    return line[:-1] + b"]"


def test_a_head_may_grow_its_sender_once() -> None:
    first = replace(head_of(EVENTS[1]), sender="")
    assert faults(series([first], [head_of(EVENTS[3])])) == []
