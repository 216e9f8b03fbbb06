"""A body is read, or refused by its field; nothing of what came is repeated."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from penstock_core.bodies import first_trouble, read_body


class Inner(BaseModel):
    size: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    inner: tuple[Inner, ...] = ()


def test_what_was_sent_is_read() -> None:
    assert read_body(Outer, b'{"inner": [{"size": 3}]}').inner[0].size == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"inner": [{"size": "secret"}]}', "inner.0.size: "),
        (b'{"other": "secret"}', "other: "),
        (b"secret", "the body: "),
        (b'["secret"]', "the body: "),
    ],
)
def test_what_is_wrong_first_is_named_and_not_repeated(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        read_body(Outer, body)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_whole_has_the_name_that_it_is_given() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate([])
    assert first_trouble(caught.value).startswith("it: ")
    assert first_trouble(caught.value, "the wish").startswith("the wish: ")
