"""Pauses between tries grow to their longest, differ, and start over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock_core.backoff import Backoff


def bounds(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next() for _ in range(count)]


def test_pauses_double_until_they_are_the_longest() -> None:
    backoff = Backoff(0.5, 3.0, pick=lambda least, most: most)
    assert bounds(backoff, 5) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_success_starts_them_over() -> None:
    backoff = Backoff(0.5, 3.0, pick=lambda least, most: most)
    bounds(backoff, 3)
    backoff.reset()
    assert bounds(backoff, 2) == [0.5, 1.0]


@given(st.floats(0.01, 5.0), st.floats(1.0, 100.0), st.integers(1, 20))
def test_no_pause_is_longer_than_the_longest_or_next_to_nothing(first: float, factor: float, count: int) -> None:
    longest = first * factor
    assert all(first / 4 <= pause <= longest for pause in bounds(Backoff(first, longest), count))


def test_pauses_differ() -> None:
    assert len(set(bounds(Backoff(1.0, 1.0), 20))) > 10
