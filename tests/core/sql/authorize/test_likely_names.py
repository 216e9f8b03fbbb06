"""What is suggested for a name that nothing has: what is in reach and most like it."""

from __future__ import annotations

import pytest
from tests.core.sql.test_governor import table

from penstock_core.sql.authorize.likely_names import (
    likely,
    likely_column,
    likely_function,
    likely_relation,
    likely_type,
)
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.catalog.model import Catalog


@pytest.mark.parametrize(
    ("name", "found"),
    [("emial", "email"), ("nmae", "name"), ("e_mail", "email"), ("created_a", "created_at"), ("xyz", ""), ("", "")],
)
def test_a_name_is_like_another(name: str, found: str) -> None:
    assert likely(name, ["email", "name", "created_at", "id"]) == found


def test_a_column_is_named_with_the_source_that_has_it() -> None:
    outer = Scope([Source("orders", ("id", "amount"))])
    inner = outer.inner([Source("u", ("id", "email")), Source("odd", None)])
    assert likely_column("emial", inner, None) == "u.email"
    assert likely_column("amuont", inner, None) == "orders.amount"
    # Not another's, where the source was written.
    assert likely_column("amuont", inner, inner.sources[0]) == ""
    assert likely_column("nothing", inner, None) == ""


def test_a_relation_is_named_so_that_it_is_found() -> None:
    relations = {one.key: one for one in (table("public", "users", "id"), table("app", "orders", "id"))}
    catalog = Catalog(relations=relations, search_path=("public",))
    assert likely_relation("", "usres", catalog) == "users"
    assert likely_relation("public", "usres", catalog) == "public.users"
    assert likely_relation("", "ordres", catalog) == "app.orders"
    assert likely_relation("public", "ordres", catalog) == ""


def test_functions_and_types_are_the_systems_or_the_databases_own() -> None:
    catalog = Catalog(user_functions={"slugify": ("app",)}, user_types={"mood": ("app",)})
    assert likely_function("lowr", catalog) == "lower"
    assert likely_function("slugfy", catalog) == "slugify"
    # What may not be called is not suggested.
    assert likely_function("query_to_xmll", catalog) == ""
    assert likely_type("", catalog) == ""
    assert likely_type("moood", catalog) == "mood"
    assert likely_type("jsonbb", catalog) == "jsonb"
