"""Masks that mask nothing: a pattern that is for no column of the database, most often a typing mistake.

Only the catalog can tell. It is said and not refused: a column may be gone, or yet to come. What doesn't belong: masks
that do not fit a column's type (`penstock_core.sql.masking.masked_columns`).
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.policy.effective import EffectivePolicy, MaskRule
from penstock_core.sql.catalog.model import Catalog


def unused_masks(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, each pattern without `*` that no column answers to, and each mask none of whose patterns does."""
    columns = {
        (relation.schema, relation.name, column.name)
        for relation in catalog.relations.values()
        for column in relation.columns
    }
    sets = [one for one in (policy.enforced, policy.observed) if one is not None]
    return tuple(sorted({words for one in sets for rule in one.masks for words in _idle(rule, columns)}))


def _idle(rule: MaskRule, columns: set[tuple[str, str, str]]) -> Iterator[str]:
    idle = [pattern for pattern in rule.columns if not any(_is_for(pattern, column) for column in columns)]
    for pattern in idle:
        if "*" not in pattern.split(".") or len(idle) == len(rule.columns):
            where = f"policy {rule.mask.rule.policy} ({rule.mask.rule.path})"
            yield f"no column of the database is {pattern}, which {where} is to mask; check the spelling"


def _is_for(pattern: str, column: tuple[str, str, str]) -> bool:
    return all(part in ("*", name) for part, name in zip(pattern.split("."), column, strict=True))
