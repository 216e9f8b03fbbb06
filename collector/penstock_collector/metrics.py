"""What the collector counts, in Prometheus's form. Numbers alone: no name of a stream or an identity.

What doesn't belong: serving it (`web/`).
"""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from penstock_collector.store.alarms import Alarm
from penstock_collector.store.intake import Taken
from penstock_collector.store.room import Room
from penstock_core.audit.event import KINDS

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class CollectorMetrics:
    """The collector's metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.events = Counter("penstock_collector_events", "Events stored, by kind.", ["kind"], registry=registry)
        self.duplicates = Counter("penstock_collector_duplicates", "Events sent again.", registry=registry)
        self.quarantined = Counter("penstock_collector_quarantined", "Lines that are no event.", registry=registry)
        self.forks = Counter("penstock_collector_forks", "Events for a place that is taken.", registry=registry)
        self.refused = Counter(
            "penstock_collector_refused", "Requests refused, by status.", ["status"], registry=registry
        )
        self.commit = Histogram(
            "penstock_collector_commit_seconds", "Storing a batch.", buckets=_SECONDS, registry=registry
        )
        self.alarms = Gauge("penstock_collector_alarms", "Alarms that stand, by kind.", ["kind"], registry=registry)
        self.streams = Gauge("penstock_collector_open_streams", "Streams that are not closed.", registry=registry)
        self.followers = Gauge("penstock_collector_followers", "Viewers that follow a live page.", registry=registry)
        self.asked = Counter(
            "penstock_collector_requests_asked",
            "Questions of gates for an approval, by what became of them.",
            ["result"],
            registry=registry,
        )
        self.decided = Counter(
            "penstock_collector_requests_decided",
            "Decisions of people, and attempts that were refused.",
            ["decision"],
            registry=registry,
        )
        self.waiting = Gauge("penstock_collector_requests_waiting", "Requests that wait.", registry=registry)
        self.readings = Counter("penstock_collector_readings", "Readings recorded.", ["action"], registry=registry)
        self.emergencies = Gauge(
            "penstock_collector_emergencies", "Emergencies that nobody has reviewed.", ["review"], registry=registry
        )
        self.notices = Counter(
            "penstock_collector_notices", "Notices to webhooks, by what became of them.", ["result"], registry=registry
        )
        self.tickets = Counter(
            "penstock_collector_tickets", "One-time tickets, by what became of them.", ["result"], registry=registry
        )
        self.checkpoint_time = Gauge(
            "penstock_collector_checkpoint_time", "Unix time of the last checkpoint that is kept.", registry=registry
        )
        self.checkpoint_failures = Counter(
            "penstock_collector_checkpoint_failures", "Checkpoints that could not be kept yet.", registry=registry
        )
        self.room = RoomMetrics(registry)
        self.writable = Gauge(
            "penstock_collector_writable", "1 if a batch can be committed, as /readyz says.", registry=registry
        )

    def count(self, taken: Taken) -> None:
        """Add what became of a batch."""
        for kind in taken.stored:
            # An event's kind is free text to the chain; only the known ones become labels.
            self.events.labels(kind if kind in KINDS else "other").inc()
        self.duplicates.inc(taken.duplicates)
        self.quarantined.inc(taken.quarantined)
        self.forks.inc(taken.forks)

    def set_alarms(self, counts: dict[Alarm, int]) -> None:
        for kind, count in counts.items():
            self.alarms.labels(kind.value).set(count)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class RoomMetrics:
    """The store's place, as it was measured last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.database_bytes = Gauge("penstock_collector_database_bytes", "Size of the database.", registry=registry)
        self.used_bytes = Gauge(
            "penstock_collector_database_used_bytes", "What in the database holds something.", registry=registry
        )
        self.free_bytes = Gauge(
            "penstock_collector_disk_free_bytes", "What is free on the database's disk.", registry=registry
        )
        self.disk_bytes = Gauge("penstock_collector_disk_bytes", "Size of that disk.", registry=registry)
        self.growth = Gauge(
            "penstock_collector_growth_bytes_per_day",
            "How the database grows, by the last hour and by the last day; NaN where it is too early to tell.",
            ["window"],
            registry=registry,
        )
        self.days_left = Gauge(
            "penstock_collector_disk_days_left", "Until the disk is full; +Inf if it will not be.", registry=registry
        )

    def set(self, room: Room) -> None:
        self.database_bytes.set(room.size)
        self.used_bytes.set(room.used)
        self.free_bytes.set(room.free)
        self.disk_bytes.set(room.disk)
        for window, rate in (("hour", room.by_hour), ("day", room.by_day)):
            self.growth.labels(window).set(math.nan if rate is None else rate)
        self.days_left.set(math.inf if room.days_left is None else room.days_left)
