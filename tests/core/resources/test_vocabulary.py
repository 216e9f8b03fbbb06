"""Each kind of value: what is one, what isn't, and that whoever wrote the latter is told what would be one."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from penstock_core.resources import vocabulary
from penstock_core.resources.vocabulary import WORDS, column_parts, milliseconds

GOOD = {
    "ResourceName": ["shop", "shop-db", "a.b", "1"],
    "Host": ["db", "shop-db.shop.svc", "shop-db.shop.svc.", "10.0.0.1", "::1", "2001:db8::5", "::ffff:10.0.0.1"],
    "DatabaseName": ["shop", "Shop DB", "käse"],
    "Tag": ["pii", "pii.email", "pci-dss_4"],
    "ColumnPattern": [
        "public.users.email", "*.*.email", "*.*.*", 'public."Users"."e mail"', '"a-b".*.c', "öl.ß.é", "_a.b$1.c_2",
    ],
    "TableName": ["public.orders", 'public."Orders"'],
    "FunctionName": ["pg_sleep", "public.report"],
    "Duration": ["30s", "0s", "1h30m", "500ms"],
    "Timestamp": ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00.5+02:00"],
    "Claim": ["https://id.example.com/", "Ada Lovelace", "support"],
    "Port": [1, 5432, 65535],
}  # fmt: skip
BAD = {
    "ResourceName": ["", "Shop", "-a", "a_b", "a..b", "a" * 254, "a\n"],
    "Host": ["", "db:5432", "a b", "postgres://db", "/var/run", "-a", "db\n", ":", "user@db"],
    "DatabaseName": ["", "a\nb", "a" * 64, "a\0"],
    "Tag": ["", "PII", ".a", "a b"],
    "ColumnPattern": [
        "", "email", "users.email", "a.b.c.d", "public.Users.email", "a..c", "a.b.c*", "us*.b.c", 'a."b.c".d', 'a."".b',
        'a."x"y.b', "a.b.c ", "a.b.1c", "a.b.c\n", 'a."*".b',
    ],
    "TableName": ["orders", "public.*", "public.Orders"],
    "FunctionName": ["", "pg_sleep()", "PG_SLEEP", "a.b.c", "*"],
    "Duration": ["", "30", "s", "1 h", "-1s", "1d", "1.5s"],
    "Timestamp": ["2030-01-31", "now", "2030-01-31 12:00:00Z", "2030-01-31T12:00:00"],
    "Claim": ["", "a\nb", "a" * 257],
    "Port": [0, 65536, "5432", 1.5, True],
}  # fmt: skip


def examples(table: dict[str, list[object]]) -> list[tuple[str, object]]:
    return [(kind, value) for kind, values in table.items() for value in values]


def adapter(kind: str) -> TypeAdapter[object]:
    return TypeAdapter(getattr(vocabulary, kind))


@pytest.mark.parametrize(("kind", "value"), examples(GOOD))
def test_what_is_one(kind: str, value: object) -> None:
    assert adapter(kind).validate_python(value, strict=True) == value


@pytest.mark.parametrize(("kind", "value"), examples(BAD))
def test_what_is_none(kind: str, value: object) -> None:
    with pytest.raises(ValidationError):
        adapter(kind).validate_python(value, strict=True)


@pytest.mark.parametrize("pattern", WORDS)
def test_every_pattern_is_anchored_and_said_in_words(pattern: str) -> None:
    assert pattern.startswith("^")
    assert pattern.endswith("$")
    assert WORDS[pattern].startswith(("must be ", "must not "))
    re.compile(pattern)


@pytest.mark.parametrize("value", [value for kind, value in examples(GOOD) if kind == "ColumnPattern"])
def test_a_pattern_comes_apart_into_three_names_as_the_catalog_has_them(value: str) -> None:
    parts = column_parts(value)
    assert len(parts) == 3
    assert '"' not in "".join(parts)
    assert column_parts(".".join(parts)) == parts, "once taken apart, taking apart again changes nothing"


def test_a_duration_is_a_number_of_milliseconds() -> None:
    found = {value: milliseconds(str(value)) for kind, value in examples(GOOD) if kind == "Duration"}
    assert found == {"30s": 30_000, "0s": 0, "1h30m": 5_400_000, "500ms": 500}
