"""A namespace is brought to what it should be, whatever happened, and left alone once it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.operator.doubles import Cluster, Json

from penstock_operator.cluster.api import ApiError
from penstock_operator.controllers import namespaces as module
from penstock_operator.controllers.namespaces import Namespaces

OURS = "/apis/penstock.dev/v1alpha1/namespaces/shop"
CA = "/api/v1/namespaces/shop/configmaps/penstock-ca"
EVENTS = "/apis/events.k8s.io/v1/namespaces/shop/events"


class Shelf:
    """A cluster with the shop in it, and who looks after it."""

    def __init__(self, shop: Any) -> None:
        self.cluster = Cluster()
        for plural, one in (("databases", shop.database), ("databaseaccesspolicies", shop.policy)):
            one["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
            self.cluster.objects[f"{OURS}/{plural}/{one['metadata']['name']}"] = one
        self.cluster.objects["/api/v1/namespaces/shop/pods/web-1"] = {
            "metadata": {"name": "web-1", "annotations": {"penstock.dev/database": "shop"}},
            "spec": {"serviceAccountName": "web", "initContainers": [{"name": "penstock-proxy"}]},
        }
        self.bundle = b"PEM"
        self.namespaces = Namespaces(self.cluster.api(), "1", lambda: self.bundle, "operator-0")

    def status(self, path: str) -> Json:
        condition: Json = self.cluster.objects[f"{OURS}/{path}"]["status"]["conditions"][0]
        return condition

    def stage(self, path: str, name: str) -> Json:
        conditions = self.cluster.objects[f"{OURS}/{path}"]["status"]["conditions"]
        return next(one for one in conditions if one["type"] == name)


@pytest.fixture
def shelf(shop: Any) -> Shelf:
    return Shelf(shop)


@pytest.fixture
async def looking(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shelf]:
    monkeypatch.setattr(module, "_GATHER", 0.01)
    monkeypatch.setattr(module, "_RETRY", 0.02)
    task = asyncio.create_task(shelf.namespaces.run())
    yield shelf
    task.cancel()


async def until(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def test_status_events_and_the_authority_are_written_once(shelf: Shelf) -> None:
    await shelf.namespaces.reconcile("shop")
    statuses = [f"{OURS}/databases/shop/status", f"{OURS}/databaseaccesspolicies/web/status"]
    assert sorted(shelf.cluster.writes()) == sorted([CA, *statuses])
    assert shelf.status("databaseaccesspolicies/web")["status"] == "Unknown", "nobody has looked"
    assert shelf.cluster.objects[f"{OURS}/databaseaccesspolicies/web"]["status"]["pods"] == 1
    assert shelf.cluster.objects[CA]["data"] == {"ca.crt": "PEM"}
    assert shelf.cluster.created == [], "that nobody knows is no event"
    await shelf.namespaces.reconcile("shop")
    assert shelf.cluster.writes() == []


async def test_an_ended_pod_counts_no_more_and_that_is_no_event(shelf: Shelf) -> None:
    await shelf.namespaces.reconcile("shop")
    shelf.cluster.writes()
    shelf.cluster.objects["/api/v1/namespaces/shop/pods/web-1"]["status"] = {"phase": "Succeeded"}
    await shelf.namespaces.reconcile("shop")
    assert sorted(shelf.cluster.writes()) == [
        f"{OURS}/databaseaccesspolicies/web/status",
        f"{OURS}/databases/shop/status",
    ]


async def test_what_goes_wrong_is_a_warning(shelf: Shelf) -> None:
    del shelf.cluster.objects[f"{OURS}/databases/shop"]
    await shelf.namespaces.reconcile("shop")
    assert CA not in shelf.cluster.objects, "no Database, no sidecar"
    (event,) = shelf.cluster.created
    assert (event["type"], event["reason"]) == ("Warning", "DatabaseNotFound")


async def test_without_an_authority_nothing_is_promised(shelf: Shelf) -> None:
    shelf.bundle = b""
    with pytest.raises(ApiError, match="no certificate authority yet"):
        await shelf.namespaces.reconcile("shop")


async def test_a_touch_is_a_look_and_a_failure_another(looking: Shelf) -> None:
    status = f"{OURS}/databases/shop/status"
    looking.cluster.refusing[status] = 500
    looking.namespaces.touch("shop")
    await until(lambda: ("PATCH", status) in looking.cluster.requests)
    del looking.cluster.refusing[status]
    await until(lambda: "status" in looking.cluster.objects[f"{OURS}/databases/shop"])


async def test_one_namespace_that_can_not_be_looked_at_holds_up_no_other(
    looking: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by something that nobody foresaw; and it is said once."""
    monkeypatch.setattr(module, "_RETRY", 0.01)
    looking.cluster.objects["/apis/penstock.dev/v1alpha1/namespaces/odd/databases/odd"] = {"metadata": {}}
    with capture_logs() as logged:
        looking.namespaces.touch("odd")
        await asyncio.sleep(0.2)
        looking.namespaces.touch("shop")
        await until(lambda: "status" in looking.cluster.objects[f"{OURS}/databases/shop"])
        await asyncio.sleep(0.2)
    warned = [line for line in logged if line["log_level"] == "warning"]
    assert [line["namespace"] for line in warned] == ["odd"]


async def test_a_label_alone_makes_no_governed_pod(shelf: Shelf) -> None:
    del shelf.cluster.objects["/api/v1/namespaces/shop/pods/web-1"]["spec"]["initContainers"]
    await shelf.namespaces.reconcile("shop")
    assert shelf.cluster.objects[f"{OURS}/databaseaccesspolicies/web"]["status"]["pods"] == 0


async def test_a_resource_that_went_meanwhile_and_an_event_that_can_not_be_written_are_no_failures(
    shelf: Shelf,
) -> None:
    shelf.cluster.refusing |= {f"{OURS}/databases/shop/status": 404, EVENTS: 403}
    await shelf.namespaces.reconcile("shop")
    assert shelf.stage("databaseaccesspolicies/web", "Accepted")["status"] == "True"


async def test_a_namespace_that_nobody_told_of_is_noticed(shelf: Shelf) -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    assert await shelf.namespaces.look_everywhere(datetime(2025, 12, 31, tzinfo=UTC)) == [], "it is too young"
    shelf.namespaces.known.clear()
    assert await shelf.namespaces.look_everywhere(later) == ["shop"]
    assert await shelf.namespaces.look_everywhere(later) == []


async def test_a_namespace_without_resources_is_forgotten(shelf: Shelf) -> None:
    shelf.cluster.objects.clear()
    shelf.namespaces.touch("shop")
    await shelf.namespaces.reconcile("shop")
    assert shelf.namespaces.known == set()
