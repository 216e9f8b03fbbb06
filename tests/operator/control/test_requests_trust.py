"""A gate says what the statement is; who may approve it and for how long is control's to say."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.operator.control.requests import ASKING, BOTH, OTHER_POD, POD, asking, policies_of
from tests.operator.doubles import WEB, change

from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_trust import NotItsOwnError, RefusedError, trusted
from penstock_operator.objects import POLICIES


@pytest.fixture
def policies(shop: Any) -> Policies:
    return policies_of(shop)


def held(**changes: Any) -> dict[str, Any]:
    return {"heldBy": copy.deepcopy(ASKING["heldBy"]) | changes}


def test_approvers_and_expiry_are_the_policys(policies: Policies) -> None:
    taken = trusted(asking(**held(approvers=["staff", "owners", "dba"]), expiresAfter="100h"), POD, policies)
    assert taken.held_by.approvers == ("dba", "owners")
    assert taken.expires_after == "1h"


def test_what_the_policies_say_is_controls_to_say(policies: Policies) -> None:
    taken = trusted(asking(**held(policyDigest="0" * 64)), POD, policies)
    topic = policies.topic("shop", "shop")
    assert topic is not None
    assert taken.held_by.policy_digest == topic.digest != "0" * 64


def test_a_gate_may_ask_for_less(policies: Policies) -> None:
    """One from before each rule had a request of its own names the groups that all of them have."""
    taken = trusted(asking(**held(approvers=["owners"]), expiresAfter="5m"), POD, policies)
    assert taken.held_by.approvers == ("owners",)
    assert taken.expires_after == "5m"


def test_each_of_several_rules_is_as_the_policy_has_it(policies: Policies) -> None:
    taken = trusted(asking(**BOTH), POD, policies)
    assert [(one.approval, one.approvers) for one in taken.all_held_by] == [
        ("deletes", ("dba", "owners")),
        ("erasures", ("privacy",)),
    ]
    assert taken.expires_after == "30m", "the shortest"
    for wrong in ({"approval": "none"}, {"policyGeneration": 2}, {"approvers": ["dba"]}):
        with pytest.raises(RefusedError):
            trusted(asking(alsoHeldBy=[BOTH["alsoHeldBy"][0] | wrong]), POD, policies)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"databaseRef": {"name": "other"}}, "there is no usable Database other in shop"),
        (held(policy="none"), "no approval deletes of a policy none is for this requester"),
        (held(approval="none"), "no approval none of a policy web is for this requester"),
        (held(approvers=["staff"]), "policy web names other approvers for deletes"),
        (held(policyGeneration=2), "generation 1, and the statement was decided by generation 2; run it again"),
        (held(policyGeneration=0), "decided by generation 0"),
    ],
)
def test_what_the_policies_do_not_hold_is_not_asked_for(policies: Policies, changes: Any, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        trusted(asking(**changes), POD, policies)


def test_a_policy_for_others_holds_nothing_of_this_requester(policies: Policies, shop: Any) -> None:
    """Its approvers may be easier to have."""
    shop.policy["spec"]["subjects"] = [{"serviceAccount": {"name": "batch"}}]
    change(policies, POLICIES, WEB, shop.policy, 120)
    with pytest.raises(RefusedError, match="is for this requester"):
        trusted(asking(**held(policyGeneration=2)), POD, policies)
    shop.policy["spec"]["subjects"] = [{"identity": {"kind": "person", "subject": "Straße"}}]
    change(policies, POLICIES, WEB, shop.policy, 121)
    assert trusted(asking(**held(policyGeneration=3)), POD, policies).held_by.approvers == ("dba", "owners")


def test_a_rule_for_whom_an_agent_acts_for_holds_what_the_agent_does(policies: Policies, shop: Any) -> None:
    issuer = {"issuer": "https://id.example"}
    agent = {"kind": "agent", "subject": "bot", **issuer}
    ada, dan = ({"kind": "person", "subject": name, **issuer} for name in ("ada", "dan"))
    workload = ASKING["requester"]["workload"]
    shop.policy["spec"]["subjects"] = [{"identity": {"kind": "person", "subject": "ada"}}]
    change(policies, POLICIES, WEB, shop.policy, 120)
    generation = held(policyGeneration=2)

    def chain(*people: Any, principal: Any = agent) -> Any:
        return {"workload": workload, "principal": principal, "actsFor": list(people)}

    assert trusted(asking(**generation, requester=chain(ada)), POD, policies).held_by.approvers == ("dba", "owners")
    for requester in (chain(dan), chain(ada, dan), chain()):
        with pytest.raises(RefusedError, match="is for this requester"):
            trusted(asking(**generation, requester=requester), POD, policies)
    with pytest.raises(RefusedError, match="only an agent acts for others"):
        trusted(asking(**generation, requester=chain(ada, principal=dan)), POD, policies)


def test_a_rule_for_the_person_of_a_context_holds_what_the_application_does(policies: Policies, shop: Any) -> None:
    workload = ASKING["requester"]["workload"]
    ada = {"kind": "person", "subject": "ada", "issuer": "https://id.example"}
    shop.policy["spec"]["subjects"] = [{"identity": {"kind": "person", "subject": "ada"}}]
    change(policies, POLICIES, WEB, shop.policy, 120)
    generation = held(policyGeneration=2)
    within = {"workload": workload, "actsFor": [ada]}
    assert trusted(asking(**generation, requester=within), POD, policies).requester.acts_for[0].subject == "ada"
    with pytest.raises(RefusedError, match="is for this requester"):
        trusted(asking(**generation, requester={**within, "actsFor": [{**ada, "subject": "dan"}]}), POD, policies)
    for chain in ([ada, ada], [{**ada, "kind": "agent"}]):
        with pytest.raises(RefusedError, match="by a context one acts for one person"):
            trusted(asking(**generation, requester={**within, "actsFor": chain}), POD, policies)


def test_a_rule_for_one_pod_is_of_that_pod(policies: Policies, shop: Any) -> None:
    shop.policy["spec"]["subjects"] = [{"pod": {"name": "web-1"}}]
    change(policies, POLICIES, WEB, shop.policy, 120)
    assert trusted(asking(**held(policyGeneration=2)), POD, policies).held_by.approvers == ("dba", "owners")
    with pytest.raises(RefusedError, match="is for this requester"):
        trusted(asking(OTHER_POD, **held(policyGeneration=2)), OTHER_POD, policies)


def test_a_pod_without_itself_in_the_question_is_none(policies: Policies) -> None:
    with pytest.raises(NotItsOwnError, match="shop/web-1"):
        trusted(asking(requester={"principal": ASKING["requester"]["principal"]}), POD, policies)
