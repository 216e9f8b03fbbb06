"""Types that a function is given the names of as texts: the system's own alone, where something is masked."""

from __future__ import annotations

import pytest
from tests.core.sql.test_governor import KEY, MASKING, table

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.authorize.named_types import builtin_in
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

PEOPLE = table("public", "people", "id", "email")


def decide(text: str) -> Decision:
    catalog = Catalog(
        relations={PEOPLE.key: PEOPLE}, search_path=("public",), user_types={"date": ("app",), "code": ("app",)}
    )
    return Governor(EffectivePolicy("shop", MASKING, None), catalog, KEY).decide(text, ("public",))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("integer", "int4"), ("pg_catalog.int4", "int4"), ("numeric(10, 2)", "numeric"), ("text[]", "text"),
        ("timestamp with time zone", "timestamptz"), ("jsonb", "jsonb"), ("_int4", "_int4"),
        ("app.code", None), ("code", None), ("pg_authid", None), ("int4, app.code", None), ("int4::app.code", None),
        ("int4)::app.code", None), ("int4; SELECT 1", None), ("", None), ("%", None), ("(" * 5000, None),
    ],
)  # fmt: skip
def test_the_type_that_a_text_names(text: str, name: str | None) -> None:
    assert builtin_in(text) == name


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("SELECT pg_input_is_valid('5', 'integer')", True),
        ("SELECT pg_catalog.pg_input_is_valid(email, 'int') FROM people", True),
        ("SELECT message FROM pg_input_error_info('x', 'numeric(4, 2)')", True),
        ("SELECT pg_input_is_valid('x', 'app.code')", False),
        ("SELECT pg_input_is_valid('x', 'code')", False),
        # The database has a type of that name, too.
        ("SELECT pg_input_is_valid('x', 'date')", False),
        ("SELECT pg_input_is_valid('x', 'co' || 'de')", False),
        ("SELECT pg_input_is_valid('x', email) FROM people", False),
        ("SELECT pg_input_is_valid('x', $1)", False),
        ("SELECT pg_input_is_valid(type => 'int', string => 'x')", False),
    ],
)
def test_texts_are_checked_against_the_systems_own_types(text: str, allowed: bool) -> None:
    decision = decide(text)
    assert (decision.action is not Action.DENY) is allowed, decision.denial
    if allowed and "FROM people" in text:
        assert "pg_catalog.pg_input_is_valid" in decision.text
