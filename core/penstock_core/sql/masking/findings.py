"""What the author of a policy should know of how it fits the database, in words: masks that columns' types are at odds
with, functions that do not exist, and by what masked values may decide the order of rows.

It is said and not refused. What is masked and how is `masked_columns.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.policy.effective import EffectivePolicy, Mask, PolicySet
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.masking.masked_columns import govern, hazards_of, named_columns
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.propagation import close
from penstock_core.sql.masking.row_filters import RowFilters


def misfits(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, what policies name and does not fit the database: masks that the column's type, a NOT NULL or a unique
    constraint beside INSERT is at odds with, and each allowed function that does not exist.
    """
    fits = _Fits()
    found: set[str] = set()
    for policies in (policy.enforced, policy.observed):
        if policies is None:
            continue
        for function, rule in policies.allow_functions:
            schema, _, name = function.partition(".")
            if (schema, name) not in catalog.routines:
                found.add(f"policy {rule.policy} allows the function {function} ({rule.path}), which does not exist")
        governed = govern(policies, catalog)
        found.update(governed.filters.findings)
        for (schema, table, name), mask in governed.columns.items():
            relation = catalog.relations[schema, table]
            column = relation.column(name)
            if column is not None and relation.kind != "S":
                found.update(_misfits(relation, column, mask, fits=fits(mask, column)))
                if "insert" in policies.allow and not mask.reveals_uniqueness:
                    found.update(_uninsertable(relation, column, mask))
    return tuple(sorted(found))


def unfit_masks(policies: PolicySet, catalog: Catalog) -> tuple[str, ...]:
    """In words, each column that a mask names and does not fit; what derives from it is not looked at."""
    fits, found = _Fits(), set()
    for (schema, table, name), mask in named_columns(policies, catalog).items():
        relation = catalog.relations[schema, table]
        column = relation.column(name)
        if column is not None and relation.kind != "S" and not fits(mask, column):
            found.add(_unfit(relation, column, mask))
    return tuple(sorted(found))


class _Fits:
    """Whether masks can be had for columns: of many, few differ in what that depends on."""

    def __init__(self) -> None:
        self._writer = MaskWriter(b"")
        self._known: dict[tuple[object, ...], bool] = {}

    def __call__(self, mask: Mask, column: Column) -> bool:
        key = (mask, column.base_type, column.cast_type, column.category, column.citext)
        if key not in self._known:
            self._known[key] = self._writer.fits(mask, column)
        return self._known[key]


def _misfits(relation: Relation, column: Column, mask: Mask, *, fits: bool) -> Iterator[str]:
    named = f"{relation.schema}.{relation.name}.{column.name}"
    by = f"of policy {mask.rule.policy} ({mask.rule.path})"
    if not fits:
        yield _unfit(relation, column, mask)
    if column.not_null and (mask.kind == "null" or not fits):
        yield (
            f"{named} is NOT NULL, but shows as NULL by the mask {mask.title} {by}: clients with fixed types may fail; "
            "redact shows a value of the column's type"
        )


def _unfit(relation: Relation, column: Column, mask: Mask) -> str:
    named = f"{relation.schema}.{relation.name}.{column.name}"
    by = f"of policy {mask.rule.policy} ({mask.rule.path})"
    return f"{named} is {column.type_sql}, which the mask {mask.title} {by} does not fit; it is masked as null"


def _uninsertable(relation: Relation, column: Column, mask: Mask) -> Iterator[str]:
    unique = any(one.kind in ("p", "u", "i") and column.name in one.columns for one in relation.constraints)
    if relation.kind in ("r", "p") and unique:
        yield (
            f"rows with a value for {column.name} can't be inserted into {relation.schema}.{relation.name}: a unique "
            f"constraint or index is on its masked column {column.name}; uniqueness: reveal in {mask.rule.path} of "
            f"policy {mask.rule.policy} would allow it, and tell which values are there"
        )


def row_order_findings(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, each index, partition key and view by which masked values may decide the order of rows."""
    found: set[str] = set()
    for policies in (policy.enforced, policy.observed):
        if policies is None:
            continue
        open_order = policies.row_order == "unspecified"
        what = (
            "rowOrder is unspecified, so rows may tell it"
            if open_order
            else "statements that read it are sorted further"
        )
        hazards = hazards_of(policies, close(named_columns(policies, catalog), catalog), RowFilters(), catalog)
        found.update(f"{why}; {what}" for why in hazards.own)
    return tuple(sorted(found))
