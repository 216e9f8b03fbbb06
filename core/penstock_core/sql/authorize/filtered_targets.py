"""What may be written to where a policy filters rows: nothing whose success would tell of a row that is filtered out.

What masked columns keep from being written is in `write_targets.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.sql.bind.references import Effect
from penstock_core.sql.catalog.model import Constraint, Relation, RelationName
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import refused

_REMEDY = "ask someone for whom its rows are not filtered to do it"


def refuse_filtered(governed: Governed, reached: Relation, named: str) -> None:
    """A filtered relation is read only: its keys, constraints and references are those of all of its rows."""
    if reached.key in governed.filters.relations:
        raise refused(
            f"{named} cannot be written to: a policy filters its rows, and those that are filtered out could be told of"
            " or changed",
            _REMEDY,
        )


def refuse_referring(governed: Governed, relation: Relation, named: str, effect: Effect) -> None:
    """Whether a row can be written, or go, must not depend on rows elsewhere that are filtered out."""
    filtered = governed.filters.relations
    if not filtered:
        return
    for key in _looked_for(relation, effect):
        for other in sorted(_referred(relation, key) & filtered):
            raise refused(
                f"a value of {min(key.columns)} in {named} would be looked for in {'.'.join(other)} ({key.described}),"
                " of which a policy filters the rows",
                _REMEDY,
            )
    moved = relation.referenced if "delete" in effect.actions else relation.referenced & effect.sets
    for other in sorted(filtered) if moved else ():
        referring = governed.catalog.relations.get(other)
        if referring is not None and any(relation.key in _referred(referring, one) for one in _keys(referring)):
            raise refused(
                f"whether a row of {named} may be changed depends on the rows of {'.'.join(other)} that refer to it,"
                " of which a policy filters some out",
                _REMEDY,
            )


def refuse_validation(governed: Governed, relation: Relation, named: str) -> None:
    """Rows that are there are not looked for among those that are filtered out elsewhere."""
    for key in _keys(relation):
        for other in sorted(_referred(relation, key) & governed.filters.relations):
            raise refused(
                f"constraints of {named} cannot be validated: rows of it would be looked for in {'.'.join(other)}"
                f" ({key.described}), of which a policy filters the rows",
                _REMEDY,
            )


def _looked_for(relation: Relation, effect: Effect) -> Iterator[Constraint]:
    """The foreign keys whose values a statement may give."""
    for key in _keys(relation):
        inserted = "insert" in effect.actions
        spared = effect.gives is not None and not relation.has_triggers and key.spared_without - effect.gives
        if key.columns & effect.sets or (inserted and not spared):
            yield key


def _keys(relation: Relation) -> Iterator[Constraint]:
    return (one for one in relation.constraints if one.kind == "f")


def _referred(relation: Relation, key: Constraint) -> set[RelationName]:
    """The relations that a foreign key may refer to: those whose values its columns show."""
    columns = [column for column in relation.columns if column.name in key.columns]
    return {(schema, name) for column in columns for schema, name, _ in column.derives_from}
