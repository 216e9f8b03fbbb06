"""What may be written to where a policy filters rows: nothing whose success would tell of a row that is filtered out.

What masked columns keep from being written is in `write_targets.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from penstock_core.sql.authorize.own_code import firing
from penstock_core.sql.bind.references import Effect
from penstock_core.sql.catalog.model import ColumnName, Constraint, Relation, RelationName
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.order_keys import is_alike
from penstock_core.sql.refusal import refused

_KEPT = frozenset({"insert", "update", "delete"})
# Constraints that hold new values against those of other rows of the relation, by their kinds.
_UNIQUE = frozenset("puix")
_REVEAL = "have the policy's row filter say uniqueness: reveal, or ask someone for whom these rows are not filtered"
_REMEDY = "ask someone for whom its rows are not filtered to do it"


def refuse_filtered(governed: Governed, reached: Relation, named: str) -> None:
    """What a statement only leads to can't be kept to the rows that are there."""
    if reached.key in governed.filters.relations:
        raise refused(
            f"{named} cannot be written to: a policy filters its rows, and those that are filtered out could be told of"
            " or changed",
            _REMEDY,
        )


def refuse_telling(governed: Governed, relation: Relation, named: str, effect: Effect) -> None:
    """A statement's own target, or one that has its rows: only what can be kept to the rows that are there
    (`masking/filtered_writes.py`), and answers for these alone.
    """
    filters = governed.filters
    if relation.key not in filters.relations:
        return
    if relation.key not in filters.conditions:
        refuse_filtered(governed, relation, named)
    if effect.verb not in _KEPT:
        raise refused(
            f"{effect.verb.upper()} on {named} is refused: a policy filters its rows, and those that are filtered out"
            " could be told of or changed",
            "use INSERT, UPDATE or DELETE",
        )
    _refuse_computed(governed, relation, named, effect)
    if relation.key not in filters.revealing:
        _refuse_unique(governed, relation, named, effect)


def _refuse_computed(governed: Governed, relation: Relation, named: str, effect: Effect) -> None:
    """Whether a new row is there must be known when the statement is sent."""
    looked_at = governed.filters.columns[relation.key]
    changes = effect.actions & {"insert", "update"}
    fired = [governed.functions.trigger(one) for one in firing(relation, changes)] if changes else []
    assigned = frozenset[str]().union(*(one.row_assigned for one in fired))
    computed = {one.name for one in relation.columns if one.generated and one.name in looked_at}
    if "insert" not in changes:
        moved = _keys_of(relation, effect.sets | assigned)
        computed = {one.name for one in relation.columns if one.name in computed and one.derives_from & moved}
    computed |= looked_at & assigned
    if any(one.row_replaced for one in fired):
        computed |= looked_at
    if changes and computed:
        raise refused(
            f"{min(computed)} decides which rows of {named} a policy filters out, and the database computes it: whether"
            " a new row is there can't be checked",
            _REMEDY,
        )
    for key in relation.constraints:
        if key.kind == "k" and key.columns & effect.sets:
            raise refused(
                f"a row of {named} may move to another partition by a change of {min(key.columns & effect.sets)}, where"
                " a policy filters rows",
                "delete the row, and insert it anew",
            )


def _refuse_unique(governed: Governed, relation: Relation, named: str, effect: Effect) -> None:
    """No row is held against those that are filtered out, nor numbered beside them."""
    filters = governed.filters
    inserted = "insert" in effect.actions
    for constraint in relation.constraints:
        compared = inserted or not constraint.columns.isdisjoint(effect.sets)
        if constraint.kind in _UNIQUE and compared and not _is_among_seen(governed, relation, constraint):
            raise refused(
                f"a row of {named} would be compared by {constraint.described} with those that a policy filters out",
                _REVEAL,
            )
    if inserted and relation.key in filters.numbered:
        raise refused(
            f"a sequence numbers the rows of {named}, also those that a policy filters out",
            _REVEAL,
        )


def _is_among_seen(governed: Governed, relation: Relation, constraint: Constraint) -> bool:
    """Whether rows that it takes for equal are either all there or all filtered out."""
    looked_at = governed.filters.columns[relation.key]
    columns = [one for one in relation.columns if one.name in looked_at]
    return looked_at <= constraint.equal_by and all(map(is_alike, columns))


def _keys_of(relation: Relation, names: frozenset[str]) -> set[ColumnName]:
    return {(*relation.key, name) for name in names}


def refuse_referring(governed: Governed, relation: Relation, named: str, effect: Effect) -> None:
    """Whether a row can be written, or go, must not depend on rows elsewhere that are filtered out."""
    filtered = governed.filters.relations
    if not filtered:
        return
    for key in _looked_for(relation, effect):
        for other in sorted(_referred(relation, key) & filtered):
            if other in governed.filters.revealing or _is_kept_alike(governed, relation, other):
                continue
            raise refused(
                f"a value of {min(key.columns)} in {named} would be looked for in {'.'.join(other)} ({key.described}),"
                " of which a policy filters the rows",
                _REVEAL,
            )
    moved = relation.referenced if "delete" in effect.actions else relation.referenced & effect.sets
    for other in sorted(filtered - governed.filters.revealing) if moved else ():
        referring = governed.catalog.relations.get(other)
        if referring is None or _is_kept_alike(governed, referring, relation.key):
            continue
        if any(relation.key in _referred(referring, one) for one in _keys(referring)):
            raise refused(
                f"whether a row of {named} may be changed depends on the rows of {'.'.join(other)} that refer to it,"
                " of which a policy filters some out",
                _REVEAL,
            )


def _is_kept_alike(governed: Governed, referring: Relation, referred: RelationName) -> bool:
    """Whether rows that are there refer to such alone, and others to others: both are filtered by the same columns,
    which are part of the one foreign key between them (`FOREIGN KEY (tenant, parent) REFERENCES t (tenant, id)`).
    """
    filters, relation = governed.filters, governed.catalog.relations.get(referred)
    condition = filters.conditions.get(referring.key)
    if relation is None or condition is None or condition != filters.conditions.get(referred):
        return False
    keys = [one for one in _keys(referring) if referred in _referred(referring, one)]
    if len(keys) != 1 or not filters.columns[referred] <= keys[0].columns:
        return False
    for name in filters.columns[referred]:
        mine, theirs = referring.column(name), relation.column(name)
        if mine is None or theirs is None or mine.cast_type != theirs.cast_type or mine.collation != theirs.collation:
            return False
        named = {column for schema, table, column in mine.derives_from if (schema, table) == referred}
        if named != {name} or not is_alike(mine):
            return False
    return bool(filters.columns[referred])


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
