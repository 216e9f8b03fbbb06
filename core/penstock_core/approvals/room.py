"""Whether a holder has room for one more request: one person's, or one agent's, leave room for those of all others.

Gates that serve many people ask for all of them. What one requester may have is `asking.py`'s; how many requests there
may be in all, whoever they say they are for, is each holder's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from penstock_core.resources.access_request import Requester, RequestingPrincipal

# Of those that wait: with a part of this person, by themselves and by all who act for them; with a part of this agent
# or service, which may act for many.
MOST_OF_A_PERSON = 60
MOST_OF_AN_AGENT = 200
# What is kept though it is over may be so many times as much.
_TIMES_UNDECIDED = 3
# Everybody with a part in a request, by kind, issuer and name.
Parties = frozenset[tuple[str, str, str]]


def parties(requester: Requester) -> Parties:
    """Who has a part in what that one asks for: but for the pod, which may be everybody's."""
    return frozenset(_party(one) for one in _principals(requester))


def no_room(
    requester: Requester, others: Iterable[Parties], more: int, what: Literal["waiting", "undecided"] = "waiting"
) -> str:
    """Why `more` requests of this requester have no place beside those others; empty if they have."""
    counted = Counter(party for one in others for party in one)
    times = 1 if what == "waiting" else _TIMES_UNDECIDED
    for one in _principals(requester):
        most = times * (MOST_OF_A_PERSON if one.kind == "person" else MOST_OF_AN_AGENT)
        there = counted[_party(one)]
        if there + more <= most:
            continue
        has = f"{there} requests that {one.kind} {one.subject} has a part in"
        if what == "waiting":
            return f"{has} wait already; have some decided first"
        return f"{has} were not decided of late; ask in an hour"
    return ""


def _principals(requester: Requester) -> Sequence[RequestingPrincipal]:
    own = () if requester.principal is None else (requester.principal,)
    return (*own, *requester.acts_for)


def _party(one: RequestingPrincipal) -> tuple[str, str, str]:
    """Without the groups, which may change from one token to the next."""
    return one.kind, one.issuer, one.subject
