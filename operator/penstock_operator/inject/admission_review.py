"""The AdmissionReview, as the API server sends it and is answered: what of it counts, and how words are put into it.

What doesn't belong: deciding anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock_operator.inject.patch import Json

# The API server cuts longer warnings off.
_WARNING_LENGTH = 240
# It drops what is beyond some thousand characters of them.
_MOST_WARNINGS = 20


class BadReview(Exception):
    """What was sent is not an AdmissionReview of what it should be."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What somebody does to an object."""

    uid: str
    # Of what is in no namespace, "".
    namespace: str
    # As it will be; of what is deleted, as it is.
    object: Json
    before: Json | None
    deleted: bool
    # Whose request it is, as the API server says it.
    user: Any

    @property
    def metadata(self) -> Json:
        """Raises BadReview."""
        found = self.object.get("metadata")
        if not isinstance(found, dict):
            raise BadReview("not an AdmissionReview of an object: it has no metadata")
        return found

    def pod(self) -> Json:
        """The object, which is a pod. Raises BadReview."""
        if self.object.get("kind") != "Pod":
            raise BadReview("not an AdmissionReview of a Pod")
        if not self.namespace or not isinstance(self.object.get("spec"), dict) or not isinstance(self.metadata, dict):
            raise BadReview("the Pod has no namespace, no spec or no metadata")
        return self.object


def read(review: object) -> Reviewed:
    """Raises BadReview."""
    request = review.get("request") if isinstance(review, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise BadReview("not an AdmissionReview: it has no request with a uid")
    deleted = request.get("operation") == "DELETE"
    given, before = request.get("oldObject" if deleted else "object"), request.get("oldObject")
    if not isinstance(given, dict):
        raise BadReview("not an AdmissionReview of an object")
    namespace = request.get("namespace")
    return Reviewed(
        request["uid"],
        namespace if isinstance(namespace, str) else "",
        given,
        before if isinstance(before, dict) else None,
        deleted,
        request.get("userInfo"),
    )


def allowed(uid: str, warnings: Sequence[str] = (), **more: Any) -> Json:
    """Yes, and what is to be said with it."""
    response: Json = {"uid": uid, "allowed": True, **more}
    if warnings:
        rest = len(warnings) - _MOST_WARNINGS
        told = [*warnings] if rest <= 0 else [*warnings[:_MOST_WARNINGS], f"and {rest} more"]
        response["warnings"] = [f"penstock: {text}"[:_WARNING_LENGTH] for text in told]
    return _answer(response)


def refused(uid: str, message: str, code: int = 403, reason: str = "Forbidden") -> Json:
    """No, and why."""
    status = {"code": code, "reason": reason, "message": f"penstock: {message}"}
    return _answer({"uid": uid, "allowed": False, "status": status})


def _answer(response: Json) -> Json:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
