"""Which policies are in effect for an identity because somebody gave it access for a time, or it broke the glass.

A grant counts for the very identity that asked, for the policy as it was asked for, and until its end. Who gives access
is `penstock_core.approvals`'s; what a policy in effect gives is `combine.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from penstock_core.identity import Identity, Principal
from penstock_core.policy.subjects import policies_for
from penstock_core.resources.access_policy import BreakGlass, DatabaseAccessPolicy, OnRequest
from penstock_core.resources.access_request import Requester, RequestingPrincipal
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.grant import Grant, policy_digest
from penstock_core.resources.vocabulary import milliseconds

# How far the clock of whoever holds requests may be ahead of a gate's. A grant that would last longer is none.
MOST_SKEW = timedelta(minutes=5)


def granted(bundle: Bundle, identity: Identity, now: datetime | None) -> tuple[Grant, ...]:
    """The grants that count for an identity at that time, by their policies' names; none where no time is known.

    Each is checked against the policy itself: whoever holds requests can give no more than that offers.
    """
    if now is None or not bundle.grants:
        return ()
    policies = {policy.name: policy for policy in _for(bundle, identity)}
    found = [
        one
        for one in bundle.grants
        if one.policy in policies and _theirs(one, identity) and _holds(one, policies[one.policy], identity, now)
    ]
    return tuple(sorted(found, key=lambda one: (one.policy, one.break_glass, one.request)))


def askable(bundle: Bundle, identity: Identity, now: datetime | None) -> Iterator[DatabaseAccessPolicy]:
    """The policies that the identity can ask for, or take in an emergency, and has not."""
    names = {one.policy for one in granted(bundle, identity, now)}
    for policy in _for(bundle, identity):
        spec = policy.spec
        if not spec.by_request or policy.name in names:
            continue
        if spec.on_request is not None or (spec.break_glass is not None and _may_break(spec.break_glass, identity)):
            yield policy


def in_effect(policies: Iterable[DatabaseAccessPolicy], grants: Iterable[Grant]) -> list[DatabaseAccessPolicy]:
    """Those of the policies that are in effect whoever asks, and those that were given."""
    names = {one.policy for one in grants}
    return [policy for policy in policies if not policy.spec.by_request or policy.name in names]


def grantee(requester: Requester) -> tuple[object, ...]:
    """Whose access it is, the same from one session to the next: who proved themselves, or a service account;
    with whom they act for.

    Groups are not in it: whether the policy is for them is asked of each session.
    """
    chain = tuple(_named(one) for one in requester.acts_for)
    if requester.principal is not None:
        return (_named(requester.principal), chain)
    workload = requester.workload
    return () if workload is None else ("pods", workload.namespace, workload.service_account, chain)


def _theirs(one: Grant, identity: Identity) -> bool:
    workload, chain = identity.workload, tuple(_named(each) for each in identity.acts_for)
    if identity.principal is not None:
        mine: tuple[object, ...] = (_named(identity.principal), chain)
    else:
        mine = () if workload is None else ("pods", workload.namespace, workload.service_account, chain)
    return bool(mine) and grantee(one.requester) == mine


def _named(one: Principal | RequestingPrincipal) -> tuple[str, str, str]:
    return one.kind, one.subject, one.issuer


def _holds(one: Grant, policy: DatabaseAccessPolicy, identity: Identity, now: datetime) -> bool:
    spec = policy.spec
    terms: BreakGlass | OnRequest | None = spec.break_glass if one.break_glass else spec.on_request
    if terms is None or one.policy_digest != policy_digest(policy):
        return False
    if isinstance(terms, BreakGlass):
        if not _may_break(terms, identity) or not set(one.approvers) <= set(terms.reviewers.groups):
            return False
    elif not one.decided_by or not set(one.approvers) <= set(terms.approvers.groups):
        return False
    longest = timedelta(milliseconds=milliseconds(terms.max_duration))
    asked = timedelta(milliseconds=milliseconds(one.duration))
    until = datetime.fromisoformat(one.until)
    return asked <= longest and now < until <= now + longest + MOST_SKEW


def _for(bundle: Bundle, identity: Identity) -> list[DatabaseAccessPolicy]:
    """The policies that are for any of those whose rights decide, by name."""
    found = {policy.name: policy for party in identity.parties for policy in policies_for(bundle, party)}
    return [policy for _, policy in sorted(found.items())]


def _may_break(terms: BreakGlass, identity: Identity) -> bool:
    """A person by name, who acts for themselves."""
    who = identity.principal
    if who is None or who.kind != "person" or identity.acts_for:
        return False
    return terms.groups is None or not set(terms.groups).isdisjoint(who.groups)
