"""Whole rows and stars: they mean the columns that are known, and no other that may be there."""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.columns import mask_of_target
from penstock_core.sql.authorize.relations import substitute
from penstock_core.sql.authorize.system_relations import hide
from penstock_core.sql.bind.binder import strings
from penstock_core.sql.bind.column_names import star_of
from penstock_core.sql.bind.references import Stars, WholeRow
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.refusal import Refused, refused


def unmasked_row(authorizer: Authorizer, row: WholeRow) -> None:
    """All columns of a source: some of a system relation may have to show as NULL."""
    authorizer.whole.add(row.source)
    hide(authorizer, row.source)


def masked_row(authorizer: Authorizer, row: WholeRow) -> None:
    """In the relation's place goes the query of its known columns; a statement's target has no such place."""
    unmasked_row(authorizer, row)
    _known_row(authorizer, row.source)


def _known_row(authorizer: Authorizer, source: Source) -> None:
    if source.relation is None or source in authorizer.substituted:
        return
    if source.place is None:
        raise refused(
            f"a row of {source.name} may not be read as a whole while it is written to", "name the columns you need"
        )
    authorizer.found.pinned = True
    substitute(authorizer, source, source.relation)


def unmasked_stars(authorizer: Authorizer, stars: Stars) -> None:
    """Each star is a whole row of what it means."""
    for target in getattr(stars.owner, stars.field):
        qualifiers = star_of(target.val)
        for source in _all_of(qualifiers, stars.scope) if qualifiers is not None else ():
            for part in source.parts():
                unmasked_row(authorizer, WholeRow(part))


def masked_stars(authorizer: Authorizer, stars: Stars) -> None:
    """The output columns, each star replaced by the columns that it is known to mean.

    So that a column which was added since the catalog was read does not show. What is no plain relation keeps its
    star: a masked subquery names its columns, and functions bring what they bring.
    """
    scope = stars.scope
    listed: list[ast.Node] = []
    for target in getattr(stars.owner, stars.field):
        qualifiers = star_of(target.val)
        if qualifiers is None:
            listed.append(target)
            continue
        if not qualifiers and scope.merges and isinstance(stars.owner, ast.ReturningClause):
            raise refused("RETURNING * over a join with USING is not understood", "name the columns you need")
        expanded = _expanded(authorizer, qualifiers, scope)
        if expanded is not None:
            listed.extend(expanded)
            continue
        listed.append(target)
        for source in _all_of(qualifiers, scope):
            for part in source.parts():
                masked_row(authorizer, WholeRow(part))
    authorizer.expanded[id(stars.owner)] = tuple(listed)
    authorizer.found.edits.set(stars.owner, stars.field, tuple(listed))


def _expanded(authorizer: Authorizer, qualifiers: list[str], scope: Scope) -> list[ast.Node] | None:
    """The columns in place of a star; None where the star stays."""
    sources = _named_apart(qualifiers, scope)
    plain = {source for source in sources if source.relation is not None and source not in authorizer.substituted}
    # By their names, NULLs among them: so that a system column may be beside them.
    shown = {source for source in sources if source in authorizer.hidden}
    for source in shown:
        hide(authorizer, source)
    plain |= shown
    if not plain:
        return None
    for source in sources:
        for part in source.parts():
            if part not in shown:
                unmasked_row(authorizer, WholeRow(part))
    authorizer.found.pinned = True
    listed: list[ast.Node] = []
    for source in sources:
        if len(qualifiers) > 1 and scope.find(source.name)[0] is not source:
            raise nearer(source)
        for column in (source.columns or ()) if source in plain else ("*",):
            listed.append(_output(authorizer, source, column))
    return listed


def _output(authorizer: Authorizer, source: Source, column: str) -> ast.ResTarget:
    last = ast.A_Star() if column == "*" else strings(column)[0]
    if source.target and column != "*":
        value = mask_of_target(authorizer, source, column)
        if value is not None:
            return ast.ResTarget(name=column, val=value)
    return ast.ResTarget(val=ast.ColumnRef(fields=(*strings(source.name), last)))


def _all_of(qualifiers: list[str], scope: Scope) -> list[Source]:
    """The sources that a star means."""
    if qualifiers:
        return scope.find(qualifiers[-1], qualifiers[-2] if len(qualifiers) > 1 else "")[:1]
    return scope.sources


def _named_apart(qualifiers: list[str], scope: Scope) -> list[Source]:
    """The sources that a star means; none where they can't be named one by one."""
    if qualifiers:
        return _all_of(qualifiers, scope)
    sources = [source for source in scope.sources if not source.qualified_only]
    names = {source.name for source in sources}
    return [] if scope.merges or "" in names or len(names) < len(sources) else sources


def nearer(source: Source) -> Refused:
    """A schema that tells two sources of one name apart, where one of them is replaced by what has no schema."""
    return refused(
        f"{source.schema}.{source.name} is ambiguous: another {source.name} is nearer",
        "give one of the two an alias and name it by that",
    )
