"""Rules for stars and whole rows: they stand for the columns that are known, and for no other that may be there.

Where relations stand in a query is `queries.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pglast import ast

from penstock_core.sql.analysis.expressions import ExpressionRules, strings
from penstock_core.sql.analysis.facts import Facts
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.substitution import Replacements, Substitutions
from penstock_core.sql.refusal import refused
from penstock_core.sql.resolve.column_names import star_of
from penstock_core.sql.resolve.name_resolution import Names
from penstock_core.sql.resolve.scopes import Scope, Source


class RowRules(ExpressionRules):
    """Writes stars out, and puts the query of its columns in place of a relation."""

    def __init__(self, governed: Governed, names: Names, facts: Facts, substitutions: Substitutions) -> None:
        super().__init__(governed, names, facts)
        self.substitutions = substitutions
        # What stands in the text until the statement has been analysed, and what has to stand there then.
        self.replacements = Replacements()

    def expanded(self, targets: Iterable[Any] | None, scope: Scope) -> tuple[ast.Node, ...]:
        """The output columns, each star replaced by the columns that it is known to stand for.

        So that a column which was added since the catalog was read does not show. What is no plain relation keeps its
        star: a masked subquery names its columns, and functions bring what they bring.
        """
        listed: list[ast.Node] = []
        for target in targets or ():
            qualifiers = star_of(target.val)
            sources = [] if qualifiers is None else self._starred(qualifiers, scope)
            if any(source.relation is not None for source in sources):
                self.facts.pinned = True
                for source in sources:
                    columns = (source.columns or ()) if source.relation is not None else ("*",)
                    listed.extend(selected(source.name, column) for column in columns)
            else:
                listed.append(target)
        return tuple(listed)

    def _starred(self, qualifiers: list[str], scope: Scope) -> list[Source]:
        """The sources that a star means; none where they can't be named one by one."""
        if qualifiers:
            return scope.find(qualifiers[-1], qualifiers[-2] if len(qualifiers) > 1 else "")[:1]
        sources = [source for source in scope.sources if not source.qualified_only]
        names = {source.name for source in sources}
        return [] if scope.merges or "" in names or len(names) < len(sources) else sources

    def known_row(self, source: Source) -> None:
        """In the relation's place goes the query of its known columns; a statement's target has no such place."""
        relation, item = source.relation, source.item
        if relation is None:
            return
        if item is None:
            raise refused(
                f"a row of {source.name} may not be read as a whole while it is written to", "name the columns you need"
            )
        self.facts.pinned = True
        self.replacements.add(item, self.substitute(item, relation))

    def put_replacements(self, statement: ast.Node) -> None:
        """What was found to have to stand elsewhere in the statement goes there."""
        if len(self.replacements):
            self.replacements.put(statement, self.facts.substituted)

    def substitute(self, item: ast.RangeVar, relation: Relation) -> ast.Node:
        """The masked subquery, under the name that the relation had."""
        alias = item.alias or ast.Alias(aliasname=item.relname)
        query = self.substitutions.query(relation, only=not item.inh)
        self.facts.substituted[id(query)] = self.substitutions.texts[id(query)]
        return ast.RangeSubselect(lateral=False, subquery=query, alias=alias)


def selected(source: str, column: str) -> ast.ResTarget:
    """That column of that source as an output column; `*` for all of them."""
    last = ast.A_Star() if column == "*" else strings(column)[0]
    return ast.ResTarget(val=ast.ColumnRef(fields=(*strings(source), last)))
