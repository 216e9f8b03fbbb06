"""Exports that are whole, and exports that somebody has been at."""

from __future__ import annotations

import contextlib
import copy
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from tests.core.audit.as_defined import as_defined

from penstock_core.audit.chain import GENESIS, ChainError, Head, canonical, digest
from penstock_core.audit.event import Event
from penstock_core.audit.export import EndLine, ProblemLine, QuarantinedLine, StreamLine
from penstock_core.audit.report import Fault, Verdict
from penstock_core.audit.verify import verify

TIME = "2026-11-25T09:00:00.000000Z"


def stream(name: str = "pod/boot", *bodies: Event) -> list[Event]:
    head, events = Head(name), []
    for body in bodies or (
        {"kind": "open"},
        {"kind": "intent", "session": "1", "statement": 1},
        {"kind": "outcome", "session": "1", "statement": 1},
        {"kind": "intent", "session": "1", "statement": 2},
        {"kind": "outcome", "session": "1", "statement": 2},
        {"kind": "close"},
    ):
        event, head = head.seal(as_defined(body), TIME)
        events.append(event)
    return events


def faults(*args: object, **options: object) -> list[tuple[Fault, int]]:
    return [(finding.fault, finding.seq) for finding in verify(*args, **options).findings]  # type: ignore[arg-type] # terse tests


def test_a_whole_stream_is_intact() -> None:
    report = verify(stream())
    assert report.intact
    (one,) = report.streams
    assert (one.first_seq, one.last_seq, one.opened, one.closed, one.notes) == (1, 6, True, True, [])


def test_streams_may_be_mixed() -> None:
    one, other = stream("a/1"), stream("b/2")
    mixed = [event for pair in zip(one, other, strict=True) for event in pair]
    assert verify(mixed).intact


@pytest.mark.parametrize("missing", range(1, 5))
def test_a_removed_event_is_a_gap(missing: int) -> None:
    events = stream()
    del events[missing]
    assert faults(events) == [(Fault.GAP, missing + 1)]


def test_several_removed_events_are_one_gap() -> None:
    events = stream()
    report = verify(events[:1] + events[4:])
    assert [str(finding) for finding in report.findings] == ["pod/boot: gap: seq 2 to 4 missing"]


def test_an_altered_event_is_named() -> None:
    events = stream()
    events[2]["rows"] = 7
    assert faults(events) == [(Fault.ALTERED, 3)]


def test_an_altered_event_with_a_new_hash_breaks_the_chain_behind_it() -> None:
    events = stream()
    events[2]["rows"] = 7
    events[2]["hash"] = digest(events[2])
    assert faults(events) == [(Fault.BREAK, 4)]


def test_a_removed_event_with_the_rest_renumbered_breaks_the_chain() -> None:
    events = stream()
    del events[2]
    for seq, event in enumerate(events, start=1):
        event["seq"] = seq
        event["hash"] = digest(event)
    assert (Fault.BREAK, 3) in faults(events)


def test_a_fork_shows_and_either_branch_may_go_on() -> None:
    events = stream()
    head = Head("pod/boot", 2, events[1]["hash"])
    rival, _ = head.seal({"kind": "outcome", "session": "1", "statement": 1, "result": "ok", "rows": 9}, TIME)
    assert faults([*events[:3], rival, *events[3:]]) == [(Fault.FORK, 3)]
    assert faults([*events[:2], rival, *events[2:]]) == [(Fault.FORK, 3)]


def test_the_same_event_twice_is_harmless() -> None:
    events = stream()
    assert verify([*events[:3], copy.deepcopy(events[2]), *events[3:]]).intact


def test_events_moved_are_out_of_order() -> None:
    events = stream()
    events[2], events[4] = events[4], events[2]
    assert {fault for fault, _ in faults(events)} >= {Fault.GAP, Fault.REORDERED}


def test_a_stream_without_its_beginning() -> None:
    events = stream()
    assert faults(events[2:]) == [(Fault.START, 3)]
    assert verify(events[2:], partial=True).intact


def test_a_cut_tail_shows_only_against_a_known_head() -> None:
    events = stream()
    head = Head("pod/boot", 6, events[-1]["hash"])
    assert verify(events[:4]).intact
    assert verify(events[:4]).streams[0].notes[0].startswith("no close event")
    assert faults(events[:4], {"pod/boot": head}) == [(Fault.CUT_TAIL, 4)]
    assert verify(events, {"pod/boot": head}).intact


def test_a_whole_stream_written_anew_shows_against_a_known_head() -> None:
    noted = Head("pod/boot", 6, stream()[-1]["hash"])
    anew = stream("pod/boot", *[{"kind": "open"}, *[{"kind": "heartbeat"}] * 6])
    assert verify(anew).intact
    assert faults(anew, {"pod/boot": noted}) == [(Fault.FORK, 6)]


def test_a_stream_removed_as_a_whole_shows_against_a_known_head() -> None:
    assert faults(stream("a/1"), {"b/2": Head("b/2", 3, "f" * 64)}) == [(Fault.CUT_TAIL, 0)]


def test_an_intent_without_outcome_is_a_fault_once_the_stream_is_closed() -> None:
    events = stream("pod/boot", {"kind": "open"}, {"kind": "intent", "session": "1", "statement": 1}, {"kind": "close"})
    (finding,) = verify(events).findings
    assert (finding.fault, finding.message) == (
        Fault.INTENT_WITHOUT_OUTCOME, "1 intents without outcome (seq 2), and the stream is closed",
    )  # fmt: skip
    running = verify(events[:-1])
    assert running.intact
    assert "1 intents without outcome (seq 2)" in running.streams[0].notes


def test_an_event_after_the_close() -> None:
    events = stream("pod/boot", {"kind": "open"}, {"kind": "close"}, {"kind": "heartbeat"})
    assert faults(events) == [(Fault.AFTER_CLOSE, 3)]
    assert faults(stream("pod/boot", {"kind": "open"}, {"kind": "close"}, {"kind": "close"})) == [
        (Fault.AFTER_CLOSE, 3)
    ]


@pytest.mark.parametrize("stray", [None, 7, [], {}, {"stream": 3}])
def test_lines_that_are_no_events(stray: object) -> None:
    assert faults([*stream(), stray]) == [(Fault.MALFORMED, 0)]


@pytest.mark.parametrize("seq", [None, "3", True, 3.0, 0, -1])
def test_an_impossible_seq(seq: object) -> None:
    events = stream()
    assert (Fault.MALFORMED, 2) in faults([*events[:2], {**events[2], "seq": seq}, *events[3:]])


def test_an_outcome_without_intent() -> None:
    outcome = {"kind": "outcome", "session": "1", "statement": 1}
    assert faults(stream("pod/boot", {"kind": "open"}, outcome)) == [(Fault.OUTCOME_WITHOUT_INTENT, 2)]
    # Twice the same end is one too many.
    twice = stream("pod/boot", {"kind": "open"}, {**outcome, "kind": "intent"}, outcome, outcome)
    assert faults(twice) == [(Fault.OUTCOME_WITHOUT_INTENT, 4)]
    # Where something else is missing, its intent may be among that.
    assert faults(twice[:1] + twice[2:]) == [(Fault.GAP, 2)]
    assert verify(twice[2:3], partial=True).intact


def test_what_no_definition_has_is_named_with_its_place() -> None:
    odd = stream(
        "pod/boot",
        {"kind": "open"},
        {"kind": "novelty"},
        {"kind": "heartbeat", "note": "x"},
        {"kind": "transaction", "session": "1", "transaction": "3"},
        {"kind": "close"},
    )
    del odd[3]["result"]
    odd[3]["hash"] = digest(odd[3])
    odd[4], _ = Head("pod/boot", 4, odd[3]["hash"]).seal({"kind": "close"}, TIME)
    assert [str(one) for one in verify(odd).findings] == [
        "pod/boot: not-as-defined: event 2: there is no kind 'novelty' in version 2",
        "pod/boot: not-as-defined: event 3: it has 'note', which heartbeat does not have",
        "pod/boot: not-as-defined: event 4: transaction is not what it should be (whole)",
        "pod/boot: not-as-defined: event 4: it has no result, which each transaction has",
    ]
    assert verify(odd).verdict is Verdict.FAULTY


def test_streams_of_version_1_stay_readable() -> None:
    bodies = [
        {"kind": "open"}, {"kind": "session", "session": "s", "event": "start", "odd": [1, {"a": None}]},
        {"kind": "intent", "session": "s", "statement": "a"}, {"kind": "outcome", "session": "s", "statement": "a"},
        {"kind": "novelty"}, {"kind": "close"},
    ]  # fmt: skip
    events, prev = [], GENESIS
    for seq, body in enumerate(bodies, start=1):
        event = {**body, "v": 1, "stream": "pod/boot", "seq": seq, "prev": prev, "time": TIME}
        event["hash"] = prev = digest(event)
        events.append(event)
    assert verify(as_bytes(events)).intact


def test_a_statement_told_by_one_event_is_whole() -> None:
    events = stream(
        "pod/boot", {"kind": "open"}, {"kind": "statement", "session": "1", "statement": 1}, {"kind": "close"}
    )
    assert verify(events).streams[0].notes == []
    halves = {Fault.OUTCOME_WITHOUT_INTENT, Fault.INTENT_WITHOUT_OUTCOME}
    assert halves.isdisjoint(fault for fault, _ in faults(events))


def test_a_loss_is_declared_and_no_fault() -> None:
    loss = {"kind": "loss", "count": 1234, "fromTime": TIME, "toTime": TIME, "cause": "the disk is full"}
    report = verify(stream("pod/boot", {"kind": "open"}, loss, {"kind": "close"}))
    (finding,) = report.findings
    assert (finding.fault, finding.seq, report.verdict, report.faults) == (Fault.LOSS, 2, Verdict.INCOMPLETE, 0)
    assert finding.message == f"1234 statements ran unrecorded from {TIME} to {TIME}: the disk is full"
    # It accounts for ends without beginning, and does not hide what is a fault.
    outcome = {"kind": "outcome", "session": "1", "statement": 1}
    assert verify(stream("pod/boot", {"kind": "open"}, outcome, loss)).verdict is Verdict.INCOMPLETE
    altered = stream("pod/boot", {"kind": "open"}, loss, {"kind": "close"})
    altered[2]["reason"] = "x"
    assert verify(altered).verdict is Verdict.FAULTY


def test_a_stream_that_was_never_opened() -> None:
    assert faults(stream("pod/boot", {"kind": "heartbeat"})) == [(Fault.NEVER_OPENED, 1)]


def as_bytes(events: list[Event]) -> list[bytes]:
    return [canonical(event) for event in events]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b'{"sql":"SELECT 1",' + line[1:],
        lambda line: line.replace(b'":', b'": ', 1),
        lambda line: line.replace(b"open", b"op\\u0065n"),
        lambda line: b" " + line,
        lambda line: line + b"\r",
        lambda line: b"\xef\xbb\xbf" + line,
    ],
)
def test_bytes_that_are_not_the_canonical_ones(spoil: Any) -> None:
    lines = as_bytes(stream())
    assert verify(lines).intact
    assert Fault.MALFORMED in {fault for fault, _ in faults([spoil(lines[0]), *lines[1:]])}


EVIL = [
    None,
    True,
    7,
    -1,
    10**400,
    "",
    "x" * 10_000,
    "\x1b[2J",
    "\ud800",
    [],
    {},
    [[]],
    {"a": []},
    1.5,
    "²",
    "٣",
    "2026-02-30",
]


@pytest.mark.parametrize(
    "name", ["v", "stream", "seq", "prev", "hash", "time", "kind", "session", "statement", "count"]
)
@pytest.mark.parametrize("value", EVIL, ids=lambda value: ascii(value)[:20])
def test_whatever_a_field_holds_every_other_stream_gets_its_verdict(name: str, value: object) -> None:
    events = stream("a/1", {"kind": "open"}, {"kind": "loss", "count": 1}, {"kind": "close"})
    events[1] = {**events[1], name: value}
    with contextlib.suppress(ChainError, RecursionError):
        events[1]["hash"] = value if name == "hash" else digest(events[1])
    report = verify([*events, *stream("b/1")])
    assert {one.stream: one.verdict for one in report.streams}["b/1"] is Verdict.INTACT
    assert all(str(finding) for finding in report.findings)
    assert report.document()["streams"]


def test_a_flood_of_findings_is_counted() -> None:
    report = verify([None] * 1000)
    assert (len(report.findings), report.faults) == (100, 1000)
    assert report.stray.left_out == {Fault.MALFORMED: 900}


def test_the_end_that_a_known_head_names_holds_for_a_part_too() -> None:
    events = stream()
    noted = {"pod/boot": Head("pod/boot", 3, events[2]["hash"])}
    assert verify(events[3:], noted, partial=True).intact
    # A tail that somebody made up continues nothing that was noted.
    forged, _ = Head("pod/boot", 3, "ab" * 32).seal({"kind": "close"}, TIME)
    assert faults([forged], noted, partial=True) == [(Fault.FORK, 4)]
    # Behind what was noted, nothing vouches for it.
    report = verify(events[4:], noted, partial=True)
    assert [finding.fault for finding in report.findings] == [Fault.NOT_COVERED]
    assert report.verdict is Verdict.INCOMPLETE
    # And what the export says of itself is not what was noted.
    own = StreamLine("pod/boot", "token:gw", 6, events[5]["hash"])
    lines = [own.line(), *as_bytes(events[4:]), EndLine(3).line()]
    assert verify(lines, noted, partial=True).verdict is Verdict.INCOMPLETE


QUARANTINED = QuarantinedLine(
    "b/1", 2, "token:b", "of another stream", 1_764_000_000, hashlib.sha256(b"x").hexdigest(), 1, b"x"
)


def test_a_line_in_quarantine_counts_against_its_sender() -> None:
    victim, sender = stream("a/1"), stream("b/1", {"kind": "open"})
    next_of_victim, _ = Head("a/1", 6, victim[-1]["hash"]).seal({"kind": "intent"}, TIME)
    raw = canonical(next_of_victim)
    wrapped = replace(QUARANTINED, raw=raw, length=len(raw), sha256=hashlib.sha256(raw).hexdigest())
    lines = [*as_bytes(victim), *as_bytes(sender), wrapped.line(), EndLine(8).line()]
    report = verify(lines)
    assert {one.stream: one.verdict for one in report.streams} == {"a/1": Verdict.INTACT, "b/1": Verdict.FAULTY}
    (finding,) = report.findings
    assert (finding.stream, finding.fault, finding.seq) == ("b/1", Fault.QUARANTINED, 2)
    assert finding.message == "at seq 2, token:b sent what is no event of it: of another stream"


def test_an_export_that_was_cut_off() -> None:
    events = stream()
    whole = [StreamLine("pod/boot", "token:gw", 6, events[5]["hash"]).line(), *as_bytes(events), EndLine(7).line()]
    assert verify(whole).intact
    assert verify(whole).streams[0].sender == "token:gw"
    assert faults(whole[:-1]) == [(Fault.CUT_TAIL, 0)]
    assert sorted(faults(whole[:-2])) == [(Fault.CUT_TAIL, 0), (Fault.CUT_TAIL, 5)]
    assert (Fault.GAP, 0) in faults(whole[:-2] + whole[-1:])
    assert faults([*whole[:-1], ProblemLine("the disk").line()]) == [(Fault.CUT_TAIL, 0), (Fault.CUT_TAIL, 0)]
    assert verify([*whole, *whole]).faults, "the same twice is out of order"


def test_two_senders_of_one_stream() -> None:
    lines = [StreamLine("pod/boot", sender, 0, None).line() for sender in ("token:a", "token:b")]
    assert faults([*lines, EndLine(2).line()]) == [(Fault.SENDER, 0)]


def test_retention_is_what_the_export_says() -> None:
    events = stream()
    said = StreamLine("pod/boot", "token:gw", 6, events[5]["hash"], trimmed=2).line()
    report = verify([said, *as_bytes(events[2:]), EndLine(5).line()])
    assert [finding.fault for finding in report.findings] == [Fault.RETENTION]
    assert report.verdict is Verdict.INCOMPLETE
    assert verify([said, *as_bytes(events[2:]), EndLine(5).line()], partial=True).intact
    assert (Fault.START, 4) in faults([said, *as_bytes(events[3:]), EndLine(4).line()])
    # All of it.
    gone = StreamLine("pod/boot", "token:gw", 6, events[5]["hash"], trimmed=6).line()
    assert [finding.fault for finding in verify([gone, EndLine(1).line()]).findings] == [Fault.RETENTION]
    assert verify([gone, EndLine(1).line()], partial=True).intact


def test_only_one_stream() -> None:
    assert [one.stream for one in verify([*stream("a/1"), *stream("b/1")[2:]], only="a/1").streams] == ["a/1"]
    assert verify([*stream("a/1"), *stream("b/1")[2:]], only="a/1").intact
    assert verify(stream("a/1"), {"b/1": Head("b/1", 3, GENESIS)}, only="a/1").intact
