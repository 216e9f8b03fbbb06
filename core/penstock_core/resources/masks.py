"""Masks as policies state them. What a mask does to SQL is in `penstock_core.sql`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field

from penstock_core.conditions import UNLESS, condition
from penstock_core.resources.model import Model
from penstock_core.resources.vocabulary import ONE_CHARACTER, TEXT, ColumnPattern, Distinct, Expression, Many, Tag

MaskName = Literal["null", "redact", "constant", "hash", "partial", "email", "year", "month", "bucket"]


def _is_condition(text: str) -> str:
    """Raises ConditionError, whose words become the finding's."""
    condition(text, UNLESS)
    return text


class Plain(Model):
    """A mask without settings: {}."""


class PartialMask(Model):
    """Keeps characters at the ends of a text. With neither keepFirst nor keepLast, nothing of it stays."""

    keep_first: Annotated[int, Field(ge=0, le=64)] = 0
    """How many characters stay at the beginning."""
    keep_last: Annotated[int, Field(ge=0, le=64)] = 0
    """How many characters stay at the end."""
    fill: Annotated[str, Field(min_length=1, max_length=1, pattern=ONE_CHARACTER)] = "*"
    """The character that replaces each of the others."""


class ConstantMask(Model):
    """The same value everywhere."""

    value: Annotated[str, Field(max_length=256, pattern=TEXT)]
    """The value as text; it is cast to the column's type, and where it does not fit the column is masked as null."""


class BucketMask(Model):
    """Numbers rounded down to a multiple."""

    size: Annotated[float, Field(ge=0.0001, le=1e15, allow_inf_nan=False)]
    """The distance from one multiple to the next: 10 makes 47 to 40, and -7 to -10. For a column of whole numbers it is
    a whole number above 1; for one of a fixed number of decimals, more than one of the last decimal."""


class MaskKinds(Model):
    """What a column's values become: one kind of mask."""

    one_of: ClassVar[tuple[str, ...]] = get_args(MaskName)

    null: Plain | None = None
    """NULL. Write "null" with its quotes: without them, YAML takes it for no name at all."""
    redact: Plain | None = None
    """A fixed value of the column's type, the same for every row."""
    constant: ConstantMask | None = None
    """A value of your choice, the same for every row."""
    hash: Plain | None = None
    """A keyed hash: equal values have equal hashes, so that joins and counts still work."""
    partial: PartialMask | None = None
    """Keeps characters at the ends of a text."""
    email: Plain | None = None
    """An address as j***@example.com: the first character and the domain stay."""
    year: Plain | None = None
    """Dates and timestamps rounded down to the year; those with a time zone, to the year in UTC."""
    month: Plain | None = None
    """Dates and timestamps rounded down to the month; those with a time zone, to the month in UTC."""
    bucket: BucketMask | None = None
    """Numbers rounded down to a multiple: whole numbers, numeric, float."""


class MaskSpec(Model):
    """Which columns are masked, and how."""

    one_of: ClassVar[tuple[str, ...]] = ("tags", "columns")

    tags: Annotated[Many[Tag], Field(min_length=1, max_length=64), Distinct()] | None = None
    """The columns that the Database classifies with any of these tags."""
    columns: Annotated[Many[ColumnPattern], Field(min_length=1, max_length=256), Distinct()] | None = None
    """Patterns schema.table.column, in which each part is a name or `*`."""
    with_: Annotated[MaskKinds, Field(alias="with")]
    """What the columns' values become: one kind of mask."""
    uniqueness: Literal["protect", "reveal"] = "protect"
    """Whether unique constraints and indexes on the columns may answer: without it, whoever sees the mask can't insert
    rows into a table with one; with it, they can, and learn by trying which values are there. Where several masks meet
    on one column, all have to say so; likewise for write and writeBack."""
    write: Literal["refuse", "allow"] = "refuse"
    """Whether UPDATE may store other values in the columns. What is stored shows as its mask again."""
    write_back: Literal["refuse", "ignore"] = "refuse"
    """What becomes of an UPDATE that sets a column to its own mask, as object mappers do that save all that they have
    read: ignore leaves what is stored as it is. Any other value is an error, unless write allows it."""
    unless: Annotated[Expression, AfterValidator(_is_condition)] | None = None
    """Where this mask does not apply: a condition in CEL over identity, session and now, such as 'dpo' in
    identity.groups. It lifts no other mask of the same columns. Where it can't be evaluated, the mask applies. What it
    may name is in docs/conditions.md."""
