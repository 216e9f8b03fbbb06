"""Targets whose masked columns are set to what was read of them: where a policy says so, these keep what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer, certain
from penstock_core.sql.authorize.functions import masked_operator
from penstock_core.sql.authorize.write_targets import masked_target
from penstock_core.sql.bind.references import OperatorUse, TargetWritten
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.write_back import kept_or_set


def target_written(authorizer: Authorizer, written: TargetWritten) -> None:
    """The target of a statement, without the columns that keep what is stored, whatever they are set to.

    What is stored is put in place of the column's own mask.
    """
    resolved = certain(written.resolved)
    relation = resolved.relation if resolved is not None else None
    if relation is None:
        masked_target(authorizer, written, written.effect)
        return
    governed = authorizer.governed
    kept = list(_kept_back(governed, relation, written.settings))
    closed = {one.name or "" for one in kept if not governed.columns[(*relation.key, one.name or "")].writable}
    family = governed.catalog.overview.family(relation).values()
    alike = {name for name in closed if all(_is_kept(governed, one, name) for one in family)}
    masked_target(authorizer, written, replace(written.effect, sets=written.effect.sets - alike))
    for target in kept:
        _keep(authorizer, written, relation, target)


def _keep(authorizer: Authorizer, written: TargetWritten, relation: Relation, target: ast.ResTarget) -> None:
    column = relation.column(target.name or "")
    mask = authorizer.substitutions.value(relation, column, written.source.name) if column is not None else None
    if column is None or mask is None or target.val is None:
        return
    masked_operator(authorizer, OperatorUse(("=",)))
    writable = authorizer.governed.columns[(*relation.key, column.name)].writable
    value = kept_or_set(target.val, column, mask, written.source.name, writable=writable)
    authorizer.found.edits.set(target, "val", value)


def _kept_back(governed: Governed, relation: Relation, targets: Iterable[ast.ResTarget]) -> Iterable[ast.ResTarget]:
    for target in targets:
        plain = not target.indirection and not isinstance(target.val, (ast.MultiAssignRef, ast.SetToDefault))
        name = target.name or ""
        if plain and (*relation.key, name) in governed.columns and _is_kept(governed, relation, name):
            yield target


def _is_kept(governed: Governed, relation: Relation, name: str) -> bool:
    mask = governed.columns.get((*relation.key, name))
    return mask is None or mask.ignores_write_back
