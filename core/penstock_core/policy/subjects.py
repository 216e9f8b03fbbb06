"""Whom a policy is for: whether a subject is a pod's workload, or somebody who proved themselves; and which of a
bundle's policies are for an identity.

What follows from it is `combine.py`'s and `revocation.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from penstock_core.identity import Identity, Principal
from penstock_core.resources.access_policy import DatabaseAccessPolicy, IdentitySubject, Subject
from penstock_core.resources.bundle import Bundle


def is_for(policy: DatabaseAccessPolicy, identity: Identity) -> bool:
    """Whether any of the policy's subjects is the identity; of an agent that acts for somebody, the agent."""
    return matches(policy.spec.subjects, identity, policy.namespace)


def matches(subjects: Iterable[Subject], identity: Identity, namespace: str) -> bool:
    """Whether any of these subjects, of a policy in that namespace, is the identity."""
    return any(_is(subject, identity, namespace) for subject in subjects)


def policies_for(bundle: Bundle, identity: Identity) -> list[DatabaseAccessPolicy]:
    """Those of the bundle's policies that are for the identity, by name; of whatever mode."""
    possible: dict[str, DatabaseAccessPolicy] = {}
    if (workload := identity.workload) is not None:
        found = bundle.by_subject.of_workload(workload.service_account, workload.pod)
        possible |= {policy.name: policy for policy in found}
    if (principal := identity.principal) is not None:
        found = bundle.by_subject.of_principal(principal.subject, principal.groups)
        possible |= {policy.name: policy for policy in found}
    return [policy for _, policy in sorted(possible.items()) if is_for(policy, identity)]


def opened_to(bundle: Bundle, identity: Identity) -> bool:
    """Whether policies that give something are for each party of the identity, an agent and those it acts for."""
    return all(
        any(policy.spec.mode != "revoke" for policy in policies_for(bundle, party)) for party in identity.parties
    )


def _is(subject: Subject, identity: Identity, namespace: str) -> bool:
    workload, principal = identity.workload, identity.principal
    if subject.service_account is not None:
        name = subject.service_account.name
        return workload is not None and (workload.namespace, workload.service_account) == (namespace, name)
    if subject.pod is not None:
        return workload is not None and (workload.namespace, workload.pod) == (namespace, subject.pod.name)
    return subject.identity is not None and principal is not None and _proved(subject.identity, principal)


def _proved(wanted: IdentitySubject, principal: Principal) -> bool:
    """Whether all that is wanted holds of the principal."""
    return (
        wanted.kind in {None, principal.kind}
        and wanted.subject in {None, principal.subject}
        and wanted.issuer in {None, principal.issuer}
        and (wanted.groups is None or not set(wanted.groups).isdisjoint(principal.groups))
    )
