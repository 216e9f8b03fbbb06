"""Functions, operators and types by their names."""

from __future__ import annotations

from penstock_core.sql.catalog.model import Argument
from penstock_core.sql.catalog.own_objects import (
    estimated_operators,
    is_trusted_operator,
    operator_functions,
    routines,
    schemas_by_name,
    user_objects,
)


def test_overloads_of_a_function_stand_together() -> None:
    int4, text = ["pg_catalog", "int4"], ["pg_catalog", "text"]
    rows = [
        ["app", "f", "f", "sql", "SELECT $1", None, "i", False, int4, [["i", "n", *int4]], None, None, None, None],
        ["app", "f", "f", "sql", "SELECT $1", None, "s", True, text, None, "1", ["work_mem=1MB"], "citext", None],
    ]
    one, other = routines(rows)["app", "f"]
    assert one.arguments == (Argument("i", "n", ("pg_catalog", "int4")),)
    assert (one.returns, one.volatility, one.extension) == (("pg_catalog", "int4"), "i", None)
    assert (other.defaults, other.settings, other.returns_set, other.extension) == (
        "1", ("work_mem=1MB",), True, "citext",
    )  # fmt: skip


def test_operators_run_functions_but_for_those_of_trusted_extensions() -> None:
    rows = [
        ["<%", "app", None, "app", "less", True], ["<%", "app", None, "app", "more", False],
        ["=", "ext", "citext", "ext", "eq", True], ["~~~", "app", None, "app", None, False],
    ]  # fmt: skip
    assert operator_functions(rows) == {"<%": (("app", "less"), ("app", "more"))}
    assert estimated_operators(rows) == {"<%"}
    assert is_trusted_operator("citext", "=")
    assert not is_trusted_operator(None, "=")


def test_objects_of_the_users_own_are_told_from_those_of_trusted_extensions() -> None:
    rows = [["f", "app", None], ["f", "other", None], ["g", "ext", "citext"]]
    own, trusted = user_objects(rows, lambda extension, _: extension == "citext")
    assert own == {"f": ("app", "other")}
    assert trusted == {"g": ("ext",)}
    assert schemas_by_name([("a", "y"), ("a", "x")]) == {"a": ("x", "y")}
