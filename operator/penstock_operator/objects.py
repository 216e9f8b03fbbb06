"""Our resources as the API server has them, read into models: without status and what changes from write to write.

So two equal models mean that nothing of meaning changed. What is valid is decided by `penstock_core.resources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock_core.resources import Database, DatabaseAccessPolicy, Problem, ResourceError, parse

GROUP_PATH = "/apis/penstock.dev/v1alpha1"
DATABASES = "databases"
POLICIES = "databaseaccesspolicies"

# Of metadata only this counts; `generation` changes with spec alone.
_METADATA = ("name", "namespace", "uid", "generation")


def read_database(document: Mapping[str, Any]) -> Database:
    """Raises ResourceError."""
    resource = parse(essence(document))
    if not isinstance(resource, Database):
        raise ResourceError([Problem("is not a Database", resource=resource.title)])
    return resource


def read_policy(document: Mapping[str, Any]) -> DatabaseAccessPolicy:
    """Raises ResourceError."""
    resource = parse(essence(document))
    if not isinstance(resource, DatabaseAccessPolicy):
        raise ResourceError([Problem("is not a DatabaseAccessPolicy", resource=resource.title)])
    return resource


def essence(document: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what says nothing about what its author wants."""
    metadata = document.get("metadata") or {}
    kept = {name: metadata[name] for name in _METADATA if name in metadata}
    return {name: value for name, value in document.items() if name not in ("status", "metadata")} | {"metadata": kept}


def database_of(policy: Mapping[str, Any]) -> str:
    """The Database that a policy is for, valid or not; "" where it names none."""
    found: object = policy
    for step in ("spec", "databaseRef", "name"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
