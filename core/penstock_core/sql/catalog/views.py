"""Views as relations: what each reads, and what each of its columns shows.

What doesn't belong: what a definition's text says (`view_lineage.py`), whose rows it came in (`snapshot.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation, RelationName, Routine
from penstock_core.sql.catalog.view_lineage import Lineage, view_lineage


def with_views(
    relations: Mapping[RelationName, Relation],
    definitions: Mapping[RelationName, str],
    reads: Mapping[RelationName, tuple[frozenset[ColumnName], frozenset[RelationName]]],
    routines: dict[RelationName, tuple[Routine, ...]],
) -> dict[RelationName, Relation]:
    """The relations, those with a definition completed: `reads` has the columns and the relations that it names."""
    finished = dict(relations)
    # What may fail in a view fails in those over it too, so these come later.
    for key in _inner_first({key: sources & definitions.keys() for key, (_, sources) in reads.items()}):
        catalog = Catalog(relations=finished, routines=routines)
        finished[key] = _view(relations[key], definitions[key], *reads[key], catalog)
    return finished


def _inner_first(inner: Mapping[RelationName, Iterable[RelationName]]) -> list[RelationName]:
    """Views in an order in which each comes after those it reads; the server lets two read one another."""
    ordered: list[RelationName] = []
    seen: set[RelationName] = set()
    pending = [(key, False) for key in inner]
    while pending:
        key, entered = pending.pop()
        if entered:
            ordered.append(key)
        elif key not in seen:
            seen.add(key)
            pending.append((key, True))
            pending.extend((one, False) for one in inner[key])
    return ordered


def _view(
    view: Relation,
    definition: str,
    reads: frozenset[ColumnName],
    sources: frozenset[RelationName],
    catalog: Catalog,
) -> Relation:
    """The view with what its definition reads and shows; the views in it are finished."""
    lineage = view_lineage(definition, view, catalog) or _everything(view, sources, catalog.relations)
    parts = zip(view.columns, lineage.derived, lineage.copied, lineage.fallible, strict=True)
    return replace(
        view,
        columns=tuple(
            replace(
                column,
                derives_from=column.derives_from | derived,
                copies=column.copies | copied,
                fallible=fallible,
            )
            for column, derived, copied, fallible in parts
        ),
        reads=reads | lineage.filters | lineage.evaluated | frozenset().union(*lineage.derived),
        filters=lineage.filters,
        evaluated=lineage.evaluated,
        sources=sources,
    )


def _everything(view: Relation, sources: Iterable[RelationName], relations: Mapping[RelationName, Relation]) -> Lineage:
    """The lineage of a definition that was not understood: every column of every source is in everything.

    Those of its children too: it may show where rows lie (`ctid`, TABLESAMPLE), which depends on all that is in them.
    """
    read, pending = set(sources), list(sources)
    while pending:
        parent = pending.pop()
        children = [key for key, one in relations.items() if parent in one.parents and key not in read]
        read.update(children)
        pending.extend(children)
    inputs = frozenset((*key, column.name) for key in read for column in relations[key].columns)
    return Lineage(
        derived=tuple(inputs for _ in view.columns),
        copied=tuple(frozenset() for _ in view.columns),
        filters=inputs,
        fallible=tuple(view.kind == "v" for _ in view.columns),
    )
