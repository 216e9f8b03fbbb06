"""Exports that are whole, and exports that somebody has been at."""

from __future__ import annotations

import copy

import pytest

from penstock_core.audit.chain import Head, digest
from penstock_core.audit.event import Event
from penstock_core.audit.verify import Fault, lines, verify

TIME = "2026-11-25T09:00:00.000000Z"


def stream(name: str = "pod/boot", *bodies: Event) -> list[Event]:
    head, events = Head(name), []
    for body in bodies or (
        {"kind": "open"},
        {"kind": "intent", "session": "1", "statement": "a"},
        {"kind": "outcome", "session": "1", "statement": "a"},
        {"kind": "intent", "session": "1", "statement": "b"},
        {"kind": "outcome", "session": "1", "statement": "b"},
        {"kind": "close"},
    ):
        event, head = head.seal(body, TIME)
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
    rival, _ = head.seal({"kind": "outcome", "session": "1", "statement": "a", "rows": 9}, TIME)
    assert faults([*events[:3], rival, *events[3:]]) == [(Fault.FORK, 3)]
    assert faults([*events[:2], rival, *events[2:]]) == [(Fault.FORK, 3)]


def test_the_same_event_twice_is_harmless() -> None:
    events = stream()
    assert verify([*events[:3], copy.deepcopy(events[2]), *events[3:]]).intact


def test_events_moved_are_out_of_order() -> None:
    events = stream()
    events[2], events[4] = events[4], events[2]
    assert {fault for fault, _ in faults(events)} >= {Fault.GAP, Fault.ORDER}


def test_a_stream_without_its_beginning() -> None:
    events = stream()
    assert faults(events[2:]) == [(Fault.START, 3)]
    assert verify(events[2:], partial=True).intact


def test_a_cut_tail_shows_only_against_a_known_head() -> None:
    events = stream()
    head = Head("pod/boot", 6, events[-1]["hash"])
    assert verify(events[:4]).intact
    assert verify(events[:4]).streams[0].notes[0].startswith("no close event")
    assert faults(events[:4], {"pod/boot": head}) == [(Fault.CUT, 4)]
    assert verify(events, {"pod/boot": head}).intact


def test_a_whole_stream_written_anew_shows_against_a_known_head() -> None:
    noted = Head("pod/boot", 6, stream()[-1]["hash"])
    anew = stream("pod/boot", *[{"kind": "open"}, *[{"kind": "heartbeat"}] * 6])
    assert verify(anew).intact
    assert faults(anew, {"pod/boot": noted}) == [(Fault.FORK, 6)]


def test_a_stream_removed_as_a_whole_shows_against_a_known_head() -> None:
    assert faults(stream("a/1"), {"b/2": Head("b/2", 3, "f" * 64)}) == [(Fault.CUT, 0)]


def test_intents_without_outcome_are_noted() -> None:
    events = stream(
        "pod/boot", {"kind": "open"}, {"kind": "intent", "session": "1", "statement": "a"}, {"kind": "close"}
    )
    report = verify(events)
    assert report.intact
    assert report.streams[0].notes == ["1 intents without outcome (seq 2)"]


def test_an_event_after_the_close() -> None:
    events = stream("pod/boot", {"kind": "open"}, {"kind": "close"}, {"kind": "heartbeat"})
    assert faults(events) == [(Fault.BREAK, 3)]


@pytest.mark.parametrize("stray", [None, 7, [], {}, {"stream": 3}])
def test_lines_that_are_no_events(stray: object) -> None:
    assert faults([*stream(), stray]) == [(Fault.MALFORMED, 0)]


@pytest.mark.parametrize("seq", [None, "3", True, 3.0, 0, -1])
def test_an_impossible_seq(seq: object) -> None:
    events = stream()
    assert (Fault.MALFORMED, 2) in faults([*events[:2], {**events[2], "seq": seq}, *events[3:]])


def test_the_report_for_people() -> None:
    events = stream()
    del events[3]
    assert list(lines(verify(events))) == [
        "pod/boot: 5 events, seq 1 to 6, 1 faults",
        "  gap: seq 4 missing",
    ]


def test_the_report_is_no_place_for_other_peoples_lines() -> None:
    event, _ = Head("a\nb: 9 events, intact\x1b[2J").seal({"kind": "open"}, "2026-11-25T09:00:00Z")
    report = verify([event, {"stream": "\x1b[2J"}])
    assert not any(letter in line for line in lines(report) for letter in "\n\x1b")
