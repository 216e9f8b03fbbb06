"""Which columns conditions of masks concern, so that it can be told of each statement what they came to for it.

For the record alone: what is masked is `masked_columns.py`, which knows of conditions nothing but the masks that they
left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from penstock_core.policy.effective import ConditionedMask
from penstock_core.sql.catalog.model import RelationName
from penstock_core.sql.decision import AppliedCondition
from penstock_core.sql.masking.masked_columns import Governed, columns_of


@dataclass(frozen=True, slots=True)
class ConditionedColumns:
    """One condition, and the columns that it concerns, by relation."""

    mask: ConditionedMask
    columns: Mapping[RelationName, tuple[str, ...]]

    def applied(self, relations: Iterable[RelationName]) -> AppliedCondition | None:
        """What it came to for these relations; None where it concerns none of them."""
        names = [
            f"{schema}.{table}.{column}"
            for schema, table in relations
            for column in self.columns.get((schema, table), ())
        ]
        if not names:
            return None
        rule = self.mask.rule
        return AppliedCondition(rule.policy, rule.path, self.mask.condition, self.mask.lifted, tuple(sorted(names)))


def conditioned_columns(governed: Governed) -> tuple[ConditionedColumns, ...]:
    """Each condition that lifted a mask or failed, with the columns that show by it: raw, or masked all the same."""
    return tuple(_of(one, governed) for one in governed.policies.conditioned)


def _of(mask: ConditionedMask, governed: Governed) -> ConditionedColumns:
    found: dict[RelationName, list[str]] = {}
    for schema, table, column in sorted(columns_of(mask.mask, governed.catalog)):
        # A column that another mask is for is not lifted by this one.
        if ((schema, table, column) in governed.columns) is not mask.lifted:
            found.setdefault((schema, table), []).append(column)
    return ConditionedColumns(mask, {name: tuple(columns) for name, columns in found.items()})
