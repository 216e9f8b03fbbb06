"""Masks as SQL: from a mask and a column to the expression that stands in the column's place.

Every expression is total (no value makes it fail, or the failing would tell), has no side effect, and names functions,
operators and types of pg_catalog by their qualified names only: an unqualified operator could be somebody else's. It
ends in a cast to the column's type and collation, so that clients and other statements see no difference. A domain's
column is cast to the base type (which is what a client is told anyway), since a masked value may break its checks.

`null`, `redact` and `constant` do not mention the column. The others keep NULL. Those that round down are in
`rounding.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from pglast import ast, enums

from penstock_core.policy.effective import Mask
from penstock_core.sql.catalog.model import Column
from penstock_core.sql.masking.build import (
    as_stored,
    as_text,
    binary,
    call,
    case,
    cast,
    integer,
    null,
    operator,
    reference,
    text,
)
from penstock_core.sql.masking.rounding import INTEGER_BITS, bucket, year_or_month
from penstock_core.sql.syntax.type_names import name_parts, type_modifiers

_TEXT_TYPES = frozenset({"pg_catalog.text", "pg_catalog.varchar", "pg_catalog.bpchar"})
_HASH_ROOM = 16
# Longer than any address by RFC 5321.
_EMAIL_LENGTH = 320
_EMAIL = "^[^@[:space:]]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$"
# Beyond it the fill of a partial mask grows no further: repeat() of a very long text could fail.
_FILL_LENGTH = 128

# What `redact` puts in place of a value, by base type; also what shows for all types of a category.
_REDACTED: dict[str, str] = {
    "pg_catalog.text": "***",
    "pg_catalog.varchar": "***",
    "pg_catalog.bpchar": "***",
    "pg_catalog.name": "***",
    'pg_catalog."char"': "*",
    "pg_catalog.int2": "0",
    "pg_catalog.int4": "0",
    "pg_catalog.int8": "0",
    "pg_catalog.oid": "0",
    "pg_catalog.numeric": "0",
    "pg_catalog.float4": "0",
    "pg_catalog.float8": "0",
    "pg_catalog.money": "0",
    "pg_catalog.bool": "false",
    "pg_catalog.date": "1970-01-01",
    "pg_catalog.timestamp": "1970-01-01 00:00:00",
    "pg_catalog.timestamptz": "1970-01-01 00:00:00+00",
    "pg_catalog.time": "00:00:00",
    "pg_catalog.timetz": "00:00:00+00",
    "pg_catalog.interval": "0",
    "pg_catalog.uuid": "00000000-0000-0000-0000-000000000000",
    "pg_catalog.json": '"***"',
    "pg_catalog.jsonb": '"***"',
    "pg_catalog.bytea": "",
    "pg_catalog.bit": "0",
    "pg_catalog.varbit": "",
    "pg_catalog.inet": "0.0.0.0",  # noqa: S104 - a value to show, nothing is bound to it
    "pg_catalog.cidr": "0.0.0.0/32",
    "pg_catalog.macaddr": "00:00:00:00:00:00",
    "pg_catalog.macaddr8": "00:00:00:00:00:00:00:00",
    "pg_catalog.point": "(0,0)",
    "pg_catalog.tsvector": "",
    **dict.fromkeys(
        (f"pg_catalog.{name}" for name in ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")),
        "empty",
    ),
}
_ARRAY_CATEGORY = "A"


@dataclass(frozen=True, slots=True)
class MaskWriter:
    """Writes masks, with the database's key for `hash`."""

    key: bytes

    def expression(self, mask: Mask, column: Column) -> ast.Node:
        """The expression in place of the column; NULL where the mask does not fit the column's type."""
        value = self._value(mask, column)
        return as_stored(null() if value is None else value, column)

    def disarmed(self, column: Column) -> ast.Node:
        """The column's own value, as one of the type below its domain."""
        return as_stored(reference(column), column)

    def fits(self, mask: Mask, column: Column) -> bool:
        """Whether the mask can be had for the column's type; where not, the column is masked as null."""
        return mask.kind == "null" or self._value(mask, column) is not None

    def _value(self, mask: Mask, column: Column) -> ast.Node | None:
        match mask.kind:
            case "null":
                return null()
            case "redact":
                return text(redacted) if (redacted := _redacted(column)) is not None else None
            case "constant":
                return text(mask.value) if _accepts(column, mask.value) else None
            case "hash":
                return self._hash(column)
            case "partial":
                return _partial(mask, column) if _is_text(column) else None
            case "email":
                return _email(column) if _is_text(column) else None
            case "year" | "month":
                return year_or_month(mask, column)
            case "bucket":
                return bucket(mask, column)

    def _hash(self, column: Column) -> ast.Node | None:
        """HMAC-SHA256 of the value's text (of the bytes of a bytea), as much of it as the type holds."""
        value = reference(column)
        if column.base_type == "pg_catalog.bytea":
            return self._hmac(value)
        # What citext takes for equal stays so.
        shown = call("lower", as_text(column)) if column.citext else as_text(column)
        digest = call("encode", self._hmac(call("convert_to", shown, text("UTF8"))), text("hex"))
        if column.base_type == "pg_catalog.uuid":
            return call("substr", digest, integer(1), integer(32))
        if column.base_type == "pg_catalog.int8":
            bits = operator("||", text("x"), call("substr", digest, integer(1), integer(16)))
            return cast(bits, "pg_catalog.bit(64)")
        if _is_text(column):
            room = type_modifiers(column.cast_type)
            return digest if not room or room[0] >= _HASH_ROOM else None
        return None

    def _hmac(self, message: ast.Node) -> ast.Node:
        key = hashlib.sha256(self.key).digest() if len(self.key) > 64 else self.key
        inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
        digest = call("sha256", operator("||", binary(inner), message))
        return call("sha256", operator("||", binary(outer), digest))


def _is_text(column: Column) -> bool:
    return column.citext or column.base_type in _TEXT_TYPES


def _redacted(column: Column) -> str | None:
    if column.citext:
        return _REDACTED["pg_catalog.text"]
    # Arrays proper, whose types are named `_text`; int2vector and its like have the category without the syntax.
    if column.category == _ARRAY_CATEGORY and name_parts(column.base_type)[-1].startswith("_"):
        return "{}"
    return _REDACTED.get(column.base_type)


def _partial(mask: Mask, column: Column) -> ast.Node:
    """The ends of a text; of one no longer than what stays, nothing."""
    first, last = max(mask.keep_first, 0), max(mask.keep_last, 0)
    length = call("length", as_text(column))
    kept = integer(first + last)

    def filled(count: ast.Node) -> ast.Node:
        bounded = case([(operator(">", count, integer(_FILL_LENGTH)), integer(_FILL_LENGTH))], count)
        return call("repeat", text(mask.fill), bounded)

    shown = filled(operator("-", length, kept))
    if first:
        shown = operator("||", call("left", as_text(column), integer(first)), shown)
    if last:
        shown = operator("||", shown, call("right", as_text(column), integer(last)))
    return case([(operator("<=", length, kept), filled(length))], shown)


def _email(column: Column) -> ast.Node:
    """The first letter and the domain of what is an address; nothing of what is none."""
    value = ast.CollateClause(arg=as_text(column), collname=(ast.String(sval="pg_catalog"), ast.String(sval="C")))
    shown = operator(
        "||",
        operator("||", call("left", value, integer(1)), text("***")),
        call("substr", value, call("strpos", value, text("@"))),
    )
    masked = case(
        [
            (ast.NullTest(arg=reference(column), nulltesttype=enums.NullTestType.IS_NULL), null()),
            (operator(">", call("length", value), integer(_EMAIL_LENGTH)), text("***")),
            (operator("~", value, text(_EMAIL)), shown),
        ],
        text("***"),
    )
    # Or the result would be compared as the value was in here.
    return ast.CollateClause(arg=masked, collname=(ast.String(sval="pg_catalog"), ast.String(sval="default")))


def _accepts(column: Column, value: str) -> bool:
    """Whether that text is certain to be accepted as a value of the column's type."""
    if _is_text(column):
        return "\0" not in value
    try:
        return _ACCEPTS[column.base_type](value, column)
    except (KeyError, ValueError, InvalidOperation):
        return False


def _accepts_integer(value: str, column: Column) -> bool:
    bound = 2 ** INTEGER_BITS[column.base_type]
    return re.fullmatch(r"-?[0-9]{1,20}", value) is not None and -bound <= int(value) < bound


def _accepts_number(value: str, column: Column) -> bool:
    if not re.fullmatch(r"-?[0-9]{1,100}(\.[0-9]{1,100})?", value):
        return False
    precision, scale = (*type_modifiers(column.cast_type), 0, 0)[:2]
    return not precision or abs(round(Decimal(value), scale)) < Decimal(10) ** (precision - scale)


def _accepts_moment(value: str, _: Column) -> bool:
    return 1 <= datetime.fromisoformat(value).year <= 9999


def _accepts_json(value: str, _: Column) -> bool:
    def refuse(text: str) -> None:
        raise ValueError(text)

    # Python reads more than PostgreSQL does: NaN, escapes of NUL and numbers of any size.
    json.loads(value, parse_constant=refuse, parse_float=refuse)
    return "\\u" not in value and len(value) <= 1000


_ACCEPTS: dict[str, Callable[[str, Column], bool]] = {
    **dict.fromkeys(INTEGER_BITS, _accepts_integer),
    **dict.fromkeys(("pg_catalog.numeric", "pg_catalog.float4", "pg_catalog.float8"), _accepts_number),
    "pg_catalog.bool": lambda value, _: value in ("true", "false"),
    "pg_catalog.date": lambda value, _: date.fromisoformat(value).isoformat() == value,
    "pg_catalog.timestamp": _accepts_moment,
    "pg_catalog.timestamptz": _accepts_moment,
    "pg_catalog.uuid": lambda value, _: str(UUID(value)) == value.lower(),
    "pg_catalog.json": _accepts_json,
    "pg_catalog.jsonb": _accepts_json,
}
