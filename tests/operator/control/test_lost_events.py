"""Audit events that went with a pod are counted once, and told on the Database."""

from __future__ import annotations

from prometheus_client import Counter
from structlog.testing import capture_logs
from tests.operator.doubles import WEB_POD, Cluster

from penstock_operator.control.lost_events import LostEvents

EVENTS = "/api/v1/namespaces/shop/events"


def counter() -> Counter:
    return Counter("lost", "x", registry=None)


async def test_what_a_pod_lost_is_counted_once_and_told_on_its_database() -> None:
    cluster, count = Cluster(), counter()
    lost = LostEvents(cluster.api(), count)
    for _ in range(2):
        await lost.tell(WEB_POD, "shop", "d-1", 7)
    assert count._value.get() == 7
    (event,) = cluster.created
    assert (event["reason"], event["type"]) == ("AuditEventsLost", "Warning")
    assert (event["involvedObject"]["kind"], event["involvedObject"]["uid"]) == ("Database", "d-1")
    assert event["message"].startswith("7 audit events are lost: pod web-1 ended before")
    await lost.tell(WEB_POD, "shop", "d-1", 9)
    assert count._value.get() == 9


async def test_each_database_of_the_pod_is_told_and_the_events_are_counted_once() -> None:
    cluster, count = Cluster(), counter()
    lost = LostEvents(cluster.api(), count)
    for name in ("shop", "billing", "shop"):
        await lost.tell(WEB_POD, name, f"uid of {name}", 7)
    assert count._value.get() == 7
    told = [(one["involvedObject"]["name"], one["involvedObject"]["uid"]) for one in cluster.created]
    assert told == [("shop", "uid of shop"), ("billing", "uid of billing")]
    assert len({one["metadata"]["name"] for one in cluster.created}) == 2
    await lost.tell(WEB_POD, "billing", "uid of billing", 9)
    assert count._value.get() == 9


async def test_an_event_that_can_not_be_written_is_counted_all_the_same() -> None:
    cluster, count = Cluster(), counter()
    cluster.refusing[EVENTS] = 403
    with capture_logs() as logged:
        await LostEvents(cluster.api(), count).tell(WEB_POD, "shop", "d-1", 7)
    assert count._value.get() == 7
    assert [line["log_level"] for line in logged] == ["error", "warning"]
