"""What completing the order of rows costs, and what a row filter does: plans and times of a million rows.

    python -m bench.row_order            # `rowOrder` unspecified and complete: docs/performance.md, a minute or two
    python -m bench.row_order --plans    # with each plan before and after
    python -m bench.row_order --filtered # without a filter on the rows of users, and with one

What the gate itself costs is measured by `python -m bench`.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, RowFilter, RowOrder, Rule
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.snapshot import STATEMENTS, snapshot
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

_SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, tenant int, email text, created timestamptz, note text);
CREATE INDEX users_tenant_email ON users (tenant, email);
CREATE INDEX users_tenant_created ON users (tenant, created);
CREATE INDEX users_created ON users (created);
CREATE TABLE orders (id int PRIMARY KEY, user_id int, amount numeric(8, 2), placed timestamptz);
CREATE INDEX orders_user ON orders (user_id);
CREATE INDEX orders_placed ON orders (placed);
INSERT INTO users SELECT n, n % 10000, md5(n::text) || '@example.com',
    '2030-01-01'::timestamptz + (n::bigint * 7919 % 1000003) * interval '1 second', 'note ' || n
    FROM generate_series(1, ROWS) n;
INSERT INTO orders SELECT n, n * 7 % ROWS + 1, n % 1000 + 0.5,
    '2030-01-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 2 * ROWS) n;
"""
# The settings of a server that has been tuned a little; no parallel plans, whose times vary too much to compare.
_SETTINGS = {"shared_buffers": "512MB", "work_mem": "16MB", "max_parallel_workers_per_gather": "0", "jit": "off",
             "fsync": "off"}  # fmt: skip

_STATEMENTS: dict[str, str] = {
    "point read by the key": "SELECT * FROM users WHERE id = 4711",
    "point read, joined": "SELECT o.amount, u.note FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = 4711",
    "is there any of a tenant": "SELECT 1 FROM users WHERE tenant = 5 LIMIT 1",
    "one of a tenant": "SELECT id FROM users WHERE tenant = 5 LIMIT 1",
    "all of a tenant": "SELECT * FROM users WHERE tenant = 5",
    "newest ten of a tenant": "SELECT * FROM users WHERE tenant = 5 ORDER BY created DESC LIMIT 10",
    "newest ten of all": "SELECT * FROM users ORDER BY created DESC LIMIT 10",
    "first hundred": "SELECT * FROM users LIMIT 100",
    "first hundred by the key": "SELECT * FROM users ORDER BY id LIMIT 100",
    "newest twenty orders with their users": "SELECT o.id, u.note FROM orders o JOIN users u ON u.id = o.user_id"
    " ORDER BY o.placed DESC LIMIT 20",
    "twenty orders of a tenant": "SELECT o.id, u.note FROM users u JOIN orders o ON o.user_id = u.id"
    " WHERE u.tenant = 5 LIMIT 20",
    "orders of one user": "SELECT o.* FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 4711",
    "count, min and max": "SELECT count(*), min(created), max(id) FROM users",
    "count by tenant": "SELECT tenant, count(*) FROM users GROUP BY tenant",
    "array of a tenant": "SELECT array_agg(id) FROM users WHERE tenant = 5",
    "newest of each tenant": "SELECT DISTINCT ON (tenant) tenant, id FROM users ORDER BY tenant, created DESC",
    "numbered within tenants": "SELECT id, row_number() OVER (PARTITION BY tenant ORDER BY created) FROM users"
    " WHERE tenant < 100",
    "whole table": "SELECT id, tenant, created FROM users",
    "newest ten of a tenant, computed": "SELECT id, 1000 / id, tenant * id FROM users WHERE tenant = 5 ORDER BY"
    " created DESC LIMIT 10",
    "newest ten of all, computed": "SELECT id, 1000 / id, created::date AS day FROM users ORDER BY created DESC"
    " LIMIT 10",
    "newest ten of all, by a condition": "SELECT id FROM users WHERE 1000 / id >= 0 ORDER BY created DESC LIMIT 10",
    "one of a tenant, by a condition": "SELECT id FROM users WHERE tenant = 5 AND 1000 / id >= 0 LIMIT 1",
    "all of a tenant, by a condition": "SELECT id FROM users WHERE tenant = 5 AND 1000 / id >= 0",
    "newest twenty orders, computed": "SELECT o.id, o.amount * 1.2, u.note FROM orders o JOIN users u"
    " ON u.id = o.user_id ORDER BY o.placed DESC LIMIT 20",
    "newest twenty orders, by a condition": "SELECT o.id, u.note FROM orders o JOIN users u ON u.id = o.user_id"
    " WHERE o.amount * 1.2 > 0 ORDER BY o.placed DESC LIMIT 20",
    "is there any of a tenant, by a condition": "SELECT EXISTS (SELECT FROM users WHERE tenant = 5 AND 1000 / id >= 0)",
    "whole table, computed": "SELECT id, 1000 / id FROM users",
    "whole table, by a condition": "SELECT id FROM users WHERE 1000 / id >= 0",
    "sum of what is computed": "SELECT sum(1000 / id) FROM users",
    "sums by tenant, computed": "SELECT tenant, sum(1000 / id) FROM users GROUP BY tenant",
    "changed to what is computed, a tenant": "UPDATE users SET note = (1000 / id)::text WHERE tenant = 5",
    "changed and returned, one": "UPDATE users SET note = 'x' WHERE id = 4711 RETURNING id",
    "changed and returned, a tenant": "UPDATE users SET note = 'x' WHERE tenant = 5 RETURNING id",
    "changed from a joined table": "UPDATE orders o SET amount = 1 FROM users u WHERE u.id = o.user_id"
    " AND u.tenant = 5",
}


# It leaves out every hundredth row.
_FILTER = "note NOT LIKE '%99' AND tenant >= 0"


@dataclass(frozen=True)
class _Run:
    milliseconds: float
    plan: str


def _governor(catalog: Catalog, order: RowOrder, where: str = "") -> Governor:
    masks = (MaskRule(("public.users.email",), Mask("redact", Rule("bench", "masks[0]"))),)
    filters = (RowFilter(("public", "users"), where, Rule("bench", "rowFilters[0]")),) if where else ()
    policies = PolicySet(("bench",), frozenset({"select", "update"}), masks, row_order=order, row_filters=filters)
    return Governor(EffectivePolicy("bench", policies, None), catalog, b"the bench's own key")


def _catalog(connection: psycopg.Connection) -> Catalog:
    documents = {}
    for name, sql in STATEMENTS:
        cursor = connection.execute(sql.encode())
        if name:
            documents[name] = str((cursor.fetchone() or ("",))[0])
    return snapshot(documents)


def _measured(connection: psycopg.Connection, text: str, times: int) -> _Run:
    """The median of several runs, each rolled back, the first not counted; the plan is the last one's."""
    found: list[_Run] = []
    for _ in range(times + 1):
        with connection.transaction(force_rollback=True):
            plan = "\n".join(
                str(row[0])
                for row in connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {text}".encode())
            )
        found.append(_Run(float(re.findall(r"Execution Time: ([0-9.]+) ms", plan)[0]), plan))
    return _Run(statistics.median(run.milliseconds for run in found[1:]), found[-1].plan)


def _shown(run: _Run) -> str:
    return f"{run.milliseconds:.2f}" if run.milliseconds < 10 else f"{run.milliseconds:.0f}"


def main() -> None:
    """Measure, and print a table for people."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000, help="users; there are twice as many orders")
    arguments.add_argument("--times", type=int, default=5, help="runs of which the median counts")
    arguments.add_argument("--filtered", action="store_true", help="without a row filter, and with one")
    arguments.add_argument("--plans", action="store_true", help="print each plan before and after")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-row-order-") as place:
        Path(place).chmod(0o755)
        server = EmbeddedPostgres.start(Path(place) / "server", settings=_SETTINGS)
        try:
            _measure(server, chosen.rows, chosen.times, filtered=chosen.filtered, plans=chosen.plans)
        finally:
            server.stop()


def _measure(server: EmbeddedPostgres, rows: int, times: int, *, filtered: bool, plans: bool) -> None:
    server.psql("CREATE DATABASE bench")
    server.psql(_SCHEMA.replace("ROWS", str(rows)), "bench")
    server.psql("VACUUM ANALYZE", "bench")
    with psycopg.connect(server.url("bench"), autocommit=True) as connection:
        catalog = _catalog(connection)
        if filtered:
            governors = [_governor(catalog, "complete", where) for where in ("", _FILTER)]
            print("| statement | all rows, ms | filtered, ms |\n|---|---:|---:|")
        else:
            governors = [_governor(catalog, order) for order in ("unspecified", "complete")]
            print("| statement | unspecified, ms | complete, ms |\n|---|---:|---:|")
        details = []
        for name, text in _STATEMENTS.items():
            decided = [one.decide(text, ("public",)) for one in governors]
            if any(one.action is Action.DENY for one in decided):
                # Filtered tables are read only.
                continue
            runs = [_measured(connection, one.text, times) for one in decided]
            print(f"| {name} | {_shown(runs[0])} | {_shown(runs[1])} |", flush=True)
            details.append(f"\n## {name}\n\n{text}\n\n{runs[0].plan}\n\n{runs[1].plan}")
        if plans:
            print("\n".join(details))


if __name__ == "__main__":
    main()
