"""What workers count, told as one gate's."""

from __future__ import annotations

from typing import Any

from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from penstock_sidecar.sums import Sums


def told(statements: int, sessions: int, generation: int) -> list[list[Any]]:
    counted = ["penstock_statements_total", {"decision": "allow"}, statements]
    policy = ["penstock_policy_generation", {"database": "d"}, generation]
    return [
        ["penstock_statements", "counter", "Statements.", [counted]],
        ["penstock_sessions_open", "gauge", "Sessions.", [["penstock_sessions_open", {}, sessions]]],
        ["penstock_policy_generation", "gauge", "Policies.", [policy]],
    ]


def text(sums: Sums) -> list[str]:
    registry = CollectorRegistry()
    registry.register(sums)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_what_adds_up_is_added_and_what_does_not_is_told_by_worker() -> None:
    sums = Sums()
    sums.heard(1, told(3, 2, 7))
    sums.heard(2, told(4, 1, 8))
    assert text(sums) == [
        "penstock_workers 2.0",
        'penstock_worker_sessions{worker="1"} 2.0',
        'penstock_worker_sessions{worker="2"} 1.0',
        'penstock_statements_total{decision="allow"} 7.0',
        "penstock_sessions_open 3.0",
        'penstock_policy_generation{database="d",worker="1"} 7.0',
        'penstock_policy_generation{database="d",worker="2"} 8.0',
    ]


def test_what_a_worker_counted_before_it_ended_stays_counted() -> None:
    sums = Sums()
    sums.heard(1, told(3, 2, 7))
    sums.heard(2, told(4, 1, 8))
    sums.ended(2)
    assert 'penstock_statements_total{decision="allow"} 7.0' in text(sums)
    assert "penstock_sessions_open 2.0" in text(sums)
    sums.heard(2, told(1, 0, 8))
    assert 'penstock_statements_total{decision="allow"} 8.0' in text(sums)
