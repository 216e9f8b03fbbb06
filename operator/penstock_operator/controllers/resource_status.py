"""What is to be said about each resource of a namespace: whether it works, why not, and which pods it concerns.

A verdict is about the whole at one moment, so that it makes no difference in which order things came. Pure.
What doesn't belong: writing it anywhere (`namespaces.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock_core.identity import Identity, Workload
from penstock_core.policy.subjects import is_for
from penstock_core.resources import Database, DatabaseAccessPolicy, Problem, ResourceError, check
from penstock_operator.inject.annotations import INJECTED_VERSION, PREFIX
from penstock_operator.objects import (
    DATABASES,
    POLICIES,
    database_of,
    generation_of,
    in_effect,
    read_database,
    read_policy,
)

Json = dict[str, Any]

# The longest message that the schema allows.
_LONGEST = 32768
_SHOWN = 5


def ready_condition(status: Json) -> Json:
    """The condition Ready in a status, or nothing."""
    conditions: list[Json] = status.get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), {})


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    """On one resource."""

    plural: str
    name: str
    ready: bool
    # One word for programs, and a sentence for people.
    reason: str
    message: str
    # What else is in the status: `pods` of a policy, `policies` of a Database.
    counts: tuple[tuple[str, int], ...] = ()
    # Of a Database: what is in effect, to be numbered.
    digest: str = ""

    def status(self, before: Json, generation: int, now: str) -> Json:
        """The status to write; the condition keeps its time while it stays what it is."""
        ready = "True" if self.ready else "False"
        known = ready_condition(before)
        since = known.get("lastTransitionTime") if known.get("status") == ready else None
        condition = {
            "type": "Ready",
            "status": ready,
            "observedGeneration": generation,
            "lastTransitionTime": since or now,
            "reason": self.reason,
            "message": self.message[:_LONGEST],
        }
        status = {"observedGeneration": generation, "conditions": [condition], **dict(self.counts)}
        if self.digest:
            number = generation_of({"status": before}, self.digest)
            return status | {"policyGeneration": number, "policyDigest": self.digest}
        return status | {name: before[name] for name in ("policyGeneration", "policyDigest") if name in before}


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is in one namespace, as the API server has it."""

    databases: Sequence[Json]
    policies: Sequence[Json]
    # Those that have a sidecar and have not ended.
    pods: Sequence[Json]


@dataclass(frozen=True, slots=True)
class _Read:
    """Resources by name, and what is wrong with those that can't be read."""

    databases: dict[str, Database]
    policies: dict[str, DatabaseAccessPolicy]
    broken: dict[tuple[str, str], ResourceError]


def resource_statuses(holdings: Holdings, version: str) -> list[ResourceStatus]:
    """One for each resource; `version` is that of the sidecars that pods get now."""
    read = _read(holdings)
    found = [_of_database(raw, holdings, read, version) for raw in holdings.databases]
    return found + [_of_policy(raw, holdings, read) for raw in holdings.policies]


def _read(holdings: Holdings) -> _Read:
    read = _Read({}, {}, {})
    for raw in holdings.databases:
        try:
            read.databases[_name(raw)] = read_database(raw)
        except ResourceError as error:
            read.broken[DATABASES, _name(raw)] = error
    for raw in holdings.policies:
        try:
            read.policies[_name(raw)] = read_policy(raw)
        except ResourceError as error:
            read.broken[POLICIES, _name(raw)] = error
    return read


def _of_database(raw: Json, holdings: Holdings, read: _Read, version: str) -> ResourceStatus:
    name = _name(raw)
    mine = sorted(_name(policy) for policy in holdings.policies if database_of(policy) == name)
    counts = (("policies", len(mine)),)
    error = read.broken.get((DATABASES, name))
    digest = in_effect(raw, holdings.policies).digest if error is None else ""

    def status_of(ready: bool, reason: str, message: str) -> ResourceStatus:
        return ResourceStatus(DATABASES, name, ready, reason, message, counts, digest)

    if error is not None:
        return status_of(False, "Invalid", _words(error.problems))
    broken = [policy for policy in mine if (POLICIES, policy) in read.broken]
    if broken:
        return status_of(False, "PolicyInvalid", _nobody(broken))
    if (suspended := read.databases[name].spec.suspended) is not None:
        return status_of(False, "Suspended", f"nobody has access until it is resumed: {suspended.words}")
    if not mine:
        return status_of(True, "NoPolicy", "nobody has access: no DatabaseAccessPolicy is for this Database")
    pods = [pod for pod in holdings.pods if _annotations(pod).get(PREFIX + "database") == name]
    parts = [f"governed by {_listed(mine)}", f"{_counted(len(pods), 'pod')} with a sidecar for it"]
    old = sorted(_name(pod) for pod in pods if _annotations(pod).get(INJECTED_VERSION) != version)
    if old:
        parts.append(f"with a sidecar of another version than {version} (restart their workload): {_listed(old)}")
    return status_of(True, "Accepted", "; ".join(parts))


def _of_policy(raw: Json, holdings: Holdings, read: _Read) -> ResourceStatus:
    name, database = _name(raw), database_of(raw)
    policy = read.policies.get(name)
    pods = [pod for pod in holdings.pods if policy is not None and _governs(policy, pod)]
    counts = (("pods", len(pods)),)

    def status_of(ready: bool, reason: str, message: str) -> ResourceStatus:
        return ResourceStatus(POLICIES, name, ready, reason, message, counts)

    if policy is None:
        return status_of(False, "Invalid", _words(read.broken[POLICIES, name].problems))
    if (DATABASES, database) in read.broken:
        return status_of(False, "DatabaseInvalid", f"the Database {database} is not valid; its own status says why")
    problems = check([*read.databases.values(), policy])
    if problems:
        missing = any(problem.field == "spec.databaseRef.name" for problem in problems)
        return status_of(False, "DatabaseNotFound" if missing else "DoesNotFit", _words(problems))
    others = sorted(
        other for kind, other in read.broken if kind == POLICIES and database_of(_raw(holdings, other)) == database
    )
    if others:
        return status_of(False, "Withheld", _nobody(others))
    governs = f"governs {_counted(len(pods), 'pod')}"
    if policy.spec.row_order == "unspecified":
        governs += "; rowOrder is unspecified: the order of rows may show how masked values compare with one another"
    if policy.spec.mode == "revoke":
        return status_of(True, "Revoking", _revoking(policy))
    if policy.spec.mode == "observe":
        return status_of(True, "Observing", f"records what it would do and changes nothing; {governs}")
    return status_of(True, "Accepted", governs)


def _revoking(policy: DatabaseAccessPolicy) -> str:
    why = policy.spec.revoked
    return "ends all sessions of its subjects and lets none begin" + (f": {why.words}" if why else "")


def _governs(policy: DatabaseAccessPolicy, pod: Json) -> bool:
    account = (pod.get("spec") or {}).get("serviceAccountName") or "default"
    return _annotations(pod).get(PREFIX + "database") == policy.spec.database_ref.name and is_for(
        policy, Identity(Workload(policy.namespace, account, _name(pod)))
    )


def _raw(holdings: Holdings, policy: str) -> Json:
    return next(raw for raw in holdings.policies if _name(raw) == policy)


def _nobody(broken: Sequence[str]) -> str:
    # Leaving out only the broken one could leave out the mask that it brings.
    return f"nobody has access until it is valid or gone: DatabaseAccessPolicy {_listed(broken)}"


def _words(problems: Sequence[Problem]) -> str:
    return "; ".join(": ".join(filter(None, (problem.field, problem.message))) for problem in problems)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _name(raw: Json) -> str:
    return str(raw["metadata"]["name"])


def _annotations(raw: Json) -> Json:
    return raw["metadata"].get("annotations") or {}
