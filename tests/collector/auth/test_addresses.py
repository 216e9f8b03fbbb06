"""Where guesses come from."""

from __future__ import annotations

import pytest

from penstock_collector.auth.addresses import neighbourhood
from penstock_collector.auth.viewers import TooManyFailures, Viewers


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_a_host_with_a_network_of_its_own_is_one(address: str, place: str) -> None:
    assert neighbourhood(address) == place


def test_guesses_from_all_over_a_network_are_counted_together() -> None:
    viewers = Viewers(None)
    for number in range(10):
        assert viewers.log_in(f"guess{number}", f"2001:db8::{number:x}") is None
    with pytest.raises(TooManyFailures):
        viewers.log_in("guess", "2001:db8::ffff")
    assert viewers.log_in("guess", "2001:db8:0:1::1") is None
    # What is too long to be guessed is looked at all the same: behind a proxy, all have one address.
    assert viewers.log_in("x" * 43, "2001:db8::ffff") is None


def test_who_sends_no_token_locks_nobody_out() -> None:
    viewers = Viewers(None)
    for _ in range(20):
        assert viewers.log_in("", "203.0.113.7") is None
    assert viewers.log_in("guess", "203.0.113.7") is None
