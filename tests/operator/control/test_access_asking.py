"""A gate asks for access for its client: one request, of what the policy offers, for its own pod alone."""

from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.operator.control.requests import NOW, OTHER_POD, POD, Clock, RequestServer, in_force
from tests.operator.doubles import synced

from penstock_core.approvals import room
from penstock_core.approvals.access import AskingAccess
from penstock_core.identity import Identity, Principal, Workload
from penstock_core.policy.access import granted
from penstock_core.token_review import Pod
from penstock_operator.control.access_asking import AccessAsker, UnavailableError
from penstock_operator.control.access_grants import AccessGrants

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


# A gateway's sessions are all its pod's; whose they are is what the tokens proved.
BEA = ADA | {"subject": "bea"}
BOT = {"kind": "agent", "subject": "bot", "issuer": "https://id.example"}


def by(person: dict[str, str], pod: Pod = POD, **more: Any) -> dict[str, Any]:
    workload = {"namespace": "shop", "serviceAccount": "web", "pod": pod.name, "podUid": pod.uid}
    return {"requester": {"workload": workload, "principal": person, **more}}


async def test_each_person_of_a_gateway_asks_for_themselves_by_whichever_replica(place: Place) -> None:
    hers = [await place.ask(**by(ADA)), await place.ask(OTHER_POD, place.second, **by(ADA, OTHER_POD))]
    assert len({one.request for one in hers}) == 1
    others = [await place.ask(**by(BEA)), await place.ask(**by(BOT, actsFor=[ADA])), await place.ask()]
    assert len({one.request for one in (*hers, *others)}) == 4
    asked = place.server.objects[hers[0].request]["spec"]["requester"]
    assert (asked["principal"]["subject"], asked["workload"]["serviceAccount"]) == ("ada", "web")
    status = {
        "decision": "approved", "decidedBy": "dora", "decidedAt": "2030-03-17T17:46:40Z",
        "until": "2030-03-17T18:46:40Z",
    }  # fmt: skip
    place.server.write(hers[0].request, status)
    bundle = place.policies.bundle("shop", "shop")
    assert bundle is not None
    grants = AccessGrants(place.kept, in_force(), clock=place.clock).of(bundle)
    assert [one.requester.principal and one.requester.principal.subject for one in grants] == ["ada"]
    given = bundle.model_copy(update={"grants": grants})
    pod = Workload("shop", "web", "web-1", "u-1")
    ada, bea = (Principal("person", one["subject"], one["issuer"]) for one in (ADA, BEA))
    bot = Principal("agent", "bot", "https://id.example")
    now = datetime.fromtimestamp(NOW, UTC)
    for who, has in (
        (Identity(pod, ada), True),
        (Identity(Workload("shop", "web", "web-2", "u-2"), ada), True),
        (Identity(pod, bea), False),
        (Identity(pod, bot, (ada,)), False),
        (Identity(pod), False),
    ):
        assert (granted(given, who, now) != ()) is has, who.name
    again = await place.ask(**by(ADA))
    assert (again.standing, again.request) == ("granted", hers[0].request)
    assert (await place.ask(**by(BEA))).standing == "waiting"


async def test_nobody_asks_by_the_gateway_of_others(place: Place) -> None:
    answered = await place.first.ask(Pod("shop", "other", "other-1", "u-9"), asking(**by(ADA)))
    assert (answered.standing, "a pod asks for itself alone" in answered.comment) == ("refused", True)


async def test_one_person_of_a_gateway_leaves_the_others_their_place(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_OF_A_PERSON", 2)
    for number in range(2):
        assert (await place.ask(**by(BOT | {"subject": f"bot-{number}"}, actsFor=[ADA]))).standing == "waiting"
    refused = await place.ask(**by(ADA))
    assert refused.comment == "2 requests that person ada has a part in wait already; have some decided first"
    assert (await place.ask(**by(BEA))).standing == "waiting"
    emergency = await place.ask(breakGlass=True, duration="10m", **by(ADA))
    assert emergency.standing == "granted", "whoever floods has nobody else's emergency, nor their own, wait"
