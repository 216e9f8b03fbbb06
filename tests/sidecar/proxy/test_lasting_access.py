"""What a gate counts with: what it heard last, as long as it hears anything; and what it tells who is refused."""

from __future__ import annotations

from tests.core.policy.test_access import AGENT, NOW, PERSON, POD, STANDING, bundle, given

from penstock_core.approvals.access_news import LAPSES_AFTER
from penstock_sidecar.proxy.lasting_access import LastingAccess


def test_what_was_heard_counts_until_nothing_is_heard_any_more() -> None:
    access, plain = LastingAccess(), bundle()
    age = 0.0
    access.age = lambda: age
    assert access.replace((given(),))
    assert not access.replace((given(),)), "nothing is new"
    assert access.within(plain).grants == (given(),)
    assert access.within(plain) is access.within(plain)
    age = LAPSES_AFTER + 1
    assert access.within(plain).grants == ()
    age = 0.0
    assert access.within(plain).grants == (given(),)
    assert access.replace(())
    assert access.within(plain) is plain


def test_what_bundles_say_themselves_lapses_too() -> None:
    access, said = LastingAccess(), bundle(given())
    assert access.within(said) is said
    access.age = lambda: float("inf")
    assert access.within(said).grants == ()


def test_the_hint_says_how_each_asks() -> None:
    access, all_ = LastingAccess(), bundle()
    person = access.askable(all_, PERSON, NOW)
    assert "penstock requests ask incident --for 1h" in person
    assert "--break-glass" in person
    # Where it is refused, it can be asked for: not everybody at a gateway has a command for it.
    assert person.endswith(", or here: SET penstock.access = 'incident for 1h: what for'")
    for who in (AGENT, POD):
        assert "SET penstock.access = 'incident for 1h: what for'" in access.askable(all_, who, NOW)
    assert access.askable(bundle(given()), PERSON, NOW) == ""
    assert access.askable(bundle(policies=(STANDING,)), PERSON, NOW) == ""
