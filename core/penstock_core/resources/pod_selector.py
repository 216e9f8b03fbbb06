"""Which pods a resource is for, by their labels, as Kubernetes' own selectors have it. A part of resources.

What doesn't belong: what becomes of a pod that is selected (`penstock_operator.inject`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from penstock_core.resources.model import Model, ValidationRule
from penstock_core.resources.vocabulary import LABEL_KEY, LABEL_VALUE, WORDS, Many

_LONGEST_KEY = 317
LabelKey = Annotated[str, Field(min_length=1, max_length=_LONGEST_KEY, pattern=LABEL_KEY)]
LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]

_VALUES = "values go with the operators In and NotIn, which need some, and with no other"
_EMPTY = (
    "a selector needs matchLabels or matchExpressions; for all pods of a namespace, let the namespace name the Database"
)


class LabelRequirement(Model):
    """One thing that is asked of a pod's labels."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)", _VALUES),
    )

    key: LabelKey
    """The label's name."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """`In` and `NotIn` compare with `values`; what does not have the label is `NotIn`."""
    values: Annotated[Many[LabelValue], Field(max_length=64)] = ()
    """What `In` and `NotIn` compare with."""

    @model_validator(mode="after")
    def _values_are_of_use(self) -> Self:
        if (self.operator in {"In", "NotIn"}) != bool(self.values):
            raise ValueError(_VALUES)
        return self

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as it asks."""
        has = self.key in labels if self.operator in {"Exists", "DoesNotExist"} else labels.get(self.key) in self.values
        return has == (self.operator in {"In", "Exists"})


class PodSelector(Model):
    """Pods that have all of it."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule(
            "(has(self.matchLabels) && size(self.matchLabels) > 0) "
            "|| (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
            _EMPTY,
        ),
    )

    match_labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(default_factory=dict, max_length=32)]
    """Labels that the pod has, with these values."""
    match_expressions: Annotated[Many[LabelRequirement], Field(max_length=32)] = ()
    """What else is asked of its labels."""

    @model_validator(mode="after")
    def _selects_by_something(self) -> Self:
        if not self.match_labels and not self.match_expressions:
            raise ValueError(_EMPTY)
        for key, value in self.match_labels.items():
            if not re.fullmatch(LABEL_KEY, key) or len(key) > _LONGEST_KEY:
                raise ValueError(f"matchLabels: {key[:64]!r} {WORDS[LABEL_KEY]}")
            if not re.fullmatch(LABEL_VALUE, value):
                raise ValueError(f"matchLabels: {value!r}, of {key[:64]}, {WORDS[LABEL_VALUE]}")
        return self

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            one.holds(labels) for one in self.match_expressions
        )
