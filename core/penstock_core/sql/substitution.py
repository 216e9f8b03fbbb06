"""A governed relation as the query that stands in its place: every column, the masked ones as their masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pglast import ast

from penstock_core.sql.catalog import Relation, RelationName
from penstock_core.sql.deparse import deparse
from penstock_core.sql.governed import Governed, is_coded
from penstock_core.sql.masks import MaskWriter
from penstock_core.sql.parse import parse


@dataclass(slots=True)
class Substitutions:
    """Makes the queries, and keeps them, since they depend on the relation alone. Shared: nothing may change them."""

    governed: Governed
    writer: MaskWriter
    _made: dict[tuple[RelationName, bool, tuple[str, ...]], ast.SelectStmt] = field(default_factory=dict)
    _texts: dict[int, str] = field(default_factory=dict)

    @property
    def texts(self) -> Mapping[int, str]:
        """The text of each query, by its identity."""
        return self._texts

    def query(self, relation: Relation, *, only: bool = False, columns: tuple[str, ...] = ()) -> ast.SelectStmt:
        """The query for that relation (without its children's rows if `only`); for all columns, or those in order."""
        key = (relation.key, only, columns)
        if key not in self._made:
            self._made[key] = self._make(relation, only, columns)
        return self._made[key]

    def _make(self, relation: Relation, only: bool, columns: tuple[str, ...]) -> ast.SelectStmt:
        targets = []
        for column in relation.columns:
            if columns and column.name not in columns:
                continue
            mask = self.governed.mask(relation, column)
            name = ast.String(sval=column.name)
            value: ast.Node = ast.ColumnRef(fields=(name,))
            if mask is not None:
                value = self.writer.expression(mask, column)
            elif is_coded(column, self.governed.catalog):
                value = self.writer.disarmed(column)
            targets.append(ast.ResTarget(name=column.name, val=value))
        if columns:
            targets.sort(key=lambda target: columns.index(target.name or ""))
        source = ast.RangeVar(schemaname=relation.schema, relname=relation.name, inh=not only, relpersistence="p")
        made = ast.SelectStmt(targetList=tuple(targets), fromClause=(source,))
        # Through text and back, so that every field is as the parser sets it.
        text = deparse((made,))
        (statement,) = parse(text)
        if not isinstance(statement, ast.SelectStmt):  # pragma: no cover - deparse() has compared them
            raise TypeError(type(statement).__name__)
        self._texts[id(statement)] = text
        return statement
