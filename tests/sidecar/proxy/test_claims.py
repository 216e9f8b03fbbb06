"""What claims mean: subject, kind and groups where an issuer has them, and the agents that act for a subject."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.identity import Identity, Principal, Workload
from penstock_sidecar.proxy.claims import identity
from penstock_sidecar.proxy.issuers import Delegation, Issuer, TokenError

ISSUER = "https://issuer.example"
WEB = Workload("shop", "web")
PLAIN = Issuer(ISSUER, "penstock", "person")
DELEGATING = Issuer(ISSUER, "penstock", "person", delegation=Delegation(("bot", "team-*")))
BY_CLIENT = Issuer(ISSUER, "penstock", "person", delegation=Delegation(("bot",), actor_claim="azp"))
ADA = Principal("person", "ada", ISSUER, ("dpo",))


def claims(**more: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "sub": "ada", "groups": ["dpo"], **more}


def agent(name: str = "bot", *groups: str, issuer: str = ISSUER) -> Principal:
    return Principal("agent", name, issuer, groups)


def chain(length: int) -> dict[str, Any]:
    """An `act` of that many actors."""
    act: dict[str, Any] = {"sub": f"agent-{length}"}
    for place in reversed(range(1, length)):
        act = {"sub": f"agent-{place}", "act": act}
    return act | {"sub": "bot"}


GOOD: dict[str, tuple[Issuer, dict[str, Any], Identity]] = {
    "a person": (PLAIN, claims(), Identity(WEB, ADA)),
    "no groups": (PLAIN, {"iss": ISSUER, "sub": "ada"}, Identity(WEB, Principal("person", "ada", ISSUER))),
    "one group": (PLAIN, claims(groups="dpo"), Identity(WEB, ADA)),
    "groups further in": (
        Issuer(ISSUER, "penstock", "person", groups_claim="realm_access.roles"),
        claims(realm_access={"roles": ["b", "a", "b"]}),
        Identity(WEB, Principal("person", "ada", ISSUER, ("a", "b"))),
    ),
    "groups under a name with dots": (
        Issuer(ISSUER, "penstock", "person", groups_claim="https://app.example/groups"),
        claims(**{"https://app.example/groups": ["a"]}),
        Identity(WEB, Principal("person", "ada", ISSUER, ("a",))),
    ),
    "another claim for the subject": (
        Issuer(ISSUER, "penstock", "person", subject_claim="email"),
        claims(email="ada@example.com", email_verified=True),
        Identity(WEB, Principal("person", "ada@example.com", ISSUER, ("dpo",))),
    ),
    "the kind by a claim": (
        Issuer(ISSUER, "penstock", "person", kind_claim="kind"), claims(kind="agent"),
        Identity(WEB, agent("ada", "dpo")),
    ),
    "the kind by a claim's values": (
        Issuer(ISSUER, "penstock", "person", kind_claim="idtyp", kinds={"app": "service"}), claims(idtyp="app"),
        Identity(WEB, Principal("service", "ada", ISSUER, ("dpo",))),
    ),
    "the kind by a claim that is not there": (
        Issuer(ISSUER, "penstock", "person", kind_claim="idtyp", kinds={"app": "service"}), claims(), Identity(WEB, ADA)
    ),
    "an agent for a person": (DELEGATING, claims(act={"sub": "bot"}), Identity(WEB, agent(), (ADA,))),
    "an agent with groups, by the start of its name": (
        DELEGATING, claims(act={"sub": "team-x", "groups": ["b", "a"]}),
        Identity(WEB, agent("team-x", "a", "b"), (ADA,)),
    ),
    "an agent with groups of its own further in": (
        Issuer(ISSUER, "penstock", "person", delegation=Delegation(("bot",), "realm.roles")),
        claims(act={"sub": "bot", "realm": {"roles": ["a"]}}), Identity(WEB, agent("bot", "a"), (ADA,)),
    ),
    "an agent that had the work from others, of whom no groups are told": (
        DELEGATING,
        claims(act={"sub": "bot", "act": {"sub": "x", "groups": ["dpo"], "act": {"sub": "y", "iss": "https://o"}}}),
        Identity(WEB, agent(), (agent("x"), agent("y", issuer="https://o"), ADA)),
    ),
    "the client that the token was given to": (BY_CLIENT, claims(azp="bot"), Identity(WEB, agent(), (ADA,))),
    "a chain of eight": (
        DELEGATING, claims(act=chain(8)),
        Identity(WEB, agent(), (*(agent(f"agent-{place}") for place in range(2, 9)), ADA)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("issuer", "given", "meant"), GOOD.values(), ids=GOOD)
def test_whom_claims_name(issuer: Issuer, given: dict[str, Any], meant: Identity) -> None:
    assert identity(given, issuer, WEB) == meant


NOT_HERE = "the token says that an agent acts for somebody (claim act), and its issuer may not vouch for that here"
BAD: dict[str, tuple[Issuer, dict[str, Any], str]] = {
    "an issuer that may not": (PLAIN, claims(act={"sub": "bot"}), NOT_HERE),
    "an act that says nothing, of an issuer that may not": (PLAIN, claims(act=None), NOT_HERE),
    "an agent that may not": (
        DELEGATING, claims(act={"sub": "robot"}), "the token's issuer may not vouch for this agent here (claim act)"
    ),
    "an agent that may, behind one that may not": (
        DELEGATING, claims(act={"sub": "robot", "act": {"sub": "bot"}}),
        "the token's issuer may not vouch for this agent here (claim act)",
    ),
    "an agent of another issuer": (
        DELEGATING, claims(act={"sub": "bot", "iss": "https://evil.example"}),
        "the token's issuer names an agent of another issuer (claim act.iss)",
    ),
    "a client that may not": (
        BY_CLIENT, claims(azp="robot"), "the token's issuer may not vouch for this agent here (claim azp)"
    ),
    "no client, where each token has to name one": (BY_CLIENT, claims(), "the token lacks the claim azp"),
    "a client that is no name": (
        BY_CLIENT, claims(azp=["bot"]), "the token's claim azp is not a name of at most 256 characters"
    ),
    "act, where the client is the agent": (
        BY_CLIENT, claims(azp="bot", act={"sub": "bot"}),
        "the token names an agent in the claim act, which its issuer does here in azp",
    ),
    "a client by itself": (BY_CLIENT, claims(sub="bot", azp="bot"), "the token says that somebody acts for themselves"),
    "act without sub": (DELEGATING, claims(act={"client_id": "bot"}), "the token lacks the claim act.sub"),
    "an empty act": (DELEGATING, claims(act={}), "the token lacks the claim act.sub"),
    "act that is a name": (DELEGATING, claims(act="bot"), "the token's claim act is not an object"),
    "act that is a list": (DELEGATING, claims(act=[{"sub": "bot"}]), "the token's claim act is not an object"),
    "act that is nothing": (DELEGATING, claims(act=None), "the token's claim act is not an object"),
    "act that is false": (DELEGATING, claims(act=False), "the token's claim act is not an object"),
    "an earlier act that is no object": (
        DELEGATING, claims(act={"sub": "bot", "act": "x"}), "the token's claim act is not an object"
    ),
    "an earlier act that is nothing": (
        DELEGATING,
        claims(act={"sub": "bot", "act": None}),
        "the token's claim act is not an object",
    ),
    "an earlier act without sub": (
        DELEGATING, claims(act={"sub": "bot", "act": {}}), "the token lacks the claim act.sub"
    ),
    "an agent whose name is no text": (
        DELEGATING, claims(act={"sub": 5}), "the token's claim act.sub is not a name of at most 256 characters"
    ),
    "an agent's groups that are none": (
        DELEGATING, claims(act={"sub": "bot", "groups": 5}), "the token's claim groups is not a list of names"
    ),
    "a chain of nine": (DELEGATING, claims(act=chain(9)), "the token's claim act is a chain of more than 8"),
    "an actor equal to the subject": (
        DELEGATING, claims(sub="bot", act={"sub": "bot"}),
        "the token says that somebody acts for themselves"
    ),
    "an earlier actor equal to the subject": (
        DELEGATING, claims(act={"sub": "bot", "act": {"sub": "ada"}}),
        "the token says that somebody acts for themselves",
    ),
    "an actor equal to the subject, which goes by another name": (
        Issuer(ISSUER, "penstock", "person", subject_claim="email", delegation=Delegation(("bot",))),
        claims(sub="bot", email="bot@example.com", act={"sub": "bot"}),
        "the token says that somebody acts for themselves",
    ),
    "no subject where it should be": (
        Issuer(ISSUER, "penstock", "person", subject_claim="email"), claims(), "the token lacks the claim email"
    ),
    "an address that is not verified": (
        Issuer(ISSUER, "penstock", "person", subject_claim="email"),
        claims(email="root@example.com", email_verified=False),
        "the token's email is not verified (claim email_verified)",
    ),
    "a kind that is not known": (
        Issuer(ISSUER, "penstock", "person", kind_claim="kind"), claims(kind="robot"),
        "the token's claim kind is of no kind that is known here",
    ),
    "a kind that is no text": (
        Issuer(ISSUER, "penstock", "person", kind_claim="kind"), claims(kind=["person"]),
        "the token's claim kind is of no kind that is known here",
    ),
    "groups that are elsewhere": (
        PLAIN, {"iss": ISSUER, "sub": "ada", "_claim_names": {"groups": "src1"}},
        "the token leaves out its groups because they are too many (claim _claim_names)",
    ),
    "a group that no record can hold": (
        PLAIN, claims(groups=["dpo", "\ud800"]), "the token's claim groups is not a list of names"
    ),
    "an agent's group that no record can hold": (
        DELEGATING, claims(act={"sub": "bot", "groups": ["\udfff"]}), "the token's claim groups is not a list of names"
    ),
    "groups of no names": (PLAIN, claims(groups=[1]), "the token's claim groups is not a list of names"),
    "more groups than anybody has": (
        PLAIN, claims(groups=[str(place) for place in range(5000)]),
        "the token's claim groups has more than 4096 groups"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("issuer", "given", "words"), BAD.values(), ids=BAD)
def test_claims_that_are_refused(issuer: Issuer, given: dict[str, Any], words: str) -> None:
    with pytest.raises(TokenError) as refused:
        identity(given, issuer, WEB)
    assert str(refused.value) == words
