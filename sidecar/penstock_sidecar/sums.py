"""The metrics of a gate's workers as those of one gate: counted together, or each with its number where a sum says
nothing. What a worker counted before it ended stays counted.

What doesn't belong: what is counted (`proxy/metrics.py`), and serving it (`health.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Gauges that add up; all others are told with the worker that they are of.
_ADDITIVE = frozenset(
    {
        "penstock_sessions_open", "penstock_tasks", "penstock_spool_events", "penstock_spool_bytes",
        "penstock_spool_max_bytes", "penstock_database_sessions",
    }
)  # fmt: skip
_Key = tuple[str, tuple[tuple[str, str], ...]]


class Sums(Collector):
    """All that workers told last."""

    def __init__(self) -> None:
        self._told: dict[int, list[list[Any]]] = {}
        # Of those that ended, by family.
        self._counted: dict[str, dict[_Key, float]] = {}

    def heard(self, worker: int, families: list[list[Any]]) -> None:
        """So it is with that worker now: families with their samples."""
        self._told[worker] = families

    def ended(self, worker: int) -> None:
        """Its process is gone."""
        for name, kind, _, samples in self._told.pop(worker, []):
            if kind != "gauge":
                _add(self._counted.setdefault(name, {}), samples, ())

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def _families(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("penstock_workers", "Workers that are there.", len(self._told))
        sessions = GaugeMetricFamily("penstock_worker_sessions", "Sessions open now, by worker.", labels=["worker"])
        for worker, told in sorted(self._told.items()):
            open_ = sum(samples[0][2] for name, _, _, samples in told if name == "penstock_sessions_open")
            sessions.add_metric([str(worker)], open_)
        yield sessions
        kinds = {name: (kind, words) for told in self._told.values() for name, kind, words, _ in told}
        for name, (kind, words) in kinds.items():
            found = dict(self._counted.get(name, {}))
            for worker, told in sorted(self._told.items()):
                own = () if kind != "gauge" or name in _ADDITIVE else (("worker", str(worker)),)
                for other, _, _, samples in told:
                    if other == name:
                        _add(found, samples, own)
            family = Metric(name, words, kind)
            for (sample, labels), value in found.items():
                family.add_sample(sample, dict(labels), value)
            yield family


def _add(found: dict[_Key, float], samples: list[list[Any]], own: tuple[tuple[str, str], ...]) -> None:
    for name, labels, value in samples:
        key = name, (*sorted(labels.items()), *own)
        found[key] = found.get(key, 0.0) + value
