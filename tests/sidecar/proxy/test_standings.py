"""What was found for one login is there for the next: for that identity and address, by that bundle, at any time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs
from tests.core.policy.test_access import ADA, AGENT, INCIDENT, NOW, PERSON, POD, bundle, given, policy

from penstock_core.conditions import Circumstances
from penstock_core.identity import Identity
from penstock_core.policy.combine import effective
from penstock_core.resources import Bundle
from penstock_sidecar.proxy.condition_watch import ConditionWatch
from penstock_sidecar.proxy.lasting_access import LastingAccess
from penstock_sidecar.proxy.standings import MOST_KEPT, Standings

HERE, THERE = "192.0.2.1", "198.51.100.1"
GRACE = Identity(None, replace(ADA, subject="grace"))


class Clock(ConditionWatch):
    """Conditions at a time that the test sets."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.time = NOW

    def now(self, client_address: str) -> Circumstances:
        return Circumstances(self.time, client_address)


class Desk:
    """Asks, and holds each answer against what is found anew."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.access = LastingAccess()
        self._standings = Standings(self.clock, self.access)

    def ask(self, one: Bundle, who: Identity = PERSON, address: str = HERE) -> Any:
        found = self._standings.of(one, who, address)
        assert found.policy == effective(one, who, self.clock.now(address))
        assert found.timeless == found.policy.timeless
        assert found.askable == self.access.askable(one, who, self.clock.time)
        return found

    def lifted(self, one: Bundle, who: Identity = PERSON, address: str = HERE) -> bool:
        enforced = self.ask(one, who, address).policy.enforced
        assert enforced is not None
        return not enforced.masks


def masked(unless: str) -> Bundle:
    mask = {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": unless}
    return bundle(policies=(policy("one", allow=["select"], masks=[mask]),))


def test_it_is_found_once() -> None:
    desk, one = Desk(), masked("identity.subject == 'ada'")
    assert desk.ask(one) is desk.ask(one)
    desk.clock.time += timedelta(days=400)
    assert desk.ask(one) is desk.ask(one)


def test_by_another_bundle_it_is_another() -> None:
    desk = Desk()
    for subject, lifted in (("ada", True), ("grace", False), ("ada", True)):
        assert desk.lifted(masked(f"identity.subject == '{subject}'")) is lifted
    # Also where it is equal: nothing is known of how it came about.
    one, alike = (masked("identity.subject == 'ada'") for _ in range(2))
    assert desk.ask(one) is not desk.ask(alike)


def test_each_identity_has_its_own_wherever_it_comes_from() -> None:
    desk = Desk()
    one = masked(f"'on-call' in identity.groups && session.clientAddress == '{HERE}'")
    outsider = Identity(None, replace(ADA, groups=("support",)))
    for _ in range(2):
        assert desk.lifted(one)
        assert not desk.lifted(one, outsider)
        assert not desk.lifted(one, address=THERE)
        assert not desk.lifted(one, AGENT)
        assert not desk.lifted(one, POD)
        # What it may do within a transaction of a person's is not what it may do itself.
        assert desk.ask(one, POD.acting_for(ADA)) is not desk.ask(one, POD)


def test_what_depends_on_the_time_is_found_anew() -> None:
    desk, one = Desk(), masked("now < timestamp('2030-01-31T13:00:00Z')")
    assert desk.lifted(one)
    desk.clock.time += timedelta(hours=1)
    assert not desk.lifted(one)
    desk.clock.time -= timedelta(seconds=1)
    assert desk.lifted(one)


def test_access_for_a_time_begins_and_ends() -> None:
    desk, without = Desk(), bundle()
    granted = without.model_copy(update={"grants": (given(),)})
    assert not desk.ask(without).policy.access
    assert "incident" in desk.ask(without).askable
    assert desk.ask(granted).askable == ""
    assert [one.policy for one in desk.ask(granted).policy.access] == [INCIDENT.name]
    assert not desk.ask(granted, GRACE).policy.access
    desk.clock.time += timedelta(hours=4)
    assert not desk.ask(granted).policy.access
    desk.clock.time = NOW
    # As it is where nobody is heard of for too long.
    assert not desk.ask(without).policy.access


def test_a_condition_that_cannot_be_evaluated_is_told_of_once() -> None:
    desk, one = Desk(), masked("identity.groups[7] == 'dba'")
    with capture_logs() as logs:
        for _ in range(3):
            assert not desk.lifted(one)
            assert not desk.lifted(one, GRACE)
    assert len(logs) == 1


def test_many_identities_take_no_room() -> None:
    desk, one = Desk(), masked("'dba' in identity.groups")
    first = desk.ask(one)
    others = [Identity(None, replace(ADA, subject=f"person-{number}")) for number in range(MOST_KEPT)]
    for who in others[:-1]:
        desk.ask(one, who)
    assert desk.ask(one) is first
    # It was asked for last; who was asked for longest ago makes room.
    second = desk.ask(one, others[1])
    desk.ask(one, others[-1])
    assert desk.ask(one) is first
    assert desk.ask(one, others[1]) is second
    assert len(desk._standings._kept) == MOST_KEPT
