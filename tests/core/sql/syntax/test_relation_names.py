"""Names of relations in strings, as the server reads them."""

from __future__ import annotations

import pytest

from penstock_core.sql.syntax.relation_names import relation_in


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s", ("", "s")),
        (" App.Orders_Seq ", ("app", "orders_seq")),
        ('"App"."a.b""c"', ("App", 'a.b"c')),
        ('app."S"', ("app", "S")),
        ("16384", None),
        ("a.b.c", None),
        ("a . b", None),
        ("ä", None),
        ("-", None),
        ("", None),
    ],
)
def test_what_is_certain_is_read_and_nothing_else(text: str, name: tuple[str, str] | None) -> None:
    assert relation_in(text) == name
