"""From the claims of a verified token to whom it names: the subject, its groups, and the agent that acts for it.

Signature and lifetime were checked before (`tokens.py`). What is not understood is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_core.identity import MOST_ACTED_FOR, Identity, Principal, PrincipalKind, Workload
from penstock_core.token_claims import Claims, is_text, value
from penstock_sidecar.proxy.issuers import Issuer, TokenError

_KINDS: Mapping[str, PrincipalKind] = {"person": "person", "agent": "agent", "service": "service"}
# As long as policies can name them.
_LONGEST_NAME = 256
_MOST_GROUPS = 4096
# What stands for the end of a chain of actors.
_END = object()


def identity(claims: Claims, issuer: Issuer, workload: Workload | None) -> Identity:
    """Whom the token names. Raises TokenError."""
    subject = Principal(
        _kind(claims, issuer), _subject(claims, issuer), issuer.issuer, _groups(claims, issuer.groups_claim)
    )
    found = _actors(claims, issuer)
    if not found:
        return Identity(workload, subject)
    nearest, *earlier = found
    names = {subject.subject, str(claims["sub"])}
    if any(one.issuer == issuer.issuer and one.subject in names for one in (nearest, *earlier)):
        raise TokenError(
            "the token says that somebody acts for themselves", "get one of another agent, or one that names none"
        )
    return Identity(workload, nearest, (*earlier, subject))


def _subject(claims: Claims, issuer: Issuer) -> str:
    found = value(claims, issuer.subject_claim)
    if issuer.subject_claim == "email" and claims.get("email_verified", True) is not True:
        raise TokenError(
            "the token's email is not verified (claim email_verified)", "verify the address with the issuer"
        )
    return _name(found, issuer.subject_claim)


def _name(found: object, claim: str) -> str:
    if found is None:
        raise TokenError(f"the token lacks the claim {claim}")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_NAME or not found.isprintable():
        raise TokenError(f"the token's claim {claim} is not a name of at most {_LONGEST_NAME} characters")
    return found


def _kind(claims: Claims, issuer: Issuer) -> PrincipalKind:
    if issuer.kind_claim is None:
        return issuer.kind
    found = value(claims, issuer.kind_claim)
    if found is None:
        return issuer.kind
    kinds = issuer.kinds or _KINDS
    if not isinstance(found, str) or found not in kinds:
        raise TokenError(
            f"the token's claim {issuer.kind_claim} is of no kind that is known here",
            "have it say person, agent or service, or list its values in the issuer's kinds",
        )
    return kinds[found]


def _groups(claims: Claims, path: str) -> tuple[str, ...]:
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, Mapping) and path in elsewhere:
        raise TokenError(
            "the token leaves out its groups because they are too many (claim _claim_names)",
            "have the issuer send only groups that are assigned to the application",
        )
    found = value(claims, path)
    groups = [] if found is None else [found] if isinstance(found, str) else found
    if not isinstance(groups, list) or not all(map(is_text, groups)):
        raise TokenError(f"the token's claim {path} is not a list of names")
    if len(groups) > _MOST_GROUPS:
        raise TokenError(f"the token's claim {path} has more than {_MOST_GROUPS} groups")
    return tuple(sorted(set(groups)))


def _actors(claims: Claims, issuer: Issuer) -> list[Principal]:
    """Who acts, and from whom they had the work, nearest first; nobody, where the subject acts."""
    delegation = issuer.delegation
    if delegation is None or delegation.actor_claim == "act":
        found = _chain(claims["act"], issuer) if "act" in claims else []
    elif "act" in claims:
        raise TokenError(
            f"the token names an agent in the claim act, which its issuer does here in {delegation.actor_claim}",
            "get one without act, or have the issuer's delegation.actorClaim say act",
        )
    else:
        # Of such an issuer, every token is an agent's: one that names none must not have more rights for it.
        name = _name(value(claims, delegation.actor_claim), delegation.actor_claim)
        found = [Principal("agent", name, issuer.issuer)]
    if found and delegation is not None and not delegation.covers(found[0].subject):
        raise TokenError(
            f"the token's issuer may not vouch for this agent here (claim {delegation.actor_claim})",
            "list the agent in the issuer's delegation.agents",
        )
    return found


def _chain(act: object, issuer: Issuer) -> list[Principal]:
    """The actors of the claim `act`, nearest first."""
    if issuer.delegation is None:
        raise TokenError(
            "the token says that an agent acts for somebody (claim act), and its issuer may not vouch for that here",
            "allow it with delegation in the issuer's settings, or present the agent's own token",
        )
    found: list[Principal] = []
    while act is not _END:
        if not isinstance(act, Mapping):
            raise TokenError("the token's claim act is not an object")
        if len(found) == MOST_ACTED_FOR:
            raise TokenError(
                f"the token's claim act is a chain of more than {MOST_ACTED_FOR}", "have fewer agents pass the work on"
            )
        found.append(_actor(act, issuer, groups_claim="" if found else issuer.delegation.groups_claim))
        act = act.get("act", _END)
    return found


def _actor(act: Claims, issuer: Issuer, *, groups_claim: str) -> Principal:
    """One of the chain; of the agents that passed the work on, without `groups_claim`, no groups are told."""
    subject = _name(act.get("sub"), "act.sub")
    of = act.get("iss", issuer.issuer)
    if groups_claim and of != issuer.issuer:
        raise TokenError(
            "the token's issuer names an agent of another issuer (claim act.iss)",
            "have the agent be one of the issuer's own",
        )
    groups = _groups(act, groups_claim) if groups_claim else ()
    return Principal("agent", subject, _name(of, "act.iss"), groups)
