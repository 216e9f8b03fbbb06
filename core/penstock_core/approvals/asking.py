"""A gate asks for approval: what it says, what it is answered, and how a holder of requests comes to the answer.

One question does all: it uses an approval that is there, or finds the request that waits, or makes one. The holder asks
`answer` and keeps what comes of it in one transaction, so that an approval is used once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from penstock_core.approvals.binding import digest, whose
from penstock_core.approvals.standing import Standing, moment, standing, written
from penstock_core.bodies import read_body
from penstock_core.resources.access_request import (
    AccessRequest,
    AccessRequestSpec,
    AccessRequestStatus,
    Effect,
    HeldBy,
    HeldStatement,
    Requester,
)
from penstock_core.resources.model import Model, NameReference
from penstock_core.resources.vocabulary import HEX, Duration, Many, Remark, ResourceName, Timestamp, milliseconds

# The longest text of a statement, with every character escaped, and as much again for the rest.
MOST_BODY_BYTES = 1024 * 1024
# One requester's requests that wait; more are refused until some are decided or have expired.
MOST_WAITING = 20
# One statement may be held by so many rules; by more, it can't be approved.
MOST_RULES = 16
# Nobody's approval is good for longer.
LONGEST = timedelta(days=7)


class Asking(Model):
    """What a gate asks a holder of requests: may this statement run now?"""

    database_ref: NameReference
    """The Database that the statement is for."""
    held_by: HeldBy
    """The rule that holds it."""
    also_held_by: Annotated[Many[HeldBy], Field(min_length=1, max_length=MOST_RULES - 1)] | None = None
    """Where several rules hold it, the others; each has a request of its own, and all have to be approved."""
    statement: HeldStatement
    """The statement itself."""
    requester: Requester
    """Who sent it."""
    effect: Effect = Effect()
    """What it would do."""
    reason: Remark | None = None
    """What for, in the requester's words."""
    expires_after: Duration
    """How long the request lives; the holder's clock counts."""
    nonce: Annotated[str, Field(min_length=32, max_length=64, pattern=HEX)]
    """Random, of the session that asks."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({(one.policy, one.approval) for one in self.all_held_by}) < len(self.all_held_by):
            raise ValueError("a rule holds a statement once: alsoHeldBy names others")
        return self

    @property
    def all_held_by(self) -> tuple[HeldBy, ...]:
        """All the rules that hold it."""
        return (self.held_by, *(self.also_held_by or ()))

    def parts(self) -> list[Asking]:
        """The question of each rule by itself."""
        return [self.model_copy(update={"held_by": one, "also_held_by": None}) for one in self.all_held_by]

    @classmethod
    def read(cls, body: bytes) -> Asking:
        """What a gate has sent. Raises ValueError, whose text names the field and repeats nothing of its value."""
        asking = read_body(cls, body)
        # What has no digest can be bound to nothing; numbers may be too large for it.
        _ = [one.digest for one in asking.parts()]
        return asking

    @property
    def digest(self) -> str:
        """What an approval by the first rule must be bound to to be good for this."""
        return digest(self.database_ref.name, self.held_by, self.statement, self.requester, self.effect)

    def spec(self, now: datetime) -> AccessRequestSpec:
        """What a new request says."""
        life = min(timedelta(milliseconds=milliseconds(self.expires_after)), LONGEST)
        return AccessRequestSpec.model_validate(
            {
                "databaseRef": self.database_ref,
                "heldBy": self.held_by,
                "statement": self.statement,
                "requester": self.requester,
                "effect": self.effect,
                "reason": self.reason,
                "expiresAt": written(now + life),
                "nonce": self.nonce,
            }
        )


class OfRule(Model):
    """Where several rules hold a statement: how it stands with one of them."""

    policy: ResourceName
    """The DatabaseAccessPolicy."""
    approval: ResourceName
    """The name of the approval within it."""
    standing: Literal["granted", "approved", "waiting", "denied", "refused"]
    """approved: an approval is there, and is kept until those of the other rules are."""
    request: str = ""
    """The request's name."""
    decided_by: str = ""
    """Who decided."""
    decided_at: Timestamp | None = None
    """When."""
    expires_at: Timestamp | None = None
    """Until when the request can be approved, and the approval used."""
    url: str = ""
    """Where a person decides it; empty if there is no page."""

    @classmethod
    def of(cls, policy: str, approval: str, answered: Answered, approved: bool = False) -> OfRule:
        """What the answer about one rule says of it; `approved`: what it grants is not used."""
        return cls.model_validate(
            {
                "policy": policy,
                "approval": approval,
                "standing": "approved" if approved else answered.standing,
                "request": answered.request,
                "decidedBy": answered.decided_by,
                "decidedAt": answered.decided_at,
                "expiresAt": answered.expires_at,
                "url": answered.url,
            }
        )


class Answered(Model):
    """What the holder answers."""

    standing: Literal["granted", "waiting", "denied", "refused"]
    """granted: an approval was there, and is used by now; run the statement, once. waiting: nobody has decided.
    denied: somebody said no. refused: nothing was asked for. To one who only looks at a request by its name, granted
    says that an approval is there: ask, to use it; refused, that the request has ended without being denied."""
    request: str = ""
    """The request's name."""
    decided_by: str = ""
    """Who decided."""
    decided_at: Timestamp | None = None
    """When."""
    comment: str = ""
    """Why, in the approver's words; why nothing was asked for, if it is refused."""
    expires_at: Timestamp | None = None
    """Until when the request can be approved, and the approval used."""
    url: str = ""
    """Where a person decides it; empty if there is no page."""
    of_rules: Many[OfRule] | None = None
    """Where several rules hold the statement, each that was asked about. What is above is then of the one that stands
    in the way."""

    @classmethod
    def of(cls, request: AccessRequest, said: Literal["granted", "waiting", "denied"], url: str = "") -> Answered:
        """What is told of a request."""
        status = request.status or AccessRequestStatus()
        return cls.model_validate(
            {
                "standing": said,
                "request": request.name,
                "decidedBy": status.decided_by or "",
                "decidedAt": status.decided_at,
                "comment": status.comment or "",
                "expiresAt": request.spec.expires_at,
                "url": url,
            }
        )


@dataclass(frozen=True, slots=True)
class Use:
    """An approval is there: use it, and grant."""

    request: AccessRequest


@dataclass(frozen=True, slots=True)
class Tell:
    """The request is there, and waits or was denied: say so."""

    request: AccessRequest


@dataclass(frozen=True, slots=True)
class Make:
    """There is none: make one."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The requester asks for too much."""

    why: str


def answer(asking: Asking, known: Sequence[AccessRequest], now: datetime) -> Use | Tell | Make | Refuse:
    """What a holder does about a question, by the requests it has of this requester (others are passed over).

    An approval comes first, the oldest of several; then a request that waits; then the latest denial, as long as the
    denied request would have lived.
    """
    theirs = [one for one in known if whose(one.spec.requester) == whose(asking.requester)]
    same = [one for one in theirs if bound_to(one.spec) == asking.digest]
    for sought in (Standing.APPROVED, Standing.WAITING):
        for one in same:
            if standing(one, now) is sought:
                return Use(one) if sought is Standing.APPROVED else Tell(one)
    denied = [one for one in same if standing(one, now) is Standing.DENIED and now < moment(one.spec.expires_at)]
    if denied:
        return Tell(denied[-1])
    waiting = waiting_of(asking.requester, theirs, now)
    if waiting >= MOST_WAITING:
        return Refuse(f"{waiting} requests of this requester wait already; have some decided first")
    return Make()


def waiting_of(requester: Requester, known: Sequence[AccessRequest], now: datetime) -> int:
    """How many of the requester's requests wait."""
    mine = whose(requester)
    return sum(standing(one, now) is Standing.WAITING for one in known if whose(one.spec.requester) == mine)


def bound_to(spec: AccessRequestSpec) -> str:
    """The digest of the statement that a request asks for; empty where it asks for something else."""
    if spec.held_by is None or spec.statement is None:
        return ""
    return digest(spec.database_ref.name, spec.held_by, spec.statement, spec.requester, spec.effect)
