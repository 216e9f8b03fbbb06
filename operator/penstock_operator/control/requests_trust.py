"""What of a gate's question control takes from its own policies: who may approve, and for how long.

A gate is trusted for the statement alone, which it alone sees. What doesn't belong: whose token it is (`tokens.py`).
"""

from __future__ import annotations

from penstock_core.approvals.asking import Asking
from penstock_core.approvals.requester import identity_of
from penstock_core.policy.subjects import is_for
from penstock_core.resources.access_policy import Approval
from penstock_core.resources.access_request import HeldBy, RequestingWorkload
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.vocabulary import milliseconds
from penstock_core.token_review import Pod
from penstock_operator.control.policies import Policies, Topic


class NotItsOwnError(Exception):
    """A gate asks for another than its own pod."""


class RefusedError(Exception):
    """There is nothing to ask for; the text says why and what to do."""


def trusted(asking: Asking, pod: Pod, policies: Policies) -> Asking:
    """The question with approvers and expiry as the policy has them. Raises NotItsOwnError, RefusedError."""
    asking_pod = asking.requester.workload
    if asking_pod is None or _pod(asking_pod) != pod:
        raise NotItsOwnError(f"a pod asks for itself alone; this token is {pod.namespace}/{pod.name}'s")
    topic = policies.topic(pod.namespace, asking.database_ref.name)
    if topic is None:
        raise RefusedError(f"there is no usable Database {asking.database_ref.name} in {pod.namespace}")
    rules = [_trusted(held, topic, asking) for held in asking.all_held_by]
    life = min((*(rule.expires_after for _, rule in rules), asking.expires_after), key=milliseconds)
    first, *others = (held for held, _ in rules)
    return asking.model_copy(update={"held_by": first, "also_held_by": tuple(others) or None, "expires_after": life})


def _trusted(held: HeldBy, topic: Topic, asking: Asking) -> tuple[HeldBy, Approval]:
    """One of the rules, with approvers as the policy has them, and bound to what the policies say."""
    bundle = topic.bundle
    if held.policy_generation != bundle.generation:
        raise RefusedError(
            f"the policies are of generation {bundle.generation}, and the statement was decided by generation "
            f"{held.policy_generation}; run it again"
        )
    rule = _rule(held, bundle, asking)
    # A gate may name fewer than the policy: one from before each rule had a request of its own names those of all.
    groups = tuple(group for group in rule.approvers.groups if group in held.approvers)
    if not groups:
        raise RefusedError(f"nobody may approve: policy {held.policy} names other approvers for {held.approval}")
    return held.model_copy(update={"approvers": groups, "policy_digest": topic.digest}), rule


def _rule(held: HeldBy, bundle: Bundle, asking: Asking) -> Approval:
    try:
        # An agent that acts for somebody does what both may, so the rule may be for either.
        parties = identity_of(asking.requester).parties
    except ValueError as problem:
        raise RefusedError(f"there is no such requester: {problem}") from None
    for policy in bundle.policies:
        if policy.name == held.policy and any(is_for(policy, one) for one in parties):
            for rule in policy.spec.approvals or ():
                if rule.name == held.approval:
                    return rule
    raise RefusedError(
        f"no approval {held.approval} of a policy {held.policy} is for this requester, Database {bundle.database.name}"
    )


def _pod(workload: RequestingWorkload) -> Pod:
    return Pod(workload.namespace, workload.service_account, workload.pod, workload.pod_uid)
