"""Admission of our own resources: what the CRD's schema can't tell is said before the object is stored.

What doesn't belong: the checks (`penstock_core.resources`), and pods (`penstock_operator.inject`).
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.resources import Database, DatabaseAccessPolicy, ResourceError, check, doubts, parse
from penstock_core.resources.loading import AnyResource
from penstock_core.resources.problems import MOST_FINDINGS
from penstock_operator.control.policies import Policies
from penstock_operator.control.suspended_by import refuse_pretence
from penstock_operator.inject import admission_review
from penstock_operator.inject.annotations import INJECT, Refusal
from penstock_operator.inject.bounds import refuse_crowds
from penstock_operator.inject.patch import Json
from penstock_operator.objects import essence

_INVALID = (422, "Invalid")
# Told of one resource at a time; whoever wrote more of them is not helped by all at once.
_MOST_PROBLEMS = 20


def validate(review: object, policies: Policies) -> Json:
    """The AdmissionReview to answer with. Raises BadReview.

    What is wrong with the resource itself is refused. What doesn't fit others yet is a warning: they may come next.
    So is a condition that fails for some.
    """
    request = admission_review.read(review)
    document = request.object | {"metadata": request.metadata}
    if request.deleted:
        return admission_review.allowed(request.uid, _missed(document))
    if _is_stored_already(document, request.before):
        return admission_review.allowed(request.uid)
    try:
        refuse_crowds(document.get("spec"))
        refuse_pretence(request.user, document, request.before)
        resource = parse(essence(document), namespace=request.namespace or "default")
    except Refusal as refusal:
        return admission_review.refused(request.uid, f"spec: {refusal}", *_INVALID)
    except ResourceError as error:
        more = len(error.problems) - _MOST_PROBLEMS
        message = "; ".join(str(problem) for problem in error.problems[:_MOST_PROBLEMS])
        # Of very many, the last says that there are others.
        least = "at least " if len(error.problems) > MOST_FINDINGS else ""
        message += f"; and {least}{more} more" if more > 0 else ""
        return admission_review.refused(request.uid, message, *_INVALID)
    return admission_review.allowed(request.uid, _misfits(resource, policies))


def _is_stored_already(document: Json, before: Json | None) -> bool:
    """Whether only metadata changes. What an earlier version took must stay open to labels, and to being deleted."""
    if before is None:
        return False
    old, new = essence(before), essence(document)
    return old | {"metadata": {}} == new | {"metadata": {}}


def _misfits(resource: AnyResource, policies: Policies) -> list[str]:
    if isinstance(resource, Database):
        return [*_doubts_of(resource, policies)]
    if not isinstance(resource, DatabaseAccessPolicy):
        return []
    databases: list[Database] = policies.known_databases(resource.namespace)
    return [str(problem) for problem in (*check([*databases, resource]), *doubts(resource))]


def _doubts_of(database: Database, policies: Policies) -> Iterator[str]:
    if database.spec.tls.mode == "disable":
        yield (
            f"{database.title}: spec.tls.mode: disable sends what is asked and answered as plain text, and where the "
            "server wants it in clear the password, too; whoever is on the way reads it"
        )
    if database.spec.workloads is not None and policies.labelled_namespace(database.namespace) is None:
        yield (
            f"{database.title}: spec.workloads has no effect while the namespace {database.namespace} has no label "
            f"{INJECT}; selected has it looked at"
        )
    others = [one for one in policies.known_databases(database.namespace) if one.name != database.name]
    yield from (str(problem) for problem in check([*others, database]))


def _missed(document: Json) -> list[str]:
    if document.get("kind") != "Database":
        return []
    name = document["metadata"].get("name")
    return [
        f"the gates of the Database {name} let nobody in from now on, and pods that are annotated with it are refused; "
        "to give it back, apply it again: its policies stay"
    ]
