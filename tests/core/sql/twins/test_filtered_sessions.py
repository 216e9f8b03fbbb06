"""A row that another session changes while a statement waits for it: the filter, and what keeps the client's conditions
from rows that are not there, hold for what the row has become.
"""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.core.sql.twins.filtered_world import POLICY, make_filtered_twins
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres

# What happens to the row, what waits for it, and what that comes to: rows changed, or the SQLSTATE.
CASES = {
    "it goes out": ("region = 'us'", "UPDATE orders SET price = 7 WHERE id = 1", 0),
    "it stays": ("price = 3", "UPDATE orders SET price = 7 WHERE id = 1", 1),
    "it goes out and would fail": ("region = 'us', amount = 0", "UPDATE orders SET price = 7 WHERE 9 / amount < 1", 39),
    "it stays and fails": ("amount = 0", "UPDATE orders SET price = 7 WHERE id = 1 AND 9 / amount < 1", "22012"),
    "it is deleted after going out": ("region = 'us'", "DELETE FROM watched WHERE id = 1", 0),
    "it goes out and would be joined": (
        "region = 'us', card = 'x'", "UPDATE orders o SET price = p.n FROM plain p WHERE p.id = o.id AND o.id = 1", 0,
    ),
    "it goes out and would be put back": ("region = 'us'", "UPDATE orders SET region = 'eu' WHERE id = 1", 0),
    "it would go out by both": ("state = 'void'", "UPDATE orders SET region = 'uk' WHERE id = 1", 0),
}  # fmt: skip


@pytest.fixture(scope="module")
def twins(postgres: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres, "filtered_sessions")


@pytest.fixture(scope="module")
def twins15(postgres15: EmbeddedPostgres) -> Twins:
    return make_filtered_twins(postgres15, "filtered_sessions")


def outcome(twins: Twins, change: str, text: str) -> int | str:
    decision = twins.governor(POLICY).decide(text, ("public",))
    assert decision.denial is None, decision.denial
    table = text.removeprefix("DELETE FROM ").removeprefix("UPDATE ").split()[0]
    found: list[Any] = []
    with psycopg.connect(twins.left) as other, psycopg.connect(twins.left) as own:
        first = sql.SQL("UPDATE {} SET " + change + " WHERE id = 1").format(sql.Identifier(table))  # type: ignore[arg-type]
        before = other.execute(f"SELECT * FROM {table} WHERE id = 1".encode()).fetchall()
        other.execute(first)

        def wait() -> None:
            try:
                found.append(own.execute(decision.text.encode()).rowcount)
            except psycopg.Error as error:
                found.append(error.sqlstate)

        waiting = threading.Thread(target=wait)
        waiting.start()
        try:
            _until_locked(twins.left, own.info.backend_pid)
            other.commit()
        finally:
            waiting.join(60)
        own.rollback()
        # As it was: the other tests find the same row.
        names = [one.name for one in other.execute(f"SELECT * FROM {table}".encode()).description or ()]
        places = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in names)
        key = sql.SQL("UPDATE {} SET {} WHERE id = 1").format(sql.Identifier(table), places)
        for row in before[:1]:
            other.execute(key, [psycopg.types.json.Jsonb(one) if isinstance(one, dict) else one for one in row])
        other.commit()
    (one,) = found
    return one


def _until_locked(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as watching:
        for _ in range(600):
            row = watching.execute(
                "SELECT wait_event_type = 'Lock', pg_sleep(0.05) FROM pg_stat_activity WHERE pid = %s", (pid,)
            ).fetchone()
            if row and row[0]:
                return
    raise AssertionError("the statement did not wait")


@pytest.mark.parametrize("name", CASES)
def test_the_filter_holds_for_what_a_row_has_become(twins: Twins, name: str) -> None:
    change, text, came = CASES[name]
    assert outcome(twins, change, text) == came


@pytest.mark.parametrize("name", CASES)
def test_it_does_on_postgresql_15(twins15: Twins, name: str) -> None:
    change, text, came = CASES[name]
    assert outcome(twins15, change, text) == came
