"""The chart's alerts: each fires once, at Prometheus's own evaluator, and stays quiet where nothing is wrong."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock_collector.store.alarms import Alarm

ALERTS = Path(__file__).resolve().parents[2] / "charts" / "penstock" / "files" / "monitoring" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]


@dataclass(frozen=True)
class Case:
    """Series by which an alert fires at some minute, and those by which it does not; a value each minute."""

    firing: dict[str, str]
    quiet: dict[str, str]
    minute: int


def steady(value: str) -> str:
    """For three hours."""
    return f"{value}x180"


def told(series: str, firing: str, quiet: str, minute: int = 1) -> Case:
    """One series, with values by which the alert fires and with others."""
    return Case({series: firing}, {series: quiet}, minute)


def alarm(kind: str, minute: int = 1) -> Case:
    return told(f'penstock_collector_alarms{{kind="{kind}"}}', steady("2"), steady("0"), minute)


def absent(series: str, minute: int) -> Case:
    return Case({}, {series: steady("0")}, minute)


def spool(used: str, used_otherwise: str, minute: int) -> Case:
    most = {"penstock_spool_max_bytes": steady("100")}
    return Case({"penstock_spool_bytes": used} | most, {"penstock_spool_bytes": used_otherwise} | most, minute)


def latency(fast: int) -> dict[str, str]:
    """So many of a hundred within 50 ms, all of them within 250."""
    return {
        f'penstock_gate_seconds_bucket{{le="{bound}"}}': f"0+{count}x180"
        for bound, count in (("0.05", fast), ("0.25", 100), ("+Inf", 100))
    }


def overdue(holder: str) -> Case:
    late, due = (f'penstock_{holder}_emergencies{{review="{review}"}}' for review in ("overdue", "due"))
    return Case({late: steady("1")}, {late: steady("0"), due: steady("1")}, 1)


REFUSED, ACCEPTED = (f'penstock_logins_total{{outcome="{outcome}"}}' for outcome in ("refused", "accepted"))
FAILED, DELIVERED = (f'penstock_collector_notices_total{{result="{result}"}}' for result in ("failed", "delivered"))
# Of certificates: the evaluator's clock starts at 0.
WEEK, MONTH = steady(str(7 * 86400)), steady(str(30 * 86400))
CASES: dict[str, list[Case]] = {
    "PenstockTrailBroken": [alarm("fork"), alarm("break"), alarm("quarantine")],
    "PenstockTrailIncomplete": [alarm("unrecorded"), alarm("lost"), alarm("dropped")],
    "PenstockEventsLostWithPods": [told("penstock_control_lost_events_total", "0x10 7x10", steady("7"), 12)],
    "PenstockStatementsUnrecorded": [told("penstock_audit_lost_statements_total", "0x10 5x10", steady("5"), 12)],
    "PenstockStreamsSilent": [alarm(kind, 16) for kind in ("silent", "gap", "late", "clock")],
    "PenstockSpoolFilling": [spool(steady("20"), "20x8 0x170", 11)],
    "PenstockSpoolAlmostFull": [spool(steady("60"), steady("40"), 2)],
    "PenstockEventsNotShipped": [told("penstock_spool_lag_seconds", "0+60x180", steady("20"), 12)],
    "PenstockShipperEnds": [told("penstock_shipper_starts_total", "1+1x180", steady("1"), 20)],
    "PenstockEventsRefused": [told("penstock_shipper_refusals_total", "0x10 1x10", steady("1"), 12)],
    "PenstockCollectorAbsent": [absent("penstock_collector_writable", 6)],
    "PenstockCollectorNotWritable": [told("penstock_collector_writable", steady("0"), "0x1 1x170", 3)],
    "PenstockCollectorDiskFilling": [
        told("penstock_collector_disk_days_left", steady("3"), steady("30"), 31),
        alarm("disk", 31),
    ],
    "PenstockCheckpointsFail": [alarm("checkpoint", 16)],
    "PenstockNoticesFail": [Case({FAILED: "0x10 1x10"}, {DELIVERED: "0x10 9x10", FAILED: steady("1")}, 12)],
    "PenstockPolicyMissing": [told("penstock_policy_generation", steady("-1"), "-1x3 7x170", 6)],
    "PenstockPolicyOld": [told("penstock_policy_age_seconds", "0+60x180", steady("20"), 12)],
    "PenstockDatabaseUnreachable": [
        told("penstock_database_reachable", steady("0"), steady("1"), 6),
        # Nobody has asked yet.
        told("penstock_database_reachable", steady("0"), steady("-1"), 6),
    ],
    "PenstockDatabaseErrors": [told("penstock_upstream_errors_total", "0+1x180", "0x3 1x170", 8)],
    "PenstockLoginsRefused": [Case({REFUSED: "0+120x180"}, {REFUSED: "0+6x180", ACCEPTED: "0+900x180"}, 8)],
    "PenstockGateSlow": [Case(latency(fast=90), latency(fast=100), 20)],
    "PenstockControlAbsent": [absent("penstock_control_streams", 6)],
    "PenstockOperatorAbsent": [absent("penstock_operator_last_kept_seconds", 16)],
    "PenstockOperatorStuck": [told("penstock_operator_last_kept_seconds", steady("0"), "0+60x180", 17)],
    "PenstockNoSession": [told("penstock_operator_quiet_pods", steady("1"), steady("0"), 16)],
    "PenstockCertificateEnds": [told("penstock_operator_cert_not_after_seconds", WEEK, MONTH)],
    "PenstockServedCertificateEnds": [
        told("penstock_control_cert_not_after_seconds", WEEK, MONTH),
        # None is served yet.
        told("penstock_control_cert_not_after_seconds", WEEK, steady("0")),
    ],
    "PenstockResourcesNotValid": [told("penstock_control_unusable_databases", steady("1"), steady("0"), 6)],
    "PenstockEmergency": [
        told('penstock_control_emergencies{review="due"}', steady("1"), steady("0")),
        alarm("emergency"),
    ],
    "PenstockEmergencyToReview": [overdue("control"), overdue("collector")],
}
TRIALS = [(alert, case) for alert, cases in CASES.items() for case in cases]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", ALERTS)


def test_each_alert_is_tried_and_says_what_to_do() -> None:
    assert [rule["alert"] for rule in RULES] == list(CASES)
    for rule in RULES:
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert all(text.endswith((".", "?")) for text in rule["annotations"].values()), rule["alert"]


def test_no_kind_of_alarm_of_the_collectors_is_left_out() -> None:
    expressions = " ".join(rule["expr"] for rule in RULES)
    assert [kind.value for kind in Alarm if kind.value not in expressions] == []


@pytest.mark.parametrize(("alert", "case"), TRIALS, ids=lambda one: one if isinstance(one, str) else "")
def test_an_alert_fires_for_what_it_is_for_and_for_nothing_else(alert: str, case: Case, tmp_path: Path) -> None:
    """promtool plays the series, a value a minute, and asks which alerts fire."""

    def played(series: dict[str, str], fires: bool) -> dict[str, Any]:
        query = f'count by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
        expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if fires else []
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": query, "eval_time": f"{case.minute}m", "exp_samples": expected}],
        }

    tests = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [played(case.firing, True), played(case.quiet, False)],
    }
    (tmp_path / "tests.yaml").write_text(json.dumps(tests))
    promtool("test", "rules", tmp_path / "tests.yaml")
