"""What findings come to, and the report as JSON."""

from __future__ import annotations

import json

import pytest

from penstock_core.audit.report import Fault, Finding, Findings, Report, StreamReport, Verdict


def found(*faults: Fault) -> Findings:
    findings = Findings()
    for fault in faults:
        findings.add(Finding("pod/boot", fault, 1, "why"))
    return findings


@pytest.mark.parametrize("fault", Fault)
def test_what_is_declared_is_no_fault(fault: Fault) -> None:
    verdict = found(fault).verdict
    declared = {Fault.LOSS, Fault.RETENTION, Fault.NOT_COVERED}
    assert verdict is (Verdict.INCOMPLETE if fault in declared else Verdict.FAULTY)
    assert found(fault).faults == (fault not in declared)


def test_the_worst_counts() -> None:
    streams = [StreamReport(str(number), found=one) for number, one in enumerate([found(), found(Fault.LOSS)])]
    assert Report(()).verdict is Verdict.INTACT
    assert Report(tuple(streams)).verdict is Verdict.INCOMPLETE
    assert Report(tuple(streams), found(Fault.CUT_TAIL)).verdict is Verdict.FAULTY


def test_the_report_for_programs() -> None:
    stream = StreamReport(
        "pod/boot", "token:gw", 1, 7, "ab" * 32, 7, True, found=found(*[Fault.GAP] * 101), notes=["running"]
    )
    document = json.loads(json.dumps(Report((stream,)).document()))
    assert (document["verdict"], document["faults"], document["findings"]) == ("faulty", 101, [])
    (one,) = document["streams"]
    assert one.pop("findings")[0] == {
        "fault": "gap", "declared": False, "stream": "pod/boot", "seq": 1, "message": "why",
    }  # fmt: skip
    assert one == {
        "stream": "pod/boot", "sender": "token:gw", "verdict": "faulty", "events": 7, "firstSeq": 1, "lastSeq": 7,
        "lastHash": "ab" * 32, "opened": True, "closed": False, "leftOut": {"gap": 1}, "notes": ["running"],
    }  # fmt: skip
