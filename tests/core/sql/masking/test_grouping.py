"""GROUP BY of a primary key goes on to allow the table's other columns once that is a subquery."""

from __future__ import annotations

import pytest
from pglast import ast

from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.masking.grouping import extended_group_by
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse

PEOPLE, ORDERS = Source("p", ("id", "email", "name")), Source("o", ("id", "person"))


def grouped(text: str, key: tuple[str, ...] = ("id",)) -> str | None:
    """What GROUP BY becomes, where `p` was replaced; None where it stays."""
    (select,) = parse(text)
    assert isinstance(select, ast.SelectStmt)
    groups = extended_group_by(select, select.targetList or (), Scope([PEOPLE, ORDERS]), {PEOPLE: key})
    if groups is None:
        return None
    select.groupClause = groups
    return deparse((select,)).split("GROUP BY ")[1].split(" HAVING ")[0]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("SELECT email FROM p, o GROUP BY p.id", "p.id, p.email"),
        ("SELECT p.name, email FROM p, o GROUP BY p.id", "p.id, p.email, p.name"),
        ("SELECT p.id, email FROM p, o GROUP BY 1", "1, p.email"),
        ("SELECT p.id AS key, email FROM p, o GROUP BY key", "key, p.email"),
        ("SELECT 1 FROM p, o GROUP BY p.id HAVING email = '' ORDER BY name", "p.id, p.email, p.name"),
        ("SELECT p.* FROM p, o GROUP BY p.id", "p.id, p.email, p.name"),
        ("SELECT upper(email) FROM p, o GROUP BY p.id", "p.id, p.email"),
        ("SELECT max(email) OVER () FROM p, o GROUP BY p.id", "p.id, p.email"),
        # What an aggregate makes of it needs no grouping.
        ("SELECT count(email), max(name) FROM p, o GROUP BY p.id", "p.id"),
        ("SELECT email FROM p, o GROUP BY p.id, email", "p.id, email"),
    ],
)
def test_what_is_used_of_it_is_added(text: str, becomes: str) -> None:
    assert grouped(text) == becomes


@pytest.mark.parametrize(
    "text",
    [
        "SELECT email FROM p, o",
        "SELECT email FROM p, o GROUP BY name",
        "SELECT email FROM p, o GROUP BY o.id",
        "SELECT email FROM p, o GROUP BY ROLLUP (p.id)",
        "SELECT email FROM p, o GROUP BY p.id + 1",
        "SELECT email FROM p, o GROUP BY 7",
    ],
)
def test_where_the_key_is_not_grouped_by_it_stays(text: str) -> None:
    assert grouped(text) is None


def test_the_whole_key_counts_and_none_is_no_key() -> None:
    assert grouped("SELECT email FROM p, o GROUP BY p.id", ("id", "name")) is None
    assert grouped("SELECT email FROM p, o GROUP BY name, p.id", ("id", "name")) == "name, p.id, p.email"
    assert grouped("SELECT email FROM p, o GROUP BY p.id", ()) is None
