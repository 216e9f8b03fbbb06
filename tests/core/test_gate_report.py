"""A report is read strictly in what is known of it, is bounded, and says no more than it has to."""

from __future__ import annotations

import json

import pytest

from penstock_core.gate_report import MOST_BODY_BYTES, MOST_NAMED, GateReport, Named, PolicyFindings, one_line


def test_what_says_nothing_is_not_sent() -> None:
    assert GateReport(number=1).document() == {"number": 1}


def test_what_is_sent_is_what_is_read() -> None:
    report = GateReport(
        number=1,
        digest="ab",
        reached=False,
        reason="Unreachable",
        trouble="no",
        misfits=(PolicyFindings(policy="web", missing=Named.of(["b", "a", "a"])),),
    )
    assert GateReport.read(json.dumps(report.document()).encode()) == report
    assert report.misfits[0].missing == Named(count=2, first=("a", "b"))


def test_two_reports_say_the_same_whenever_that_was() -> None:
    assert GateReport(number=1, reached=True).same(GateReport(number=2, reached=True))
    assert not GateReport(number=1, reached=True).same(GateReport(number=1, reached=False))
    assert not GateReport(number=1).same(None)


def test_that_sessions_come_and_go_is_no_news_but_the_first_and_one_after_a_long_time_are() -> None:
    def idle(seconds: int | None, had_session: bool = True) -> GateReport:
        return GateReport(number=1, idle_seconds=seconds, had_session=had_session)

    assert idle(0).same(idle(599)), "each session would be a report"
    assert idle(599).same(idle(0))
    assert idle(7200).same(idle(3600)), "it is told again by and by"
    assert not idle(0).same(idle(600))
    assert not idle(30).same(idle(3600))
    assert not idle(0).same(idle(5, had_session=False))
    assert idle(0) != GateReport(number=1), "an older gate says nothing of sessions"
    assert GateReport.read(json.dumps(idle(0).document()).encode()).idle_seconds == 0


def test_what_a_newer_gate_says_beside_that_is_left_unread() -> None:
    assert GateReport.read(b'{"number": 1, "idleMinutes": 5}') == GateReport(number=1)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"number": "1"}', b'{"number": 1, "reached": 1}', b"[" * 9999, b"\xff"])
def test_what_is_no_report_is_told_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a report that can't be read: [^\n]*$"):
        GateReport.read(body)


def test_the_longest_report_is_one_that_control_reads() -> None:
    words = Named(count=1 << 50, first=tuple(["é" * 400] * MOST_NAMED))
    findings = PolicyFindings(policy="p" * 253, missing=words, unfit=words)
    report = GateReport(number=1, unclassified=words, sensitive=words, misfits=(findings,) * MOST_NAMED)
    sent = report.sendable()
    assert len(sent) <= MOST_BODY_BYTES
    assert GateReport.read(sent).misfits[0].missing.count == 1 << 50


def test_words_are_one_line_of_bounded_length() -> None:
    assert one_line(" a\n b ") == "a b"
    assert len(one_line("x" * 1000)) == 400
