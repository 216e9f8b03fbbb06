"""Part (c): what sqlsmith makes up about the twins' tables, asked of both.

sqlsmith reads the schema from one twin, past the gate, and prints its statements; they are asked through the gates.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

from tests.conformance.stage import StageError
from tests.noninterference.bulk import Bulk, found
from tests.noninterference.tally import Tally
from tests.noninterference.twins import DBNAME, LOGIN, PASSWORD, Twin, Twins

PART = "sqlsmith"
_BATCH = 100
# What is each connection's own, and differs between twins by nothing that is masked.
_OWN = re.compile(r"inet_(client|server)_port|pg_backend_pid|pg_postmaster_start_time|pg_conf_load_time", re.IGNORECASE)


def statements(twin: Twin, seed: int) -> Iterator[str]:
    """A batch of them. Raises StageError where sqlsmith is missing or fails."""
    target = f"host=127.0.0.1 port={twin.server.port} dbname={DBNAME} user={LOGIN} password='{PASSWORD}'"
    try:
        done = subprocess.run(
            [
                "sqlsmith", f"--target={target}", "--dry-run", "--exclude-catalog", f"--max-queries={_BATCH}",
                f"--seed={seed}",
            ],
            capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise StageError("sqlsmith is missing: apt-get install sqlsmith") from None
    if done.returncode:
        raise StageError(f"sqlsmith ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    yield from (one.strip() for one in done.stdout.split(";\n") if one.strip() and not _OWN.search(one))


def run(twins: Twins, first: int, tally: Tally, say: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Ask batch after batch until the time has come."""
    bulk = Bulk(twins, "maker")
    seed = first
    while not ended():
        for text in statements(twins.members[0], seed):
            if ended():
                break
            _one(twins, bulk, text, tally)
        seed += 1
        say(f"{PART}: {(seed - first) * _BATCH} statements")
    bulk.close()


def _one(twins: Twins, bulk: Bulk, text: str, tally: Tally) -> None:
    verdict = bulk.judge(text)
    tally.count(PART, twins.version, verdict.outcome)
    if verdict.outcome == "leaked":
        tally.find(found(PART, bulk, text, verdict, twins.version))
