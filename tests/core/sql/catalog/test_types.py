"""Which types run code of the user's where a value of theirs is named, or only near."""

from __future__ import annotations

from typing import Any

from penstock_core.sql.catalog.types import Types


def types(
    *rows: list[Any],
    casts: list[list[str]] | None = None,
    orders: list[list[Any]] | None = None,
    conversions: list[list[str]] | None = None,
) -> Types:
    return Types({"types": list(rows), "casts": casts or [], "orders": orders or [], "conversions": conversions or []})


def domain(name: str, of: str, *checks: str, schema: str = "pg_catalog") -> list[Any]:
    """A domain, with the extensions of what its checks use (empty: the user's own code)."""
    return [name, "app", "d", None, list(checks), [[schema, of]]]


def composite(name: str, *of: str) -> list[Any]:
    return [name, "app", "c", None, [], [["app", one] for one in of]]


ENUM = ["mood", "app", "e", None, [], None]


def named(*names: str) -> set[tuple[str, str]]:
    return {("app", name) for name in names}


def test_a_domain_is_safe_unless_its_check_runs_the_users_code() -> None:
    found = types(domain("plain", "text"), domain("checked", "text", ""), domain("trusted", "text", "citext"))
    assert found.safe == named("plain", "trusted")
    assert found.coded == found.checked == named("checked")


def test_what_is_made_of_a_type_is_as_that_is() -> None:
    rows = (domain("bad", "text", ""), composite("pair", "bad", "mood"), composite("nest", "pair"), ENUM,
            composite("good", "mood"), ["_bad", "app", "b", None, [], [["app", "bad"]]])  # fmt: skip
    found = types(*rows)
    assert found.coded == named("bad", "pair", "nest", "_bad")
    assert found.safe == named("mood", "good")


def test_a_composite_of_an_unknown_type_is_not_safe() -> None:
    assert types(composite("odd", "nobody")).safe == frozenset()
    assert types(composite("empty")).safe == named("empty")


def test_a_base_type_of_the_users_is_not_safe_and_one_of_a_trusted_extension_is() -> None:
    own, extension, stranger = (
        [name, "app", "b", of, [], None] for name, of in (("own", None), ("citext", "citext"), ("odd", "dblink"))
    )
    assert types(own, extension, stranger).safe == named("citext")


def test_a_cast_runs_where_something_else_is_wanted() -> None:
    casts = [
        ["app", "a", "pg_catalog", "text", "e"],
        ["pg_catalog", "text", "app", "b", "i"],
        ["pg_catalog", "text", "app", "c", "e"],
    ]
    found = types(casts=casts)
    assert found.coded == named("a", "b")
    # One that has to be written leads there all the same.
    assert found.cast == named("b", "c")
    assert found.checked == frozenset()


def test_a_cast_between_the_systems_types_that_nobody_has_to_write_is_told() -> None:
    explicit = ["pg_catalog", "int4", "pg_catalog", "text", "e"]
    assert types(casts=[explicit]).implicit_cast == ""
    assert types(casts=[explicit, [*explicit[:4], "i"]]).implicit_cast == "int4 to text"
    assert types(casts=[[*explicit[:4], "a"]]).implicit_cast == "int4 to text"


def test_types_that_the_users_functions_compare_are_coded() -> None:
    def order(default: bool, extension: str | None) -> list[list[Any]]:
        return [["app", "a", default, None, None, "cmp", "app", extension]]

    assert types(orders=order(True, None)).coded == named("a")
    assert types(orders=order(True, "citext")).coded == frozenset()
    assert types(orders=order(False, None)).coded == frozenset()


def test_the_functions_that_run_where_a_value_is_made() -> None:
    rows = (domain("bad", "text", ""), composite("pair", "bad"), composite("nest", "pair"))
    found = types(*rows, conversions=[["app", "bad", "app", "check_it"], ["app", "nest", "app", "another"]])
    assert found.functions == {
        ("app", "bad"): (("app", "check_it"),),
        ("app", "pair"): (("app", "check_it"),),
        ("app", "nest"): (("app", "another"), ("app", "check_it")),
    }
