"""Views as relations: what each reads, and what each of its columns shows.

What doesn't belong: what a definition's text says (`view_lineage.py`), whose rows it came in (`snapshot.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation, RelationName, Routine
from penstock_core.sql.catalog.noting import Noting
from penstock_core.sql.catalog.view_lineage import Lineage, view_lineage


@dataclass(frozen=True)
class ViewNote:
    """How a view was completed: from what, by which relations and functions that were looked at, and to what."""

    view: Relation
    reads: tuple[frozenset[ColumnName], frozenset[RelationName]]
    relations: Mapping[RelationName, Relation | None]
    routines: Mapping[RelationName, tuple[Routine, ...] | None]
    completed: Relation


_NONE: Mapping[RelationName, ViewNote] = {}


def with_views(
    relations: Mapping[RelationName, Relation],
    reads: Mapping[RelationName, tuple[frozenset[ColumnName], frozenset[RelationName]]],
    routines: dict[RelationName, tuple[Routine, ...]],
    before: Mapping[RelationName, ViewNote] = _NONE,
) -> tuple[dict[RelationName, Relation], dict[RelationName, ViewNote]]:
    """The relations, views completed: `reads` has the columns and the relations that each one names. What was noted
    `before` is taken over where it still holds; and what is noted now.
    """
    finished, functions = Noting(relations), Noting(routines)
    notes: dict[RelationName, ViewNote] = {}
    # What may fail in a view fails in those over it too, so these come later.
    for key in _inner_first({key: sources & reads.keys() for key, (_, sources) in reads.items()}):
        note = before.get(key)
        if note is not None and _holds(note, relations[key], reads[key], finished, functions):
            notes[key], finished[key] = note, note.completed
            continue
        finished.begin()
        functions.begin()
        completed = _view(relations[key], *reads[key], Catalog(relations=finished, routines=functions))
        if finished.known and functions.known:
            notes[key] = ViewNote(relations[key], reads[key], dict(finished.noted), dict(functions.noted), completed)
        finished[key] = completed
    return dict.copy(finished), notes


def _holds(
    note: ViewNote,
    view: Relation,
    reads: tuple[frozenset[ColumnName], frozenset[RelationName]],
    relations: dict[RelationName, Relation],
    routines: dict[RelationName, tuple[Routine, ...]],
) -> bool:
    """Whether the view would be completed in the same way again."""
    return (
        note.view is view
        and note.reads == reads
        and all(relations.get(key) is one for key, one in note.relations.items())
        and all(routines.get(key) == one for key, one in note.routines.items())
    )


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


def _view(view: Relation, reads: frozenset[ColumnName], sources: frozenset[RelationName], catalog: Catalog) -> Relation:
    """The view with what its definition reads and shows; the views in it are finished."""
    lineage = view_lineage(view.definition, view, catalog) or _everything(view, sources, catalog.relations)
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
