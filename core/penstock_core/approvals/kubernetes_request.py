"""A request for approval as the API server has it: its object, the patch that decides it, and refusals in one line.

For whoever asks the API server as a person. What doesn't belong: asking it, and the rules (`standing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError

from penstock_core.approvals.kubernetes_user import KubernetesUser
from penstock_core.resources.access_request import AccessRequest, AccessRequestStatus

GROUP = "/apis/penstock.dev/v1alpha1"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
# The body of the question who we are.
WHO_AM_I = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
# What the API server puts before the words of an admission policy.
_BEFORE_WORDS = "denied request: "
_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A request as the API server has it, and its time then."""

    request: AccessRequest
    made: str
    now: datetime


def read(item: Mapping[str, Any], now: datetime) -> Found | None:
    """The request; None if it is of a version that we do not know."""
    metadata = item.get("metadata")
    made = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    try:
        request = AccessRequest.model_validate(
            {name: value for name, value in item.items() if name in ("metadata", "spec", "status")}
        )
    except ValidationError:
        return None
    return Found(request, str(made or ""), now)


def user(answer: Mapping[str, Any]) -> KubernetesUser:
    """Who we are, by the answer to a SelfSubjectReview; without a name if it says none."""
    status = answer.get("status")
    found = status.get("userInfo") if isinstance(status, Mapping) else None
    info: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    groups, extra = info.get("groups"), info.get("extra")
    return KubernetesUser(
        str(info.get("username", "")),
        frozenset(map(str, groups)) if isinstance(groups, list) else frozenset(),
        str(info.get("uid", "")),
        {key: [str(value) for value in values] for key, values in extra.items() if isinstance(values, list)}
        if isinstance(extra, Mapping)
        else {},
    )


def decision(status: AccessRequestStatus) -> dict[str, Any]:
    """What a person writes of the status when they decide."""
    return {
        "decision": status.decision,
        "decidedBy": status.decided_by,
        "decidedAt": status.decided_at,
        "comment": status.comment,
        "until": status.until,
    }


def patch(found: Found, status: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch of the status, for that very object in the version that was read."""
    metadata = found.request.metadata
    bound = {"resourceVersion": metadata.resource_version, "uid": metadata.uid}
    return {
        "metadata": {name: value for name, value in bound.items() if value},
        "status": {name: value for name, value in status.items() if value},
    }


def refusal(status: int, answer: Mapping[str, Any]) -> str:
    """Why the API server did not do it, in one line."""
    if status == 409:
        return "the request was changed meanwhile; look at it again"
    message = " ".join(str(answer.get("message") or f"the API server answers {status}").split())
    words = message.partition(_BEFORE_WORDS)[2] or message
    return words if len(words) <= _LONGEST_WORDS else f"{words[: _LONGEST_WORDS - 1]}…"


def by_policy(answer: Mapping[str, Any]) -> bool:
    """Whether it was an admission policy that refused, and not for want of rights."""
    return _BEFORE_WORDS in str(answer.get("message", ""))


def server_time(date: str | None, otherwise: datetime) -> datetime:
    """By the server's clock: one's own may be wrong, and decisions are dated by it."""
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return otherwise
