"""How identities are named to people and written into audit events."""

from __future__ import annotations

import pytest

from penstock_core.identity import MOST_ACTED_FOR, Identity, Principal, Workload

WEB = Workload("shop", "web", pod="web-1", pod_uid="4f5e")
ADA = Principal("person", "ada", "https://id.example.com", ("dpo", "staff"))
BOT = Principal("agent", "bot", "https://id.example.com")
TILL = Principal("service", "till", "https://id.example.com")
HELPER = Principal("agent", "helper", "https://other.example.com", ("support",))


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (Identity(), "nobody"),
        (Identity(workload=WEB), "sa:shop/web"),
        (Identity(principal=ADA), "person:ada"),
        (Identity(workload=WEB, principal=BOT), "agent:bot"),
        (Identity(WEB, BOT, (ADA,)), "agent:bot for person:ada"),
        (Identity(None, BOT, (HELPER, ADA)), "agent:bot for person:ada"),
        (Identity(WEB).acting_for(ADA), "sa:shop/web for person:ada"),
        (Identity(None, TILL).acting_for(ADA), "service:till for person:ada"),
    ],
)
def test_the_name_is_that_of_who_is_nearest(identity: Identity, name: str) -> None:
    assert identity.name == name


def test_the_document_holds_both_parts_and_says_that_the_principal_was_verified() -> None:
    assert Identity(WEB, ADA).document() == {
        "name": "person:ada",
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "4f5e"},
        "principal": {
            "kind": "person",
            "subject": "ada",
            "issuer": "https://id.example.com",
            "groups": ["dpo", "staff"],
            "assurance": "verified",
        },
    }


def test_the_document_leaves_out_what_there_is_not() -> None:
    assert Identity().document() == {"name": "nobody"}
    assert set(Identity(workload=WEB).document()) == {"name", "workload"}


def test_the_chain_is_told_nearest_first_and_who_passed_work_on_is_asserted() -> None:
    document = Identity(WEB, BOT, (HELPER, ADA)).document()
    assert document["actsFor"] == [HELPER.document("asserted"), ADA.document("verified")]
    assert document["principal"] == BOT.document("verified")
    assert "actsFor" not in Identity(WEB, BOT).document()


def test_the_agent_and_whom_it_is_all_for_decide_each_by_itself() -> None:
    assert Identity(WEB, BOT, (HELPER, ADA)).parties == (Identity(WEB, BOT), Identity(None, ADA))
    for alone in (Identity(), Identity(WEB), Identity(WEB, BOT)):
        assert alone.parties == (alone,)


def test_a_chain_that_can_not_be() -> None:
    assert len(Identity(None, BOT, (ADA,) * MOST_ACTED_FOR).acts_for) == MOST_ACTED_FOR
    with pytest.raises(ValueError, match="at most 8"):
        Identity(None, BOT, (ADA,) * (MOST_ACTED_FOR + 1))
    for nobody in (None, ADA):
        with pytest.raises(ValueError, match="only an agent"):
            Identity(WEB, nobody, (ADA,))


def test_by_a_context_a_pod_acts_for_a_person_and_each_decides_by_itself() -> None:
    acting = Identity(WEB).acting_for(ADA)
    assert acting.parties == (Identity(WEB), Identity(None, ADA))
    assert acting.document()["actsFor"] == [{**ADA.document("verified"), "provenBy": "context"}]
    assert "principal" not in acting.document()
    assert acting != Identity(WEB)


@pytest.mark.parametrize(
    ("who", "person"),
    [
        (Identity(), ADA), (Identity(WEB, ADA), ADA), (Identity(WEB, BOT, (ADA,)), ADA), (Identity(WEB), BOT),
        (Identity(WEB).acting_for(ADA), ADA),
    ],
)  # fmt: skip
def test_who_acts_for_nobody_else_by_a_context(who: Identity, person: Principal) -> None:
    with pytest.raises(ValueError, match=r"act|person"):
        who.acting_for(person)
