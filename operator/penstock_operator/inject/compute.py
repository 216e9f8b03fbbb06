"""The sidecar's cpu and memory beside the pod's own: what can't be is refused in words, and what changes is said.

The API server's own refusals name neither the sidecar nor what to change. What doesn't belong: where the sidecar goes
(`placement.py`), and reading the annotation (`annotations.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from penstock_operator.inject.annotations import PREFIX, Refusal, Resources
from penstock_operator.inject.environment import applications
from penstock_operator.inject.patch import Json
from penstock_operator.inject.sidecar import CONTAINER

ANNOTATION = PREFIX + "resources"
# Below, a gate is ended for want of memory before its first session.
LEAST_MEMORY = "96Mi"
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
KINDS = ("cpu", "memory")


def amount(quantity: object) -> Decimal | None:
    """A Kubernetes quantity as a number; None if it is none."""
    text = str(quantity).strip()
    try:
        if text[-2:] in _BINARY:
            return Decimal(text[:-2]) * Decimal(1024) ** _BINARY[text[-2:]]
        if text[-1:] in _DECIMAL and text[-1:]:
            return Decimal(text[:-1]).scaleb(_DECIMAL[text[-1:]])
        return Decimal(text)
    except InvalidOperation:
        return None


def fitted(wanted: Resources, pod: Json, ranges: Sequence[Json] = ()) -> Resources:
    """The sidecar's resources as they fit the pod, and the namespace's limits for containers.

    Limits go no higher than those of the pod as a whole. Raises Refusal where nothing fits.
    """
    wanted = _ranged(wanted, [one for one in ranges if one.get("type") == "Container"])
    limits = dict(wanted.limits)
    whole = pod["spec"].get("resources") or {}
    for kind in KINDS:
        most = (whole.get("limits") or {}).get(kind)
        if most is not None and _is_more(limits.get(kind), most):
            limits[kind] = str(most)
    found = Resources(dict(wanted.requests), limits)
    _refuse_too_little(found, whole)
    _refuse_crowded(found, pod)
    return found


def _ranged(wanted: Resources, ranges: Sequence[Json]) -> Resources:
    requests, limits = dict(wanted.requests), dict(wanted.limits)
    for one in ranges:
        for kind in KINDS:
            most, least = (one.get("max") or {}).get(kind), (one.get("min") or {}).get(kind)
            if most is not None and _is_more(requests.get(kind), most):
                raise Refusal(
                    f"a LimitRange of the namespace lets a container have {most} of {kind}, and the sidecar requests "
                    f"{requests[kind]}; raise that, or set the annotation {ANNOTATION}"
                )
            if most is not None and _is_more(limits.get(kind), most):
                limits[kind] = str(most)
            if least is not None and _is_more(least, requests.get(kind)):
                requests[kind] = str(least)
                limits[kind] = str(least) if _is_more(least, limits.get(kind)) else limits[kind]
            ratio = amount((one.get("maxLimitRequestRatio") or {}).get(kind))
            if ratio and kind in requests and kind in limits:
                requests[kind] = _near_enough(requests[kind], limits[kind], ratio, kind)
    return Resources(requests, limits)


def _near_enough(request: str, limit: str, ratio: Decimal, kind: str) -> str:
    """The request, or a larger one, of which the limit is no more than so many times: it keeps what it may take."""
    asked, most = amount(request), amount(limit)
    if asked is None or most is None or most <= asked * ratio:
        return request
    unit, written = (Decimal(1000), "m") if kind == "cpu" else (1 / Decimal(1024**2), "Mi")
    return f"{(most / ratio * unit).to_integral_value(ROUND_CEILING)}{written}"


def warnings(found: Resources, pod: Json) -> list[str]:
    """What becomes another because of the sidecar."""
    if dict(found.requests) == dict(found.limits) or not _is_guaranteed(pod):
        return []
    wish = ",".join(f"{kind}={found.limits[kind]}" for kind in KINDS if kind in found.limits)
    return [
        "with the sidecar the pod is Burstable and no more Guaranteed, since the sidecar requests less than its "
        f"limits; to keep it, set {ANNOTATION} to what is both: {wish}"
    ]


def _refuse_too_little(found: Resources, whole: Mapping[str, Any]) -> None:
    for kind in KINDS:
        request, limit = found.requests.get(kind), found.limits.get(kind)
        if request is not None and limit is not None and _is_more(request, limit):
            if _same((whole.get("limits") or {}).get(kind), limit):
                raise Refusal(
                    f"the pod's own spec.resources limit its {kind} to {limit}, and the sidecar alone requests "
                    f"{request}; raise that, or set the annotation {ANNOTATION}"
                )
            raise Refusal(
                f"the sidecar would request {request} of {kind} and be limited to {limit}; "
                f"set the annotation {ANNOTATION} to a request no higher than the limit"
            )
    memory = found.limits.get("memory")
    if memory is not None and _is_more(LEAST_MEMORY, memory):
        raise Refusal(
            f"with {memory} of memory the sidecar would be ended before it serves anybody; give it {LEAST_MEMORY} at "
            f"least, by the annotation {ANNOTATION} (or raise the pod's own spec.resources, or the "
            "LimitRange, that keeps it to less)"
        )


def _refuse_crowded(found: Resources, pod: Json) -> None:
    """What a pod requests as a whole has to hold what its containers request."""
    whole = (pod["spec"].get("resources") or {}).get("requests") or {}
    others = lasting(pod)
    for kind in KINDS:
        most, ours = whole.get(kind), amount(found.requests.get(kind, "0")) or Decimal(0)
        taken = sum(_requested(others, kind), Decimal(0))
        if most is not None and ours and (room := amount(most)) is not None and taken + ours > room:
            raise Refusal(
                f"the pod's own spec.resources request {most} of {kind} as a whole, and its containers with the "
                f"sidecar ({found.requests[kind]}) more; raise that by as much, or set the annotation {ANNOTATION}"
            )


def lasting(pod: Json) -> list[Json]:
    """The pod's containers but the sidecar.

    Init containers that end are over before the others begin; native sidecars are not.
    """
    return [
        container
        for where, _, container in applications(pod, CONTAINER)
        if where == "containers" or container.get("restartPolicy") == "Always"
    ]


def _requested(containers: Iterable[Json], kind: str) -> Iterable[Decimal]:
    for container in containers:
        resources = container.get("resources") or {}
        given = (resources.get("requests") or {}).get(kind, (resources.get("limits") or {}).get(kind))
        if given is not None:
            yield amount(given) or Decimal(0)


def _is_guaranteed(pod: Json) -> bool:
    """Whether all its containers have limits, and request as much."""
    containers = [container for _, _, container in applications(pod, CONTAINER)]
    return bool(containers) and all(map(_has_what_it_may_take, containers))


def _has_what_it_may_take(container: Json) -> bool:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(kind in limits and _same(requests.get(kind, limits[kind]), limits[kind]) for kind in KINDS)


def _is_more(one: object, other: object) -> bool:
    left, right = amount(one), amount(other)
    return left is not None and right is not None and left > right


def _same(one: object, other: object) -> bool:
    left, right = amount(one), amount(other)
    return left is not None and left == right
