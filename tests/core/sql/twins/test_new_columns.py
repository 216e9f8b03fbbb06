"""A column that was added behind the gate's back, and that nobody knows yet to be governed, does not show."""

from __future__ import annotations

import pytest
from tests.core.sql.twins.world import Twins, see

from penstock_core.sql.decision import Action

ADDED = "ALTER TABLE public.log ADD COLUMN email text DEFAULT 'dora@example.com'"

SHOWING_ALL = [
    "SELECT * FROM log",
    "SELECT l.* FROM log AS l",
    "SELECT public.log.* FROM public.log",
    "SELECT a, b, log.* FROM log AS log(a, b)",
    "TABLE log",
    "SELECT log FROM log",
    "SELECT row_to_json(log) FROM log",
    "SELECT (log).* FROM log",
    "SELECT ROW(log.*) FROM log",
    "SELECT log::text FROM log",
    "SELECT * FROM log JOIN watched USING (id) RIGHT JOIN (SELECT 1 AS id) one USING (id)",
    "SELECT * FROM log NATURAL JOIN (SELECT 1 AS id) one",
    "SELECT j.* FROM (log CROSS JOIN (SELECT 1 AS one) x) AS j",
    "SELECT j FROM (log CROSS JOIN (SELECT 1 AS one) x) AS j",
    "SELECT s.* FROM (SELECT * FROM log) s",
    "SELECT l.*, u.id FROM log l JOIN u ON u.id = l.n",
    "SELECT *, g FROM log, generate_series(1, 2) g",
    "WITH l AS (SELECT * FROM log) SELECT * FROM l",
    "SELECT (SELECT row_to_json(l) FROM log l LIMIT 1)",
    "SELECT json_agg(l) FROM log l",
    "SELECT * FROM log UNION ALL SELECT * FROM log",
    "COPY log TO STDOUT",
    "COPY (SELECT * FROM log) TO STDOUT",
    "UPDATE log SET n = 1 RETURNING *",
    "DELETE FROM log RETURNING log.*",
    "DELETE FROM log USING log AS other RETURNING other",
    "INSERT INTO log (line) VALUES ('x') RETURNING *",
    "WITH d AS (DELETE FROM log RETURNING *) SELECT * FROM d",
    "DECLARE c CURSOR FOR SELECT * FROM log; FETCH ALL FROM c",
    "PREPARE p AS SELECT * FROM log; EXECUTE p",
    "CREATE TEMP TABLE loot AS SELECT * FROM log; SELECT * FROM loot",
]


@pytest.mark.parametrize("text", SHOWING_ALL)
def test_only_known_columns_show(twins: Twins, text: str) -> None:
    decision = twins.governor().decide(text, ("public",))
    assert decision.action is Action.REWRITE
    seen = see(twins.left, decision, ADDED)
    assert seen.ok, seen
    assert not any(b"dora" in value for row in seen.rows for value in row if value)


@pytest.mark.parametrize("text", ["SELECT email FROM log", "SELECT l.email FROM log l", "UPDATE log SET line = email"])
def test_its_name_is_looked_up_first(twins: Twins, text: str) -> None:
    decision = twins.governor().decide(text, ("public",))
    assert decision.denial is not None
    assert decision.denial.unknown_names


@pytest.mark.parametrize("text", ["UPDATE log SET n = 1 RETURNING log", "DELETE FROM log WHERE log IS NULL"])
def test_the_row_of_a_target_is_not_read_as_a_whole(twins: Twins, text: str) -> None:
    assert twins.governor().decide(text, ("public",)).action is Action.DENY


def test_without_a_star_a_statement_goes_as_it_came(twins: Twins) -> None:
    text = "select id, line from log -- as it is"
    assert twins.governor().decide(text, ("public",)).text == text
