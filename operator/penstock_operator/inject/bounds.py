"""How much a reviewed object may hold: to look at more would take longer than the API server waits for an answer.

No object that is in use comes near. What doesn't belong: what it may hold.
"""

from __future__ import annotations

from penstock_operator.inject.annotations import Refusal

# Fields and items in all, and items of one list or fields of one object.
MOST = 40_000
MOST_TOGETHER = 1_000
MOST_CONTAINERS = 250


def refuse_crowds(what: object) -> None:
    """Raises Refusal."""
    left, waiting = MOST, [what]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict | list):
            continue
        left -= len(one)
        if len(one) > MOST_TOGETHER:
            kind = "fields of one object" if isinstance(one, dict) else "items of one list"
            raise Refusal(f"there are {len(one):,} {kind}; {MOST_TOGETHER:,} are possible")
        if left < 0:
            raise Refusal(f"there are more than {MOST:,} fields and items in all; that many are possible")
        waiting += one.values() if isinstance(one, dict) else one


def refuse_crowded_pod(pod: dict[str, object]) -> None:
    """The same of a pod, without what the API server itself writes about it. Raises Refusal."""
    spec, metadata = pod.get("spec"), pod.get("metadata")
    if isinstance(metadata, dict):
        refuse_crowds([metadata.get("annotations"), metadata.get("labels")])
    refuse_crowds(spec)
    lists = (
        [spec.get(name) for name in ("initContainers", "containers", "ephemeralContainers")]
        if isinstance(spec, dict)
        else []
    )
    count = sum(len(one) for one in lists if isinstance(one, list))
    if count > MOST_CONTAINERS:
        raise Refusal(f"the pod has {count:,} containers; {MOST_CONTAINERS} are possible")
