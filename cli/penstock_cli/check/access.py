"""`--with-access`: policies that are asked for, as if the identity had been given them.

What doesn't belong: who may be given them (`penstock_core.approvals`), and judging (`judging.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from penstock_cli.failures import Unusable
from penstock_core.approvals.standing import written
from penstock_core.identity import Identity, Principal
from penstock_core.policy.access import askable
from penstock_core.resources import Bundle
from penstock_core.resources.access_request import Requester, RequestingPrincipal, RequestingWorkload
from penstock_core.resources.grant import Grant, policy_digest
from penstock_core.resources.vocabulary import milliseconds


def with_access(bundle: Bundle, who: Identity, names: Iterable[str], now: datetime | None) -> Bundle:
    """The bundle in which they have these. Raises Unusable for what they can't be given."""
    at = now or datetime.now(UTC)
    possible = {policy.name: policy for policy in askable(bundle, who, at)}
    grants: list[Grant] = []
    for name in dict.fromkeys(names):
        policy = possible.get(name)
        if policy is None:
            known = ", ".join(sorted(possible)) or "none"
            raise Unusable(f"--with-access: {who.name} can't ask for a policy {name}; they can for: {known}")
        offers, glass = policy.spec.on_request, policy.spec.break_glass
        longest = offers.max_duration if offers is not None else glass.max_duration if glass is not None else "1h"
        groups = offers.approvers.groups if offers is not None else glass.reviewers.groups if glass is not None else ()
        # Not validated: whom one checks for may have no issuer, which no request could be without.
        grants.append(
            Grant.model_construct(
                request=f"check-{len(grants)}", policy=name, policy_digest=policy_digest(policy),
                requester=_requester(who), approvers=groups, duration=longest,
                until=written(at + timedelta(milliseconds=milliseconds(longest))),
                decided_by="nobody yet" if offers is not None else "", break_glass=offers is None,
            )
        )  # fmt: skip
    return bundle.model_copy(update={"grants": tuple(grants)})


def _requester(who: Identity) -> Requester:
    workload, principal = who.workload, who.principal
    return Requester.model_construct(
        workload=None
        if workload is None
        else RequestingWorkload.model_construct(
            namespace=workload.namespace, service_account=workload.service_account, pod=workload.pod, pod_uid=""
        ),
        principal=None if principal is None else _principal(principal),
        acts_for=tuple(_principal(one) for one in who.acts_for),
    )


def _principal(one: Principal) -> RequestingPrincipal:
    return RequestingPrincipal.model_construct(kind=one.kind, subject=one.subject, issuer=one.issuer, groups=one.groups)
