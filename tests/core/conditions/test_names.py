"""What conditions may name stands for what is verified, and for nothing where there is nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock_core.conditions.names import MOST_GROUPS, NAMES, UNLESS, WHEN, Circumstances, values
from penstock_core.identity import Identity, Principal, Workload

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Principal("person", "ada", "https://id.example.com", ("dpo", "staff"))
WEB = Workload("shop", "web", "web-1", "uid-1")
PERSON = {
    "identity.name": "person:ada", "identity.kind": "person", "identity.subject": "ada",
    "identity.issuer": "https://id.example.com", "identity.groups": ["dpo", "staff"],
}  # fmt: skip
POD = {"identity.namespace": "shop", "identity.serviceAccount": "web", "identity.pod": "web-1"}
AROUND = {"session.database": "shop", "session.clientAddress": "10.0.0.7", "now": NOW}
CASES: dict[str, tuple[Identity, Circumstances, dict[str, Any]]] = {
    "a person": (Identity(None, ADA), Circumstances(NOW, "10.0.0.7"), PERSON | AROUND),
    "a person in a pod": (Identity(WEB, ADA), Circumstances(NOW, "10.0.0.7"), PERSON | POD | AROUND),
    "a pod": (Identity(WEB), Circumstances(NOW, "10.0.0.7"), {"identity.name": "sa:shop/web"} | POD | AROUND),
    "a pod without a name": (
        Identity(Workload("shop", "web")),
        Circumstances(),
        {
            "identity.name": "sa:shop/web", "identity.namespace": "shop", "identity.serviceAccount": "web",
            "session.database": "shop",
        },
    ),
    "nobody": (Identity(), Circumstances(), {"identity.name": "nobody", "session.database": "shop"}),
    "nobody, with access that was asked for": (
        Identity(),
        Circumstances(access=("incident",)),
        {"identity.name": "nobody", "session.database": "shop", "session.access": ["incident"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("identity", "circumstances", "found"), CASES.values(), ids=CASES)
def test_what_names_stand_for(identity: Identity, circumstances: Circumstances, found: dict[str, Any]) -> None:
    assert values(identity, "shop", circumstances) == found


def test_groups_without_end_are_not_looked_at() -> None:
    def of(count: int) -> dict[str, Any]:
        groups = tuple(f"g{number}" for number in range(count))
        return values(Identity(None, Principal("person", "ada", "https://id", groups)), "shop", Circumstances())

    assert len(of(MOST_GROUPS)["identity.groups"]) == MOST_GROUPS
    assert "identity.groups" not in of(MOST_GROUPS + 1)


def test_a_time_without_its_zone_is_none() -> None:
    assert "now" not in values(Identity(), "shop", Circumstances(datetime(2026, 3, 1)))


def test_every_name_stands_for_something_somewhere() -> None:
    told = {name for _, _, found in CASES.values() for name in found}
    assert told == {name.path for name in UNLESS.names}
    assert {name.path for name in NAMES} == {name.path for name in WHEN.names}


def test_what_is_absent_is_not_in_the_table() -> None:
    for scope in (UNLESS, WHEN):
        known = {name.path for name in scope.names} | {name.root for name in scope.names}
        assert known.isdisjoint(scope.absent)
        assert all(scope.why_absent(path) for path in scope.absent)
    assert UNLESS.why_absent("statement.verb") == UNLESS.why_absent("statement")
    assert UNLESS.why_absent("identity.groups") == ""
