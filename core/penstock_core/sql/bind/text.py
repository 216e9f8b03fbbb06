"""The first step of a decision: the statements of a text, bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pglast import ast

from penstock_core.sql.bind.binder import Binder, NotBound, Rules
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.expressions import EXPRESSION_RULES
from penstock_core.sql.bind.name_resolution import MadeName, Names
from penstock_core.sql.bind.queries import query
from penstock_core.sql.bind.references import Unbound
from penstock_core.sql.bind.scopes import Columns, Scope
from penstock_core.sql.bind.statements import ending, statement, text_statement
from penstock_core.sql.bind.writes import Writing, write
from penstock_core.sql.catalog.model import Catalog, Relation, RelationName


def _any_query(binder: Binder, node: ast.Node | None, around: Scope) -> Columns:
    return write(binder, node, around) if isinstance(node, Writing) else query(binder, node, around)


RULES = Rules(EXPRESSION_RULES, _any_query, statement)
_NONE: frozenset[str] = frozenset()
_NOTHING: frozenset[MadeName] = frozenset()


def bind(
    statements: Sequence[ast.Node],
    catalog: Catalog,
    named: Mapping[str, tuple[Relation, ...]],
    search_path: tuple[str, ...] | None,
    temporary: frozenset[str] = _NONE,
    made: frozenset[MadeName] | None = None,
    written_out: frozenset[RelationName] = frozenset(),
) -> Bound:
    """The text's references, in order; `search_path` None if the session may have changed it.

    `named` are the catalog's relations by bare name, `temporary` the names of the session's temporary tables, `made`
    those of what the open transaction made: None where that does not matter; `written_out` the views in whose place
    their definitions are bound. Raises RecursionError for what is nested
    too deeply.
    """
    names = Names(catalog, named, search_path, temporary, made or _NOTHING)
    binder = Binder(catalog, names, RULES, follows_made=made is not None, written_out=written_out)
    try:
        for one in statements:
            binder.bound.begin_part(ends=ending((one,)) != "not")
            text_statement(binder, one)
    except NotBound as end:
        binder.add(Unbound(end.reason, end.remedy))
    binder.bound.made, binder.bound.ends = binder.names.made, ending(statements)
    return binder.bound
