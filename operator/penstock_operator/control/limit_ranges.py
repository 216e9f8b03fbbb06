"""The LimitRanges of all namespaces as they stand: a sidecar is given what they allow.

What doesn't belong: what follows from them (`penstock_operator.inject.compute`).
"""

from __future__ import annotations

from penstock_operator.cluster.watch import Json, Key, ObjectChange

PATH = "/api/v1/limitranges"


class LimitRanges:
    """Follows them. Before they are known, none counts: the API server itself has the last word."""

    def __init__(self) -> None:
        self._objects: dict[Key, Json] = {}

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        self._objects = dict(objects)

    def change(self, change: ObjectChange) -> None:
        # Made anew: reviews read it in other threads.
        others = {key: one for key, one in self._objects.items() if key != change.key}
        self._objects = others if change.object is None else {**others, change.key: change.object}

    def of(self, namespace: str) -> list[Json]:
        """The limits of single containers in a namespace."""
        found = [one for (space, _), one in self._objects.items() if space == namespace]
        limits = [limit for one in found for limit in (one.get("spec") or {}).get("limits") or []]
        return [limit for limit in limits if limit.get("type") == "Container"]
