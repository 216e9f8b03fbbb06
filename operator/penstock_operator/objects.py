"""Our resources as the API server has them, read into models: without status and what changes from write to write.

So two equal models mean that nothing of meaning changed. What is valid is decided by `penstock_core.resources`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock_core.resources import Bundle, Database, DatabaseAccessPolicy, Problem, ResourceError, parse
from penstock_core.resources.bundle import MASK_KEY_BYTES

GROUP_PATH = "/apis/penstock.dev/v1alpha1"
DATABASES = "databases"
POLICIES = "databaseaccesspolicies"
REQUESTS = "accessrequests"

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


@dataclass(frozen=True, slots=True)
class InEffect:
    """A Database and the policies that are in effect for it; the same here and in every other program."""

    # Checked; without a number, and without a key.
    stated: Bundle
    # What is wrong with a policy, and why there are none.
    problem: str = ""

    @classmethod
    def of(cls, database: Database, policies: Sequence[DatabaseAccessPolicy], problem: str = "") -> InEffect:
        """Raises ResourceError where they don't fit."""
        place = {"namespace": database.namespace, "database": database.name}
        return cls(Bundle.of((database, *policies), generation=0, mask_key=bytes(MASK_KEY_BYTES), **place), problem)

    @property
    def digest(self) -> str:
        """Equal for equal contents."""
        return self.stated.digest

    def bundle(self, generation: int, mask_key: bytes) -> Bundle:
        """For sidecars."""
        return self.stated.numbered(generation, mask_key)


def in_effect(
    database: Mapping[str, Any],
    policies: Sequence[Mapping[str, Any]],
    read_one: Callable[[Mapping[str, Any]], DatabaseAccessPolicy] = read_policy,
) -> InEffect:
    """What is in effect of the namespace's policies for a Database. Raises ResourceError if that itself is not valid.

    Fail closed: one policy that is not valid (it came past admission) leaves none in effect, because leaving out only
    that one could leave out the mask that it brings. `read_one` may remember what it read.
    """
    read = read_database(database)
    try:
        mine = [read_one(policy) for policy in policies if database_of(policy) == read.name]
        return InEffect.of(read, mine)
    except ResourceError as error:
        return InEffect.of(read, (), "; ".join(map(str, error.problems)))


def generation_of(database: Mapping[str, Any], digest: str) -> int:
    """The number of what is in effect: what the operator wrote for it, or will write next if it did not see it yet."""
    known = int((database.get("status") or {}).get("policyGeneration") or 0)
    return known if is_numbered(database, digest) else known + 1


def is_numbered(database: Mapping[str, Any], digest: str) -> bool:
    """Whether the operator has numbered what is in effect."""
    return bool((database.get("status") or {}).get("policyDigest") == digest)
