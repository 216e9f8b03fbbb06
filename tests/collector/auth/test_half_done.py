"""Sign-ins that have begun: sealed, for ten minutes, for one end."""

from __future__ import annotations

import pytest

from penstock_collector.auth import half_done
from penstock_collector.auth.half_done import HALF_DONE_SECONDS, HalfDone, HalfDoneSeal


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seal(clock: Clock) -> HalfDoneSeal:
    return HalfDoneSeal(clock)


def test_it_is_opened_until_it_ends(seal: HalfDoneSeal) -> None:
    one = HalfDone.begun("/streams")
    cookie = seal.close(one)
    assert seal.open(cookie) == one
    assert len(cookie) < 4096
    assert one.state not in cookie
    assert one.verifier not in cookie
    seal.end(one)
    assert seal.open(cookie) is None


def test_it_grows_old(seal: HalfDoneSeal, clock: Clock) -> None:
    cookie = seal.close(HalfDone.begun("/"))
    clock.now += HALF_DONE_SECONDS
    assert seal.open(cookie) is not None
    clock.now += 1
    assert seal.open(cookie) is None


def test_no_other_seal_is_good(seal: HalfDoneSeal, clock: Clock) -> None:
    cookie = HalfDoneSeal(clock).close(HalfDone.begun("/"))
    assert seal.open(cookie) is None
    own = seal.close(HalfDone.begun("/"))
    for other in ("", own[:-4], own[:40] + ("A" if own[40] != "A" else "B") + own[41:], "\udcff", "x" * 10_000):
        assert seal.open(other) is None


def test_the_longest_target_fits_into_a_cookie(seal: HalfDoneSeal) -> None:
    longest = HalfDone.begun("/" + "\u20ac" * (half_done._LONGEST_TARGET - 1))
    assert seal.open(seal.close(longest)) in (longest, None)
    assert HalfDone.begun("/" + "x" * half_done._LONGEST_TARGET).target == "/"
    plain = HalfDone.begun("/" + "x" * (half_done._LONGEST_TARGET - 1))
    assert seal.open(seal.close(plain)) == plain


def test_what_ended_is_remembered_as_long_as_it_could_be_opened(
    seal: HalfDoneSeal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half_done, "_MOST_ENDED", 100)
    ones = [HalfDone.begun("/") for _ in range(50)]
    for one in ones:
        seal.end(one)
    assert len(seal._ended) == 50
    clock.now += HALF_DONE_SECONDS + 2
    seal.end(HalfDone.begun("/"))
    assert len(seal._ended) == 1
    for _ in range(300):
        seal.end(HalfDone.begun("/"))
    assert len(seal._ended) == 100
