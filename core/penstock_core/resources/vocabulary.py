"""The kinds of values that fields of resources hold: names, patterns, durations, expressions, with their bounds.

Every string and list has an upper bound, because the API server charges the rules of a CRD by the largest value there
could be. Regular expressions are RE2 (no look-ahead), for the API server; what each demands is said in words here too.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

# A YAML list, read into a tuple; with bounds: `Annotated[Many[Verb], Field(max_length=8)]`.
Many = Annotated[tuple[T, ...], Strict(False)]


@dataclass(frozen=True, slots=True)
class Distinct:
    """Marks a list of plain values in which none may stand twice; stands last in `Annotated`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_distinct, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "x-kubernetes-list-type": "set"}


def _distinct(items: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise PydanticCustomError("twice", "{item} is in the list twice", {"item": str(item)})
    return items


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# A name as SQL reads it without quotes, or in double quotes. Capitals need quotes, so that nobody writes `Email`, means
# the column that PostgreSQL calls email, and leaves it unmasked.
_BARE = r"([a-z_]|[^\x00-\x7F])([a-z0-9_$]|[^\x00-\x7F])*"
_QUOTED = r'"[^".*\x00-\x1F]+"'
_PART = rf"(\*|{_BARE}|{_QUOTED})"

RESOURCE_NAME: Final = rf"^{_LABEL}(\.{_LABEL})*$"
NAMESPACE: Final = f"^{_LABEL}$"
_HOST_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?"
# Two colons at least: one would be a port.
_IPV6 = "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
HOST: Final = f"^({_HOST_NAME}|{_IPV6})$"
DATA_KEY: Final = r"^[-._A-Za-z0-9]+$"
TEXT: Final = r"^[^\x00]*$"
LINE: Final = r"^[^\x00-\x1F\x7F]+$"
TAG: Final = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$"
COLUMN_PATTERN: Final = rf"^{_PART}\.{_PART}\.{_PART}$"
TABLE_NAME: Final = rf"^({_BARE}|{_QUOTED})\.({_BARE}|{_QUOTED})$"
FUNCTION_NAME: Final = rf"^({_BARE}\.)?{_BARE}$"
QUALIFIED_FUNCTION: Final = rf"^{_BARE}\.{_BARE}$"
DURATION: Final = r"^([0-9]{1,6}(ms|s|m|h))+$"
TIMESTAMP: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
ONE_CHARACTER: Final = r"^[^\x00-\x1F\x7F]$"
_LABEL_PART = "[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?"
LABEL_KEY: Final = rf"^({_LABEL}(\.{_LABEL})*/)?{_LABEL_PART}$"
LABEL_VALUE: Final = f"^({_LABEL_PART})?$"
HEX: Final = "^[0-9a-f]+$"
REASON: Final = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"

# What a value that does not match is told.
WORDS: Final[dict[str, str]] = {
    RESOURCE_NAME: "must be a name of lower-case letters, digits, - and . such as shop-db",
    NAMESPACE: "must be a namespace's name: lower-case letters, digits and -",
    HOST: "must be a host name or an IP address, without a port or a scheme",
    DATA_KEY: "must be the name of a key in a Secret or ConfigMap: letters, digits, - _ and .",
    TEXT: "must not hold the character NUL, which PostgreSQL cannot store",
    LINE: "must be one line of text, without control characters",
    TAG: "must be a tag of lower-case letters, digits, . _ and - such as pii.email",
    COLUMN_PATTERN: (
        "must be schema.table.column, each part a name or *; a name that is not all lower-case letters, digits and _ "
        'must be in double quotes, as in public."Users".email'
    ),
    TABLE_NAME: (
        "must be schema.table; a name that is not all lower-case letters, digits and _ must be in double quotes, "
        'as in public."Users"'
    ),
    FUNCTION_NAME: "must be a function's name in lower case, such as pg_sleep or public.report, without parentheses",
    QUALIFIED_FUNCTION: (
        "must be a function's name in lower case with its schema, such as app.slugify, without parentheses"
    ),
    DURATION: "must be a duration such as 30s, 5m or 1h30m",
    TIMESTAMP: "must be a time such as 2030-01-31T12:00:00Z",
    ONE_CHARACTER: "must be a single printable character",
    LABEL_KEY: "must be a label's name: letters, digits, - _ and ., after a prefix and / where it has one",
    LABEL_VALUE: "must be a label's value: letters, digits, - _ and .",
    HEX: "must be hexadecimal digits in lower case",
    REASON: "must be one word such as PolicyInvalid",
}

ResourceName = Annotated[str, Field(min_length=1, max_length=253, pattern=RESOURCE_NAME)]
Namespace = Annotated[str, Field(min_length=1, max_length=63, pattern=NAMESPACE)]
SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=DATA_KEY)]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=HOST)]
Port = Annotated[int, Field(ge=1, le=65535)]
# The longest name PostgreSQL has is 63 bytes.
DatabaseName = Annotated[str, Field(min_length=1, max_length=63, pattern=LINE)]
Tag = Annotated[str, Field(min_length=1, max_length=63, pattern=TAG)]
ColumnPattern = Annotated[str, Field(max_length=200, pattern=COLUMN_PATTERN)]
TableName = Annotated[str, Field(max_length=131, pattern=TABLE_NAME)]
FunctionName = Annotated[str, Field(min_length=1, max_length=127, pattern=FUNCTION_NAME)]
# As pg_notify() takes it: the letters of `LISTEN Jobs` are folded before.
Channel = Annotated[str, Field(min_length=1, max_length=63, pattern=LINE)]
QualifiedFunction = Annotated[str, Field(min_length=3, max_length=127, pattern=QUALIFIED_FUNCTION)]
Duration = Annotated[str, Field(max_length=32, pattern=DURATION)]
Timestamp = Annotated[str, Field(max_length=40, pattern=TIMESTAMP, json_schema_extra={"format": "date-time"})]
# A group, subject or issuer as a token names it.
Claim = Annotated[str, Field(min_length=1, max_length=256, pattern=LINE)]
# An expression in CEL, over `identity`, `session`, `statement` and `now`.
Expression = Annotated[str, Field(min_length=1, max_length=2048)]
# A condition in SQL, over the columns of one table.
SqlCondition = Annotated[str, Field(min_length=1, max_length=4096)]
# A sentence or two that a person wrote.
Remark = Annotated[str, Field(min_length=1, max_length=1024)]


_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def milliseconds(duration: str) -> int:
    """A valid duration, in milliseconds."""
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in re.findall("([0-9]+)(ms|s|m|h)", duration))


def table_parts(name: str) -> tuple[str, str]:
    """A valid table's name in two parts as the catalog spells them, without their double quotes."""
    schema, table = (part.strip('"') for part in name.split("."))
    return schema, table


def column_parts(pattern: str) -> tuple[str, str, str]:
    """A valid column pattern's three parts as the catalog spells them: `*` or a name without its double quotes."""
    schema, table, column = (part.strip('"') for part in pattern.split("."))
    return schema, table, column
