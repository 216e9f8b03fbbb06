"""What is a partition's alone is bound to the key besides: which partition a row is in tells about it."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.test_governor import table

from penstock_core.sql.catalog.model import Cascade, Constraint, Relation
from penstock_core.sql.catalog.partitions import with_keys

WHOLE = replace(
    table("public", "sales", "id", "region", "note"),
    kind="p",
    constraints=(Constraint("k", frozenset({"region"})),),
    write_calls=("public.region_of",),
)
PART = replace(table("public", "sales_north", "id", "region", "note"), parents=(WHOLE.key,))


def part(relation: Relation = PART, whole: Relation = WHOLE, *more: Relation) -> Relation:
    relations = {one.key: one for one in (whole, relation, *more)}
    found = with_keys(relations)
    assert found.keys() == relations.keys()
    return found[relation.key]


def bound(relation: Relation) -> set[tuple[str, frozenset[str]]]:
    return {(one.kind, one.columns) for one in relation.constraints}


def test_its_bounds_are_a_check_of_the_key_and_choose_its_rows() -> None:
    found = part()
    assert bound(found) == {("c", frozenset({"region"}))}
    assert found.filters == {("public", "sales_north", "region")}
    # They are computed as the key is.
    assert found.write_calls == ("public.region_of",)


def test_what_is_its_own_is_bound_to_the_key() -> None:
    unique = replace(
        PART,
        constraints=(Constraint("u", frozenset({"note"})),),
        referenced=frozenset({"note"}),
        cascades=(Cascade(("public", "o"), frozenset({"note"}), on_delete=True, on_update=False),),
    )
    found = part(unique)
    assert ("u", frozenset({"note", "region"})) in bound(found)
    assert found.referenced == {"note", "region"}
    assert found.cascades[0].columns == {"note", "region"}
    # Nobody refers to what nobody refers to.
    assert part().referenced == frozenset()


def test_a_column_that_only_it_requires_tells_where_a_row_is() -> None:
    strict = replace(PART, columns=tuple(replace(one, not_null=one.name == "note") for one in PART.columns))
    found = part(strict)
    assert ("c", frozenset({"region", "note"})) in bound(found)
    assert [one.described for one in found.constraints] == [
        "the bounds of the partition",
        "constraint NOT NULL of note",
    ]
    # Not so where the whole requires it too.
    required = replace(WHOLE, columns=strict.columns)
    assert bound(part(strict, required)) == {("c", frozenset({"region"}))}


def test_a_partition_of_a_partition_has_the_keys_of_both() -> None:
    middle = replace(PART, kind="p", constraints=(Constraint("k", frozenset({"note"})),))
    leaf = replace(table("public", "leaf", "id", "region", "note"), parents=(middle.key,))
    assert bound(part(leaf, WHOLE, middle)) == {("c", frozenset({"region", "note"}))}


def test_a_key_that_may_change_its_mind_is_not_steady() -> None:
    unsteady = replace(WHOLE, constraints=(Constraint("k", frozenset({"region"}), validated=False),))
    assert [one.validated for one in part(PART, unsteady).constraints] == [False]
    assert [one.validated for one in part().constraints] == [True]


def test_what_only_inherits_or_stands_alone_is_left_as_it_is() -> None:
    plain = replace(WHOLE, constraints=(Constraint("c", frozenset({"note"})),))
    assert part(PART, plain) is PART
    orphan = replace(PART, parents=(("public", "gone"),))
    assert part(orphan) is orphan
