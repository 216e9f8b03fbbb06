"""`rowOrder: always`: a table that was written in the order of masked values tells nothing either.

Nothing in the catalog says how such a table was written: the twins hold the same unmasked values in different places.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from tests.core.sql.twins.order_world import COMPLETE
from tests.core.sql.twins.world import Mode, Seen, Twins, read_catalog

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import EffectivePolicy, RowOrder
from penstock_core.sql.decision import Action

SCHEMA = """
CREATE TABLE bulk (id int PRIMARY KEY, tenant int, salary int, note text);
CREATE TABLE keyless (tenant int, word text, salary int);
CREATE TABLE whole (id int, tenant int, salary int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (1000);
CREATE TABLE parent (id int, note text);
CREATE TABLE child (salary int) INHERITS (parent);
CREATE TABLE innocent (id int, note text);
CREATE VIEW shown AS SELECT id, tenant FROM bulk;
INSERT INTO innocent SELECT n, 'note' FROM generate_series(1, 60) n;
"""
FILL = """
INSERT INTO bulk SELECT n, n % 3, PAY, 'note ' || n FROM generate_series(1, 60) n ORDER BY PAY;
INSERT INTO keyless SELECT n % 3, 'word ' || n, PAY FROM generate_series(1, 60) n ORDER BY PAY;
INSERT INTO whole SELECT n, n % 3, PAY FROM generate_series(1, 60) n ORDER BY PAY;
INSERT INTO child SELECT n, 'note', PAY FROM generate_series(1, 60) n ORDER BY PAY;
ANALYZE;
CREATE MATERIALIZED VIEW kept AS SELECT id, tenant FROM bulk;
"""
TELLING = (
    "SELECT id, tenant FROM bulk",
    "SELECT id FROM bulk LIMIT 1",
    "SELECT id FROM bulk WHERE tenant = 1 OFFSET 3",
    "SELECT DISTINCT ON (tenant) tenant, id FROM bulk ORDER BY tenant",
    "SELECT tenant, array_agg(id) FROM bulk GROUP BY tenant ORDER BY tenant",
    "SELECT id, row_number() OVER () FROM bulk ORDER BY id",
    "SELECT * FROM keyless",
    "SELECT * FROM whole",
    "SELECT * FROM part",
    "SELECT id FROM parent",
    "SELECT id FROM child",
    "SELECT id FROM shown",
    "SELECT id FROM kept",
    "UPDATE bulk SET note = 'x' RETURNING id",
    "COPY bulk TO STDOUT",
)


@pytest.fixture(scope="module", params=["postgres", "postgres16", "postgres15"])
def twins(request: pytest.FixtureRequest) -> Twins:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    urls = {}
    for twin in ("left", "right"):
        name = f"written_{twin}"
        server.psql(f"CREATE DATABASE {name}")
        server.psql(SCHEMA + FILL.replace("PAY", f"abs(hashtext('{twin}' || n)) % 10000"), name)
        urls[twin] = server.url(name)
    return Twins(urls["left"], urls["right"], read_catalog(urls["left"]))


def answers(twins: Twins, text: str, order: RowOrder, mode: Mode = "simple") -> tuple[Seen, Seen]:
    policy = EffectivePolicy("shop", replace(COMPLETE, row_order=order), None, 3)
    decision = twins.governor(policy).decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    return twins.run(decision, mode)


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("text", TELLING)
def test_the_twins_answer_in_the_same_order(twins: Twins, text: str, mode: Mode) -> None:
    left, right = answers(twins, text, "always", mode)
    assert left.ok, left.message
    assert left == right


@pytest.mark.parametrize("text", TELLING)
def test_each_tells_where_only_hazards_that_the_catalog_knows_are_completed(twins: Twins, text: str) -> None:
    left, right = answers(twins, text, "complete")
    assert left.ok, left.message
    assert left != right


def test_a_relation_without_masked_columns_stays_as_it_is(twins: Twins) -> None:
    for order in get_args(RowOrder):
        policy = EffectivePolicy("shop", replace(COMPLETE, row_order=order), None, 3)
        decision = twins.governor(policy).decide("SELECT id, note FROM innocent LIMIT 5", ("public",))
        assert "ORDER BY" not in decision.text
