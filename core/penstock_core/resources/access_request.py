"""The resource `AccessRequest`: a statement, or access for a time, that somebody asks for, and what became of it.

The shape is what an approval is bound to. What doesn't belong: who may do what with it (`penstock_core.approvals`).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from penstock_core.resources.model import Model, NameReference, Resource, Status, ValidationRule
from penstock_core.resources.vocabulary import (
    HEX,
    Claim,
    Distinct,
    Duration,
    Many,
    Namespace,
    Remark,
    ResourceName,
    Timestamp,
)

_NOT_APPROVED = "only what was approved can be used"
_BOTH = "heldBy belongs to statement: a statement is held by a rule, and access is asked for by itself"
_REASON = "say what the access is for: give reason"
_PERSON = "only a person who acts for themselves can break the glass, and for access alone"
_UNTIL = "until is for access that was approved"

Digest = Annotated[str, Field(min_length=64, max_length=64, pattern=HEX)]
_User = Annotated[str, Field(min_length=1, max_length=253)]


class HeldBy(Model):
    """The rule that holds the statement."""

    policy: ResourceName
    """The DatabaseAccessPolicy."""
    approval: ResourceName
    """The name of the approval within it."""
    policy_generation: Annotated[int, Field(ge=0)]
    """The generation of the policies that the statement was decided by. A newer one ends the request."""
    policy_digest: Digest | None = None
    """On Kubernetes, what these policies say, as control reads them: a number may come again."""
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
    parameters_digest: Digest | None = None
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


class AskedAccess(Model):
    """Access for a time: a policy that is in effect for the requester alone, from the approval on."""

    policy: ResourceName
    """The DatabaseAccessPolicy that is to be in effect."""
    policy_digest: Digest
    """A hash of what the policy says. What was asked for of one that says something else is worth nothing."""
    approvers: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()]
    """The groups of which any member may approve, as the policy names them; in an emergency, those who review it."""
    duration: Duration
    """For how long; who approves may give less."""


class BreakGlass(Model):
    """Access in an emergency, without waiting for an approver: it begins at once, and ends with the request."""

    review_by: Timestamp
    """Until when somebody else has to have reviewed it."""


class AccessRequestSpec(Model):
    """What is asked for, by whom and until when."""

    one_of: ClassVar[tuple[str, ...]] = ("statement", "access")
    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("self == oldSelf", "a request cannot be changed; what is approved is what was asked for"),
        ValidationRule("has(self.heldBy) == has(self.statement)", _BOTH),
        ValidationRule("!has(self.access) || has(self.reason)", _REASON),
        ValidationRule(
            "!has(self.breakGlass) || has(self.access) && has(self.requester.principal) && "
            "self.requester.principal.kind == 'person' && "
            "(!has(self.requester.actsFor) || size(self.requester.actsFor) == 0)",
            _PERSON,
        ),
    )

    database_ref: NameReference
    """The Database, in the same namespace."""
    held_by: HeldBy | None = None
    """The rule that holds the statement."""
    statement: HeldStatement | None = None
    """The very statement that is asked for."""
    access: AskedAccess | None = None
    """The access that is asked for."""
    requester: Requester
    """Who asks."""
    effect: Effect = Effect()
    """What the statement would do."""
    reason: Remark | None = None
    """What for, in the requester's words."""
    expires_at: Timestamp
    """When the request, and an approval of a statement, end; in an emergency, the access itself."""
    nonce: Annotated[str, Field(min_length=32, max_length=64, pattern=HEX)]
    """A random number that ties the request to the session that waits for it."""
    break_glass: BreakGlass | None = None
    """Given if this is an emergency."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.held_by is None) != (self.statement is None):
            raise ValueError(_BOTH)
        if self.access is not None and (self.reason is None or not self.reason.strip()):
            raise ValueError(_REASON)
        principal = self.requester.principal
        person = principal is not None and principal.kind == "person" and not self.requester.acts_for
        if self.break_glass is not None and (self.access is None or not person):
            raise ValueError(_PERSON)
        return self

    @property
    def approvers(self) -> tuple[str, ...]:
        """The groups of which any member may decide."""
        asked = self.held_by or self.access
        return () if asked is None else asked.approvers

    @property
    def policy(self) -> str:
        """The policy that holds the statement, or that is asked for."""
        asked = self.held_by or self.access
        return "" if asked is None else asked.policy


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
        ValidationRule("!has(self.until) || (has(self.decision) && self.decision == 'approved')", _UNTIL),
        ValidationRule(
            "!has(oldSelf.until) || (has(self.until) && self.until == oldSelf.until)",
            "access that was approved is not made longer; ask for more by a new request",
        ),
        ValidationRule(
            "!has(oldSelf.endedAt) || (has(self.endedAt) && self.endedAt == oldSelf.endedAt)",
            "access that was ended stays ended",
        ),
        ValidationRule(
            "!has(oldSelf.reviewedAt) || (has(self.reviewedAt) && self.reviewedAt == oldSelf.reviewedAt)",
            "a review stays",
        ),
    )

    decision: Literal["approved", "denied"] | None = None
    """What was decided; nothing as long as the request waits."""
    decided_by: _User | None = None
    """Who decided: the Kubernetes user who wrote it, as the API server knows them."""
    decided_at: Timestamp | None = None
    """When it was decided."""
    comment: Remark | None = None
    """Why, in the approver's words."""
    consumed_at: Timestamp | None = None
    """When the approval was used. It can be used once."""
    until: Timestamp | None = None
    """Of access that was approved: until when it lasts."""
    ended_at: Timestamp | None = None
    """When somebody ended the access before its time."""
    ended_by: _User | None = None
    """Who ended it: its requester, or a member of the approvers' groups."""
    reviewed_at: Timestamp | None = None
    """When somebody reviewed what was done in the emergency."""
    reviewed_by: _User | None = None
    """Who reviewed it: a member of the approvers' groups who has no part in it."""
    review: Remark | None = None
    """What they found."""

    @model_validator(mode="after")
    def _approved_before_use(self) -> Self:
        if self.consumed_at is not None and self.decision != "approved":
            raise ValueError(_NOT_APPROVED)
        if self.until is not None and self.decision != "approved":
            raise ValueError(_UNTIL)
        return self


class AccessRequest(Resource):
    """A statement that waits for approval, or access for a time. Penstock makes it, and people who ask for access; its
    approvers write its status.
    """

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("!has(oldSelf.status) || has(self.status)", "a status stays; make a new request"),
    )

    api_version: Literal["penstock.dev/v1alpha1"] = "penstock.dev/v1alpha1"
    kind: Literal["AccessRequest"] = "AccessRequest"
    spec: AccessRequestSpec
    """What is asked for, by whom and until when. It cannot be changed."""
    status: AccessRequestStatus | None = None
    """What became of it."""
