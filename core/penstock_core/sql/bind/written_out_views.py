"""Views in FROM that are bound as the queries that define them: those of tables whose rows a policy filters.

Which these are is `masking/row_filters.py`'s; what goes in the view's place, `authorize/relations.py`'s.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.bind.binder import Binder, NotBound, renamed_by
from penstock_core.sql.bind.references import ViewWrittenOut
from penstock_core.sql.bind.scopes import Scope, Source, rename
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.special_forms import spread_forms

# Views over views that each read several could keep the gate busy.
_MOST_WRITTEN = 100


def write_out(binder: Binder, item: ast.RangeVar, view: Relation, source: Source) -> Source:
    """The source that the view is; the names in its definition are as the server prints them, in full."""
    binder.written += 1
    if binder.written > _MOST_WRITTEN:
        raise NotBound(f"more than {_MOST_WRITTEN} views of filtered tables are read", "read the tables themselves")
    statements = parse(view.definition)
    spread_forms(view.definition, statements)
    definition = statements[0] if len(statements) == 1 else None
    if not isinstance(definition, ast.SelectStmt):
        raise NotBound(f"the definition of {'.'.join(view.key)} is not understood", "read the tables themselves")
    source.schema = view.schema if item.alias is None else ""
    source.columns = rename(tuple(column.name for column in view.columns), renamed_by(item))
    binder.bound.concerns((view.key,))
    binder.add(ViewWrittenOut(view, source, definition))
    binder.query(definition, Scope())
    return source
