"""The system's own relations: which may be read, and what goes in their place where something of them must not show.

Which these are is data: `penstock_core.sql.allowlists.system_relations`.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.system_relations import (
    CATALOGS,
    INFORMATION_SCHEMA,
    NAMES_ONLY,
    UNMASKED_CATALOGS,
    VISIBLE_ROWS,
)
from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.bind.binder import renamed_by
from penstock_core.sql.bind.name_resolution import ResolvedRelation
from penstock_core.sql.bind.references import RelationRead, SystemColumn
from penstock_core.sql.bind.scopes import Source
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.system_query import SystemQuery
from penstock_core.sql.refusal import refused


def system_relation(authorizer: Authorizer, read: RelationRead, resolved: ResolvedRelation) -> None:
    """Whether it may be read, and what of it must not show.

    That is dealt with once it is asked for, or at once where columns get other names or rows must not show.
    """
    hidden = hidden_columns(authorizer, resolved)
    rows = visible_rows(authorizer, resolved)
    if not hidden and not rows:
        return
    schema, name = resolved.schema, resolved.name
    authorizer.hidden[read.source] = SystemQuery((schema, name), resolved.columns or (), hidden, rows)
    if rows or renamed_by(read.item):
        hide(authorizer, read.source)


def hidden_columns(authorizer: Authorizer, resolved: ResolvedRelation) -> frozenset[str]:
    """The columns of a system relation that show as NULL. Raises Refused for one that can't be read at all."""
    hidden = _hidden(authorizer.governed, resolved)
    if hidden is None:
        raise refused(
            f"{resolved.schema}.{resolved.name} may not be read",
            "it can show values, statements or secrets; read other catalogs, or ask an administrator",
        )
    return hidden


def _hidden(governed: Governed, resolved: ResolvedRelation) -> frozenset[str] | None:
    name = resolved.name
    if resolved.schema != "pg_catalog":
        return INFORMATION_SCHEMA.get(name)
    if governed.masked:
        if name in NAMES_ONLY:
            return frozenset(resolved.columns) - NAMES_ONLY[name] if resolved.columns else None
        return CATALOGS.get(name)
    if governed.free and (name in CATALOGS or name in UNMASKED_CATALOGS):
        return frozenset()
    return UNMASKED_CATALOGS.get(name, frozenset() if name in CATALOGS else None)


def visible_rows(authorizer: Authorizer, resolved: ResolvedRelation) -> str:
    """The condition on the rows of a system relation that show; empty where all do."""
    of_catalog = authorizer.governed.masked and resolved.schema == "pg_catalog"
    return VISIBLE_ROWS.get(resolved.name, "") if of_catalog else ""


def hide(authorizer: Authorizer, source: Source) -> None:
    """What must not show of the source is asked for: its query goes in its place when all of the text is known."""
    query = authorizer.hidden.get(source)
    if query is None or source in authorizer.substituted:
        return
    if not query.columns:
        raise refused(f"the columns of {source.name} are not known", "read other catalogs")
    authorizer.found.pinned = True
    authorizer.substituted.add(source)


def put_queries(authorizer: Authorizer) -> None:
    """The queries go in the places of their relations."""
    for source, query in authorizer.hidden.items():
        item, place = source.item, source.place
        if source in authorizer.substituted and item is not None and place is not None:
            query.whole = source in authorizer.whole
            alias = item.alias or ast.Alias(aliasname=item.relname)
            node = ast.RangeSubselect(lateral=False, subquery=query.tree(), alias=alias)
            authorizer.found.edits.put(place, node)


def system_column(authorizer: Authorizer, column: SystemColumn) -> None:
    """A hidden column that every table has.

    Which table a row of a catalog is of tells nothing of masked columns. Nor does which transaction wrote a row
    (`xmin`), by which clients tell whether it is still as they read it; in RETURNING of INSERT, `xmax` tells whether it
    was there before. Where a row lies (`ctid`) depends on masked values: such a column may not be read beside them.
    """
    source, name = column.source, column.name
    if source is not None and source.system is not None and name == "tableoid":
        if source in authorizer.hidden:
            authorizer.hidden[source].wanted.add(name)
    elif source is not None and name == "xmin" and source.relation is not None and source.relation.kind in ("r", "p"):
        authorizer.wanted.setdefault(source, set()).add(name)
    elif not (source is not None and name == "xmax" and source.inserted):
        authorizer.found.system_columns.add(name)
