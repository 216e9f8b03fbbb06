"""What PostgreSQL's own programs do, as scenarios: psql, pg_dump and its kin, pgbench, the servicing ones.

Run as a program of its own; prints a line of JSON for each scenario, as the probes do. The server's programs are in
$SERVER_BIN.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

BIN = Path(os.environ["SERVER_BIN"])
SCHEMA = """
DROP SCHEMA IF EXISTS shop CASCADE;
SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('calm', 'cross');
CREATE TABLE shop.people (
    id serial PRIMARY KEY, name text DEFAULT 'x' NOT NULL, mood shop.mood, boss int REFERENCES shop.people
);
CREATE INDEX ON shop.people (lower(name));
CREATE VIEW shop.names AS SELECT name FROM shop.people;
CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) FROM shop.people;
CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE STATISTICS shop.both ON name, boss FROM shop.people;
CREATE POLICY own ON shop.people USING (true);
COMMENT ON TABLE shop.people IS 'all of them';
INSERT INTO shop.people (name, mood) SELECT 'p' || n, 'calm' FROM generate_series(1, 100) AS n;
SELECT lo_from_bytea(4711, 'large');
"""
# What psql shows, each behind a backslash.
SHOWN = (
    "d d+ dt+ di+ dv+ dm+ ds+ df+ dT+ dn+ dD+ dp ddp du dg dx db+ dc+ dC+ dd dL+ dy do dO+ dP+ dX drds des dew det dRp"
    " dRs dF+ dFp+ dA+ dAc dAf dAo dAp l lo_list conninfo"
)


def run(program: str, *arguments: str, given: str = "") -> str:
    """What one of the programs prints. Raises CalledProcessError."""
    command = [str(BIN / program), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=60).stdout


def psql(text: str) -> str:
    return run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", given=text)


def shown_by_psql() -> None:
    for command in (*SHOWN.split(), "d+ shop.people", "sf shop.one", "sv shop.names", "dp shop.*"):
        psql(f"\\{command}")


def dumped_and_restored() -> None:
    dump = run("pg_dump")
    psql("DROP SCHEMA shop CASCADE; SELECT lo_unlink(4711);")
    psql(dump)
    # Newer ones write a random word into each dump.
    first, second = ([line for line in one.splitlines() if "restrict" not in line] for one in (dump, run("pg_dump")))
    assert first == second, "the restored database is dumped otherwise"


def dumped_by_several_sessions() -> None:
    with tempfile.TemporaryDirectory() as place:
        run("pg_dump", "-Fd", "-j2", "-f", f"{place}/dump")
        psql("DROP SCHEMA shop CASCADE; SELECT lo_unlink(4711);")
        run("pg_restore", "-j2", "-d", os.environ["PGDATABASE"], f"{place}/dump")
    assert psql("SELECT count(*) FROM shop.people").strip() == "100"


def measured_by_pgbench() -> None:
    run("pgbench", "-i", "-q")
    for mode in ("simple", "extended", "prepared"):
        run("pgbench", "-M", mode, "-c", "2", "-t", "20")


def serviced() -> None:
    for program in ("vacuumdb", "reindexdb", "clusterdb"):
        run(program)
    run("vacuumdb", "--analyze-in-stages")


SCENARIOS: dict[str, Callable[[], None]] = {
    "psql shows the schema": shown_by_psql,
    "pg_dump and psql": dumped_and_restored,
    "pg_dump and pg_restore, by several sessions": dumped_by_several_sessions,
    "pgbench": measured_by_pgbench,
    "vacuumdb, reindexdb, clusterdb": serviced,
}


def main() -> None:
    psql(SCHEMA)
    for test, play in SCENARIOS.items():
        if sys.argv[1:] and test not in sys.argv[1:]:
            continue
        record = {"test": test, "result": "passed", "message": ""}
        try:
            play()
        except subprocess.CalledProcessError as error:
            record |= {"result": "failed", "message": f"{' '.join(map(str, error.cmd))}: {error.stderr[-1000:]}"}
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            record |= {"result": "failed", "message": str(error)}
        sys.stdout.write(f"{json.dumps(record)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
