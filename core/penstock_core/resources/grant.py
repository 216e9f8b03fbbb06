"""Access for a time as gates are told of it: who has which policy in effect until when, and what can be asked for.

Whoever holds requests makes grants of them, and gates make offers of their policies. What doesn't belong: who is given
access (`penstock_core.approvals`), and what a policy in effect comes to (`penstock_core.policy`).
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import Field

from penstock_core.resources.access_policy import BreakGlass, DatabaseAccessPolicy, OnRequest, Subject
from penstock_core.resources.access_request import Digest, Requester
from penstock_core.resources.model import Model
from penstock_core.resources.vocabulary import Claim, Distinct, Duration, Many, ResourceName, Timestamp


class Grant(Model):
    """Access that lasts: a policy is in effect for somebody."""

    request: ResourceName
    """The request that it was given for."""
    policy: ResourceName
    """The policy that is in effect."""
    policy_digest: Digest
    """A hash of what it said when it was asked for."""
    requester: Requester
    """Whose access it is."""
    approvers: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()]
    """The groups of which somebody approved it, or is to review it."""
    duration: Duration
    """For how long it was asked for."""
    until: Timestamp
    """When it ends, at the latest."""
    decided_by: Annotated[str, Field(max_length=253)] = ""
    """Who approved it; nobody in an emergency."""
    break_glass: bool = False
    """Whether it is an emergency."""


class Offer(Model):
    """A policy that can be asked for."""

    policy: ResourceName
    """Its name."""
    policy_digest: Digest
    """A hash of what it says."""
    subjects: Annotated[Many[Subject], Field(min_length=1, max_length=64)]
    """Whom it is for."""
    on_request: OnRequest | None = None
    """How it can be asked for."""
    break_glass: BreakGlass | None = None
    """How it can be taken in an emergency."""

    @classmethod
    def of(cls, policy: DatabaseAccessPolicy) -> Offer:
        """What that policy offers."""
        spec = policy.spec
        return cls.model_validate(
            {
                "policy": policy.name,
                "policyDigest": policy_digest(policy),
                "subjects": spec.subjects,
                "onRequest": spec.on_request,
                "breakGlass": spec.break_glass,
            }
        )


def policy_digest(policy: DatabaseAccessPolicy) -> str:
    """64 hexadecimal digits that stand for what a policy says; the same wherever it was read."""
    said = {
        "namespace": policy.namespace,
        "name": policy.name,
        "spec": policy.spec.model_dump(mode="json", exclude_none=True),
    }
    written = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()
