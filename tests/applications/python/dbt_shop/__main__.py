"""A warehouse by dbt over a shop's tables: seeds, views, tables, increments and snapshots, tests and documents."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psycopg2
from dbt.cli.main import dbtRunner
from reporting import Programme

_PROJECT = Path(__file__).parent / "project"
_WORK = Path(os.environ["APPLICATION_WORK"])
os.environ |= {"DBT_TARGET_PATH": str(_WORK / "target"), "DBT_LOG_PATH": str(_WORK), "DBT_USE_COLORS": "false"}
_SOURCES = """
CREATE SCHEMA shop;
CREATE TABLE shop.customers (
    id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, phone text, country text NOT NULL
);
CREATE TABLE shop.orders (
    id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES shop.customers, status text NOT NULL,
    total numeric(10, 2) NOT NULL, placed_at date NOT NULL
);
INSERT INTO shop.customers VALUES
    (1, 'Anna Vogel', 'anna@north.example', '+49 30 5550101', 'DE'),
    (2, 'Berta Lund', 'berta@south.example', '+46 8 5550102', 'SV'),
    (3, 'Carl Moreau', 'carl@north.example', NULL, 'FR');
INSERT INTO shop.orders VALUES
    (1, 1, 'paid', 99.80, '2024-05-01'), (2, 1, 'open', 249.50, '2024-05-02'), (3, 2, 'sent', 138.90, '2024-05-03');
"""

programme = Programme()


def _dbt(*words: str) -> str:
    """What became of the nodes of a command of dbt."""
    folders = ("--project-dir", str(_PROJECT), "--profiles-dir", str(_PROJECT))
    result = dbtRunner().invoke([*words, *folders])
    nodes = [one for one in getattr(result.result, "results", None) or [] if hasattr(one, "node")]
    failed = [f"{one.node.name}: {one.message}" for one in nodes if one.status not in ("success", "pass")]
    if not result.success or failed:
        raise RuntimeError("; ".join(failed) or str(result.exception))
    return ", ".join(sorted(f"{one.node.name} {one.status}" for one in nodes))


def _sql(text: str) -> Any:
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else cursor.rowcount
    finally:
        connection.close()


@programme.prepare("the shop's tables")
def _sources() -> str:
    _sql(_SOURCES)
    return "done"


programme.use("debug the connection")(lambda: _dbt("debug"))
programme.use("parse")(lambda: _dbt("parse"))
programme.use("seed")(lambda: _dbt("seed"))
programme.use("seed again")(lambda: _dbt("seed"))
programme.use("seed anew")(lambda: _dbt("seed", "--full-refresh"))
programme.use("seeded rows")(lambda: _sql("SELECT * FROM analytics.countries ORDER BY code"))
programme.use("run: a table of customers")(lambda: _dbt("run", "--select", "stg_customers"))
programme.use("run: a view of orders")(lambda: _dbt("run", "--select", "stg_orders"))
programme.use("run: a view of customers")(lambda: _dbt("run", "--select", "customer_view"))
programme.use("run: a table with a contract and an index")(lambda: _dbt("run", "--select", "customer_totals"))
programme.use("run: a materialized view")(lambda: _dbt("run", "--select", "countries_by_turnover"))
programme.use("run: an increment, first")(lambda: _dbt("run", "--select", "order_log"))
programme.use("run: an increment of customers, first")(lambda: _dbt("run", "--select", "mail_log"))
programme.use("what the models hold")(
    lambda: [
        _sql("SELECT customer_id, name, email, phone FROM analytics.stg_customers ORDER BY 1"),
        _sql("SELECT * FROM analytics.customer_totals ORDER BY 1"),
        _sql("SELECT * FROM analytics.countries_by_turnover ORDER BY 1"),
        _sql("SELECT order_id, status FROM analytics.order_log ORDER BY 1"),
        _sql("SELECT * FROM analytics.mail_log ORDER BY 1"),
    ]
)
programme.use("what the view of customers shows")(lambda: _sql("SELECT * FROM analytics.customer_view ORDER BY id"))
programme.use("snapshot of orders, first")(lambda: _dbt("snapshot", "--select", "order_states"))
programme.use("snapshot of customers, first")(lambda: _dbt("snapshot", "--select", "customer_states"))
programme.use("orders change")(
    lambda: _sql(
        "UPDATE shop.orders SET status = 'sent' WHERE id = 1;"
        "INSERT INTO shop.orders VALUES (4, 3, 'open', 20, '2024-06-01')"
    )
)
programme.use("run: all but the view of customers, again")(lambda: _dbt("run", "--exclude", "customer_view"))
programme.use("run: an increment with one more column")(
    lambda: _dbt("run", "--select", "mail_log", "--vars", "{wide: true}")
)
programme.use("run: tables and increments anew")(
    lambda: _dbt("run", "--full-refresh", "--select", "stg_customers", "order_log", "mail_log")
)
programme.use("snapshot of orders, again")(lambda: _dbt("snapshot", "--select", "order_states"))
programme.use("snapshot of customers, again")(lambda: _dbt("snapshot", "--select", "customer_states"))
programme.use("what the snapshots hold")(
    lambda: [
        _sql("SELECT id, status, dbt_valid_to IS NULL FROM history.order_states ORDER BY id, dbt_valid_from"),
        _sql("SELECT id, email FROM history.customer_states ORDER BY id, dbt_valid_from"),
    ]
)
programme.use("test of sources")(lambda: _dbt("test", "--select", "source:*"))
programme.use("test of models")(lambda: _dbt("test", "--select", "stg_customers", "stg_orders"))
programme.use("test of totals")(lambda: _dbt("test", "--select", "customer_totals", "totals_are_not_negative"))
programme.use("test that keeps what fails")(lambda: _dbt("test", "--store-failures", "--select", "stg_orders"))
programme.use("build of one model and what needs it")(lambda: _dbt("build", "--select", "stg_orders+"))


@programme.use("freshness of sources")
def _freshness() -> str:
    try:
        return _dbt("source", "freshness")
    except RuntimeError as error:
        # The shop's last order is years ago.
        if "warn" in str(error) or "None" in str(error):
            return "stale"
        raise


programme.use("list of models")(lambda: _dbt("list"))
programme.use("compile an analysis")(lambda: _dbt("compile", "--select", "top"))
programme.use("preview of a query")(lambda: _dbt("show", "--inline", "select email from {{ ref('stg_customers') }}"))
programme.use("run a macro that lists and drops")(lambda: _dbt("run-operation", "drop_old"))
programme.use("run a macro that comments")(lambda: _dbt("run-operation", "grant_reports"))


@programme.use("documents")
def _documents() -> object:
    _dbt("docs", "generate")
    catalog = json.loads((_WORK / "target" / "catalog.json").read_text())
    nodes = {**catalog["nodes"], **catalog["sources"]}
    return catalog["errors"], {
        name: (one["metadata"]["type"], list(one["columns"])) for name, one in sorted(nodes.items())
    }


if __name__ == "__main__":
    programme.run()
