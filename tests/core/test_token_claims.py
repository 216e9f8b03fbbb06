"""Claims by their names, and by the names that lead to them."""

from __future__ import annotations

import pytest

from penstock_core.token_claims import is_text, value

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


@pytest.mark.parametrize(
    ("found", "yes"), [("", True), ("dba ß 🦊", True), ("a\x00b", True), ("a\udc00", False), (5, False), (None, False)]
)
def test_half_a_surrogate_pair_is_no_text(found: object, yes: bool) -> None:
    assert is_text(found) is yes
