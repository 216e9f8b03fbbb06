"""A gate of a cluster hears that somebody broke the glass: it is in its trail, once, before anything runs by it."""

from __future__ import annotations

from typing import Any

from tests.core.policy.test_access import BROKEN, PERSON, bundle, given
from tests.sidecar.proxy.conftest import Start

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources import Bundle
from penstock_sidecar.proxy.emergencies import Emergencies

GLASS = given(**BROKEN)


def heard(*bundles: Bundle) -> list[dict[str, Any]]:
    recorded: list[dict[str, Any]] = []
    emergencies = Emergencies(recorded.extend)
    for one in bundles:
        emergencies.heard(one)
    return recorded


def test_an_emergency_is_recorded_once_with_whose_it_is() -> None:
    (event,) = heard(bundle(), bundle(GLASS), bundle(GLASS), bundle(), bundle(GLASS))
    assert event == {
        "kind": "emergency", "identity": PERSON.document(), "database": "shop", "request": "r-1",
        "policy": "incident", "until": "2030-01-31T12:30:00Z",
    }  # fmt: skip
    assert event["identity"]["name"] == PERSON.name


def test_access_that_somebody_approved_is_none() -> None:
    assert heard(bundle(given())) == []


def test_each_has_an_event_of_its_own() -> None:
    both = heard(bundle(GLASS), bundle(GLASS, GLASS.model_copy(update={"request": "r-2"})))
    assert [one["request"] for one in both] == ["r-1", "r-2"]


def test_a_requester_that_can_not_be_is_nobody() -> None:
    nobody = GLASS.model_copy(update={"requester": GLASS.requester.model_copy(update={"principal": None})})
    (event,) = heard(bundle(nobody))
    assert event["identity"]["name"] == "nobody"


async def test_it_is_in_the_trail_though_nobody_is_connected(start: Start, shop: EmbeddedPostgres) -> None:
    running = await start(shop, governed=True)
    provider = running.proxy.rules_provider
    assert provider.bundle is not None
    provider.replace_bundle(provider.bundle.model_copy(update={"grants": (GLASS,)}))
    found = await running.settled(1, "emergency")
    assert [(one["request"], one["policy"], one["database"]) for one in found] == [("r-1", "incident", "shop")]
