"""Which functions an order of rows shows in, held against a server that sums the same rows both ways."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from pglast import ast

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists.functions import AGGREGATES, FUNCTIONS, NUMBERING, WINDOWS
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Routine
from penstock_core.sql.masking import order_sensitivity as data
from penstock_core.sql.masking.order_sensitivity import OwnCalls, is_sensitive, resolved_window, window_needs
from penstock_core.sql.syntax.parse import parse


def call(text: str) -> Any:
    (select,) = parse(f"SELECT {text}")
    assert isinstance(select, ast.SelectStmt)
    return (select.targetList or ())[0].val


def test_what_is_listed_is_a_function_of_its_kind() -> None:
    assert sorted((data._ORDERLESS | data.SUMS) - AGGREGATES) == []
    assert not data._ORDERLESS & data.SUMS
    assert sorted((data._OF_PEERS | data._POSITIONAL) - WINDOWS) == []
    assert not data._OF_PEERS & data._POSITIONAL
    extensions = {"uuid_generate_v1", "uuid_generate_v1mc"}
    assert sorted(data.ORDER_TELLING - FUNCTIONS - NUMBERING - extensions) == []
    assert data.INTEGERS < data.EXACT


@pytest.mark.parametrize("name", sorted(data._ORDERLESS - {"count", "every", "mode", "regr_count"}))
def test_an_aggregate_of_any_order_gives_the_same(postgres: EmbeddedPostgres, name: str) -> None:
    values = {
        "bool_and": "(n > 2)", "bool_or": "(n > 2)", "range_agg": "int4range(n, n + 2)",
        "range_intersect_agg": "int4range(n, n + 9)", "percentile_cont": "", "percentile_disc": "",
    }  # fmt: skip
    value = values.get(name, "n")
    text = f"{name}({value} ORDER BY n {{}})" if value else f"{name}(0.3) WITHIN GROUP (ORDER BY n)"
    with psycopg.connect(postgres.url()) as connection:
        query = f"SELECT {text.format('ASC')} = {text.format('DESC')} FROM unnest(ARRAY[5, 1, 4, 2, 4]) AS n"
        assert connection.execute(query.encode()).fetchone() == (True,)


@pytest.mark.parametrize(
    ("text", "sensitive"),
    [
        ("array_agg(a)", True), ("string_agg(a, b)", True), ("max(a)", False), ("count(*)", False), ("sum(a)", True),
        ("array_agg(DISTINCT a)", False), ("mode() WITHIN GROUP (ORDER BY a)", False), ("any_value(a)", True),
        ("corr(a, b)", True), ("public.mine(a)", True),
    ],
)  # fmt: skip
def test_whether_an_aggregates_result_depends_on_order(text: str, sensitive: bool) -> None:
    assert is_sensitive(call(text), exact=False) is sensitive


def test_sums_depend_on_it_unless_they_add_up_exactly() -> None:
    assert not is_sensitive(call("sum(a)"), exact=True)
    # What is exact about a list's items says nothing about their order.
    assert is_sensitive(call("array_agg(a)"), exact=True)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("rank() OVER (ORDER BY a)", ""),
        ("row_number() OVER (ORDER BY a)", "order"),
        ("lag(a) OVER (ORDER BY a)", "order"),
        ("first_value(a) OVER (ORDER BY a)", "order"),
        ("last_value(a) OVER (ORDER BY a)", "sorted"),
        ("array_agg(a) OVER (ORDER BY a)", "sorted"),
        ("array_agg(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING)", "order"),
        ("array_agg(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING EXCLUDE TIES)", "sorted"),
        ("max(a) OVER (ORDER BY a)", ""),
        ("max(a) OVER (ORDER BY a ROWS 1 PRECEDING)", "order"),
        ("first_value(a) OVER (ORDER BY a ROWS 1 PRECEDING EXCLUDE CURRENT ROW)", "sorted"),
    ],
)
def test_what_a_window_function_needs(text: str, needs: str) -> None:
    found = call(text)
    assert window_needs(found, found.over, exact=False) == needs


def test_a_window_is_what_it_takes_from_named_ones() -> None:
    (select,) = parse(
        "SELECT f() OVER w, g() OVER (v ROWS 1 PRECEDING) WINDOW v AS (PARTITION BY a), w AS (v ORDER BY b)"
    )
    assert isinstance(select, ast.SelectStmt)
    first, second = (resolved_window(target.val.over, select.windowClause) for target in select.targetList or ())
    assert (len(first.partitionClause or ()), len(first.orderClause or ())) == (1, 1)
    assert (len(second.partitionClause or ()), second.orderClause) == (1, None)
    assert second.startOffset is not None


def test_functions_of_the_databases_own() -> None:
    made = {
        ("app", "gather"): (Routine("app", "gather", "a", "internal"),),
        ("app", "plain"): (Routine("app", "plain", "f", "sql", "SELECT 1"),),
        ("app", "clock"): (Routine("app", "clock", "f", "sql", "SELECT clock_timestamp()"),),
        ("app", "write"): (Routine("app", "write", "f", "c", ""),),
    }
    catalog = Catalog(routines=made, user_functions={name: ("app",) for _, name in made})
    own = OwnCalls(Functions(catalog))
    assert [own.is_aggregate(call(f"{name}(a)")) for name in ("gather", "plain", "sum", "lower")] == [
        True, False, True, False,
    ]  # fmt: skip
    assert not own.is_aggregate(call("gather(a) OVER ()"))
    told = [own.tells(call(f"{name}()")) for name in ("nextval", "clock", "write", "plain", "now")]
    assert told == [True, True, True, False, False]


def test_functions_that_leave_something_behind_tell_when_they_were_called() -> None:
    bodies = {
        "keep": "SELECT set_config('app.seen', current_setting('app.seen', true) || $1, false)",
        "here": "SELECT set_config('app.seen', $1, true)",
        "call": "SELECT pg_notify('jobs', $1)",
        "log": "INSERT INTO app.log VALUES ($1) RETURNING 1",
        "read": "SELECT current_setting('app.seen', true)",
    }
    made = {("app", name): (Routine("app", name, "f", "sql", body),) for name, body in bodies.items()}
    catalog = Catalog(
        routines=made, user_functions=dict.fromkeys(bodies, ("app",)), user_operators=frozenset({"|#|"}),
        operator_functions={"|#|": (("app", "log"),)},
    )  # fmt: skip
    own = OwnCalls(Functions(catalog))
    assert [own.tells(call(f"{name}('a')")) for name in bodies] == [True, True, True, True, False]
    assert own.tells(call("set_config('app.seen', a, false)"))
    assert own.operator_tells(call("a |#| b"))
    assert own.operator_tells(call("a OPERATOR(app.|#|) b"))
    assert not own.operator_tells(call("a + b"))
