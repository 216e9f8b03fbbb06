"""The LimitRanges of all namespaces as they stand: a sidecar is given what they allow.

What doesn't belong: what follows from them (`penstock_operator.inject.compute`).
"""

from __future__ import annotations

from penstock_operator.cluster.watch import Json, KnownObjects

PATH = "/api/v1/limitranges"


class LimitRanges(KnownObjects):
    """Follows them. Before they are known, none counts: the API server itself has the last word."""

    def of(self, namespace: str) -> list[Json]:
        """The limits of containers and pods in a namespace."""
        found = [one for (space, _), one in self._objects.items() if space == namespace]
        return [limit for one in found for limit in (one.get("spec") or {}).get("limits") or []]
