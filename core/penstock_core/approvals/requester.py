"""Who asks for approval: an identity, as requests have it, and back."""

from __future__ import annotations

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.resources.access_request import Requester, RequestingPrincipal, RequestingWorkload

# The most groups that a request names; of more, the first in the order of the alphabet.
_MOST_GROUPS = 256


def requester(identity: Identity) -> Requester:
    """The identity as it asks. Raises ValidationError where a request can't hold it."""
    return Requester.model_validate(
        {
            "workload": _workload(identity.workload),
            "principal": _principal(identity.principal),
            "actsFor": [_principal(one) for one in identity.acts_for],
        }
    )


def identity_of(requester: Requester) -> Identity:
    """Who that is. Raises ValueError for a chain that can't be."""
    workload, principal = requester.workload, requester.principal
    # An application acts for people by contexts, an agent mostly by its token; both parties count in either case.
    by_context = bool(requester.acts_for) and (principal is None or principal.kind == "service")
    return Identity(
        None if workload is None else Workload(workload.namespace, workload.service_account, workload.pod),
        None if principal is None else _proved(principal),
        tuple(_proved(one) for one in requester.acts_for),
        by_context,
    )


def _proved(one: RequestingPrincipal) -> Principal:
    return Principal(one.kind, one.subject, one.issuer, one.groups)


def _workload(workload: Workload | None) -> RequestingWorkload | None:
    if workload is None:
        return None
    return RequestingWorkload.model_validate(
        {
            "namespace": workload.namespace, "serviceAccount": workload.service_account, "pod": workload.pod,
            "podUid": workload.pod_uid,
        }
    )  # fmt: skip


def _principal(principal: Principal | None) -> RequestingPrincipal | None:
    if principal is None:
        return None
    groups = tuple(sorted(set(principal.groups)))[:_MOST_GROUPS]
    return RequestingPrincipal(kind=principal.kind, subject=principal.subject, issuer=principal.issuer, groups=groups)
