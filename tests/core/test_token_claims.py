"""Claims by their names, and by the names that lead to them."""

from __future__ import annotations

import pytest

from penstock_core.token_claims import value

CLAIMS = {
    "groups": ["a"],
    "realm_access": {"roles": ["b"]},
    "https://shop.example/groups": ["c"],
    "a.b": 1,
    "a": {"b": 2},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("groups", ["a"]),
        ("realm_access.roles", ["b"]),
        ("https://shop.example/groups", ["c"]),
        # The name itself before the way to it.
        ("a.b", 1),
        ("none", None),
        ("realm_access.none", None),
        ("groups.roles", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_by_the_way_to_it(path: str, found: object) -> None:
    assert value(CLAIMS, path) == found
