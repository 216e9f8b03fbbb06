"""Masks as policies state them: one kind each, with bounds, for tags or columns."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from penstock_core.policy.effective import MaskKind
from penstock_core.resources.masks import MaskKinds, MaskName, MaskSpec

SETTINGS = {"constant": {"value": "x"}, "bucket": {"size": 10}}


@pytest.mark.parametrize("name", get_args(MaskName))
def test_each_name_is_a_mask_that_a_policy_can_state(name: str) -> None:
    kinds = MaskKinds.model_validate({name: SETTINGS.get(name, {})})
    assert kinds.chosen() == (name,)
    with pytest.raises(ValidationError):
        MaskKinds.model_validate({name: {"invented": 1}})


def test_what_can_be_stated_is_what_takes_effect() -> None:
    assert set(get_args(MaskName)) == set(get_args(MaskKind)) == set(MaskKinds.model_fields)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"null": {}, "redact": {}},
        {"partial": {"keepFirst": -1}},
        {"partial": {"keepLast": 65}},
        {"partial": {"fill": "**"}},
        {"partial": {"fill": "\n"}},
        {"constant": {}},
        {"constant": {"value": "a\0b"}},
        {"constant": {"value": 1}},
        {"bucket": {}},
        {"bucket": {"size": 0}},
        {"bucket": {"size": -10}},
        {"bucket": {"size": float("inf")}},
        {"bucket": {"size": float("nan")}},
    ],
)
def test_what_no_mask_is(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MaskKinds.model_validate(written)


def test_a_partial_mask_keeps_nothing_unless_told() -> None:
    partial = MaskKinds.model_validate({"partial": {}}).partial
    assert partial is not None
    assert (partial.keep_first, partial.keep_last, partial.fill) == (0, 0, "*")


def test_it_is_for_tags_or_for_columns() -> None:
    redact = {"with": {"redact": {}}}
    assert MaskSpec.model_validate({**redact, "tags": ["pii"]}).chosen() == ("tags",)
    for wrong in (
        {},
        {"tags": ["pii"], "columns": ["public.u.a"]},
        {"tags": []},
        {"tags": ["pii", "pii"]},
        {"columns": ["u.a"]},
        {"columns": ["public.u.Email"]},
    ):
        with pytest.raises(ValidationError):
            MaskSpec.model_validate({**redact, **wrong})


def test_a_condition_is_one_before_it_is_ever_asked() -> None:
    redact = {"with": {"redact": {}}, "tags": ["pii"]}
    assert MaskSpec.model_validate({**redact, "unless": "'dpo' in identity.groups"}).unless is not None
    assert MaskSpec.model_validate({**redact, "unless": None}).unless is None
    for wrong, words in (
        ("'dpo' in identity.grups", "column 10: identity.grups is not known; did you mean identity.groups?"),
        ("statement.verb == 'select'", "a mask holds for whatever statement is sent"),
        ("true", "names nothing that it could depend on"),
        ("", "at least 1 character"),
        (True, "valid string"),
    ):
        with pytest.raises(ValidationError) as caught:
            MaskSpec.model_validate({**redact, "unless": wrong})
        assert words.removeprefix("column 10: ") in str(caught.value)
