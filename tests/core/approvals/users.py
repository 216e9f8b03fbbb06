"""Users of the Kubernetes API who want to decide one request, and what each is told: asked of our code and of the
API server with the chart's admission policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock_core.approvals.kubernetes_user import KubernetesUser

PREFIXES = ("oidc:",)
# An agent asked, for a person who asked for another one: nobody of them decides.
SPEC: dict[str, Any] = {
    "databaseRef": {"name": "shop"},
    "heldBy": {"policy": "support", "approval": "deletes", "policyGeneration": 3, "approvers": ["dba", "owners"]},
    "statement": {"sql": "DELETE FROM orders"},
    "requester": {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
        "principal": {"kind": "agent", "subject": "bot", "issuer": "https://id.example"},
        "actsFor": [
            {"kind": "person", "subject": "ada@shop.example", "issuer": "https://id.example"},
            {"kind": "person", "subject": "Cem", "issuer": "https://id.example"},
        ],
    },
    "expiresAt": "2040-01-31T12:00:00Z",
    "nonce": "00112233445566778899aabbccddeeff",
}
DBA = frozenset({"dba"})
_ACCOUNTS = frozenset({"system:serviceaccounts", "system:serviceaccounts:shop"})
PART, PERSON, GROUP = "they asked for it", "only a person", "in none of the approvers' groups (dba, owners)"


@dataclass(frozen=True, slots=True)
class Case:
    """A user, and what they are told; "" if they may decide."""

    user: KubernetesUser
    told: str = ""
    # What only our own code sees, when the approval is to be used: the API server has no such comparison of letters.
    told_at_use: str = ""

    @property
    def id(self) -> str:
        return self.user.username or "nobody"


def _user(name: str, *groups: str, uid: str = "", **extra: str) -> KubernetesUser:
    return KubernetesUser(name, frozenset(groups or DBA), uid, {key: [value] for key, value in extra.items()})


CASES = (
    Case(_user("bea")),
    Case(_user("oidc:bea")),
    Case(_user("https://id.example#bea")),
    Case(_user("bea-of-owners", "staff", "owners")),
    Case(_user("bea-with-a-claim", subject="bea")),
    Case(_user("ada")),
    Case(_user("shop.example")),
    # The people in the chain, by whatever name.
    Case(_user("ada@shop.example"), PART),
    Case(_user("ADA@Shop.Example"), PART),
    Case(_user("oidc:ada@shop.example"), PART),
    Case(_user("oidc:ADA@shop.example"), PART),
    Case(_user("https://id.example#ada@shop.example"), PART),
    Case(_user("https://other.example#ada@shop.example"), PART),
    Case(_user("ada-by-a-claim", subject="ada@shop.example"), PART),
    Case(_user("ada-by-another-claim", subject="a-1", email="Ada@shop.example"), PART),
    Case(_user("ada-by-uid", uid="ada@shop.example"), PART),
    Case(_user("cem"), PART),
    Case(_user("oidc:cem"), PART),
    Case(_user("bot"), PART),
    Case(_user("oidc:bot"), PART),
    # No persons.
    Case(_user("system:serviceaccount:shop:web", "dba", *_ACCOUNTS), PERSON),
    Case(_user("system:serviceaccount:shop:other", "dba", *_ACCOUNTS), PERSON),
    Case(_user("system:serviceaccount:shop:other"), PERSON),
    Case(_user("renamed", "dba", "system:serviceaccounts"), PERSON),
    Case(_user("system:node:node1", "dba", "system:nodes"), PERSON),
    Case(_user("system:admin", "dba", "system:masters"), PERSON),
    # Not of the groups, also if they may do anything in the cluster.
    Case(_user("bea-outside", "staff"), GROUP),
    Case(_user("bea-almost", "DBA", "dba2", "oidc:dba"), GROUP),
    Case(_user("root", "system:masters"), GROUP),
)
# One name to those who fold letters, two to those who don't.
FOLDED = (
    Case(_user("strasse"), told_at_use=PART),
    Case(_user("oidc:STRASSE"), told_at_use=PART),
)
