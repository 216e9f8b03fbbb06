"""What stands in place of governed data: for a relation the query of its columns, the masked ones as their masks, with
the rows that are there; for a column of a statement's target, which nothing can stand in for as a whole, its mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from penstock_core.policy.effective import Mask
from penstock_core.sql.catalog.model import Column, Relation, RelationName
from penstock_core.sql.masking import unused_sequences
from penstock_core.sql.masking.build import reference
from penstock_core.sql.masking.masked_columns import Governed, is_coded
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.row_filters import parsed
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

# How many masks of targets are kept: each takes some kilobytes, and clients choose what a target is called.
_MOST_VALUES = 1000


@dataclass(slots=True)
class Substitutions:
    """Makes the queries, and keeps them, since they depend on the relation alone. Shared: nothing may change them."""

    governed: Governed
    writer: MaskWriter
    _made: dict[tuple[RelationName, bool], ast.SelectStmt] = field(default_factory=dict)
    _texts: dict[int, str] = field(default_factory=dict)
    _values: dict[tuple[RelationName, str, str], ast.Node] = field(default_factory=dict)

    @property
    def texts(self) -> Mapping[int, str]:
        """The text of each query, by its identity."""
        return self._texts

    def query(
        self, relation: Relation, *, only: bool = False, columns: tuple[str, ...] = (), system: tuple[str, ...] = ()
    ) -> ast.SelectStmt:
        """The query for that relation (without its children's rows if `only`); for all columns, or those in order, and
        for those system columns.
        """
        if columns or system:
            # Clients choose them: not kept.
            return self._make(relation, only, columns, system)[0]
        key = (relation.key, only)
        if key not in self._made:
            statement, text = self._make(relation, only, columns)
            self._made[key], self._texts[id(statement)] = statement, text
        return self._made[key]

    def _make(
        self, relation: Relation, only: bool, columns: tuple[str, ...], system: tuple[str, ...] = ()
    ) -> tuple[ast.SelectStmt, str]:
        targets = []
        for column in relation.columns:
            if columns and column.name not in columns:
                continue
            mask = self.governed.mask(relation, column)
            name = ast.String(sval=column.name)
            value: ast.Node = ast.ColumnRef(fields=(name,))
            unused = (
                unused_sequences.column(relation, column.name) if mask is not None and relation.kind == "S" else None
            )
            if unused is not None:
                value = unused
            elif mask is not None:
                value = self.writer.expression(mask, column)
            elif is_coded(column, self.governed.catalog):
                value = self.writer.disarmed(column)
            targets.append(ast.ResTarget(name=column.name, val=value))
        if columns:
            targets.sort(key=lambda target: columns.index(target.name or ""))
        targets += [ast.ResTarget(name=one, val=ast.ColumnRef(fields=(ast.String(sval=one),))) for one in system]
        source = ast.RangeVar(schemaname=relation.schema, relname=relation.name, inh=not only, relpersistence="p")
        made = ast.SelectStmt(targetList=tuple(targets), fromClause=(source,), whereClause=self._where(relation))
        # Through text and back, so that every field is as the parser sets it.
        text = deparse((made,))
        (statement,) = parse(text)
        if not isinstance(statement, ast.SelectStmt):  # pragma: no cover - deparse() has compared them
            raise TypeError(type(statement).__name__)
        return statement, text

    def _where(self, relation: Relation) -> ast.Node | None:
        """Which of its rows are there."""
        condition = self.governed.filters.conditions.get(relation.key)
        return None if condition is None else parsed(condition)

    def masked_again(self, view: Relation, definition: ast.SelectStmt) -> ast.SelectStmt:
        """The definition of a view, in which relations are replaced; around it the masks of the view's columns that are
        not those of what they copy.
        """
        masks = [self._mask_besides(view, column) for column in view.columns]
        if not any(masks):
            return definition
        targets = [
            ast.ResTarget(
                name=column.name, val=reference(column) if mask is None else self.writer.expression(mask, column)
            )
            for mask, column in zip(masks, view.columns, strict=True)
        ]
        (around,) = parse(deparse((ast.SelectStmt(targetList=tuple(targets)),)))
        if not isinstance(around, ast.SelectStmt):  # pragma: no cover - deparse() has compared them
            raise TypeError(type(around).__name__)
        names = tuple(ast.String(sval=column.name) for column in view.columns)
        alias = ast.Alias(aliasname=view.name, colnames=names)
        around.fromClause = (ast.RangeSubselect(lateral=False, subquery=definition, alias=alias),)
        return around

    def _mask_besides(self, view: Relation, column: Column) -> Mask | None:
        """The column's mask, if what it shows has not that one already."""
        mask = self.governed.mask(view, column)
        if len(column.copies) == 1 and column.copies == column.derives_from:
            (source,) = column.copies
            return None if self.governed.columns.get(source) == mask else mask
        return mask

    def value(self, relation: Relation, column: Column, source: str) -> ast.Node | None:
        """The mask of that column of the source that is so named; None if it has none."""
        mask = self.governed.mask(relation, column)
        if mask is None:
            return None
        key = (relation.key, column.name, source)
        if key not in self._values:
            written = ast.SelectStmt(targetList=(ast.ResTarget(val=self.writer.expression(mask, column)),))
            # Through text and back, so that no part of it stands in two places.
            (statement,) = parse(deparse((written,)))
            (target,) = (isinstance(statement, ast.SelectStmt) and statement.targetList) or ()
            _qualify(target.val, source)
            if len(self._values) >= _MOST_VALUES:
                self._values.clear()
            self._values[key] = target.val
        return self._values[key]


def _qualify(node: Any, source: str) -> None:
    if isinstance(node, tuple):
        for part in node:
            _qualify(part, source)
    elif isinstance(node, ast.ColumnRef):
        node.fields = (ast.String(sval=source), *(node.fields or ()))
    elif isinstance(node, ast.Node):
        for name in node:
            _qualify(getattr(node, name), source)
