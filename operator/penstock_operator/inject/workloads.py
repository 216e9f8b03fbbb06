"""What is said, when a workload or a namespace is written, of annotations that will not do what they seem to.

Only warnings: what must not be is refused when the pod is made. What doesn't belong: pods themselves (`admit.py`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from penstock_operator.inject import admission_review
from penstock_operator.inject import annotations as wishes
from penstock_operator.inject.admit import Lookup, inject
from penstock_operator.inject.annotations import DATABASE, INJECT, PREFIX, Refusal
from penstock_operator.inject.choice import SELECTED, NamespaceDefault
from penstock_operator.inject.patch import Json
from penstock_operator.inject.sidecar import Shape

_KNOWN = ("inject", *wishes.WISHES)
# What else somebody may have written for our prefix; the webhook's conditions have the same.
LIKE_OURS = "(?i)(p.?n.?s.?t?.?o.?c?k|penst|nstock)"
_LONGEST_NAME = 317


def advise(review: object, lookup: Lookup, shape: Shape) -> Json:
    """The AdmissionReview to answer with: always yes. Raises BadReview."""
    request = admission_review.read(review)
    given = request.object | {"metadata": request.metadata}
    return admission_review.allowed(request.uid, list(_about(given, request.namespace, lookup, shape)))


def _about(given: Json, namespace: str, lookup: Lookup, shape: Shape) -> Iterator[str]:
    kind, metadata = str(given.get("kind")), given["metadata"]
    template = _template(given)
    if template is None:
        yield from _misnamed(kind, metadata)
        if kind == "Namespace":
            yield from _of_namespace(metadata, lookup)
        return
    yield from _misplaced(kind, metadata, "the pod template (spec.template.metadata.annotations)")
    yield from _misnamed(kind, metadata)
    own = template.get("metadata") or {}
    yield from _misnamed("pod template", own)
    speaks = any(name.startswith(PREFIX) for name in (*(own.get("annotations") or {}), *(own.get("labels") or {})))
    if speaks or lookup.labelled_namespace(namespace) is not None:
        yield from _tried(template, namespace, lookup, shape)


def _template(given: Json) -> Json | None:
    """The pod template of a workload."""
    spec = given.get("spec")
    if given.get("kind") == "CronJob" and isinstance(spec, dict):
        spec = (spec.get("jobTemplate") or {}).get("spec")
    found = spec.get("template") if isinstance(spec, dict) else None
    return found if isinstance(found, dict) and isinstance(found.get("spec"), dict) else None


def _of_namespace(metadata: Json, lookup: Lookup) -> Iterator[str]:
    """What a namespace says of the pods in it, and what of that has no effect."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    known = [PREFIX + name for name in _KNOWN]
    for name in known:
        if name in labels and name != INJECT:
            yield f"{name} on a Namespace is an annotation; as a label it has no effect"
        if name in annotations and name not in (INJECT, DATABASE):
            yield f"{name} on a Namespace has no effect; set it on the pods, or the pod templates, in it"
    if INJECT in annotations:
        yield f"{INJECT} on a Namespace is a label; as an annotation it has no effect"
    if DATABASE in annotations and INJECT not in labels:
        yield f"{DATABASE} on a Namespace has no effect without the label {INJECT}"
    name = str(metadata.get("name", ""))
    try:
        default = NamespaceDefault.read(name, metadata)
    except Refusal as refusal:
        yield f"its pods will be refused: {refusal}"
        return
    if default is None or (default.text == SELECTED and not default.databases):
        return
    there = lookup.databases(name)
    if missing := [one for one in default.databases if one not in there]:
        named = f"names the Database {missing[0]}, which is not there"
    elif not default.databases:
        named = "names no Database"
    else:
        return
    listed = f"Databases in it: {', '.join(there) or 'none'}"
    yield f"its pods will be refused unless they name one: the namespace {named} (annotation {DATABASE}); {listed}"


def _misplaced(kind: str, metadata: Json, place: str) -> Iterator[str]:
    names = [*(metadata.get("annotations") or {}), *(metadata.get("labels") or {})]
    asked = next(
        (name for name in sorted(names) if name.startswith(PREFIX) and name.removeprefix(PREFIX) in _KNOWN), ""
    )
    if asked:
        yield f"{asked} on a {kind} has no effect; set it on {place}"


def _misnamed(what: str, metadata: Json) -> Iterator[str]:
    """Names that only look like ours."""
    for name in sorted({*(metadata.get("annotations") or {}), *(metadata.get("labels") or {})}):
        prefix, _, word = name.rpartition("/")
        if not name.startswith(PREFIX) and re.search(LIKE_OURS, (prefix or word)[:_LONGEST_NAME]):
            near = difflib.get_close_matches(word.lower(), _KNOWN, 1)
            if near:
                yield f"{name} on the {what} has no effect; did you mean {PREFIX}{near[0]}?"


def _tried(template: Json, namespace: str, lookup: Lookup, shape: Shape) -> Iterator[str]:
    """What its pods will be told, now, while somebody looks."""
    pod = {"kind": "Pod", "metadata": template.get("metadata") or {}, "spec": template["spec"]}
    try:
        _, warnings = inject(pod, namespace, lookup, shape)
    except Refusal as refusal:
        yield f"its pods will be refused: {refusal}"
    else:
        yield from warnings
        if (pod["metadata"].get("annotations") or {}).get(INJECT) == "false":
            yield from wishes.unknown(pod["metadata"]["annotations"])
