"""What is to be said about each resource of a namespace: whether it works, why not, and which pods it concerns.

A verdict is about the whole at one moment, so that it makes no difference in which order things came. Pure.
What doesn't belong: writing it anywhere (`namespaces.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock_core.identity import Identity, Workload
from penstock_core.policy.subjects import is_for
from penstock_core.resources import Database, DatabaseAccessPolicy, Problem, ResourceError, check
from penstock_operator.controllers.gate_conditions import (
    Condition,
    Seen,
    classified,
    connected,
    enforced,
    masks_find_their_columns,
    summary,
    without_session,
)
from penstock_operator.controllers.gate_news import Gate
from penstock_operator.controllers.governed_pods import GovernedPod
from penstock_operator.controllers.wording import counted, listed
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
# Of each list of pods in a Database's status.
_MOST_NAMES = 10


def ready_condition(status: Json) -> Json:
    """The condition Ready in a status, or nothing."""
    conditions: list[Json] = status.get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), {})


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    """On one resource."""

    plural: str
    name: str
    # Ready, which sums the others up, and they.
    conditions: tuple[Condition, ...]
    # What else is in the status: `pods` of a policy, `policies` of a Database.
    counts: tuple[tuple[str, object], ...] = ()
    # Of a Database: what is in effect, to be numbered.
    digest: str = ""
    # Of a Database: how many pods have had no session with it for long.
    quiet: int = 0

    @property
    def ready(self) -> Condition:
        """What is to be told."""
        return self.conditions[0]

    def status(self, before: Json, generation: int, now: str) -> Json:
        """The status to write; a condition keeps its time while it stays what it is."""
        known = {one.get("type"): one for one in before.get("conditions") or []}
        conditions = [_document(one, known.get(one.type) or {}, generation, now) for one in self.conditions]
        status = {"observedGeneration": generation, "conditions": conditions, **dict(self.counts)}
        if self.digest:
            number = generation_of({"status": before}, self.digest)
            return status | {"policyGeneration": number, "policyDigest": self.digest}
        return status | {name: before[name] for name in ("policyGeneration", "policyDigest") if name in before}


def _document(condition: Condition, known: Json, generation: int, now: str) -> Json:
    since = known.get("lastTransitionTime") if known.get("status") == condition.status else None
    return {
        "type": condition.type,
        "status": condition.status,
        "observedGeneration": generation,
        "lastTransitionTime": since or now,
        "reason": condition.reason,
        "message": condition.message[:_LONGEST],
    }


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is in one namespace."""

    # As the API server has them.
    databases: Sequence[Json]
    policies: Sequence[Json]
    # Those that have a gate and have not ended.
    pods: Sequence[GovernedPod]
    # Of each Database, its gates by their pods' uids.
    gates: Mapping[str, Mapping[str, Gate]] = field(default_factory=dict)
    # Databases of which something else has been in effect until a moment ago.
    unsettled: frozenset[str] = frozenset()
    # Whether control can't be asked what gates report.
    silent: bool = False
    # After how many minutes a pod without a session is quiet; 0: never.
    quiet_minutes: int = 0


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
    error = read.broken.get((DATABASES, name))
    digest = digest_of(raw, holdings.policies)
    seen = _seen(name, holdings, read, digest)
    counts: tuple[tuple[str, object], ...] = (("policies", len(mine)), ("pods", _named_pods(name, holdings, seen)))
    accepted = _accepted_database(name, mine, read, error)
    observing = [one for one in mine if one in read.policies and read.policies[one].spec.mode == "observe"]
    stages = [accepted]
    if seen is not None and accepted.status == "True" and mine:
        stages += [connected(seen), classified(seen), enforced(seen, mine, observing)]
    fine = accepted
    if seen is not None and accepted.reason == "Accepted":
        parts = [accepted.message, f"{counted(len(seen.pods), 'pod')} with a gate for it"]
        old = sorted(pod.name for pod in seen.pods if pod.version not in ("", version))
        if old:
            parts.append(f"with a sidecar of another version than {version} (restart their workload): {listed(old)}")
        if quiet := without_session(seen):
            parts.append(quiet)
        fine = Condition("Ready", "True", "NoSession" if quiet else "Accepted", "; ".join(parts))
    number = 0 if seen is None else len(seen.quiet)
    return ResourceStatus(DATABASES, name, (summary(stages, fine), *stages), counts, digest, quiet=number)


def _accepted_database(name: str, mine: Sequence[str], read: _Read, error: ResourceError | None) -> Condition:
    if error is not None:
        return _refused("Invalid", _words(error.problems))
    broken = [policy for policy in mine if (POLICIES, policy) in read.broken]
    if broken:
        return _refused("PolicyInvalid", _nobody(broken))
    if (suspended := read.databases[name].spec.suspended) is not None:
        return _refused("Suspended", f"nobody has access until it is resumed: {suspended.words}")
    if not mine:
        return _accepted("NoPolicy", "nobody has access: no DatabaseAccessPolicy is for this Database")
    return _accepted("Accepted", f"governed by {listed(mine)}")


def _seen(name: str, holdings: Holdings, read: _Read, digest: str) -> Seen | None:
    """What is known of the Database's gates; None where it is not one."""
    database = read.databases.get(name)
    if database is None:
        return None
    gates = holdings.gates.get(name, {})
    pods = [pod for pod in holdings.pods if name in pod.databases or (not pod.databases and pod.uid in gates)]
    settled = name not in holdings.unsettled
    # Without a policy nobody can have a session.
    quiet_minutes = holdings.quiet_minutes if any(database_of(one) == name for one in holdings.policies) else 0
    return Seen(database, digest, pods, gates, settled, holdings.silent, quiet_minutes)


def _named_pods(name: str, holdings: Holdings, seen: Seen | None) -> Json:
    """By what is the matter with them."""
    pods = [pod.name for pod in holdings.pods if name in pod.databases] if seen is None else [p.name for p in seen.pods]
    kinds = ("stale", "unreachable", "outdated", "around", "quiet")
    found: dict[str, Sequence[str]] = {"governed": pods, **dict.fromkeys(kinds, ())}
    if seen is not None:
        found |= {"stale": seen.stale, "unreachable": seen.unreachable, "outdated": seen.outdated}
        found |= {"around": seen.around, "quiet": seen.quiet}
    return {kind: {"count": len(names), "names": sorted(names)[:_MOST_NAMES]} for kind, names in found.items()}


def _of_policy(raw: Json, holdings: Holdings, read: _Read) -> ResourceStatus:
    name = _name(raw)
    policy = read.policies.get(name)
    pods = [pod for pod in holdings.pods if policy is not None and _governs(policy, pod)]
    counts = (("pods", len(pods)),)
    accepted = _accepted_policy(name, raw, holdings, read)
    if policy is None or accepted.status != "True" or policy.spec.mode == "revoke":
        return ResourceStatus(POLICIES, name, (summary([accepted], accepted), accepted), counts)
    governs = f"governs {counted(len(pods), 'pod')}"
    if policy.spec.row_order == "unspecified":
        governs += "; rowOrder is unspecified: the order of rows may show how masked values compare with one another"
    observing = [name] if policy.spec.mode == "observe" else []
    fine = Condition("Ready", "True", accepted.reason, governs)
    seen = _seen(database_of(raw), holdings, read, _digest(database_of(raw), holdings))
    if seen is None:
        return ResourceStatus(POLICIES, name, (summary([accepted], fine), accepted), counts)
    stages = [accepted, connected(seen), masks_find_their_columns(name, seen), enforced(seen, [name], observing)]
    return ResourceStatus(POLICIES, name, (summary(stages, fine), *stages), counts)


def _accepted_policy(name: str, raw: Json, holdings: Holdings, read: _Read) -> Condition:
    database, policy = database_of(raw), read.policies.get(name)
    if policy is None:
        return _refused("Invalid", _words(read.broken[POLICIES, name].problems))
    if (DATABASES, database) in read.broken:
        return _refused("DatabaseInvalid", f"the Database {database} is not valid; its own status says why")
    problems = check([*read.databases.values(), policy])
    if problems:
        missing = any(problem.field == "spec.databaseRef.name" for problem in problems)
        return _refused("DatabaseNotFound" if missing else "DoesNotFit", _words(problems))
    others = sorted(
        other for kind, other in read.broken if kind == POLICIES and database_of(_raw(holdings, other)) == database
    )
    if others:
        return _refused("Withheld", _nobody(others))
    if policy.spec.mode == "revoke":
        return _accepted("Revoking", _revoking(policy))
    if policy.spec.mode == "observe":
        return _accepted("Observing", "records what it would do and changes nothing")
    return _accepted("Accepted", "it is valid, and fits its Database's resource")


def _accepted(reason: str, message: str) -> Condition:
    return Condition("Accepted", "True", reason, message)


def _refused(reason: str, message: str) -> Condition:
    return Condition("Accepted", "False", reason, message)


def _digest(database: str, holdings: Holdings) -> str:
    raw = next((one for one in holdings.databases if _name(one) == database), None)
    return "" if raw is None else digest_of(raw, holdings.policies)


def digest_of(database: Json, policies: Sequence[Json]) -> str:
    """Of what is in effect for a Database; empty where it is not valid."""
    try:
        return in_effect(database, policies).digest
    except ResourceError:
        return ""


def _revoking(policy: DatabaseAccessPolicy) -> str:
    why = policy.spec.revoked
    return "ends all sessions of its subjects and lets none begin" + (f": {why.words}" if why else "")


def _governs(policy: DatabaseAccessPolicy, pod: GovernedPod) -> bool:
    return policy.spec.database_ref.name in pod.databases and is_for(
        policy, Identity(Workload(policy.namespace, pod.account, pod.name))
    )


def _raw(holdings: Holdings, policy: str) -> Json:
    return next(raw for raw in holdings.policies if _name(raw) == policy)


def _nobody(broken: Sequence[str]) -> str:
    # Leaving out only the broken one could leave out the mask that it brings.
    return f"nobody has access until it is valid or gone: DatabaseAccessPolicy {listed(broken)}"


def _words(problems: Sequence[Problem]) -> str:
    return "; ".join(": ".join(filter(None, (problem.field, problem.message))) for problem in problems)


def _name(raw: Json) -> str:
    return str(raw["metadata"]["name"])
