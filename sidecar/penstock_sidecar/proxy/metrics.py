"""What a proxy counts, in Prometheus's terms. Plain numbers on the hot path, turned into metrics when scraped.

Serving them is `penstock_sidecar.health`'s.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from penstock_sidecar.proxy.gateway import Gateway
    from penstock_sidecar.shipping.shipper_process import ShipperProcess
    from penstock_sidecar.shipping.spool import Spool

# Seconds; a cached decision takes some ten microseconds, a first-seen statement some hundred.
_BUCKETS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class ProxyMetrics:
    """The numbers that connections count."""

    def __init__(self) -> None:
        self._latency = [0] * (len(_BUCKETS) + 1)
        self._latency_sum = 0.0
        self.sessions_total = 0

    def observe_latency(self, seconds: float) -> None:
        """How long the gate took over one chunk of a client's bytes."""
        self._latency[bisect_left(_BUCKETS, seconds)] += 1
        self._latency_sum += seconds

    def latency(self) -> HistogramMetricFamily:
        """The histogram so far."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._latency, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(
            "penstock_gate_seconds", "Time the gate spends on the bytes a client sends, durability waits left out."
        )
        family.add_metric([], buckets, self._latency_sum)
        return family


class ProxyCollector(Collector):
    """All that one proxy has to tell, gathered when asked."""

    def __init__(self, gateway: Gateway, spool: Spool, shipper: ShipperProcess | None) -> None:
        self._gateway = gateway
        self._spool = spool
        self._shipper = shipper

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def _families(self) -> Iterator[Metric]:
        gateway = self._gateway
        metrics, trail = gateway.metrics, gateway.trail
        statements = CounterMetricFamily(
            "penstock_statements", "Statements by what became of them.", labels=["database", "decision"]
        )
        for name in gateway.databases:
            for decision in ("allow", "rewrite", "deny"):
                statements.add_metric([name, decision], trail.decisions[name, decision])
        yield statements
        yield metrics.latency()
        yield CounterMetricFamily("penstock_sessions", "Sessions accepted.", metrics.sessions_total)
        logins = CounterMetricFamily("penstock_logins", "Logins by how they ended.", labels=["outcome"])
        logins.add_metric(["accepted"], trail.accepted_logins)
        logins.add_metric(["refused"], trail.refused_logins.total)
        yield logins
        yield GaugeMetricFamily("penstock_sessions_open", "Sessions open now.", len(gateway.connections))
        yield GaugeMetricFamily("penstock_tasks", "What the gate has under way.", len(asyncio.all_tasks()))
        yield CounterMetricFamily(
            "penstock_audit_lost_statements", "Statements that ran unrecorded.", trail.lost_statements
        )
        yield GaugeMetricFamily("penstock_spool_events", "Audit events that wait for the collector.", self._spool.depth)
        yield GaugeMetricFamily("penstock_spool_bytes", "Bytes of audit events that wait.", self._spool.bytes)
        yield GaugeMetricFamily(
            "penstock_spool_max_bytes", "Bytes that the spool holds at most.", self._spool.max_bytes
        )
        if self._shipper is not None:
            yield from _of_shipper(self._shipper)
        yield from self._of_databases()

    def _of_databases(self) -> Iterator[Metric]:
        """What each database has for itself."""
        told = _labelled(GaugeMetricFamily, "penstock_database_sessions", "Sessions with the database now.")
        idle = _labelled(
            GaugeMetricFamily,
            "penstock_database_idle_seconds",
            "Since a session with the database was open, or since the gate began; 0 while one is.",
        )
        errors = _labelled(
            CounterMetricFamily, "penstock_upstream_errors", "Times the database could not be reached or went away."
        )
        generations = _labelled(
            GaugeMetricFamily, "penstock_policy_generation", "Generation of the policy in force; -1: there is none yet."
        )
        ages = _labelled(
            GaugeMetricFamily, "penstock_policy_age_seconds", "Since the policy was last known to be current."
        )
        catalogs = _labelled(GaugeMetricFamily, "penstock_catalog_generation", "How often the catalog changed.")
        reached = _labelled(
            GaugeMetricFamily, "penstock_database_reachable", "Whether it was there when last asked; -1: not yet asked."
        )
        for name, one in self._gateway.databases.items():
            reached.add_metric([name], one.reachable)
            bundle, catalog = one.rules_provider.bundle, one.rules_provider.catalog
            told.add_metric([name], len(one.connections))
            idle.add_metric([name], one.idle_seconds)
            errors.add_metric([name], one.upstream_errors)
            generations.add_metric([name], -1 if bundle is None else bundle.generation)
            ages.add_metric([name], one.source.age)
            catalogs.add_metric([name], 0 if catalog is None else catalog.generation)
        yield from (told, idle, errors, generations, ages, catalogs, reached)


def _of_shipper(shipper: ShipperProcess) -> Iterator[Metric]:
    """The process that brings the spool's events to the collector."""
    yield GaugeMetricFamily(
        "penstock_spool_lag_seconds", "Since when audit events wait and none of them has arrived.", shipper.lag
    )
    yield GaugeMetricFamily("penstock_shipper_pid", "The audit shipper's process; 0: there is none now.", shipper.pid)
    yield CounterMetricFamily("penstock_shipper_starts", "Times an audit shipper was started.", shipper.starts)
    yield GaugeMetricFamily(
        "penstock_shipper_troubled", "1 while audit events do not reach the collector.", int(bool(shipper.trouble))
    )
    yield CounterMetricFamily(
        "penstock_shipper_refusals", "Times the collector refused an event or a stream.", shipper.refusals_total
    )


_Family = TypeVar("_Family", GaugeMetricFamily, CounterMetricFamily)


def _labelled(kind: type[_Family], name: str, words: str) -> _Family:
    return kind(name, words, labels=["database"])
