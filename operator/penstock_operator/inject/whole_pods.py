"""What a namespace lets whole pods have, by LimitRanges and ResourceQuotas: who does not fit for the sidecar alone.

The API server's own refusals name neither the sidecar nor what to change. It has the last word all the same: where a
pod would not fit without its sidecar either, or where it is not known yet what there is, nothing is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from penstock_operator.inject.annotations import Refusal, Resources
from penstock_operator.inject.compute import ANNOTATION, KINDS, amount, lasting
from penstock_operator.inject.patch import Json

_NONE = Decimal(0)
# As a quota may call it, too.
_SHORT = {"cpu": "requests.cpu", "memory": "requests.memory"}


def refuse_without_room(pod: Json, sidecar: Resources, ranges: Sequence[Json], quotas: Sequence[Json]) -> None:
    """Raises Refusal where the pod would fit without its sidecar, and does not with it."""
    whole = pod["spec"].get("resources") or {}
    for side, ours in (("requests", sidecar.requests), ("limits", sidecar.limits)):
        for kind in KINDS:
            # What a pod has as a whole, its sidecar shares.
            more = amount(ours.get(kind, "0")) or _NONE
            if not more or kind in (whole.get(side) or {}):
                continue
            taken = _taken(pod, side, kind)
            for room, words in [*_most(ranges, kind), *_left(quotas, f"{side}.{kind}")]:
                if taken <= room < taken + more:
                    raise Refusal(
                        f"{words} {_written(kind, room)} of {side}.{kind}, and the pod with the sidecar's {ours[kind]} "
                        f"takes {_written(kind, taken + more)}; raise that, or set the annotation {ANNOTATION}"
                    )


def _taken(pod: Json, side: str, kind: str) -> Decimal:
    """By the containers that run at the same time."""
    given = [(one.get("resources") or {}) for one in lasting(pod)]
    # Where only a limit is set, it is the request, too.
    found = [
        (one.get(side) or {}).get(kind, (one.get("limits") or {}).get(kind) if side == "requests" else None)
        for one in given
    ]
    return sum((amount(one) or _NONE for one in found if one is not None), _NONE)


def _most(ranges: Sequence[Json], kind: str) -> Iterator[tuple[Decimal, str]]:
    for one in ranges:
        most = amount((one.get("max") or {}).get(kind)) if one.get("type") == "Pod" else None
        if most is not None:
            yield most, "a LimitRange of the namespace lets a pod have"


def _left(quotas: Sequence[Json], what: str) -> Iterator[tuple[Decimal, str]]:
    for quota in quotas:
        status = quota.get("status") or {}
        hard, used = _named(status.get("hard")), _named(status.get("used"))
        most, taken = amount(hard.get(what)), amount(used.get(what, "0"))
        if most is not None and taken is not None:
            yield most - taken, f"the ResourceQuota {quota['metadata']['name']} leaves"


def _named(amounts: Mapping[str, str] | None) -> dict[str, str]:
    return {_SHORT.get(name, name): text for name, text in (amounts or {}).items()}


def _written(kind: str, number: Decimal) -> str:
    """As people write it."""
    if kind == "cpu":
        return f"{(number * 1000).normalize():f}m"
    return f"{(number / 1024**2).normalize():f}Mi"
