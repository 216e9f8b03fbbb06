"""The masks that round down, as SQL: `year` and `month` of dates, `bucket` of numbers.

What is said of masks in `masks.py` holds here too. The lowest values of a type have no round value below them that the
type could hold: dates become -infinity, numbers the type's lowest value. What is infinite stays so, and NaN does.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import ceil

from pglast import ast

from penstock_core.policy.effective import Mask
from penstock_core.sql.catalog.model import Column
from penstock_core.sql.masking.build import call, case, cast, integer, operator, reference, text
from penstock_core.sql.syntax.type_names import type_modifiers

# The first year that begins within the types' range, which is 24 November 4714 BC onwards.
_FIRST_YEAR = "4713-01-01 BC"
INTEGER_BITS = {"pg_catalog.int2": 15, "pg_catalog.int4": 31, "pg_catalog.int8": 63}
# Beyond it a float's neighbours are further away than the largest bucket is wide, so that nothing is left to round. Its
# decimal digits may be more than the type holds; what is infinite or no number compares as larger.
_VAST = "1e31"
# Far below it, a multiple of a bucket could have more digits than numeric holds.
_LOWEST_NUMERIC = "-1e131071"


def year_or_month(mask: Mask, column: Column) -> ast.Node | None:
    """The beginning of the date's year or month; None for what is no date."""
    write = _MOMENTS.get(column.base_type)
    return None if write is None else write(mask.kind, column)


def _date(unit: str, column: Column) -> ast.Node:
    # Not by date_trunc(): a timestamp reaches less far into the future than a date does.
    def part(name: str) -> ast.Node:
        return cast(call("extract", text(name), _value(column)), "pg_catalog.int4")

    month = part("month") if unit == "month" else integer(1)
    return case(
        [
            (operator("<", _value(column), cast(text(_FIRST_YEAR), "pg_catalog.date")), text("-infinity")),
            (operator("=", _value(column), cast(text("infinity"), "pg_catalog.date")), text("infinity")),
        ],
        call("make_date", part("year"), month, integer(1)),
    )


def _timestamp(unit: str, column: Column) -> ast.Node:
    return _truncated(unit, _value(column))


def _timestamptz(unit: str, column: Column) -> ast.Node:
    """In UTC, whatever the session's time zone. By an offset: names of zones are looked up in the server's files."""

    def at_utc(moment: ast.Node) -> ast.Node:
        return call("timezone", cast(text("0"), "pg_catalog.interval"), moment)

    return at_utc(_truncated(unit, at_utc(_value(column))))


def _truncated(unit: str, moment: ast.Node) -> ast.Node:
    early = operator("<", moment, cast(text(_FIRST_YEAR), "pg_catalog.timestamp"))
    lowest = cast(text("-infinity"), "pg_catalog.timestamp")
    return case([(early, lowest)], call("date_trunc", text(unit), moment))


_MOMENTS: dict[str, Callable[[str, Column], ast.Node]] = {
    "pg_catalog.date": _date,
    "pg_catalog.timestamp": _timestamp,
    "pg_catalog.timestamptz": _timestamptz,
}


def bucket(mask: Mask, column: Column) -> ast.Node | None:
    """The number rounded down to a multiple of the mask's size.

    None for what is no number, and where the size is none for the type: rounding to multiples that the type can't hold
    would round twice, rounding to each of its values would hide nothing.
    """
    # As it was written, not as the float next to it.
    size = Decimal(str(mask.size)).normalize()
    if column.base_type in ("pg_catalog.float4", "pg_catalog.float8"):
        return _float(size, column)
    scale = _scale(column)
    steps = None if scale is None else Fraction(size) * Fraction(10) ** scale
    if steps is not None and (steps.denominator != 1 or steps <= 1):
        return None
    if column.base_type in INTEGER_BITS:
        lowest = -(2 ** INTEGER_BITS[column.base_type])
        return _down(size, column, "pg_catalog.int8", str(lowest), _first(lowest, size))
    if column.base_type == "pg_catalog.numeric":
        return _numeric(size, column)
    return None


def _float(size: Decimal, column: Column) -> ast.Node:
    """As the decimal number that it stands for: 0.3 in buckets of 0.1 is 0.3, though the float is a little less."""
    vast = operator(">=", call("abs", _value(column)), cast(text(_VAST), column.base_type))
    rounded = _multiple(size, column, "pg_catalog.numeric")
    return case([(vast, _value(column))], cast(rounded, column.base_type))


def _numeric(size: Decimal, column: Column) -> ast.Node:
    modifiers = type_modifiers(column.cast_type)
    if modifiers:
        precision, scale = (*modifiers, 0)[:2]
        lowest = Fraction(1 - 10**precision) / Fraction(10) ** scale
        down = _down(size, column, "pg_catalog.numeric", f"-{'9' * precision}e{-scale}", _first(lowest, size))
    else:
        down = _down(size, column, "pg_catalog.numeric", "-infinity", _LOWEST_NUMERIC)
    # NaN is the larger of the two.
    boundless = operator(">=", _value(column), cast(text("infinity"), "pg_catalog.numeric"))
    return case([(boundless, _value(column))], down)


def _down(size: Decimal, column: Column, kind: str, lowest: str, first: str) -> ast.Node:
    """The multiple below the value, calculated as that type; of what is less than the first multiple, the lowest."""
    too_low = operator("<", _value(column), cast(text(first), kind))
    return case([(too_low, cast(text(lowest), kind))], _multiple(size, column, kind))


def _multiple(size: Decimal, column: Column, kind: str) -> ast.Node:
    # By the remainder, which is exact; a quotient may be rounded up. Of a negative value it is negative at first.
    value = _value(column) if column.base_type == kind else cast(_value(column), kind)
    width = cast(text(f"{size:f}"), kind)
    remainder = call("mod", operator("+", call("mod", value, width), width), width)
    multiple = operator("-", value, remainder)
    # The number of decimals would be the value's own.
    return call("trim_scale", multiple) if kind == "pg_catalog.numeric" else multiple


def _first(lowest: int | Fraction, size: Decimal) -> str:
    """The first multiple of the size that is not below the lowest value."""
    multiple = ceil(Fraction(lowest) / Fraction(size)) * Fraction(size)
    # A size is a decimal fraction, so its multiples are.
    decimals = max(0, -int(size.as_tuple().exponent))
    shifted = int(multiple * 10**decimals)
    return f"{shifted}e-{decimals}" if decimals else str(shifted)


def _scale(column: Column) -> int | None:
    """How many decimals values of the type have; None where it varies."""
    if column.base_type in INTEGER_BITS:
        return 0
    modifiers = type_modifiers(column.cast_type) if column.base_type == "pg_catalog.numeric" else ()
    return (*modifiers, 0)[1] if modifiers else None


def _value(column: Column) -> ast.Node:
    # Below its domain, if it has one.
    return cast(reference(column), column.base_type)
