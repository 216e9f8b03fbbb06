"""A gate asks for access for its client: one request, of what the policy offers, for its own pod alone."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from tests.operator.control.requests import OTHER_POD, POD, Clock, RequestServer
from tests.operator.doubles import synced

from penstock_core.approvals.access import AskingAccess
from penstock_core.token_review import Pod
from penstock_operator.control.access_asking import AccessAsker, UnavailableError

ADA = {"kind": "person", "subject": "ada", "issuer": "https://id.example"}


class Place:
    """An API server, and a replica of control that asks it."""

    def __init__(self, shop: Any) -> None:
        shop.policy = copy.deepcopy(shop.policy)
        shop.policy["spec"]["onRequest"] = {"approvers": {"groups": ["dba"]}, "maxDuration": "2h"}
        shop.policy["spec"]["breakGlass"] = {"reviewers": {"groups": ["dba"]}}
        self.policies = synced(shop)
        self.server = RequestServer()
        self.clock = Clock()
        self.first, self.second = self.replica(), self.replica()
        self.kept = self.server.watching[0].kept

    def replica(self) -> AccessAsker:
        return self.server.asker(self.server.holder(self.policies, self.clock), self.policies, self.clock)

    async def ask(self, pod: Pod = POD, by: AccessAsker | None = None, **changes: Any) -> Any:
        return await (by or self.first).ask(pod, asking(pod, **changes))


def asking(pod: Pod = POD, **changes: Any) -> AskingAccess:
    workload = {"namespace": "shop", "serviceAccount": "web", "pod": pod.name, "podUid": pod.uid}
    return AskingAccess.model_validate(
        {
            "databaseRef": {"name": "shop"}, "policy": "web", "duration": "1h", "reason": "orders hang",
            "requester": {"workload": workload}, "nonce": "0" * 32, **changes,
        }
    )  # fmt: skip


@pytest.fixture
def place(shop: Any) -> Place:
    return Place(shop)


async def test_one_request_is_made_whoever_asks(place: Place) -> None:
    answers = await asyncio.gather(place.ask(), place.ask(OTHER_POD, place.second), place.ask(by=place.second))
    assert {one.standing for one in answers} == {"waiting"}
    (name,) = place.server.objects
    assert {one.request for one in answers} == {name}
    assert place.server.objects[name]["spec"]["access"]["approvers"] == ["dba"]
    assert place.server.objects[name]["metadata"]["labels"]["penstock.dev/policy"] == "web"


async def test_a_pod_asks_for_itself_alone(place: Place) -> None:
    other = asking(OTHER_POD)
    answered = await place.first.ask(POD, other)
    assert (answered.standing, "a pod asks for itself alone" in answered.comment) == ("refused", True)
    nobody = await place.ask(requester={"principal": ADA})
    assert nobody.standing == "refused"
    assert place.server.objects == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"policy": "none"}, "no policy none"),
        ({"databaseRef": {"name": "other"}}, "of database other"),
        ({"duration": "3h"}, "for 2h at most"),
        ({"breakGlass": True, "duration": "5m"}, "only a person"),
    ],
)
async def test_what_is_not_offered_is_refused_in_words(place: Place, changes: dict[str, Any], said: str) -> None:
    answered = await place.ask(**changes)
    assert (answered.standing, said in answered.comment) == ("refused", True), answered.comment


async def test_a_person_in_the_pod_breaks_the_glass_once(place: Place) -> None:
    workload = {"namespace": "shop", "serviceAccount": "web", "pod": POD.name, "podUid": POD.uid}
    person = {"workload": workload, "principal": ADA}
    one = await place.ask(requester=person, breakGlass=True, duration="5m")
    two = await place.ask(requester=person, breakGlass=True, duration="10m")
    assert (one.standing, two.standing, one.request) == ("granted", "granted", two.request)


async def test_without_the_api_server_nothing_is_asked(place: Place) -> None:
    place.server.down = True
    with pytest.raises(UnavailableError, match="can't be kept now"):
        await place.ask()
