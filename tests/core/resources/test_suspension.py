"""What a kill switch says of itself, in the words that whoever is refused reads."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from penstock_core.resources.suspension import Suspension


def test_its_words_tell_who_and_since_when_as_far_as_it_says_so() -> None:
    whole = {"reason": "leak under investigation", "by": "ada@shop.example", "since": "2026-11-02T10:00:00Z"}
    said = {
        (): "leak under investigation (by ada@shop.example, since 2026-11-02T10:00:00Z)",
        ("since",): "leak under investigation (by ada@shop.example)",
        ("by",): "leak under investigation (since 2026-11-02T10:00:00Z)",
        ("by", "since"): "leak under investigation",
    }
    for left_out, words in said.items():
        given = {name: value for name, value in whole.items() if name not in left_out}
        assert Suspension.model_validate(given).words == words


@pytest.mark.parametrize("reason", ["", "x" * 257, "two\nlines", None])
def test_a_reason_is_one_line_and_has_to_be_there(reason: str | None) -> None:
    with pytest.raises(ValidationError, match="reason"):
        Suspension.model_validate({"reason": reason})
