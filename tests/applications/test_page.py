"""The page about applications says what the lists say."""

from __future__ import annotations

import pytest
from tests.applications import listed, page
from tests.applications.listed import Exemption
from tests.applications.programs import APPLICATIONS


def test_the_page_is_as_the_lists_are() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.written(text, APPLICATIONS, listed.load()), "run `make messages`"


def test_the_list_is_put_into_its_place_and_nowhere_else() -> None:
    text = "Before.\n<!-- list -->\nold\n<!-- end of the list -->\nAfter.\n"
    one = Exemption(
        applications=["shop", "store"], steps=["a | b"], error="refused", reason="it would tell a value", instead="ask"
        " by another column",
    )  # fmt: skip
    made = page.written(text, APPLICATIONS, [one])
    assert made.startswith("Before.\n<!-- list -->\n\n| application")
    assert made.endswith("<!-- end of the list -->\nAfter.\n")
    assert "| shop, store: a \\| b | it would tell a value | ask by another column |\n" in made
    assert "old" not in made
    assert page.written(made, APPLICATIONS, [one]) == made
    with pytest.raises(ValueError, match="no place"):
        page.written("Nothing.", APPLICATIONS, [])
