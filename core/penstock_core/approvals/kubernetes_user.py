"""A user of the Kubernetes API as an approver: by which names they may have asked themselves, and whether a person.

The chart's ValidatingAdmissionPolicy says the same in CEL; a test asks both. What doesn't belong: what follows from it
(`four_eyes.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock_core.approvals.four_eyes import Approver

_OWN = "system:"
# Users of these groups are no persons, whatever their name.
_NO_PERSONS = frozenset({"system:serviceaccounts", "system:nodes", "system:unauthenticated"})


@dataclass(frozen=True, slots=True)
class KubernetesUser:
    """Who the API server says that somebody is: `userInfo`."""

    username: str
    groups: frozenset[str] = frozenset()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


def approver(user: KubernetesUser, prefixes: Iterable[str]) -> Approver:
    """The user with every name that they may have in a request.

    `prefixes`: what the API server puts before the names of people. One that it derives from their issuer ends with #.
    """
    name = user.username
    also = {name.removeprefix(prefix) for prefix in prefixes} | {name.rpartition("#")[2], user.uid}
    also |= {value for values in user.extra.values() for value in values}
    person = bool(name) and not name.startswith(_OWN) and _NO_PERSONS.isdisjoint(user.groups)
    return Approver(name, "person" if person else "service", user.groups, frozenset(also - {name, ""}))
