"""Who may decide a request: a member of the approvers' groups who has no part in it.

The API server is told the same by a ValidatingAdmissionPolicy. How an approver proves who they are is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock_core.identity import PrincipalKind
from penstock_core.resources.access_request import AccessRequestSpec


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who proved who they are, and wants to decide."""

    # As the record has it: a Kubernetes user, a token's subject, the name of a local token.
    name: str
    kind: PrincipalKind = "person"
    groups: frozenset[str] = frozenset()
    # Other names of theirs by which they may stand in a request: the subject behind a Kubernetes user name.
    also: frozenset[str] = frozenset()
    # Whether somebody acts in their name.
    delegated: bool = False


def objection(spec: AccessRequestSpec, approver: Approver) -> str:
    """Why the approver may not decide the request, in one line; empty if they may.

    Names are compared without their issuers: one who has the requester's name with another issuer is refused as well.
    """
    if approver.kind != "person" or approver.delegated:
        return f"{approver.name} may not decide: only a person who acts for themselves can approve or deny"
    if has_part(spec, approver):
        return f"{approver.name} may not decide: they asked for it, or the agent that asked acts for them"
    if approver.groups.isdisjoint(spec.approvers):
        groups = ", ".join(spec.approvers)
        return f"{approver.name} may not decide: they are in none of the approvers' groups ({groups})"
    return ""


def has_part(spec: AccessRequestSpec, approver: Approver) -> bool:
    """Whether the request is theirs, or one that acts for them."""
    return not _names(approver).isdisjoint(_involved(spec))


def _names(approver: Approver) -> frozenset[str]:
    return frozenset(name.casefold() for name in {approver.name, *approver.also})


def _involved(spec: AccessRequestSpec) -> frozenset[str]:
    """Everybody with a part in the request, by name."""
    requester = spec.requester
    principals = [one for one in (requester.principal, *requester.acts_for) if one is not None]
    names = {one.subject for one in principals}
    if requester.workload is not None:
        workload = requester.workload
        names.add(f"system:serviceaccount:{workload.namespace}:{workload.service_account}")
    return frozenset(name.casefold() for name in names)
