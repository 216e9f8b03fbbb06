"""LimitRanges as control knows them."""

from __future__ import annotations

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.limit_ranges import LimitRanges

LIMITS = [{"type": "Container", "max": {"memory": "1Gi"}}, {"type": "Pod", "max": {"memory": "2Gi"}}]
RANGE = {"spec": {"limits": LIMITS}}


def test_they_are_known_by_namespace_and_followed() -> None:
    ranges = LimitRanges()
    assert ranges.of("shop") == []
    ranges.replace({("shop", "a"): RANGE, ("other", "a"): RANGE, ("shop", "empty"): {}}, 1)
    assert ranges.of("shop") == LIMITS
    ranges.change(ObjectChange(("shop", "b"), RANGE, 2))
    assert ranges.of("shop") == [*LIMITS, *LIMITS]
    ranges.change(ObjectChange(("shop", "a"), None, 3))
    ranges.change(ObjectChange(("shop", "b"), None, 4))
    assert ranges.of("shop") == []
    assert ranges.of("other") == LIMITS
