"""The table of roles: what each may, and that groups give them letter by letter."""

from __future__ import annotations

from penstock_collector.auth.roles import RIGHTS, Right, Role, by_groups, may, who_may


def test_what_each_role_may() -> None:
    assert {role.value: {right.name for right in rights} for role, rights in RIGHTS.items()} == {
        "viewer": {"STATEMENTS"},
        "auditor": {"STATEMENTS", "EXPORT", "PAST_ALARMS", "READINGS", "HOLDS"},
        "approver": {"REQUESTS", "DECIDE"},
        "admin": {right.name for right in Right},
    }
    assert all(who_may(right) for right in Right), "a right that nobody has opens nothing"
    assert not may([], Right.STATEMENTS)


def test_groups_give_roles() -> None:
    mapping = {"viewer": ["staff", "dba"], "approver": ["dba"], "admin": []}
    assert by_groups({"dba"}, mapping) == {Role.VIEWER, Role.APPROVER}  # type: ignore[arg-type]
    assert by_groups({"DBA", "staff ", ""}, mapping) == frozenset()  # type: ignore[arg-type]
    assert by_groups([], mapping) == frozenset()  # type: ignore[arg-type]
