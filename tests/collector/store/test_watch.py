"""What the passing of time brings: silence."""

from __future__ import annotations

from tests.collector.store.test_retention import Trail, trail

from penstock_collector.store import alarms, watch
from penstock_collector.store.alarms import Alarm

__all__ = ["trail"]


def test_each_silence_is_raised_once_and_can_be_dismissed(trail: Trail) -> None:
    trail.take("gw/a", 1, now=0)
    assert watch.sound_silence(trail.connection, 30, now=89) == 0
    assert watch.sound_silence(trail.connection, 30, now=91) == 1
    assert watch.sound_silence(trail.connection, 30, now=99) == 0
    (alarm,) = alarms.standing(trail.connection, "silent")
    assert (alarm.stream, alarm.kind, alarm.count) == ("gw/a", Alarm.SILENT, 1)
    # Its pod is gone for good; somebody has looked.
    assert alarms.acknowledge(trail.connection, Alarm.SILENT, "gw", 91, "ada", "", 100) == 1
    assert watch.sound_silence(trail.connection, 30, now=10_000) == 0
    assert alarms.standing(trail.connection, "silent") == []
    # Or not for good.
    trail.take("gw/a", 1, now=20_000)
    assert watch.sound_silence(trail.connection, 30, now=20_100) == 1
