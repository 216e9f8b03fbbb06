"""Approvals by table: whatever leads to the table is held, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.sidecar.proxy.approvals import Place, begin_at
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import errors

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import message, query

RULE = """  approvals:
    - {{name: ledger, when: "'reached.ledger' in statement.tables", approvers: {{groups: [dba]}}, wait: {wait}}}
"""
SCHEMA = """
DROP SCHEMA IF EXISTS reached CASCADE; CREATE SCHEMA reached;
CREATE TABLE reached.owners (id int PRIMARY KEY);
CREATE TABLE reached.ledger (id int, owner int REFERENCES reached.owners ON DELETE CASCADE, day date)
 PARTITION BY RANGE (day);
CREATE TABLE reached.ledger_26 PARTITION OF reached.ledger FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE reached.plain (id int); CREATE TABLE reached.noted (id int);
CREATE VIEW reached.shown AS SELECT id FROM reached.ledger; CREATE VIEW reached.above AS SELECT id FROM reached.shown;
CREATE VIEW reached.other AS SELECT id FROM reached.plain;
CREATE FUNCTION reached.counts() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM reached.above';
CREATE FUNCTION reached.note() RETURNS trigger LANGUAGE plpgsql AS
 'BEGIN DELETE FROM reached.ledger WHERE ledger.id = NEW.id; RETURN NEW; END';
CREATE TABLE reached.ruled (id int); CREATE RULE r AS ON UPDATE TO reached.ruled DO ALSO DELETE FROM reached.ledger;
CREATE VIEW reached.stats AS SELECT tablename, most_common_vals FROM pg_stats_ext;
CREATE FUNCTION reached.sampled() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM pg_catalog.pg_stats_ext';
CREATE FUNCTION reached.fills() RETURNS void LANGUAGE sql AS 'INSERT INTO reached.noted VALUES (1)';
CREATE TRIGGER note BEFORE INSERT ON reached.noted FOR EACH ROW EXECUTE FUNCTION reached.note();
"""
HELD = [
    "SELECT id FROM reached.ledger", "SELECT id FROM reached.ledger_26", "DELETE FROM reached.ledger_26",
    "SELECT id FROM reached.shown", "SELECT id FROM reached.above", "UPDATE reached.above SET id = 1",
    "SELECT reached.counts()", "INSERT INTO reached.noted VALUES (1)", "DELETE FROM reached.owners",
    "TRUNCATE reached.owners CASCADE", "COPY (SELECT id FROM reached.above) TO STDOUT", "TABLE reached.shown",
    "CREATE TABLE reached.copied AS SELECT id FROM reached.above", "WITH x AS (SELECT 1 FROM reached.shown) SELECT 1",
    "UPDATE reached.ruled SET id = 1", "DROP SCHEMA reached CASCADE", "DROP TABLE reached.owners CASCADE",
    "SELECT most_common_vals FROM pg_stats_ext", "SELECT * FROM pg_stats WHERE tablename = 'ledger_26'",
    "COPY pg_stats_ext_exprs TO STDOUT", "SELECT * FROM reached.stats", "SELECT reached.sampled()",
    "SELECT reached.fills()",
    "COPY reached.ledger_26 TO STDOUT", "EXPLAIN ANALYZE SELECT id FROM reached.above",
]  # fmt: skip
FREE = [
    "SELECT id FROM reached.plain", "SELECT id FROM reached.other", "SELECT id FROM reached.owners",
    "SELECT relname FROM pg_class", "SELECT * FROM pg_stat_user_tables", "SELECT attname FROM pg_attribute",
    "INSERT INTO reached.owners VALUES (1)", "DELETE FROM reached.plain", "SELECT 1 FROM reached.noted",
]  # fmt: skip


@pytest.fixture
async def place(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Place]:
    shop.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    made = await begin_at(start, shop, approvals=RULE)
    yield made
    made.end()


async def test_whatever_leads_there_is_held(place: Place) -> None:
    client = await place.client()
    assert [text for text in HELD if errors(await client.ask(text)) != ["42501"]] == []
    assert len({one.digest for one in place.holder.asked}) == len(HELD)


async def test_what_leads_elsewhere_is_not(place: Place) -> None:
    client = await place.client()
    assert [text for text in FREE if errors(await client.ask(text))] == []
    assert place.holder.asked == []


async def test_a_view_of_ones_own_is_no_way_around(place: Place) -> None:
    client = await place.client()
    got = await client.ask("CREATE VIEW reached.mine AS SELECT id FROM reached.plain")
    assert errors(got) == []
    # To write it is to name the table.
    assert errors(await client.ask("CREATE OR REPLACE VIEW reached.mine AS SELECT id FROM reached.ledger")) == ["42501"]
    await place.holder.decide()
    assert errors(await client.ask("CREATE OR REPLACE VIEW reached.mine AS SELECT id FROM reached.ledger")) == []
    await place.running.proxy.rules_provider.refresh_catalog()
    assert errors(await client.ask("SELECT id FROM reached.mine")) == ["42501"]


async def test_copy_runs_no_rules_of_a_table(place: Place) -> None:
    """So that what these lead to is not held for it; the server is asked whether that is so."""
    client = await place.client()
    rule = "CREATE OR REPLACE RULE i AS ON INSERT TO reached.ruled DO ALSO DELETE FROM reached.ledger"
    fill = "INSERT INTO reached.ledger VALUES (1, NULL, '2026-01-02')"
    place.server.psql(f"SET ROLE penstock; {rule}; {fill}", "shop")
    await place.running.proxy.rules_provider.refresh_catalog()
    data = message(b"d", b"7\n") + message(b"c", b"")
    assert errors(await client.talk([(query("COPY reached.ruled FROM STDIN"), b"G"), (data, b"Z")])) == []
    assert errors(await client.ask("INSERT INTO reached.ruled VALUES (8)")) == ["42501"]
    left = place.server.psql("SELECT id FROM reached.ruled UNION ALL SELECT -id FROM reached.ledger", "shop").split()
    assert left == ["7", "-1"]
