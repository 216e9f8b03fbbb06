"""Admission of our own resources: what the CRD's schema can't tell is said before the object is stored.

What doesn't belong: the checks (`penstock_core.resources`), and pods (`penstock_operator.inject`).
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_core.resources import Database, DatabaseAccessPolicy, ResourceError, check, doubts, parse
from penstock_core.resources.problems import MOST_FINDINGS
from penstock_operator.control.policies import Policies
from penstock_operator.control.suspended_by import refuse_pretence
from penstock_operator.inject.admit import BadReview
from penstock_operator.inject.annotations import Refusal
from penstock_operator.inject.bounds import refuse_crowds
from penstock_operator.inject.patch import Json
from penstock_operator.objects import essence

# The API server cuts longer warnings off.
_WARNING_LENGTH = 240
# Told of one resource at a time; whoever wrote more of them is not helped by all at once.
_MOST_PROBLEMS = 20


def validate(review: object, policies: Policies) -> Json:
    """The AdmissionReview to answer with. Raises BadReview.

    What is wrong with the resource itself is refused. What doesn't fit others yet is a warning: they may come next.
    So is a condition that fails for some.
    """
    request = review.get("request") if isinstance(review, Mapping) else None
    if not isinstance(request, Mapping) or not isinstance(request.get("uid"), str):
        raise BadReview("not an AdmissionReview: it has no request with a uid")
    document = request.get("object")
    if not isinstance(document, Mapping) or not isinstance(document.get("metadata"), Mapping):
        raise BadReview("not an AdmissionReview of a resource")
    response: Json = {"uid": request["uid"], "allowed": True}
    if _is_stored_already(document, request.get("oldObject")):
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    try:
        refuse_crowds(document.get("spec"))
        refuse_pretence(request.get("userInfo"), document, request.get("oldObject"))
    except Refusal as refusal:
        response["allowed"] = False
        response["status"] = {"code": 422, "reason": "Invalid", "message": f"penstock: spec: {refusal}"}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    try:
        resource = parse(essence(document), namespace=str(request.get("namespace") or "default"))
    except ResourceError as error:
        more = len(error.problems) - _MOST_PROBLEMS
        message = "; ".join(str(problem) for problem in error.problems[:_MOST_PROBLEMS])
        # Of very many, the last says that there are others.
        least = "at least " if len(error.problems) > MOST_FINDINGS else ""
        message += f"; and {least}{more} more" if more > 0 else ""
        response["allowed"] = False
        response["status"] = {"code": 422, "reason": "Invalid", "message": f"penstock: {message}"}
    else:
        warnings = _misfits(resource, policies) if isinstance(resource, DatabaseAccessPolicy) else []
        if warnings:
            response["warnings"] = warnings
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _is_stored_already(document: Mapping[str, object], before: object) -> bool:
    """Whether only metadata changes. What an earlier version took must stay open to labels, and to being deleted."""
    return isinstance(before, Mapping) and before.get("spec") == document.get("spec")


def _misfits(policy: DatabaseAccessPolicy, policies: Policies) -> list[str]:
    databases: list[Database] = policies.known_databases(policy.namespace)
    found = [*check([*databases, policy]), *doubts(policy)]
    return [f"penstock: {problem}"[:_WARNING_LENGTH] for problem in found]
