"""Columns that are read: those that may not be, and those of a statement's target, which masks replace one by one."""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.system_relations import hide
from penstock_core.sql.bind.references import ColumnRead, UnknownSource
from penstock_core.sql.bind.scopes import Source
from penstock_core.sql.refusal import Refused, refused, unknown

# Each is replaced by some hundred words.
_MOST_REFERENCES = 1000


def unmasked_column(authorizer: Authorizer, read: ColumnRead) -> None:
    """A column, which of a system relation may have to show as NULL."""
    if not authorizer.hidden:
        return
    sources = read.owners if len(read.owners) == 1 else [one for level in read.scope.levels() for one in level.sources]
    for source in sources:
        for one in source.parts():
            if one in authorizer.hidden and read.name in authorizer.hidden[one].hidden:
                hide(authorizer, one)


def masked_column(authorizer: Authorizer, read: ColumnRead) -> None:
    """Of a statement's target, the mask replaces the column."""
    unmasked_column(authorizer, read)
    targets = [owner for owner in read.owners if owner.target]
    if not targets:
        return
    value = mask_of_target(authorizer, targets[0], read.name)
    if value is None:
        return
    if read.unsure or len(read.owners) > 1:
        raise refused(
            f"column {read.name} is ambiguous, and one of that name is masked",
            f"qualify it with its table, as in {targets[0].name}.{read.name}",
        )
    edits = authorizer.found.edits
    edits.replace(read.node, value)
    if edits.replaced > _MOST_REFERENCES:
        raise refused(f"the statement names masked columns more than {_MOST_REFERENCES} times", "split it")


def mask_of_target(authorizer: Authorizer, source: Source, name: str) -> ast.Node | None:
    """The mask of that column of a statement's target; None if it has none."""
    relation = source.relation
    column = relation.column(name) if relation is not None else None
    if relation is None or column is None:
        return None
    value = authorizer.substitutions.value(relation, column, source.name)
    if value is not None:
        authorizer.found.masked.add((*relation.key, name))
    return value


def masked_unknown_source(authorizer: Authorizer, use: UnknownSource) -> None:
    """`t.c`, where nothing is named t."""
    raise unknown(f'missing FROM-clause entry for table "{use.name}"', "42P01", use.node.location)


def unknown_column(name: str, place: int | None = None, like: str = "") -> Refused:
    """A column that is nowhere: the words and code the server has for it."""
    return unknown(f'column "{name}" does not exist', "42703", place, like)
