"""ResourceQuotas as control knows them."""

from __future__ import annotations

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.resource_quotas import ResourceQuotas

QUOTA = {"metadata": {"name": "all"}, "spec": {"hard": {"limits.memory": "1Gi"}}}


def test_those_that_count_every_pod_are_known_by_namespace_and_followed() -> None:
    quotas = ResourceQuotas()
    assert quotas.of("shop") == []
    some = {"metadata": {"name": "some"}, "spec": {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}}
    quotas.replace({("shop", "all"): QUOTA, ("shop", "some"): some, ("other", "empty"): {}}, 1)
    assert quotas.of("shop") == [QUOTA]
    assert quotas.of("other") == [{}]
    quotas.change(ObjectChange(("shop", "all"), None, 2))
    assert quotas.of("shop") == []
