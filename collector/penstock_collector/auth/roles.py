"""What people may do at the collector: four roles, and the rights of each. The one table that says so.

Each path names the right that it needs (`web/app.py`). Who may decide a request is said by its rule's approvers too.
What doesn't belong: who somebody is (`viewers.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from penstock_collector.sign_in_settings import RoleName


class Right(StrEnum):
    """Something that not everybody may; named as people read it."""

    STATEMENTS = "see statements"
    EXPORT = "export the trail"
    PAST_ALARMS = "see past alarms"
    READINGS = "see who read what"
    REQUESTS = "see requests for approval"
    DECIDE = "decide requests"
    ALARMS = "acknowledge alarms"
    HOLDS = "set and release legal holds"
    SIGN_INS = "see and end the sign-ins of others"


class Role(StrEnum):
    """What a person is here; one may be several."""

    VIEWER = "viewer"
    AUDITOR = "auditor"
    APPROVER = "approver"
    ADMIN = "admin"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.STATEMENTS}),
    Role.AUDITOR: frozenset({Right.STATEMENTS, Right.EXPORT, Right.PAST_ALARMS, Right.READINGS, Right.HOLDS}),
    Role.APPROVER: frozenset({Right.REQUESTS, Right.DECIDE}),
    Role.ADMIN: frozenset(Right),
}
ALL = frozenset(Role)


def may(roles: Collection[Role], right: Right) -> bool:
    """Whether one of the roles has the right."""
    return any(right in RIGHTS[role] for role in roles)


def who_may(right: Right) -> list[Role]:
    """The roles that have a right, the least of them first."""
    return [role for role in Role if right in RIGHTS[role]]


def by_groups(groups: Collection[str], mapping: Mapping[RoleName, Iterable[str]]) -> frozenset[Role]:
    """The roles that somebody has by their groups, compared letter by letter."""
    return frozenset(Role(role) for role, names in mapping.items() if not set(names).isdisjoint(groups))
