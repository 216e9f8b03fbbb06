"""The resource `AccessRequest`: one statement that waits for somebody's approval, and what became of it.

The shape is what a held statement is bound to. What doesn't belong: who may do what with it
(`penstock_core.approvals`).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from penstock_core.resources.model import Model, NameReference, Resource, Status, ValidationRule
from penstock_core.resources.vocabulary import (
    HEX,
    Claim,
    Distinct,
    Many,
    Namespace,
    Remark,
    ResourceName,
    Timestamp,
)

_NOT_APPROVED = "only what was approved can be used"

_Digest = Annotated[str, Field(min_length=64, max_length=64, pattern=HEX)]


class HeldBy(Model):
    """The rule that holds the statement."""

    policy: ResourceName
    """The DatabaseAccessPolicy."""
    approval: ResourceName
    """The name of the approval within it."""
    policy_generation: Annotated[int, Field(ge=0)]
    """The generation of the policies that the statement was decided by. A newer one ends the request."""
    approvers: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()]
    """The groups of which any member may approve, as the policy names them."""


class Setting(Model):
    """A setting of the session that changes what a statement means."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """The setting's name: search_path, role."""
    value: Annotated[str, Field(max_length=1024)]
    """Its value."""


class HeldStatement(Model):
    """The very statement that is asked for; an approval is of no use to any other."""

    sql: Annotated[str, Field(min_length=1, max_length=65536)]
    """Its text."""
    parameters_digest: _Digest | None = None
    """A keyed hash of the values of its parameters."""
    settings: Annotated[Many[Setting], Field(max_length=64)] = ()
    """The session's settings that change what it means."""


class Effect(Model):
    """What the statement would do, for those who decide. It holds no value that is masked."""

    verbs: Annotated[Many[Annotated[str, Field(min_length=1, max_length=63)]], Field(max_length=64)] = ()
    """What it does: delete, alter, …"""
    tables: Annotated[Many[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=256)] = ()
    """What it reads or writes: schema.table."""
    masked: Annotated[Many[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=256)] = ()
    """The columns of which it sees masks alone: schema.table.column."""
    estimated_rows: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How many rows the planner expects that it returns or changes."""
    estimated_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """What the planner expects it to cost, in its own units."""


class RequestingWorkload(Model):
    """The pod that the statement comes from."""

    namespace: Namespace
    """Its namespace."""
    service_account: ResourceName
    """The service account that it runs as."""
    pod: Annotated[str, Field(max_length=253)] = ""
    """Its name."""
    pod_uid: Annotated[str, Field(max_length=64)] = ""
    """Its uid."""


class RequestingPrincipal(Model):
    """The person, agent or service that the statement comes from."""

    kind: Literal["person", "agent", "service"]
    """Which of them."""
    subject: Claim
    """Its name with the issuer."""
    issuer: Claim
    """Who vouches for it."""
    groups: Annotated[Many[Claim], Field(max_length=256), Distinct()] = ()
    """The groups that the issuer says it is in."""


class Requester(Model):
    """Who asks; never one who may approve."""

    workload: RequestingWorkload | None = None
    """The pod that the statement comes from."""
    principal: RequestingPrincipal | None = None
    """The person, agent or service that the statement comes from."""
    acts_for: Annotated[Many[RequestingPrincipal], Field(max_length=8)] = ()
    """Whom an agent acts for, nearest first."""


class BreakGlass(Model):
    """Access in an emergency, without waiting for an approver; a review of it is due."""

    reason: Remark
    """Why it cannot wait."""


class AccessRequestSpec(Model):
    """What is asked for, by whom and until when."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("self == oldSelf", "a request cannot be changed; what is approved is what was asked for"),
    )

    database_ref: NameReference
    """The Database, in the same namespace."""
    held_by: HeldBy
    """The rule that holds the statement."""
    statement: HeldStatement
    """The very statement that is asked for."""
    requester: Requester
    """Who asks."""
    effect: Effect = Effect()
    """What the statement would do."""
    reason: Remark | None = None
    """What for, in the requester's words."""
    expires_at: Timestamp
    """When the request, and an approval of it, end."""
    nonce: Annotated[str, Field(min_length=32, max_length=64, pattern=HEX)]
    """A random number that ties the request to the session that waits for it."""
    break_glass: BreakGlass | None = None
    """Given if this is an emergency."""


class AccessRequestStatus(Status):
    """What became of the request. Only its approvers may write it."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule(
            "!has(oldSelf.decision) || (has(self.decision) && self.decision == oldSelf.decision)",
            "a decision cannot be changed; make a new request",
        ),
        ValidationRule(
            "!has(oldSelf.consumedAt) || (has(self.consumedAt) && self.consumedAt == oldSelf.consumedAt)",
            "an approval that was used stays used",
        ),
        ValidationRule(
            "!has(self.consumedAt) || (has(self.decision) && self.decision == 'approved')",
            _NOT_APPROVED,
        ),
    )

    decision: Literal["approved", "denied"] | None = None
    """What was decided; nothing as long as the request waits."""
    decided_by: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Who decided: the Kubernetes user who wrote it, as the API server knows them."""
    decided_at: Timestamp | None = None
    """When it was decided."""
    comment: Remark | None = None
    """Why, in the approver's words."""
    consumed_at: Timestamp | None = None
    """When the approval was used. It can be used once."""

    @model_validator(mode="after")
    def _approved_before_use(self) -> Self:
        if self.consumed_at is not None and self.decision != "approved":
            raise ValueError(_NOT_APPROVED)
        return self


class AccessRequest(Resource):
    """One statement that waits for approval. Penstock makes it; approvers write its status."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("!has(oldSelf.status) || has(self.status)", "a status stays; make a new request"),
    )

    api_version: Literal["penstock.dev/v1alpha1"] = "penstock.dev/v1alpha1"
    kind: Literal["AccessRequest"] = "AccessRequest"
    spec: AccessRequestSpec
    """What is asked for, by whom and until when. It cannot be changed."""
    status: AccessRequestStatus | None = None
    """What became of it."""
