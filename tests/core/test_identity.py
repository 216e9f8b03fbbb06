"""How identities are named to people and written into audit events."""

from __future__ import annotations

import pytest

from penstock_core.identity import Identity, Principal, Workload

WEB = Workload("shop", "web", pod="web-1", pod_uid="4f5e")
ADA = Principal("person", "ada", "https://id.example.com", ("dpo", "staff"))


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (Identity(), "nobody"),
        (Identity(workload=WEB), "sa:shop/web"),
        (Identity(principal=ADA), "person:ada"),
        (Identity(workload=WEB, principal=Principal("agent", "bot", "https://id.example.com")), "agent:bot"),
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
