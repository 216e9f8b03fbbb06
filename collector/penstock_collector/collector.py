"""The parts of a running collector, together, for those who answer requests.

What doesn't belong: making and closing them (`main.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from penstock_collector.approvals.access import AccessHolder
from penstock_collector.approvals.alarm_notices import AlarmNotices
from penstock_collector.approvals.holder import Holder
from penstock_collector.approvals.on_cluster import ClusterRequests
from penstock_collector.approvals.told_emergencies import ToldEmergencies
from penstock_collector.auth.credentials import Credentials
from penstock_collector.auth.streams import StreamAuthority
from penstock_collector.auth.viewers import Viewers
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.readings import Readings
from penstock_collector.settings import CollectorSettings
from penstock_collector.store.readers import Readers
from penstock_collector.store.writer import Writer
from penstock_collector.tail import Tail
from penstock_collector.tickets import TicketOffice


@dataclass(frozen=True, slots=True)
class Collector:
    """What request handlers work with."""

    settings: CollectorSettings
    writer: Writer
    readers: Readers
    tail: Tail
    authority: StreamAuthority
    viewers: Viewers
    metrics: CollectorMetrics
    holder: Holder
    tickets: TicketOffice
    readings: Readings
    access: AccessHolder
    alarm_notices: AlarmNotices
    credentials: Credentials
    on_cluster: ClusterRequests
    emergencies: ToldEmergencies


def collector_of(connection: HTTPConnection) -> Collector:
    """The collector that a request came to."""
    collector: Collector = connection.app.state.collector
    return collector
