"""What gates report is kept: the newest of each, so much and no more, and told by what changed."""

from __future__ import annotations

import pytest

from penstock_core.gate_report import GateReport
from penstock_core.token_review import Pod
from penstock_operator.control import gate_reports as module
from penstock_operator.control.gate_reports import GateReports

SHOP = ("shop", "shop")


def pod(name: str = "web-1") -> Pod:
    return Pod("shop", "web", name, f"u-{name}")


def report(number: int = 1, trouble: str = "") -> GateReport:
    return GateReport(number=number, trouble=trouble)


def names(reports: GateReports, after: int = 0) -> list[str]:
    return [one["pod"] for one in reports.told(reports.instance, after)["gates"]]


def test_a_gate_is_told_with_its_report_and_whether_it_follows() -> None:
    reports = GateReports()
    with reports.following(pod(), SHOP):
        reports.received(pod(), "shop", report(trouble="no"), 100)
        (told,) = reports.told("", 0)["gates"]
        assert told == {
            "namespace": "shop", "database": "shop", "pod": "web-1", "uid": "u-web-1", "following": True,
            "report": {"number": 1, "trouble": "no"},
        }  # fmt: skip
    (told,) = reports.told("", 0)["gates"]
    assert told["following"] is False


def test_two_streams_of_one_gate_are_one_gate_that_follows() -> None:
    reports = GateReports()
    with reports.following(pod(), SHOP):
        with reports.following(pod(), SHOP):
            pass
        assert reports.told("", 0)["gates"][0]["following"] is True


def test_only_what_changed_is_told_again_and_all_to_who_read_another_instance() -> None:
    reports = GateReports()
    reports.received(pod("a"), "shop", report(), 100)
    read = reports.told("", 0)["revision"]
    assert names(reports, read) == []
    reports.received(pod("b"), "shop", report(), 100)
    assert names(reports, read) == ["b"]
    assert [one["pod"] for one in reports.told("another", read)["gates"]] == ["a", "b"]


def test_a_report_that_comes_late_counts_no_more() -> None:
    reports = GateReports()
    reports.received(pod(), "shop", report(2, "newer"), 100)
    reports.received(pod(), "shop", report(1, "older"), 100)
    assert reports.told("", 0)["gates"][0]["report"]["trouble"] == "newer"


def test_many_are_told_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOLD", 3)
    reports = GateReports()
    for number in range(8):
        reports.received(pod(f"p{number}"), "shop", report(), 100)
    found, after, more = [], 0, True
    while more:
        told = reports.told(reports.instance, after)
        found += [one["pod"] for one in told["gates"]]
        after, more = told["revision"], told["more"]
    assert found == [f"p{number}" for number in range(8)]


@pytest.mark.parametrize(("gates", "size"), [(3, 1), (1000, 50)])
def test_what_is_kept_is_bounded_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch, gates: int, size: int) -> None:
    monkeypatch.setattr(module, "MOST_GATES", gates)
    monkeypatch.setattr(module, "MOST_BYTES", 150)
    reports = GateReports()
    for number in range(8):
        reports.received(pod(f"p{number}"), "shop", report(), size)
    assert names(reports) == ["p5", "p6", "p7"], "those heard of last"
