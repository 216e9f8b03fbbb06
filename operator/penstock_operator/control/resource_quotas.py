"""The ResourceQuotas of all namespaces as they stand, so that a pod which does not fit for its sidecar is told so.

What doesn't belong: what follows from them (`penstock_operator.inject.whole_pods`).
"""

from __future__ import annotations

from penstock_operator.cluster.watch import Json, KnownObjects

PATH = "/api/v1/resourcequotas"


class ResourceQuotas(KnownObjects):
    """Follows them. Before they are known, none counts: the API server itself has the last word."""

    def of(self, namespace: str) -> list[Json]:
        """Those that count every pod of a namespace."""
        found = [one for (space, _), one in self._objects.items() if space == namespace]
        return [one for one in found if not {"scopes", "scopeSelector"} & set(one.get("spec") or {})]
