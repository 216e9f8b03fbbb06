"""What is wrong between resources, each valid by itself: for the operator's status, and for `penstock check`.

What only the database's own catalog can tell (columns that do not exist) is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.database import Database
from penstock_core.resources.masks import MaskSpec
from penstock_core.resources.model import Resource
from penstock_core.resources.problems import Problem, suggestion
from penstock_core.resources.vocabulary import column_parts

# Masks that only columns of some types can take.
_FOR = {"partial": "text", "email": "text", "year": "dates", "month": "dates", "bucket": "numbers"}


def check(resources: Iterable[Resource]) -> list[Problem]:
    """All problems between the resources, by resource and place. No problem: they fit together."""
    everything = list(resources)
    databases = {(one.namespace, one.name): one for one in everything if isinstance(one, Database)}
    problems = [*_named_twice(everything), *_selecting_alike(databases.values())]
    for policy in everything:
        if isinstance(policy, DatabaseAccessPolicy):
            problems += _policy_problems(policy, databases)
    return sorted(problems, key=lambda problem: (problem.resource, problem.field))


def _named_twice(resources: list[Resource]) -> Iterator[Problem]:
    for title, count in Counter(resource.title for resource in resources).items():
        if count > 1:
            yield Problem(f"there are {count} of this name; give each its own", "metadata.name", resource=title)


def _selecting_alike(databases: Iterable[Database]) -> Iterator[Problem]:
    """Databases of one namespace that select the same pods. Of selectors that only overlap, the pods will tell."""
    first: dict[tuple[object, ...], str] = {}
    for one in sorted(databases, key=lambda database: database.title):
        if one.spec.workloads is not None:
            labels = frozenset(one.spec.workloads.match_labels.items())
            selected = (one.namespace, labels, frozenset(one.spec.workloads.match_expressions))
            other = first.setdefault(selected, one.name)
            if other != one.name:
                message = f"selects the same pods as the Database {other}, and a pod has one gate: they will be refused"
                yield Problem(message, "spec.workloads", resource=one.title)


def _policy_problems(policy: DatabaseAccessPolicy, databases: dict[tuple[str, str], Database]) -> Iterator[Problem]:
    name = policy.spec.database_ref.name
    database = databases.get((policy.namespace, name))
    if database is None:
        yield Problem(_no_database(policy, databases), "spec.databaseRef.name", resource=policy.title)
        return
    for place, mask in enumerate(policy.spec.masks):
        yield from _unknown_tags(policy, place, mask, database)
        yield from _misfits(policy, place, mask)


def _no_database(policy: DatabaseAccessPolicy, databases: dict[tuple[str, str], Database]) -> str:
    name = policy.spec.database_ref.name
    elsewhere = sorted(namespace for namespace, other in databases if other == name)
    if elsewhere:
        return (
            f"Database {name} is in the namespace {elsewhere[0]}, and a policy only has effect in its own, "
            f"{policy.namespace}; put the policy into {elsewhere[0]}"
        )
    near = [other for namespace, other in databases if namespace == policy.namespace]
    return f"there is no Database {name} in the namespace {policy.namespace}{suggestion(name, near)}"


def _unknown_tags(policy: DatabaseAccessPolicy, place: int, mask: MaskSpec, database: Database) -> Iterator[Problem]:
    for number, tag in enumerate(mask.tags or ()):
        if tag not in database.tags:
            yield Problem(
                f"no column of Database {database.name} is classified {tag}, so the policy allows nothing"
                f"{suggestion(tag, database.tags)}",
                f"spec.masks[{place}].tags[{number}]",
                resource=policy.title,
            )


def _misfits(policy: DatabaseAccessPolicy, place: int, mask: MaskSpec) -> Iterator[Problem]:
    """Patterns over all columns of a table with a mask that not all types can take: some are bound to be of others."""
    kind = mask.with_.chosen()[0]
    if kind not in _FOR:
        return
    for number, pattern in enumerate(mask.columns or ()):
        if column_parts(pattern)[2] == "*":
            yield Problem(
                f"{kind} is for {_FOR[kind]}, and {pattern} means columns of any type; name them, or use redact",
                f"spec.masks[{place}].columns[{number}]",
                resource=policy.title,
            )
