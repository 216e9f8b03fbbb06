"""Masks that mask nothing: a pattern that is for no column of the database, most often a typing mistake.

Only the catalog can tell. It is said and not refused: a column may be gone, or yet to come. What doesn't belong: masks
that do not fit a column's type (`penstock_core.sql.masking.masked_columns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock_core.policy.effective import EffectivePolicy, MaskRule
from penstock_core.sql.catalog.model import Catalog


def unused_masks(policy: EffectivePolicy, catalog: Catalog) -> tuple[str, ...]:
    """In words, each pattern without `*` that no column answers to, and each mask none of whose patterns does."""
    sets = [one for one in (policy.enforced, policy.observed) if one is not None]
    return tuple(sorted({words for one in sets for words in _idle(one.masks, catalog)}))


def _idle(rules: Sequence[MaskRule], catalog: Catalog) -> Iterator[str]:
    patterns = [(rule, pattern) for rule in rules for pattern in rule.columns]
    used = {place for place, _ in catalog.overview.matching([_parts(pattern) for _, pattern in patterns])}
    idle: dict[MaskRule, list[str]] = {}
    for place, (rule, pattern) in enumerate(patterns):
        if place not in used:
            idle.setdefault(rule, []).append(pattern)
    for rule, unmatched in idle.items():
        for pattern in unmatched:
            if "*" not in pattern.split(".") or len(unmatched) == len(rule.columns):
                where = f"policy {rule.mask.rule.policy} ({rule.mask.rule.path})"
                yield f"no column of the database is {pattern}, which {where} is to mask; check the spelling"


def _parts(pattern: str) -> tuple[str, str, str]:
    schema, table, column = pattern.split(".")
    return schema, table, column
