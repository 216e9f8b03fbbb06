"""What is added to partitions: which of them a row is in tells about the columns that decide it, those of the key.

So what is a partition's alone (a check, an index, a reference to it) is bound to the key besides its own columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from penstock_core.sql.catalog.model import Constraint, Relation, RelationName

_NONE: Mapping[RelationName, Relation] = {}


def with_keys(
    relations: Mapping[RelationName, Relation],
    before: Mapping[RelationName, Relation] = _NONE,
    found_before: Mapping[RelationName, Relation] = _NONE,
) -> dict[RelationName, Relation]:
    """The relations, each partition with the keys of what it is part of.

    `found_before` is what was found for the relations `before`: where nothing changed, it is taken over.
    """
    found: dict[RelationName, Relation] = {}
    for name, relation in relations.items():
        wholes = list(_wholes(relation, relations)) if relation.parents else []
        if not wholes:
            found[name] = relation
        elif all(before.get(one.key) is one for one in (relation, *wholes)):
            found[name] = found_before[name]
        else:
            found[name] = _with_keys(relation, wholes)
    return found


def _with_keys(relation: Relation, wholes: list[Relation]) -> Relation:
    of_wholes = [one for whole in wholes for one in whole.constraints if one.kind == "k"]
    keys = frozenset().union(*(one.columns for one in of_wholes))
    if not of_wholes:
        return relation
    # The bounds are a check; so is a NOT NULL that only this one has.
    stricter = [column.name for column in relation.columns if _is_stricter(column.name, wholes, relation)]
    steady = all(one.validated for one in of_wholes)
    bounds = Constraint("c", keys, steady)
    checked = (replace(bounds, columns=keys | {name}, name=f"NOT NULL of {name}") for name in stricter)
    own = [replace(one, columns=one.columns | keys) for one in relation.constraints]
    return replace(
        relation,
        constraints=(*own, bounds, *checked),
        referenced=relation.referenced | keys if relation.referenced else relation.referenced,
        cascades=tuple(replace(one, columns=one.columns | keys) for one in relation.cascades),
        filters=relation.filters | {(*relation.key, name) for name in keys},
        # Its bounds are computed as the key is.
        write_calls=tuple(sorted({*relation.write_calls, *(name for whole in wholes for name in whole.write_calls)})),
    )


def _wholes(relation: Relation, relations: Mapping[RelationName, Relation]) -> Iterator[Relation]:
    """What the relation is a part of, at whatever level."""
    for name in relation.parents:
        if name in relations:
            yield relations[name]
            yield from _wholes(relations[name], relations)


def _is_stricter(name: str, wholes: list[Relation], relation: Relation) -> bool:
    mine = relation.column(name)
    theirs = [whole.column(name) for whole in wholes]
    return mine is not None and mine.not_null and any(one is not None and not one.not_null for one in theirs)
