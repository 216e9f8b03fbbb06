"""One stream against what was noted of it; exports as a whole are in `test_verify.py`."""

from __future__ import annotations

from typing import Any

from penstock_core.audit.chain import Head
from penstock_core.audit.event import Event
from penstock_core.audit.promises import StreamPromises
from penstock_core.audit.report import Fault, StreamReport
from penstock_core.audit.stream_check import StreamCheck

TIME = "2026-11-25T09:00:00Z"


def stream(count: int) -> list[Event]:
    events, head = [], Head("pod/boot")
    for number in range(count):
        event, head = head.seal({"kind": "heartbeat" if number else "open"}, TIME)
        events.append(event)
    return events


def checked(events: list[Event], partial: bool = False, trimmed: int | None = None, **noted: Any) -> StreamReport:
    promises = StreamPromises(sender=noted.pop("sender", ""), trimmed=trimmed)
    for by, event in noted.items():
        promises.add(Head("pod/boot", event["seq"], event["hash"]), by)
    check = StreamCheck("pod/boot", promises)
    for event in events:
        check.take(event)
    return check.finish(partial=partial)


def said(report: StreamReport) -> list[tuple[Fault, str]]:
    return [(finding.fault, finding.message) for finding in report.findings]


def test_every_note_is_kept_to() -> None:
    events = stream(9)
    assert said(checked(events, ada=events[2], bea=events[8])) == []
    rewritten = {**events[2], "hash": "ab" * 32}
    assert said(checked(events, ada=rewritten, bea=events[8])) == [(Fault.FORK, "event 3 is not the one that ada has")]


def test_a_stream_that_ends_early_is_named_once() -> None:
    events = stream(9)
    assert said(checked(events[:4], ada=events[6], bea=events[8])) == [
        (Fault.CUT_TAIL, "ends at seq 4, yet 9 was reached, as bea has it")
    ]
    assert said(checked([], ada=events[6])) == [(Fault.CUT_TAIL, "is not there, yet 7 was reached, as ada has it")]


def test_what_is_in_a_gap_is_a_gap() -> None:
    events = stream(9)
    assert said(checked(events[:4] + events[5:], ada=events[4])) == [(Fault.GAP, "seq 5 missing")]


def test_what_retention_took_is_declared_by_who_signed_it() -> None:
    events = stream(9)
    assert said(checked(events[4:], trimmed=4, ada=events[8])) == [
        (Fault.RETENTION, "seq 1 to 4 were deleted by retention, as a checkpoint has it")
    ]
    assert said(checked(events[4:], trimmed=3, ada=events[8])) == [
        (Fault.START, "begins at seq 5; what was before is missing")
    ]
    assert said(checked(events[4:], partial=True, trimmed=4, ada=events[8])) == []
    assert [fault for fault, _ in said(checked([], trimmed=9, ada=events[8]))] == [Fault.RETENTION]
    assert [fault for fault, _ in said(checked([], trimmed=8, ada=events[8]))] == [Fault.CUT_TAIL]


def test_a_fork_keeps_either_note() -> None:
    events = stream(3)
    rival, _ = Head("pod/boot", 2, events[1]["hash"]).seal({"kind": "close"}, TIME)
    report = checked([*events, rival], ada=events[2], bea=rival)
    assert [fault for fault, _ in said(report)] == [Fault.FORK]
