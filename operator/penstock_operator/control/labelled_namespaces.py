"""The namespaces whose label says that their pods get a gate, as they stand.

What doesn't belong: what the label means (`penstock_operator.inject.choice`).
"""

from __future__ import annotations

from penstock_operator.cluster.watch import Json, KnownObjects

PATH = "/api/v1/namespaces"


class LabelledNamespaces(KnownObjects):
    """Follows them. Of one that is not known yet the API server says that it has the label, and its pods wait."""

    def of(self, namespace: str) -> Json | None:
        """A namespace's metadata; None where it has no such label."""
        found = self._objects.get(("", namespace))
        return None if found is None else found.get("metadata") or {}
