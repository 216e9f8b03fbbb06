"""A small run of the store's benchmark gives figures that can be read, and that keep what is promised of the store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.made_trail import MadeTrail

from penstock_core.audit.schema import complaint, missing
from penstock_core.audit.verify import verify

ROOT = Path(__file__).resolve().parents[2]


def test_a_small_run(tmp_path: Path) -> None:
    out = tmp_path / "audit.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "bench.audit", "--statements", "8000", "--repeats", "3",
            "--directory", tmp_path, "--out", out, "--pairs",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert report["statements"] == 8000
    assert report["store_rate"] > 100
    assert report["plain_rate"] > report["store_rate"]
    # Of so few, a good part are rows still, and the empty tables count.
    assert 100 < report["bytes_per_statement"] < 700
    assert 1200 < report["plain_bytes_per_statement"] < 3000
    assert report["parts"]["blocks"] > 50
    assert set(report["searches"]) >= {"latest", "a word of few", "a statement's page", "all"}
    assert all(0 < one["p50_ms"] <= one["p99_ms"] for one in report["searches"].values())
    # A tenth of the events, to the whole batch.
    assert 1000 < report["dropped_events"] < 2500
    for name in ("at_rest", "in_retention", "portions"):
        one = report[name]
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= one["longest_ms"] < 10_000, name
    assert 0 < report["longest_portion_cpu_ms"] < 5_000
    assert "longest batch while retention runs, ms: ≤ 100, " in done.stdout
    assert "bytes for each" in done.stdout
    assert "searching" in done.stderr
    assert not list(tmp_path.glob("penstock-bench-*"))


@pytest.mark.parametrize("pairs", [False, True])
def test_the_trail_is_one_that_gates_could_have_sent(pairs: bool) -> None:
    lines: dict[str, list[bytes]] = {}
    for stream, some in MadeTrail(gates=2, pairs=pairs).batches(500):
        lines.setdefault(stream, []).extend(some)
    assert len(lines) == 2
    events = [json.loads(line) for some in lines.values() for line in some]
    assert {complaint(event) for event in events} == {""}
    assert [name for event in events for name in missing(event)] == []
    kinds = {event["kind"] for event in events} - {"login", "session"}
    assert kinds == ({"intent", "outcome"} if pairs else {"statement"})
    report = verify([line for some in lines.values() for line in some], partial=True)
    assert {one.fault.name for one in report.findings} <= {"NEVER_OPENED"}
    assert [line for _, some in MadeTrail(gates=2).batches(500) for line in some] == [
        line for _, some in MadeTrail(gates=2).batches(500) for line in some
    ]
