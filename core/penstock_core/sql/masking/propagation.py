"""Governance, closed over what derives from a governed column: copies take its mask, computed values a blind one.

A copy (a view's plain column, a foreign key's other end, a parent's or child's column) shows the same values, so the
same mask fits. What is computed from a governed column (a generated column, an expression in a view) may show of it
what the mask would hide, so only masks that do not look at the value are safe there; any other becomes null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from penstock_core.policy.effective import Mask, stricter
from penstock_core.sql.catalog.model import Catalog, ColumnName

_BLIND = frozenset({"null", "redact", "constant"})


def close(direct: Mapping[ColumnName, Mask], catalog: Catalog) -> dict[ColumnName, Mask]:
    """Every governed column with its mask: those that policies name, and all that derive from them."""
    copies, computed = catalog.overview.derived
    governed = dict(direct)
    pending = [source for source in direct if source in copies or source in computed]
    while pending:
        source = pending.pop()
        mask = governed[source]
        targets = [(target, mask) for target in copies.get(source, ())]
        targets += [(target, blind(mask)) for target in computed.get(source, ())]
        for target, inherited in targets:
            present = governed.get(target)
            both = inherited if present is None else stricter(present, inherited)
            if both != present:
                governed[target] = both
                pending.append(target)
    return governed


def blind(mask: Mask) -> Mask:
    """The mask for what is computed from a column of that mask."""
    blind = mask if mask.kind in _BLIND else Mask("null", mask.rule)
    return replace(blind, reveals_uniqueness=False, writable=False, ignores_write_back=False)
